import { Problem } from '../base/index.ts'
import { idsOf, pickRows } from './batch.ts'
import { kindOf } from './problems.ts'
import type { Change, Table } from './table.ts'
import type { LensBatch, LensLog, LensRemoval, LensRow } from './types.ts'

/** Rows of one transaction: at 40,000 rows a second a batch stays under 50 ms, and a search never waits for one. */
const BATCH_ROWS = 2_000
/** Batches of live writes after which filling gets one, so that it ends even on a node that is written to without a pause. */
const LIVE_BATCHES = 4
/** A row written by itself costs DuckDB twenty times what it costs in company, so live rows wait this long for others, or until somebody asks. */
const COMPANY_MS = 100
/** Live rows that may wait. Whoever brings more waits for them to be written, so that what a question has to wait for stays small. */
const MOST_WAITING = 512

/** Something asked of the writer. `fill` yields to live writes and never replaces what is there. */
interface Job {
  readonly table: Table
  readonly rows: readonly LensRow[]
  readonly removed: readonly LensRemoval[]
  readonly fill: boolean
  /** Rows of a filling thread; they are written by themselves. */
  readonly batch?: LensBatch
  /** Takes every row out; written by itself. */
  readonly empty?: true
  /** Counts up. */
  readonly at: number
  readonly resolve: () => void
  readonly reject: (error: Problem) => void
}

/**
 * The only writer. Parallel writers on the same rows conflict. A live row is taken in at once and written when the next question is
 * asked (`settled`), or a moment later together with those that came after it; then the writer takes whatever has gathered.
 */
export class Writer {
  readonly #log: LensLog
  readonly #applies: Job[] = []
  readonly #fills: Job[] = []
  /** When the newest live rows of each table are written. */
  readonly #newest = new Map<Table, Promise<void>>()
  #running: Promise<void> | null = null
  #company: NodeJS.Timeout | undefined
  #count = 0
  /** Live jobs up to this one are to be written now. */
  #due = 0
  #waitingRows = 0
  #liveBatches = 0
  #closed = false

  constructor(log: LensLog) {
    this.#log = log
  }

