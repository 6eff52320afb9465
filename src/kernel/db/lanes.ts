import pg from 'pg'
import { ourClientOptions, runPrepared, streamOf } from './client.ts'
import type { DbConfig, DbLog, SessionLimits } from './config.ts'
import { translate } from './errors.ts'

interface Lane {
  client: Promise<pg.Client>
  running: number
}

/**
 * A few connections that take many statements at once (pipelined), for look-ups by key outside transactions. A pool would
 * send each on a connection of its own, with a system call each; here all that one turn of the event loop asks for leaves
 * together. Only quick statements belong here: those behind a slow one wait for it.
 */
export class Lanes {
  readonly #config: DbConfig
  readonly #name: string
  readonly #limits: SessionLimits
  readonly #log: DbLog
  readonly #lanes: (Lane | null)[]
  /** The lane that this turn's statements gather on. */
  #gathering: Lane | null = null
  #closed = false

  constructor(config: DbConfig, options: { name: string; limits: SessionLimits; log: DbLog; count: number }) {
    this.#config = config
    this.#name = options.name
    this.#limits = options.limits
    this.#log = options.log
    this.#lanes = Array.from({ length: options.count }, () => null)
  }

  /** Rejects with Problem database-unavailable while no connection can be had; the next statement tries anew. */
  async run<R extends object>(text: string, params: readonly unknown[]): Promise<R[]> {
    const lane = this.#gathering ?? this.#emptiest()
    lane.running++
    try {
      const client = await lane.client
      this.#gather(lane, client)
      return await runPrepared<R>(client, text, params)
    } finally {
      lane.running--
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    await Promise.allSettled(this.#lanes.splice(0).map(async (lane) => (await lane?.client)?.end()))
  }

  #emptiest(): Lane {
    if (this.#closed) throw translate(new Error('Connection terminated'))
    let best = 0
    for (let i = 1; i < this.#lanes.length; i++) if ((this.#lanes[i]?.running ?? 0) < (this.#lanes[best]?.running ?? 0)) best = i
    return (this.#lanes[best] ??= this.#open(best))
  }

  #open(at: number): Lane {
    const client = new pg.Client(ourClientOptions(this.#config, `${this.#name}:lane`, this.#limits))
    const lane: Lane = { client: client.connect().then(() => client, (error: unknown) => Promise.reject(translate(error))), running: 0 }
    const gone = (): void => {
      if (this.#lanes[at] === lane) this.#lanes[at] = null
    }
    client.on('end', gone)
    client.on('error', () => {
      this.#log.warn({ pool: this.#name }, 'a database connection was lost')
      gone()
    })
    lane.client.catch(gone)
    return lane
  }

  /** Holds back what is written until the sockets of this turn have all been read. */
  #gather(lane: Lane, client: pg.Client): void {
    if (this.#gathering) return
    const stream = streamOf(client)
    this.#gathering = lane
    stream.cork()
    setImmediate(() => {
      this.#gathering = null
      stream.uncork()
    })
  }
}
