import type { Sql } from '../../kernel/db/types.ts'
import type { Work } from '../../kernel/work/types.ts'
import { countShared, giveView, openView, sharedViews } from './views.store.ts'

export { countShared }

/**
 * Gives the shared views of somebody who leaves to a colleague, sealed with that one's key. Private ones stay: what somebody looked for is nobody else's. A filter that tells a
 * value its new owner sees masked stays hidden from them. Returns how many.
 */
export async function giveSharedViews(work: Work, from: string, to: string): Promise<number> {
  const rows = await sharedViews(work.sql, from)
  for (const row of rows) {
    const view = openView(work.vault, row)
    await giveView(work.sql, work.vault, { ...view, words: { ...view.words, given: true }, personId: to, version: view.version + 1, updatedAt: work.at.toISOString() })
    work.record({ action: 'view.given', object: { kind: 'view', id: row.id }, subjects: [work.vault.ownerKey(to)], detail: { from, version: view.version + 1 } })
  }
  return rows.length
}

export type SharedViews = { count(sql: Sql, personId: string): Promise<number>; give(work: Work, from: string, to: string): Promise<number> }
