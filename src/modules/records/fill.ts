import { setImmediate as breathe, setTimeout as sleep } from 'node:timers/promises'
import type { Db } from '../../kernel/db/types.ts'
import type { AnyRecord, Entity } from '../../kernel/entity/index.ts'
import type { Lens, LensRow } from '../../kernel/lens/index.ts'
import { errorFields, type Log } from '../../kernel/log/index.ts'
import { openRecord, type RowColumns, type Vault } from '../../kernel/vault/index.ts'
import { toLensRow, type Shown } from './lens-row.ts'
import type { RecordsDeps, Slice } from './slice.ts'

export interface FillDeps {
  db: Db
  vault: Vault
  lens: Lens
  log: Log
  records: RecordsDeps
}

const BATCH = 1000

/** The order in which nouns are filled: those shown through others first, so that a contact finds its company's name. */
export function fillOrder(slices: readonly Slice[]): Slice[] {
  const shows = (s: Slice): string[] => Object.values(s.entity.fields).flatMap((f) => (f.ref?.show ? [f.ref.entity] : []))
  const out: Slice[] = []
  const place = (s: Slice, above: readonly Slice[]): void => {
    if (out.includes(s) || above.includes(s)) return
    for (const other of slices) if (shows(s).includes(other.entity.name)) place(other, [...above, s])
    out.push(s)
  }
  for (const s of slices) place(s, [])
  return out
}

/** Names by row id, kept only while the lens fills. */
type Names = Map<string, Map<string, string>>

function shownFrom(names: Names, entity: Entity, record: AnyRecord): Shown {
  const out: Record<string, string | null> = {}
  for (const [name, f] of Object.entries(entity.fields)) {
    if (f.ref?.show && typeof record[name] === 'string') out[name] = names.get(f.ref.entity)?.get(record[name]) ?? null
  }
  return out
}

function shownFieldOf(slices: Iterable<Slice>, entity: string): string | null {
  for (const s of slices) for (const f of Object.values(s.entity.fields)) if (f.ref?.entity === entity && f.ref.show) return f.ref.show
  return null
}

const LONGEST_PAUSE_MS = 30_000

/** Fills the lens in the background until it is whole: a database that is away for a while only makes it later. */
export function startFilling(deps: FillDeps): { stop(): Promise<void> } {
  const stopping = new AbortController()
  const filling = fillUntilWhole(deps, stopping.signal)
  return {
    async stop() {
      stopping.abort()
      await filling
    },
  }
}

async function fillUntilWhole(deps: FillDeps, signal: AbortSignal): Promise<void> {
  for (let pause = 250; !signal.aborted; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
    try {
      return await fillLens(deps, () => signal.aborted)
    } catch (error) {
      deps.log.error({ component: 'lens', ...errorFields(error) }, 'filling the lens broke off and is tried again')
      await sleep(pause, undefined, { signal }).catch(() => undefined)
    }
  }
}

/** Fills the lens newest first; it can be searched from the first batch. A row that does not open is left out and told, never guessed. */
async function fillLens(deps: FillDeps, stopped: () => boolean): Promise<void> {
  const names: Names = new Map()
  for (const slice of fillOrder([...deps.records.slices.values()])) await fillOne(deps, slice, names, stopped)
}

/** Rows opened in one go: about 10 ms, after which whoever asks the server something gets their turn. */
const AT_ONCE = 150

async function fillOne(deps: FillDeps, slice: Slice, names: Names, stopped: () => boolean): Promise<void> {
  const { entity } = slice
  const fetch = (before?: string): Promise<RowColumns[]> => {
    const rows = deps.db.query<RowColumns>(`SELECT * FROM ${entity.table} WHERE deleted_at IS NULL ${before ? 'AND id < $1' : ''} ORDER BY id DESC LIMIT ${BATCH}`, before ? [before] : [])
    rows.catch(() => undefined) // told when it is awaited; a stop may come before that
    return rows
  }
  names.set(entity.name, new Map())
  let total = 0
  // While a batch is opened here, PostgreSQL reads the next one and DuckDB takes in the last.
  let filling: Promise<void> = Promise.resolve()
  let coming = fetch()
  for (let rows = await coming; rows.length > 0; rows = await coming) {
    if (stopped()) return filling
    coming = fetch(rows.at(-1)!.id)
    const filled = await rowsForLens(deps, slice, names, rows)
    await filling
    filling = deps.lens.fill(entity.name, filled)
    filling.catch(() => undefined) // told by the next await
    total += rows.length
  }
  await filling
  deps.lens.setComplete(entity.name, total)
}

async function rowsForLens(deps: FillDeps, slice: Slice, names: Names, rows: readonly RowColumns[]): Promise<LensRow[]> {
  const { entity } = slice
  const shownField = shownFieldOf(deps.records.slices.values(), entity.name)
  const custom = deps.records.customFields(entity.name)
  const out: LensRow[] = []
  for (const [i, row] of rows.entries()) {
    if (i % AT_ONCE === AT_ONCE - 1) await breathe()
    const record = openForLens(deps, slice, row)
    if (!record) continue
    if (shownField) names.get(entity.name)?.set(record.id, String(record[shownField] ?? ''))
    out.push(toLensRow(entity, record, shownFrom(names, entity, record), custom))
  }
  return out
}

function openForLens(deps: FillDeps, slice: Slice, row: RowColumns): AnyRecord | null {
  try {
    return openRecord(deps.vault, slice.entity, deps.vault.ownerKey(String(row[slice.entity.keyColumn])), row)
  } catch (error) {
    deps.log.error({ component: 'lens', entity: slice.entity.name, id: row.id, ...errorFields(error) }, 'a row does not open and is left out of search')
    return null
  }
}
