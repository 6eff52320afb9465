import type { Db, DedicatedConnection } from '../db/types.ts'
import type { Vault } from '../vault/types.ts'
import type { Alarms } from './alarms.ts'
import type { Anchor } from './anchor.ts'
import { examine, latestSigned, loadTree, type SignedHead } from './load.ts'
import { addCheckpoint, addLeaves, takeLease, whyRefused, type Candidate } from './leaves.ts'
import { signCheckpoint, type NoteKey } from './note.ts'
import type { Pending } from './pending.ts'
import { eventsById } from './store.ts'
import { Sweeper } from './sweeper.ts'
import { Frontier } from './tree.ts'
import type { LedgerLog } from './types.ts'

export interface SequencerOptions {
  db: Db
  vault: Vault
  nodeId: string
  origin: string
  key: NoteKey
  pending: Pending
  alarms: Alarms
  clock: () => number
  anchor: Anchor | null
  log: LedgerLog
  pace?: Partial<Pace>
}

/** How often things happen, in milliseconds. */
export interface Pace {
  /** Between two batches of leaves under load; the first event after a pause does not wait. */
  batch: number
  /** A look for events nobody told of. */
  sweep: number
  checkpoint: number
  retry: number
  /** Before looking again at a tree that is not what was signed. */
  faulty: number
}

export const PACE: Pace = { batch: 100, sweep: 1_000, checkpoint: 10_000, retry: 1_000, faulty: 10_000 }
const BATCH = 2_000
const CHECKPOINT_AT = 256

/**
 * Gives committed events their leaves, in one order for all nodes, and signs the tree. One node at a
 * time holds the lease; every other one waits for it. When the tree in the database is not the
 * one that was signed, it stops and says so: nothing is ever signed on top of a history somebody changed.
 */
export class Sequencer {
  readonly #o: SequencerOptions
  readonly #pace: Pace
  #frontier = new Frontier()
  #signed: SignedHead | null = null
  #signedAt = -Infinity
  #seen: { size: number; at: string | null } = { size: 0, at: null }
  #epoch: number | null = null
  #wake: (() => void) | undefined
  #asked: { resolve: () => void; sign: boolean }[] = []
  #stopping = false
  #running: Promise<void> | undefined
  /** Resolved once it is known whether this node leads, follows or cannot now. */
  #decided = Promise.withResolvers<void>()

  constructor(options: SequencerOptions) {
    this.#o = options
    this.#pace = { ...PACE, ...options.pace }
  }

  start(): void {
    this.#running ??= this.#run()
  }

  /** Something is waiting for a leaf. */
  nudge(): void {
    this.#wake?.()
  }

