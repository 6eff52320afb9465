import { Problem } from '../../kernel/base/index.ts'
import type { AnyRecord } from '../../kernel/entity/index.ts'
import type { LensRow } from '../../kernel/lens/index.ts'
import type { Work } from '../../kernel/work/types.ts'
import { ALL } from '../access/index.ts'
import { shownOf, toLensRow } from './lens-row.ts'
import { openRow } from './open.ts'
import type { RecordsDeps, Slice } from './slice.ts'
import type { FullRow } from './store.ts'

const PAGE = 500

/** Tells the lens the rows that are found by a record's name, when that has changed: else they would be found by the old one, and not by the new. */
export async function tellLinked(work: Work, deps: RecordsDeps, slice: Slice, before: AnyRecord, after: AnyRecord): Promise<void> {
  for (const other of deps.slices.values()) {
    for (const [field, { ref }] of Object.entries(other.entity.fields)) {
      if (ref?.entity !== slice.entity.name || !ref.show || before[ref.show] === after[ref.show]) continue
      await tellField(work, deps, other, field, { id: after.id, name: String(after[ref.show] ?? '') })
    }
  }
}

async function tellField(work: Work, deps: RecordsDeps, other: Slice, field: string, target: { id: string; name: string }): Promise<void> {
  let last: string | undefined
  for (;;) {
    const page = await other.store.page(work.sql, { scope: ALL, where: { field, op: 'eq', value: target.id }, limit: PAGE, ...(last ? { before: last } : {}) })
    if (page.length === 0) return
    const rows: LensRow[] = []
    for (const row of await other.store.full(work.sql, page.map((r) => r.id))) {
      const record = openOrNull(work, other, row)
      if (record) rows.push(toLensRow(other.entity, record, await shownOf(work.sql, work.vault, deps, other.entity, record, { [field]: target.name }), deps.customFields(other.entity.name)))
    }
    work.lens(other.entity.name, rows)
    last = page.at(-1)!.id
  }
}

/** A row that does not open is not in the lens either. */
function openOrNull(work: Work, slice: Slice, row: FullRow): AnyRecord | null {
  try {
    return openRow(work.vault, slice, row, work.vault.ownerKey(row.key_id))
  } catch (error) {
    if (error instanceof Problem && (error.code === 'seal-broken' || error.code === 'key-unavailable')) return null
    throw error
  }
}
