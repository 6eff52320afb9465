import { Problem } from '../base/index.ts'
import type { Sql, Tx } from '../db/types.ts'

/** Where the authority epoch lives: one counter that every change of people, roles, departments, sessions or tokens moves. */
export interface AuthorityCounter {
  current(sql: Sql): Promise<number>
  /** Sends a statement that fails the transaction, as AuthorityMoved, when the epoch is another by now. */
  hold(tx: Tx, epoch: number): void
  bump(sql: Sql): Promise<void>
}

/**
 * Reads the epoch for many requests at once. A caller gets the answer of a query that *started after* it asked, so a
 * revocation that was committed before a request is seen by that request; callers of the same moment share one query.
 */
export class EpochWatch {
  readonly #read: () => Promise<number>
  readonly moves = new EpochMoves()
  #running: Promise<number> | null = null
  #next: Promise<number> | null = null

  constructor(read: () => Promise<number>) {
    this.#read = read
  }

  current(): Promise<number> {
    if (!this.#running) return this.#start()
    // The query under way may have begun before the change; wait for the one after it.
    this.#next ??= this.#running.then(
      () => this.#start(),
      () => this.#start(),
    )
    return this.#next
  }

  #start(): Promise<number> {
    this.#next = null
    const query = this.#read()
    this.#running = query
    const done = (): void => {
      if (this.#running === query) this.#running = null
    }
    query.then(done, done)
    return query
  }
}

const MINUTE_MS = 60_000
const MOST_MOVES = 300
const MOST_PEOPLE = 10_000

/**
 * How often one person may move the epoch: every move makes everybody's rights be read anew, and requests under way begin again, so
 * somebody who signs out, or makes and revokes tokens, a hundred times a second would keep the others from their work.
 */
export class EpochMoves {
  readonly #now: () => number
  readonly #counts = new Map<string, { since: number; moves: number }>()

  constructor(now: () => number = Date.now) {
    this.#now = now
  }

  /** Throws Problem rate. */
  count(personId: string): void {
    const now = this.#now()
    let entry = this.#counts.get(personId)
    if (!entry || now - entry.since >= MINUTE_MS) {
      if (this.#counts.size >= MOST_PEOPLE) this.#counts.clear()
      entry = { since: now, moves: 0 }
      this.#counts.set(personId, entry)
    }
    if (entry.moves >= MOST_MOVES) throw new Problem('rate', { extra: { retryAfterSeconds: Math.ceil((entry.since + MINUTE_MS - now) / 1000) } })
    entry.moves++
  }
}
