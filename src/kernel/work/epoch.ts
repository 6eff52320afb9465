import type { Sql } from '../db/types.ts'

/** Where the authority epoch lives: one counter that every change of people, roles, departments, sessions or tokens moves. */
export interface AuthorityCounter {
  current(sql: Sql): Promise<number>
  bump(sql: Sql): Promise<void>
}

/**
 * Reads the epoch for many requests at once. A caller gets the answer of a query that *started after* it asked, so a
 * revocation that was committed before a request is seen by that request; callers of the same moment share one query.
 */
export class EpochWatch {
  readonly #read: () => Promise<number>
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
