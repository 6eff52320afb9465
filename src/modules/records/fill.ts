import { setTimeout as sleep } from 'node:timers/promises'
import type { Db } from '../../kernel/db/types.ts'
import type { Lens } from '../../kernel/lens/index.ts'
import { errorFields, type Log } from '../../kernel/log/index.ts'
import type { Vault } from '../../kernel/vault/index.ts'
import { PageReader, type PageAsked } from './fill-page.ts'
import { FillThreads, ThreadFailed } from './fill-threads.ts'
import type { ThreadWords } from './fill-thread.ts'
import type { RecordsDeps, Slice } from './slice.ts'

export interface FillDeps {
  db: Db
  vault: Vault
  /** What the filling threads work with. */
  threads: ThreadWords
  lens: Lens
  log: Log
  records: RecordsDeps
}

/** Rows of a page: some 30 ms of a thread, and few enough that little of it grows old in memory. */
const PAGE = 500

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

const LONGEST_PAUSE_MS = 30_000

const LOOK_MS = 2_000

/** Fills the lens in the background until it is whole, and again what a lost write makes incomplete: a database that is away for a while only makes it later. */
export function startFilling(deps: FillDeps): { stop(): Promise<void> } {
  const stopping = new AbortController()
  const filling = keepWhole(deps, stopping.signal)
  return {
    async stop() {
      stopping.abort()
      await filling
    },
  }
}

async function keepWhole(deps: FillDeps, signal: AbortSignal): Promise<void> {
  const slices = fillOrder([...deps.records.slices.values()])
  await fillUntilWhole(deps, slices, signal)
  for (let pause = LOOK_MS; !signal.aborted; ) {
    await sleep(pause, undefined, { signal, ref: false }).catch(() => undefined)
    const damaged = signal.aborted ? [] : deps.lens.damaged()
    // What was lost for want of memory is lost again when there is none, so each time it waits longer.
    pause = damaged.length > 0 ? Math.min(pause * 2, LONGEST_PAUSE_MS) : LOOK_MS
    for (const entity of damaged) await deps.lens.empty(entity).catch(() => undefined)
    if (damaged.length > 0) await fillUntilWhole(deps, slices.filter((s) => damaged.includes(s.entity.name)), signal)
  }
}

async function fillUntilWhole(deps: FillDeps, slices: readonly Slice[], signal: AbortSignal): Promise<void> {
  for (let pause = 250; !signal.aborted; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
    try {
      return await fillLens(deps, slices, signal)
    } catch (error) {
      if (signal.aborted) return
      deps.log.error({ component: 'lens', ...(error instanceof ThreadFailed ? error.fields : errorFields(error)) }, 'filling the lens broke off and is tried again')
      await sleep(pause, undefined, { signal }).catch(() => undefined)
    }
  }
}

/** Fills the lens newest first; it can be searched from the first batch. A row that does not open is left out and told, never guessed. */
async function fillLens(deps: FillDeps, slices: readonly Slice[], signal: AbortSignal): Promise<void> {
  const threads = new FillThreads(deps.threads)
  const end = (): void => void threads.stop()
  signal.addEventListener('abort', end)
  try {
    for (const slice of slices) await fillOne(deps, slice, threads, signal)
  } finally {
    signal.removeEventListener('abort', end)
    await threads.stop()
  }
}

/** Where one page ends and the next begins, found in the index; what comes in meanwhile is told to the lens by whoever writes it. */
async function* pagesOf(db: Db, table: string): AsyncGenerator<{ before: string | null; from: string | null }> {
  for (let before: string | null = null; ; ) {
    const above: string = before === null ? '' : 'AND id < $1'
    const [last]: { id: string }[] = await db.query<{ id: string }>(`SELECT id FROM ${table} WHERE deleted_at IS NULL ${above} ORDER BY id DESC OFFSET ${PAGE - 1} LIMIT 1`, before === null ? [] : [before])
    yield { before, from: last?.id ?? null }
    if (!last) return
    before = last.id
  }
}

/** Pages begin newest first and go into the lens as they come: whichever thread is done, and one after the other. A noun of one page is not worth a thread. */
async function fillOne(deps: FillDeps, slice: Slice, threads: FillThreads, signal: AbortSignal): Promise<void> {
  const { entity } = slice
  const here = new PageReader(deps.db, { open: deps.vault.open, ownerKeys: () => deps.vault.ownerKey }, [...deps.records.slices.values()].map((s) => s.entity))
  let total = 0
  const take = async (bounds: Pick<PageAsked, 'before' | 'from'>): Promise<void> => {
    const asked: PageAsked = { entity: entity.name, ...bounds, custom: deps.records.customFields(entity.name) }
    const alone = bounds.before === null && bounds.from === null
    const { rows, batch, refused } = alone ? await here.prepare(asked, await here.rows(asked)) : await threads.prepare(asked)
    for (const { id, fields } of refused) deps.log.error({ component: 'lens', entity: entity.name, id, ...fields }, 'a row does not open and is left out of search')
    await deps.lens.fillBatch(entity.name, batch)
    total += rows
  }
  const under = new Set<Promise<void>>()
  for await (const page of pagesOf(deps.db, entity.table)) {
    if (signal.aborted) break
    const taking: Promise<void> = take(page).finally(() => under.delete(taking))
    taking.catch(() => undefined) // told by the race, or at the end
    under.add(taking)
    if (under.size >= threads.room) await Promise.race(under)
  }
  await Promise.all(under)
  if (!signal.aborted) deps.lens.setComplete(entity.name, total)
}
