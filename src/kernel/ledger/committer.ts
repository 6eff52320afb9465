import { setTimeout as sleep } from 'node:timers/promises'
import { Problem } from '../base/index.ts'
import type { Db, DedicatedConnection } from '../db/types.ts'
import { SqlError } from '../db/index.ts'
import type { NodeChain } from './chain.ts'
import type { PreparedEvent } from './envelope.ts'
import { insertEvents, presentEvents, type Link } from './store.ts'

export interface CommitterOptions {
  db: Db
  chain: NodeChain
  /** Called once for each batch that is durable. */
  durable: (events: readonly PreparedEvent[]) => void
  trouble: (code: string, error: unknown) => void
  /** How long an event may wait for a commit before its caller is refused. */
  patienceMs?: number
}

interface Waiting {
  event: PreparedEvent
  since: number
  resolve: (id: string) => void
  reject: (error: Error) => void
}

const MOST_WAITING = 10_000
const BATCH = 500
const LINK_AT_COUNT = 64
const LINK_AT_MS = 250
const MOST_LINKED = 4096
const PATIENCE_MS = 5_000

/**
 * Group commit: while one batch is being made durable the next one forms, so that many readers share
 * one commit and a single one waits for nobody. Reading is refused, not delayed for ever, when the
 * database does not answer.
 */
export class Committer {
  readonly #options: CommitterOptions
  readonly #patience: number
  readonly #waiting: Waiting[] = []
  #unlinked: string[] = []
  #unlinkedSince = 0
  readonly #linkWaiters: (() => void)[] = []
  #linkTimer: NodeJS.Timeout | undefined
  #connection: DedicatedConnection | undefined
  #running: Promise<void> | undefined
  #closed = false

  constructor(options: CommitterOptions) {
    this.#options = options
    this.#patience = options.patienceMs ?? PATIENCE_MS
  }

  /** Connects and takes up this node's chain, so that the first event pays for neither. */
  async open(): Promise<void> {
    await this.#options.chain.load(await this.#connect())
  }

