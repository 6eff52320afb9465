import { Problem } from '../base/index.ts'
import { kindOf } from './problems.ts'
import type { Change, Table } from './table.ts'
import type { LensLog, LensRemoval, LensRow } from './types.ts'

/** Rows of one transaction: at 40,000 rows a second a batch stays under 50 ms, and a search never waits for one. */
const BATCH_ROWS = 2_000
/** Batches of live writes after which filling gets one, so that it ends even on a node that is written to without a pause. */
const LIVE_BATCHES = 4

/** Something asked of the writer. `fill` yields to live writes and never replaces what is there. */
interface Job {
  readonly table: Table
  readonly rows: readonly LensRow[]
  readonly removed: readonly LensRemoval[]
  readonly fill: boolean
  readonly resolve: () => void
  readonly reject: (error: Problem) => void
}

/**
 * The only writer. Parallel writers on the same rows conflict, and one that takes whatever has gathered while it wrote the last batch is
 * as fast as DuckDB is: with nothing to do it starts at once, under load its batches grow.
 */
export class Writer {
  readonly #log: LensLog
  readonly #applies: Job[] = []
  readonly #fills: Job[] = []
  #running: Promise<void> | null = null
  #liveBatches = 0
  #closed = false

  constructor(log: LensLog) {
    this.#log = log
  }

  apply(table: Table, rows: readonly LensRow[], removed: readonly LensRemoval[]): Promise<void> {
    return this.#add(this.#applies, { table, rows, removed, fill: false })
  }

  async fill(table: Table, rows: readonly LensRow[]): Promise<void> {
    for (let at = 0; at < rows.length; at += BATCH_ROWS) {
      await this.#add(this.#fills, { table, rows: rows.slice(at, at + BATCH_ROWS), removed: [], fill: true })
    }
  }

  /** Refuses new work, ends what was committed before, and drops the rest of the filling. */
  async close(): Promise<void> {
    this.#closed = true
    for (const job of this.#fills.splice(0)) job.reject(new Problem('shutting-down'))
    await this.#running
  }

  #add(queue: Job[], job: Omit<Job, 'resolve' | 'reject'>): Promise<void> {
    if (this.#closed) return Promise.reject(new Problem('shutting-down'))
    return new Promise((resolve, reject) => {
      queue.push({ ...job, resolve, reject })
      this.#running ??= this.#work()
    })
  }

  async #work(): Promise<void> {
    // Lets everything asked for in this turn of the event loop go into the first batch.
    await Promise.resolve()
    for (let batch = this.#next(); batch.length > 0; batch = this.#next()) await this.#write(batch)
    // In the same breath as finding nothing left, or a job added in between would wait for ever.
    this.#running = null
  }

  /** Jobs of one table, oldest first, up to a batch. */
  #next(): Job[] {
    const live = this.#applies.length > 0 && (this.#liveBatches < LIVE_BATCHES || this.#fills.length === 0)
    this.#liveBatches = live ? this.#liveBatches + 1 : 0
    const queue = live ? this.#applies : this.#fills
    const batch: Job[] = []
    let size = 0
    while (queue[0] && (batch.length === 0 || (queue[0].table === batch[0]?.table && size + sizeOf(queue[0]) <= BATCH_ROWS))) {
      const job = queue.shift()
      if (!job) break
      batch.push(job)
      size += sizeOf(job)
    }
    return batch
  }

  async #write(batch: readonly Job[]): Promise<void> {
    const [first] = batch
    if (!first) return
    const plan = planOf(first.table, batch)
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

  #fail(job: Job, error: unknown): void {
    job.table.damaged = true
    this.#log.error({ component: 'lens', errorType: kindOf(error), entity: job.table.layout.entity, count: sizeOf(job) }, 'lens write failed')
    job.reject(new Problem('lens-unavailable'))
  }
}

function sizeOf(job: Job): number {
  return job.rows.length + job.removed.length
}

interface State {
  version: number
  live: boolean
  row: LensRow | null
}

interface Plan {
  readonly change: Change
  readonly states: ReadonlyMap<string, State>
}

/** Works out what a batch changes, in memory: of each row only its last state is written, and nothing older than what is known. */
function planOf(table: Table, batch: readonly Job[]): Plan {
  const states = new Map<string, State>()
  const known = (id: string) => states.get(id) ?? table.versions.get(id)
  for (const job of batch) {
    for (const row of job.rows) {
      const before = known(row.id)
      if (accepts(before, row, job.fill)) states.set(row.id, { version: row.version, live: true, row })
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
  return { change: { insert, remove }, states }
}

function accepts(before: { live: boolean; version: number } | null, row: LensRow, fill: boolean): boolean {
  if (!before) return true
  // What fills was read before the removal and cannot know of it.
  if (!before.live) return !fill && row.version > before.version
  return fill ? row.version > before.version : row.version >= before.version
}
