import { uuidv7 } from '../../kernel/base/index.ts'
import type { Condition } from '../../kernel/lens/types.ts'
import { openDesk, systemActor, type WorkDeps } from '../../kernel/work/index.ts'
import { ALL } from '../access/index.ts'
import { changeRecord, openRows, sliceFor, type RecordsDeps } from '../records/index.ts'
import { rulesOf, scoreOf } from '../score-rules/index.ts'
import { Lead } from './leads.entity.ts'

const PAGE = 200
const SCORER = systemActor({ lead: ['read', 'edit'] })
const EXPOSED: Condition = { field: 'poolId', op: 'isEmpty' }

/** Gives every lead the score of the rules of now. A lead in a pool keeps its score: it is reckoned when somebody claims it. */
export async function rescore(work: WorkDeps, deps: RecordsDeps): Promise<void> {
  const slice = sliceFor(deps, Lead.name)
  let before: string | undefined
  for (;;) {
    const rows = await slice.store.page(work.db, { scope: ALL, where: EXPOSED, limit: PAGE, ...(before ? { before } : {}) })
    if (rows.length === 0) return
    before = rows.at(-1)!.id
    const { desk, settled } = openDesk(work, SCORER, uuidv7())
    const rules = await rulesOf({ sql: work.db, vault: work.vault }, deps)
    const { records } = await openRows(desk, slice, rows)
    for (const r of records) {
      if (scoreOf(Lead, rules, r) === r['score']) continue
      await desk.write((tx) => changeRecord(tx, deps, slice, { id: r.id, version: null, action: 'edit', event: 'lead.scored', next: () => ({}) })).catch(gone)
    }
    await settled()
  }
}

/** Deleted or put into a pool meanwhile. */
function gone(error: unknown): void {
  if (!(error instanceof Error) || error.message !== 'not-found') throw error
}