  append(event: PreparedEvent): Promise<string> {
    if (this.#closed) return Promise.reject(new Problem('shutting-down'))
    if (this.#waiting.length >= MOST_WAITING) return Promise.reject(unavailable(new Error('queue full')))
    return new Promise((resolve, reject) => {
      this.#waiting.push({ event, since: performance.now(), resolve, reject })
      this.#start()
    })
  }

  /** Events that another transaction committed: named in the chain with the next batch, or within a quarter of a second. */
  link(ids: readonly string[]): void {
    if (this.#unlinked.length === 0) this.#unlinkedSince = performance.now()
    for (const id of ids) this.#unlinked.push(id)
    if (this.#unlinked.length >= LINK_AT_COUNT) this.#start()
    else this.#linkTimer ??= setTimeout(() => this.#start(), LINK_AT_MS)
  }

  /** Resolves when every event committed before the call is named in this node's chain, or could not be now. */
  async flushLinks(): Promise<void> {
    if (this.#unlinked.length === 0 && !this.#running) return
    await new Promise<void>((resolve) => {
      this.#linkWaiters.push(resolve)
      this.#start()
    })
  }

  /** Makes everything durable that waits, then ends the connection. */
  async close(): Promise<void> {
    this.#closed = true
    await this.flushLinks()
    while (this.#running) await this.#running
    clearTimeout(this.#linkTimer)
    await this.#connection?.end().catch(() => undefined)
  }

  #start(): void {
    this.#running ??= new Promise<void>((resolve) => setImmediate(resolve))
      .then(() => this.#work())
      .finally(() => {
        this.#running = undefined
        if (this.#waiting.length > 0 || this.#linkWaiters.length > 0) this.#start()
      })
  }

  #linkDue(coming: number): boolean {
    const count = this.#unlinked.length
    return count + coming >= LINK_AT_COUNT || (count > 0 && performance.now() - this.#unlinkedSince >= LINK_AT_MS - 1)
  }

  /** One batch after the other until nothing waits. A link goes with a batch when one is due, and alone when nobody is there to go with. */
  async #work(): Promise<void> {
    while (this.#waiting.length > 0 || (this.#unlinked.length > 0 && (this.#linkWaiters.length > 0 || this.#linkDue(0)))) {
      const batch = this.#waiting.splice(0, BATCH)
      const askers = this.#linkWaiters.splice(0)
      const linking = askers.length > 0 || this.#linkDue(batch.length)
      const old = linking ? this.#unlinked.splice(0, MOST_LINKED) : []
      let failed = false
      try {
        await this.#commit(batch, linking ? [...old, ...batch.map((w) => w.event.id)] : null)
        this.#settle(batch, linking)
        if (this.#unlinked.length > 0) this.#linkWaiters.push(...askers.splice(0))
      } catch (error) {
        failed = true
        this.#unlinked = [...old, ...this.#unlinked]
        this.#unlinkedSince = performance.now()
        this.#options.trouble('ledger-unavailable', error)
        for (const w of batch) w.reject(unavailable(error))
      }
      for (const asker of askers) asker()
      // Nobody waits for a link alone: it is tried again with the next batch or when the timer comes round.
      if (failed && batch.length === 0) break
    }
    for (const asker of this.#linkWaiters.splice(0)) asker()
    this.#armLinkTimer()
  }

  #settle(batch: readonly Waiting[], linked: boolean): void {
    const events = batch.map((w) => w.event)
    if (!linked) {
      if (this.#unlinked.length === 0) this.#unlinkedSince = performance.now()
      for (const e of events) this.#unlinked.push(e.id)
    }
    this.#options.durable(events)
    for (const w of batch) w.resolve(w.event.id)
  }

  #armLinkTimer(): void {
    clearTimeout(this.#linkTimer)
    this.#linkTimer = this.#unlinked.length > 0 && !this.#closed ? setTimeout(() => this.#start(), LINK_AT_MS) : undefined
  }

  /** Resolves when the batch is durable. A lost connection leaves open whether it was, so the next attempt looks first. */
  async #commit(batch: readonly Waiting[], linkIds: readonly string[] | null): Promise<void> {
    const { chain } = this.#options
    const events = batch.map((w) => w.event)
    const until = (batch[0]?.since ?? performance.now()) + this.#patience
    let link: Link | null = null
    for (let attempt = 0; ; attempt++) {
      try {
        const connection = await this.#connect()
        if (attempt > 0 && (await this.#inTime(this.#alreadyThere(connection, events, link), until))) return
        link = linkIds && chain.next(linkIds)
        await this.#inTime(insertEvents(connection, events, link), until)
        if (link) chain.accept(link)
        return
      } catch (error) {
        const taken = error instanceof SqlError && error.sqlState === '23505'
        if (!taken) this.#drop()
        if ((error instanceof SqlError && !taken) || performance.now() > until) throw error
        await sleep(Math.min(50 * 2 ** attempt, 1_000))
      }
    }
  }

  /** Looks for what an attempt that ended in doubt may have committed; events and link stand or fall together. */
  async #alreadyThere(connection: DedicatedConnection, events: readonly PreparedEvent[], link: Link | null): Promise<boolean> {
    if (link) await this.#options.chain.catchUp(connection)
    if (events.length === 0) return link !== null && this.#options.chain.endsWith(link)
    const there = await presentEvents(connection, events.map((e) => e.id))
    return there.size === events.length
  }

  /** A server that accepts a statement and never answers is as good as none. */
  #inTime<T>(work: Promise<T>, until: number): Promise<T> {
    return new Promise((resolve, reject) => {
      const late = (): void => reject(new Problem('database-unavailable', { cause: new Error('no answer in time') }))
      const timer = setTimeout(late, Math.max(1, until - performance.now()))
      work.then(resolve, reject).finally(() => clearTimeout(timer))
    })
  }

  async #connect(): Promise<DedicatedConnection> {
    if (this.#connection) return this.#connection
    const connection = await this.#options.db.connect('ledger')
    // A role or database default of "off" would answer before the event is on disk.
    await connection.query('SET synchronous_commit = on')
    this.#connection = connection
    void connection.lost.then(() => {
      if (this.#connection === connection) this.#connection = undefined
    })
    return connection
  }

  #drop(): void {
    const connection = this.#connection
    this.#connection = undefined
    void connection?.end().catch(() => undefined)
  }
}

function unavailable(cause: unknown): Problem {
  return new Problem('ledger-unavailable', { cause })
}