  /** Resolves when everything committed before the call has a leaf (and, with `sign`, is under a signed head), or when this node cannot do it now. */
  async flush(sign: boolean): Promise<void> {
    if (this.#running) await this.#decided.promise
    if (this.#stopping || this.#epoch === null) return
    await new Promise<void>((resolve) => {
      this.#asked.push({ resolve, sign })
      this.nudge()
    })
  }

  /** Leads, and the tree is sound. */
  get leading(): boolean {
    return this.#epoch !== null
  }

  /** Leaves: of our own tree, or, while another node leads, as last seen. */
  get size(): number {
    return this.leading ? this.#frontier.size : Math.max(this.#frontier.size, this.#seen.size)
  }

  get checkpointAt(): string | null {
    return (this.leading ? this.#signed?.at : (this.#seen.at ?? this.#signed?.at)) ?? null
  }

  get signed(): SignedHead | null {
    return this.#signed
  }

  async stop(): Promise<void> {
    await this.flush(true)
    this.#stopping = true
    this.nudge()
    await this.#running
  }

  async #run(): Promise<void> {
    while (!this.#stopping) {
      let connection: DedicatedConnection | undefined
      try {
        connection = await this.#o.db.connect('ledger-sequencer')
        await this.#turn(connection)
      } catch (error) {
        this.#o.log.warn({ component: 'ledger', event: 'sequencer-interrupted', errorType: error instanceof Error ? error.name : typeof error }, 'the sequencer starts over')
      } finally {
        this.#epoch = null
        this.#decided.resolve()
        this.#release()
        await connection?.end().catch(() => undefined)
      }
      if (!this.#stopping) await this.#pause(this.#pace.retry)
    }
  }

  /** Waits for the lease on this connection, then leads until something goes wrong. */
  async #turn(connection: DedicatedConnection): Promise<void> {
    const { nodeId, clock, pending } = this.#o
    let epoch = await takeLease(connection, nodeId, clock())
    while (epoch === null && !this.#stopping) {
      this.#decided.resolve()
      await this.#follow(connection)
      this.#o.alarms.lateness(pending.oldestSeconds())
      await this.#pause(this.#pace.retry)
      epoch = await takeLease(connection, nodeId, clock())
    }
    if (epoch === null) return
    if (!(await this.#load(connection))) {
      this.#decided.resolve()
      await this.#pause(this.#pace.faulty)
      return
    }
    this.#epoch = epoch
    this.#decided.resolve()
    this.#o.log.info({ component: 'ledger', event: 'sequencer-leads', epoch, size: this.#frontier.size }, 'sequencing')
    await this.#lead(connection, epoch)
  }

  async #follow(connection: DedicatedConnection): Promise<void> {
    await this.#o.pending.forgetSequenced(connection)
    const [row] = await connection.query<{ last: number | null }>('SELECT max(n) AS last FROM public.ledger_leaf')
    this.#seen = { size: (row?.last ?? -1) + 1, at: (await latestSigned(connection, this.#o.key))?.at ?? null }
  }

  async #load(connection: DedicatedConnection): Promise<boolean> {
    const { vault, key, alarms, anchor } = this.#o
    const signed = await latestSigned(connection, key, (size) => alarms.raise('checkpoint-forged', { leaf: size }))
    const known = this.#signed ?? anchor?.read() ?? null
    const tree = await loadTree(connection, vault, signed, known)
    if (tree.blocksAltered) alarms.raise('block-altered', {})
    if (tree.fault) {
      alarms.raise(tree.fault.code, { leaf: tree.fault.leaf })
      return false
    }
    this.#frontier = tree.frontier
    if (tree.signed && tree.signed.size >= (this.#signed?.size ?? 0)) this.#signed = tree.signed
    return true
  }

  async #lead(connection: DedicatedConnection, epoch: number): Promise<void> {
    const sweeper = new Sweeper({ ...this.#o, sql: connection })
    await sweeper.everything()
    let swept = performance.now()
    while (!this.#stopping) {
      const asked = this.#asked.splice(0)
      try {
        let sweep = asked.length > 0 || performance.now() - swept >= this.#pace.sweep
        do {
          if (sweep) {
            await sweeper.recent()
            swept = performance.now()
          }
          await this.#backlog(connection, epoch)
          sweep = this.#o.pending.overflowing
        } while (sweep && !this.#stopping)
        if (asked.some((a) => a.sign)) await this.#sign(connection, epoch)
      } finally {
        for (const a of asked) a.resolve()
      }
      this.#o.alarms.lateness(this.#o.pending.oldestSeconds())
      await this.#pause(this.#pace.batch)
      if (this.#o.pending.size === 0 && this.#asked.length === 0) await this.#rest(swept)
    }
  }

  /** What waits now. Counted, not `while`: under load more arrives during each batch, and whoever asked would never be answered. */
  async #backlog(connection: DedicatedConnection, epoch: number): Promise<void> {
    for (let rounds = Math.ceil(this.#o.pending.size / BATCH); rounds > 0; rounds--) {
      await this.#batch(connection, epoch)
      if (this.#checkpointDue(Infinity)) await this.#sign(connection, epoch)
    }
    if (this.#checkpointDue(CHECKPOINT_AT)) await this.#sign(connection, epoch)
  }

  /** Nothing waits: sleep until told, or until the next sweep or checkpoint. */
  async #rest(swept: number): Promise<void> {
    const until = [swept + this.#pace.sweep]
    if (this.#frontier.size > (this.#signed?.size ?? 0)) until.push(this.#signedAt + this.#pace.checkpoint)
    await this.#pause(Math.max(1, Math.min(...until) - performance.now()), true)
  }

  async #batch(connection: DedicatedConnection, epoch: number): Promise<void> {
    const { pending, alarms } = this.#o
    const candidates = await this.#withLeaves(connection, pending.take(BATCH))
    if (candidates.length === 0) return
    const size = this.#frontier.size
    const { frontier, ids } = await addLeaves(connection, epoch, this.#frontier, candidates)
    this.#frontier = frontier
    pending.done(ids)
    const rest = candidates.filter((c) => !ids.has(c.id)).map((c) => c.id)
    if (rest.length === 0) return
    const why = await whyRefused(connection, epoch, size + ids.size, rest)
    if (why.tree === 'lease-lost') throw new Error('the lease was lost')
    if (why.tree) {
      alarms.raise(why.tree, { leaf: size })
      throw new Error('the tree in the database is not ours')
    }
    for (const [id, reason] of why.byId) {
      if (reason === 'event-missing') alarms.raise('event-missing', { eventId: id })
      if (reason !== 'again') pending.done([id])
    }
  }

  /** Events told of by id only are read back and must carry our MAC. */
  async #withLeaves(connection: DedicatedConnection, taken: readonly { id: string; leaf: Buffer | null }[]): Promise<Candidate[]> {
    const { vault, pending, alarms } = this.#o
    const unknown = taken.filter((t) => t.leaf === null).map((t) => t.id)
    const found = new Map<string, Buffer>()
    if (unknown.length > 0) {
      const rows = await eventsById(connection, unknown)
      for (const row of rows) {
        const { leaf, genuine } = examine(vault, row)
        if (genuine && leaf) found.set(row.id, leaf)
        else alarms.raise('event-forged', { eventId: row.id })
      }
      const there = new Set(rows.map((r) => r.id))
      for (const id of unknown) if (!there.has(id)) alarms.raise('event-missing', { eventId: id })
      pending.done(unknown.filter((id) => !found.has(id)))
    }
    return taken.flatMap((t) => {
      const leaf = t.leaf ?? found.get(t.id)
      return leaf ? [{ id: t.id, leaf }] : []
    })
  }

  /** Anything new for ten seconds, or enough of it. While a backlog is worked off only time counts: a signature for each batch would help nobody. */
  #checkpointDue(enough: number): boolean {
    const fresh = this.#frontier.size - (this.#signed?.size ?? 0)
    return fresh >= enough || (fresh > 0 && performance.now() - this.#signedAt >= this.#pace.checkpoint)
  }

  /** Signs what is durable, never what a transaction may still take back. */
  async #sign(connection: DedicatedConnection, epoch: number): Promise<void> {
    const size = this.#frontier.size
    if (this.#signed?.size === size) return
    const head = { origin: this.#o.origin, size, root: this.#frontier.root() }
    const note = signCheckpoint(head, this.#o.vault.ledgerSigner)
    const at = this.#o.clock()
    if (!(await addCheckpoint(connection, epoch, { ...head, note, at }))) {
      this.#o.alarms.raise('checkpoint-forged', { leaf: size })
      throw new Error('another checkpoint of this size is there, or the lease was lost')
    }
    this.#signed = { ...head, note, at: new Date(at).toISOString() }
    this.#signedAt = performance.now()
    this.#o.anchor?.write(note)
  }

  /** Sleeps; `wakeable` ends it when an event arrives. Stopping always does. */
  async #pause(ms: number, wakeable = false): Promise<void> {
    if (this.#stopping) return
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms)
      this.#wake = () => {
        if (!wakeable && !this.#stopping && this.#asked.length === 0) return
        clearTimeout(timer)
        resolve()
      }
    })
    this.#wake = undefined
  }

  #release(): void {
    for (const a of this.#asked.splice(0)) a.resolve()
  }
}
