import { Problem, uuidv7 } from '../../kernel/base/index.ts'
import type { Sql } from '../../kernel/db/types.ts'
import type { Desk, Reading } from '../../kernel/work/types.ts'
import { loadDepartments, type Authority } from '../access/index.ts'
import type { RecordsDeps, Slice } from '../records/index.ts'
import type { ViewWords } from './views.contract.ts'
import { checkShared, checkWords, departmentsAbove, shownTo, type Reader } from './views.policy.ts'
import { countViews, deleteView, findView, insertView, listViews, lockView, openView, saveView, type StoredView, type View } from './views.store.ts'

export interface ViewsDeps {
  records: RecordsDeps
  authority: Authority
}

const MOST_VIEWS = 200
const MOST_LISTED = 500

/** As the contract has parsed it. */
export type ViewBody = Partial<ViewWords> & { departments?: string[] | undefined }

export function sliceOfNoun(deps: ViewsDeps, noun: string): Slice | null {
  return [...deps.records.slices.values()].find((s) => s.entity.plural === noun) ?? null
}

/** The noun as the actor has it; null where they see none of it, or there is none. */
function readerOf(reading: Pick<Reading, 'actor'>, deps: ViewsDeps, noun: string): Reader | null {
  const entity = sliceOfNoun(deps, noun)?.entity
  if (!entity || !reading.actor.grants.permissions.has(`${noun}:read`)) return null
  return { entity, actor: reading.actor, custom: deps.records.customFields(entity.name) }
}

async function parentsOf(sql: Sql, deps: ViewsDeps): Promise<Map<string, string | null>> {
  return new Map((await loadDepartments(sql, deps.authority)).map((d) => [d.id, d.parentId]))
}

/** With whose eyes shared views are looked for: one's department and all above it. */
const mySides = async (reading: Reading, deps: ViewsDeps): Promise<string[]> => departmentsAbove(await parentsOf(reading.sql, deps), reading.actor.departmentId)

/** The view as the contract shows it. */
function shown(view: View, reader: Reader): object {
  const mine = view.personId === reader.actor.personId
  const { words, refused } = shownTo(view.words, reader, mine && !view.words.given)
  const { id, version, noun, createdAt, updatedAt } = view
  return { id, version, ownerId: view.personId, mine, noun, createdAt, updatedAt, ...words, ...(mine ? { departments: view.departments } : {}), refused }
}

/** A view that does not open was changed by other hands, or its owner's key is gone: written down, and not shown. */
async function opened(reading: Reading, row: StoredView): Promise<View> {
  try {
    return openView(reading.vault, row)
  } catch (error) {
    if (error instanceof Problem) await reading.ledger.append({ action: 'seal.refused', actor: reading.actor.key, object: { kind: 'view', id: row.id }, detail: { code: error.code } })
    throw error
  }
}

export async function viewsOf(reading: Reading, deps: ViewsDeps): Promise<{ items: object[]; refused?: number }> {
  const rows = await listViews(reading.sql, reading.actor.personId, await mySides(reading, deps), MOST_LISTED)
  reading.record({ action: 'view.listed', object: { kind: 'view', id: null }, purpose: 'list' })
  const items: object[] = []
  let refused = 0
  for (const row of rows) {
    const reader = readerOf(reading, deps, row.noun)
    if (!reader) continue
    try {
      items.push(shown(await opened(reading, row), reader))
    } catch (error) {
      // One damaged view must not take the others with it; what the ledger cannot write down ends the whole answer.
      if (!(error instanceof Problem) || (error.code !== 'seal-broken' && error.code !== 'key-unavailable')) throw error
      refused++
    }
  }
  return { items, ...(refused > 0 ? { refused } : {}) }
}

