import type { DuckDBConnection, DuckDBInstance, DuckDBValue } from '@duckdb/node-api'
import { Problem } from '../base/index.ts'
import { kindOf } from './problems.ts'
import type { LensLog } from './types.ts'

/** No question of a person may hold a reader longer; it is interrupted and answered with lens-unavailable. */
const LONGEST_QUERY_MS = 10_000

/**
 * The reading connections. There are few on purpose: each running query occupies a thread of libuv's pool of four, and files, DNS and
 * password hashing need the rest of it; DuckDB spreads one query over the cores by itself.
 */
export class Readers {
  readonly #idle: DuckDBConnection[]
  readonly #all: readonly DuckDBConnection[]
  readonly #waiting: ((connection: DuckDBConnection) => void)[] = []
  readonly #log: LensLog
  #busy = 0
  #closed = false
  #drained: (() => void) | null = null

  private constructor(connections: DuckDBConnection[], log: LensLog) {
    this.#all = connections.slice()
    this.#idle = connections
    this.#log = log
  }

  static async open(instance: DuckDBInstance, count: number, log: LensLog): Promise<Readers> {
    return new Readers(await Promise.all(Array.from({ length: count }, () => instance.connect())), log)
  }

  /** Runs one SELECT. Throws Problem shutting-down, lens-unavailable (out of memory or too slow) or internal. */
  async rows(sql: string, values: readonly DuckDBValue[]): Promise<DuckDBValue[][]> {
    const connection = await this.#take()
    if (this.#closed) {
      this.#give(connection)
      throw new Problem('shutting-down')
    }
    const timer = setTimeout(() => connection.interrupt(), LONGEST_QUERY_MS)
    try {
      const reader = await connection.runAndReadAll(sql, [...values])
      return reader.getRows()
    } catch (error) {
      const kind = kindOf(error)
      this.#log.error({ component: 'lens', errorType: kind }, 'lens query failed')
      throw new Problem(this.#closed ? 'shutting-down' : kind === 'Out of Memory' || kind === 'INTERRUPT' ? 'lens-unavailable' : 'internal')
    } finally {
      clearTimeout(timer)
      this.#give(connection)
    }
  }

  async #take(): Promise<DuckDBConnection> {
    if (this.#closed) throw new Problem('shutting-down')
    this.#busy++
    const free = this.#idle.pop()
    return free ?? (await new Promise((resolve) => this.#waiting.push(resolve)))
  }

  #give(connection: DuckDBConnection): void {
    this.#busy--
    const next = this.#waiting.shift()
    if (next) next(connection)
    else this.#idle.push(connection)
    if (this.#busy === 0) this.#drained?.()
  }

  /** Interrupts what runs, waits until it has stopped, and disconnects. */
  async close(): Promise<void> {
    this.#closed = true
    for (const connection of this.#all) connection.interrupt()
    if (this.#busy > 0) await new Promise<void>((resolve) => (this.#drained = resolve))
    for (const connection of this.#all) connection.closeSync()
  }
}