  /** Resolves when whoever calls `settled` from now on finds the rows, and no more what is removed. A loss is told by the table's `damaged`. */
  async apply(table: Table, rows: readonly LensRow[], removed: readonly LensRemoval[]): Promise<void> {
    if (this.#closed) throw new Problem('shutting-down')
    const written = this.#add(this.#applies, { table, rows, removed, fill: false })
    this.#newest.set(table, written)
    this.#waitingRows += rows.length + removed.length
    const over = (): void => void (this.#newest.get(table) === written && this.#newest.delete(table))
    written.then(over, over)
    // What is taken away (erased, it may be) is gone when this resolves.
    if (removed.length > 0 || this.#waitingRows > MOST_WAITING) this.#writeNow()
    else return void (this.#company ??= setTimeout(() => this.#writeNow(), COMPANY_MS))
    await written
  }

  /** Resolves when all that was applied before the call is written, or known to be lost. */
  async settled(): Promise<void> {
    if (this.#newest.size === 0) return
    this.#writeNow()
    await Promise.allSettled(this.#newest.values())
  }

  async fill(table: Table, rows: readonly LensRow[]): Promise<void> {
    for (let at = 0; at < rows.length; at += BATCH_ROWS) {
      const filled = this.#add(this.#fills, { table, rows: rows.slice(at, at + BATCH_ROWS), removed: [], fill: true })
      this.#start()
      await filled
    }
  }

  async fillBatch(table: Table, batch: LensBatch): Promise<void> {
    if (batch.versions.length === 0) return
    const filled = this.#add(this.#fills, { table, rows: [], removed: [], fill: true, batch })
    this.#start()
    await filled
  }

  /** Takes every row out, after all that was asked for before. */
  async empty(table: Table): Promise<void> {
    const emptied = this.#add(this.#applies, { table, rows: [], removed: [], fill: false, empty: true })
    this.#writeNow()
    await emptied
  }

  /** Refuses new work, ends what was committed before, and drops the rest of the filling. */
  async close(): Promise<void> {
    this.#closed = true
    for (const job of this.#fills.splice(0)) job.reject(new Problem('shutting-down'))
    this.#writeNow()
    await this.#running
  }

  #add(queue: Job[], job: Omit<Job, 'at' | 'resolve' | 'reject'>): Promise<void> {
    if (this.#closed) return Promise.reject(new Problem('shutting-down'))
    return new Promise((resolve, reject) => queue.push({ ...job, at: ++this.#count, resolve, reject }))
  }

  #writeNow(): void {
    clearTimeout(this.#company)
    this.#company = undefined
    this.#due = this.#count
    this.#start()
  }

  #start(): void {
    this.#running ??= this.#work()
  }

  async #work(): Promise<void> {
    // Lets everything asked for in this turn of the event loop go into the first batch.
    await Promise.resolve()
    for (let batch = this.#next(); batch.length > 0; batch = this.#next()) await this.#write(batch)
    // In the same breath as finding nothing left, or a job added in between would wait for ever.
    this.#running = null
  }

  /** Jobs of one table, oldest first, up to a batch; live ones that are not due yet only together with one that is. */
  #next(): Job[] {
    const due = this.#applies[0] !== undefined && this.#applies[0].at <= this.#due
    const live = due && (this.#liveBatches < LIVE_BATCHES || this.#fills.length === 0)
    this.#liveBatches = live ? this.#liveBatches + 1 : 0
    const queue = live ? this.#applies : this.#fills
    const table = queue[0]?.table
    const batch: Job[] = []
    const left: Job[] = []
    let size = 0
    let full = false
    for (const job of queue) {
      full ||= job.table === table && batch.length > 0 && (size + sizeOf(job) > BATCH_ROWS || alone(job) || alone(batch[0]))
      if (full || job.table !== table) left.push(job)
      else size += sizeOf(batch[batch.push(job) - 1] ?? job)
    }
    queue.splice(0, queue.length, ...left)
    if (live) this.#waitingRows -= size
    return batch
  }

  async #write(batch: readonly Job[]): Promise<void> {
    const [first] = batch
    if (!first) return
    if (first.empty) return this.#empty(first)
    const plan = first.batch ? planOfBatch(first.table, first.batch) : planOf(first.table, batch)
    try {
      await first.table.write(plan.change)
      for (const [id, state] of plan.states) first.table.versions.set(id, state.version, state.live)
      for (const job of batch) job.resolve()
    } catch (error) {
      // One job may have spoilt the batch: alone, only that one fails.
      if (batch.length > 1) for (const job of batch) await this.#write([job])
      else this.#fail(first, error)
    }
  }

  async #empty(job: Job): Promise<void> {
    try {
      await job.table.empty()
      job.resolve()
    } catch (error) {
      this.#fail(job, error)
    }
  }

  #fail(job: Job, error: unknown): void {
    job.table.damaged = true
    this.#log.error({ component: 'lens', errorType: kindOf(error), entity: job.table.layout.entity, count: sizeOf(job) }, 'lens write failed')
    job.reject(new Problem('lens-unavailable'))
  }
}

const alone = (job: Job | undefined): boolean => job?.batch !== undefined || job?.empty === true

function sizeOf(job: Job): number {
  return job.rows.length + job.removed.length + (job.batch?.versions.length ?? 0)
}

interface State {
  version: number
  live: boolean
}

interface Plan {
  readonly change: Change
  readonly states: ReadonlyMap<string, State>
}

/** Works out what a batch changes, in memory: of each row only its last state is written, and nothing older than what is known. */
function planOf(table: Table, batch: readonly Job[]): Plan {
  const states = new Map<string, State & { row: LensRow | null }>()
  const known = (id: string) => states.get(id) ?? table.versions.get(id)
  for (const job of batch) {
    for (const row of job.rows) {
      const before = known(row.id)
      if (accepts(before, row.version, job.fill)) states.set(row.id, { version: row.version, live: true, row })
    }
    for (const removal of job.removed) {
      const { id, version } = typeof removal === 'string' ? { id: removal, version: 0 } : removal
      const before = known(id)
      // A newer version arrived first: this removal was undone before it got here.
      if (typeof removal !== 'string' && before?.live && before.version > version) continue
      states.set(id, { version: Math.max(version, before?.version ?? 0), live: false, row: null })
    }
  }
  const insert = [...states.values()].flatMap(({ row }) => (row ? [row] : []))
  const remove = [...states.keys()].filter((id) => table.versions.get(id)?.live)
  return { change: { insert, batch: null, remove }, states }
}

/** The same for rows made ready by another thread: nearly always all of them are new, and go in as they came. */
function planOfBatch(table: Table, batch: LensBatch): Plan {
  const states = new Map<string, State>()
  const places: number[] = []
  const remove: string[] = []
  for (const [place, id] of idsOf(batch).entries()) {
    const version = batch.versions[place] ?? 0
    const before = table.versions.get(id)
    if (!accepts(before, version, true) || states.has(id)) continue
    states.set(id, { version, live: true })
    places.push(place)
    if (before) remove.push(id)
  }
  const kept = places.length === batch.versions.length ? batch : pickRows(batch, places)
  return { change: { insert: [], batch: places.length > 0 ? kept : null, remove }, states }
}

function accepts(before: { live: boolean; version: number } | null, version: number, fill: boolean): boolean {
  if (!before) return true
  // What fills was read before the removal and cannot know of it.
  if (!before.live) return !fill && version > before.version
  return fill ? version > before.version : version >= before.version
}