/** Throws Problem not-found for a view that is not there, not shared with the actor, or of a noun they see none of. */
export async function viewOf(reading: Reading, deps: ViewsDeps, id: string): Promise<{ body: object; version: number }> {
  const row = await findView(reading.sql, id, reading.actor.personId, await mySides(reading, deps))
  const reader = row && readerOf(reading, deps, row.noun)
  if (!row || !reader) throw new Problem('not-found')
  reading.record({ action: 'view.read', object: { kind: 'view', id }, purpose: 'view' })
  return { body: shown(await opened(reading, row), reader), version: row.version }
}

const MOST_WORDS = 32_000

function wordsOf(body: ViewBody & Pick<ViewWords, 'name' | 'kind'>): ViewWords {
  const { departments: _, ...given } = body
  const words = Object.fromEntries(Object.entries(given).filter(([, v]) => v !== undefined && v !== null)) as unknown as ViewWords // name and kind are among them
  if (JSON.stringify(words).length > MOST_WORDS) throw new Problem('invalid', { errors: [{ path: 'where', code: 'too-big' }] })
  return words
}

export async function createView(desk: Desk, deps: ViewsDeps, given: ViewBody & Pick<ViewWords, 'name' | 'kind'> & { noun: string }): Promise<{ body: object; version: number }> {
  const { noun, ...body } = given
  const reader = readerOf(desk, deps, noun)
  if (!reader) throw new Problem('invalid', { errors: [{ path: 'noun', code: 'unknown-noun' }] })
  const words = wordsOf(body)
  checkWords(words, reader)
  const departments = [...new Set(body.departments ?? [])]
  return desk.write(async (work) => {
    if (departments.length > 0) checkShared(await parentsOf(work.sql, deps), work.actor.departmentId, departments)
    if ((await countViews(work.sql, work.actor.personId)) >= MOST_VIEWS) throw new Problem('invalid', { errors: [{ path: '', code: 'too-many' }] })
    const at = work.at.toISOString()
    const view: View = { id: uuidv7(), personId: work.actor.personId, noun, version: 1, createdAt: at, updatedAt: at, departments, words }
    await insertView(work.sql, work.vault, view)
    work.record({ action: 'view.created', object: { kind: 'view', id: view.id }, detail: { noun, departments } })
    return { body: shown(view, reader), version: 1 }
  })
}

export async function changeView(desk: Desk, deps: ViewsDeps, id: string, version: number, body: ViewBody): Promise<{ body: object; version: number }> {
  return desk.write(async (work) => {
    const before = openView(work.vault, await lockView(work.sql, id, work.actor.personId, version))
    const reader = readerOf(work, deps, before.noun)
    if (!reader) throw new Problem('not-found')
    const { departments, ...changes } = body
    const { given, ...kept } = before.words
    const words = wordsOf({ ...kept, ...(given && changes.where === undefined ? { given } : {}), ...changes })
    checkWords(words, reader)
    if (departments) checkShared(await parentsOf(work.sql, deps), work.actor.departmentId, departments)
    const after: View = { ...before, words, departments: departments ? [...new Set(departments)] : before.departments, version: version + 1, updatedAt: work.at.toISOString() }
    await saveView(work.sql, work.vault, after)
    work.record({ action: 'view.updated', object: { kind: 'view', id }, detail: { noun: after.noun, departments: after.departments } })
    return { body: shown(after, reader), version: after.version }
  })
}

export async function removeView(desk: Desk, id: string, version: number): Promise<{ id: string }> {
  return desk.write(async (work) => {
    await lockView(work.sql, id, work.actor.personId, version)
    await deleteView(work.sql, id)
    work.record({ action: 'view.deleted', object: { kind: 'view', id } })
    return { id }
  })
}

/** Which of these views the actor may see; for whoever only wants to know that. */
export async function seenViews(reading: Reading, deps: ViewsDeps, ids: readonly string[]): Promise<Set<string>> {
  const rows = await listViews(reading.sql, reading.actor.personId, await mySides(reading, deps), MOST_LISTED)
  return new Set(rows.filter((r) => ids.includes(r.id) && readerOf(reading, deps, r.noun)).map((r) => r.id))
}
