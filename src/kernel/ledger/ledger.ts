import { Problem, uuidv7 } from '../base/index.ts'
import type { Db, Tx } from '../db/types.ts'
import type { Vault } from '../vault/types.ts'
import { Alarms, type AlarmAbout, type AlarmCode } from './alarms.ts'
import { fileAnchor, type Anchor } from './anchor.ts'
import { NodeChain } from './chain.ts'
import { ClockWatch } from './clock.ts'
import { Committer } from './committer.ts'
import { prepareEvent, type PreparedEvent } from './envelope.ts'
import { exportBundle } from './export.ts'
import { latestSigned, type SignedHead } from './load.ts'
import { parseVerifierKey, verifierKey, type NoteKey } from './note.ts'
import { Pending } from './pending.ts'
import { consistencyProof, inclusionProof, readPast, readTail, readTimeline, type EventReader } from './reading.ts'
import { Sequencer, type Pace } from './sequencer.ts'
import { insertEvents, sendEvents } from './store.ts'
import type { Ledger, LedgerEvent, LedgerLog, LedgerStatus } from './types.ts'
import { verifyLive } from './verify.ts'

export interface LedgerOptions {
  db: Db
  vault: Vault
  /** Of this process; the same after a restart. */
  nodeId: string
  log: LedgerLog
  /** Unix milliseconds. */
  clock?: () => number
  /** Where to keep the newest signed head outside the database (a path in the home). */
  anchorFile?: string
  /** The person a handle stands for, for timelines; colleagues are few, so a map of theirs will do. */
  personOf?: (handle: Buffer) => string | null | Promise<string | null>
  /** false: record only, and leave the sequencing to other nodes. */
  sequence?: boolean
  pace?: Partial<Pace>
  /** How long a reader may wait for a commit before it is refused. */
  patienceMs?: number
}

export function ledgerOrigin(instanceId: string): string {
  return `sealbook.local/${instanceId}`
}

const DAY_MS = 86_400_000
/** Events recorded in transactions that have not said they committed; the oldest are forgotten and, once committed, read back instead. */
const MOST_RECORDED = 100_000

/** Opens the ledger: connects, takes up this node's chain, and competes for the sequencer's lease. Throws Problem database-unavailable. */
export async function openLedger(options: LedgerOptions): Promise<Ledger> {
  const ledger = new OpenedLedger(options)
  try {
    await ledger.open()
  } catch (error) {
    await ledger.close()
    throw error
  }
  return ledger
}

class OpenedLedger implements Ledger {
  readonly #o: LedgerOptions
  readonly #clock: ClockWatch
  readonly #vkey: string
  readonly #key: NoteKey
  readonly #pending = new Pending()
  readonly #alarms: Alarms
  readonly #anchor: Anchor | null
  readonly #committer: Committer
  readonly #sequencer: Sequencer
  readonly #recorded = new Map<string, Buffer>()
  readonly #reader: EventReader
  #daily: NodeJS.Timeout | undefined
  #closing: Promise<void> | undefined

  constructor(options: LedgerOptions) {
    const { db, vault, nodeId, log } = options
    const origin = ledgerOrigin(vault.instanceId)
    this.#o = options
    this.#clock = new ClockWatch(options.clock ?? Date.now)
    this.#vkey = verifierKey(origin, vault.ledgerSigner)
    this.#key = parseVerifierKey(this.#vkey)!
    this.#alarms = new Alarms(log, (code, about) => this.#recordAlarm(code, about))
    this.#reader = { vault, personOf: options.personOf ?? (() => null), forged: (eventId) => this.#alarms.raise('event-forged', { eventId }) }
    const told = (code: string) => (error: unknown) => log.warn({ component: 'ledger', code, errorType: error instanceof Error ? error.name : typeof error }, 'the ledger had trouble')
    this.#anchor = options.anchorFile ? fileAnchor(options.anchorFile, this.#key, told('anchor-unwritten')) : null
    this.#committer = new Committer({
      db, chain: new NodeChain(nodeId, vault),
      durable: (events) => this.#durable(events),
      trouble: (code, error) => told(code)(error),
      ...(options.patienceMs === undefined ? {} : { patienceMs: options.patienceMs }),
    })
    this.#sequencer = new Sequencer({
      db, vault, nodeId, origin, key: this.#key, pending: this.#pending, alarms: this.#alarms, log, anchor: this.#anchor,
      clock: () => this.#clock.now(), pace: options.pace ?? {},
    })
  }

  async open(): Promise<void> {
    await this.#committer.open()
    await this.#addPartitions()
    this.#daily = setInterval(() => void this.#addPartitions().catch(() => undefined), DAY_MS)
    this.#daily.unref()
    if (this.#o.sequence !== false) this.#sequencer.start()
  }

  async #addPartitions(): Promise<void> {
    await this.#o.db.query('SELECT public.ledger_add_partitions()')
  }

  #prepare(event: LedgerEvent): PreparedEvent {
    const step = this.#clock.step()
    if (step !== 0) this.#tellClock(step)
    const at = this.#clock.now()
    return prepareEvent(event, { vault: this.#o.vault, nodeId: this.#o.nodeId, id: uuidv7(at), at })
  }

  #tellClock(step: number): void {
    this.#o.log.warn({ component: 'ledger', code: 'clock-jumped', seconds: Math.round(step / 1000) }, 'the clock was moved')
    this.#background({ action: 'ledger.clock-jumped', actor: null, detail: { milliseconds: step } })
  }

  #recordAlarm(code: AlarmCode, about: AlarmAbout): void {
    this.#background({
      action: 'ledger.alarm-raised', actor: null,
      object: { kind: 'ledger-event', id: about.eventId ?? null },
      detail: { code, ...(about.leaf === undefined ? {} : { leaf: about.leaf }) },
    })
  }

  /** Nobody waits for these; what cannot be recorded is in the log already. */
  #background(event: LedgerEvent): void {
    this.append(event).catch(() => undefined)
  }

  async record(tx: Tx, event: LedgerEvent): Promise<string> {
    const [id] = await this.recordMany(tx, [event])
    return id!
  }

  async recordMany(tx: Tx, events: readonly LedgerEvent[]): Promise<string[]> {
    const prepared = this.#prepareMany(events)
    if (prepared.length > 0) await insertEvents(tx, prepared)
    return this.#remember(prepared)
  }

  send(tx: Tx, events: readonly LedgerEvent[]): string[] {
    const prepared = this.#prepareMany(events)
    if (prepared.length > 0) sendEvents(tx, prepared)
    return this.#remember(prepared)
  }

  #prepareMany(events: readonly LedgerEvent[]): PreparedEvent[] {
    if (this.#closing) throw new Problem('shutting-down')
    return events.map((e) => this.#prepare(e))
  }

  /** Keeps the leaves until the transaction says it has committed. */
  #remember(prepared: readonly PreparedEvent[]): string[] {
    for (const p of prepared) this.#recorded.set(p.id, p.leaf)
    if (this.#recorded.size > MOST_RECORDED) {
      for (const id of this.#recorded.keys()) {
        if (this.#recorded.size <= MOST_RECORDED) break
        this.#recorded.delete(id)
      }
    }
    return prepared.map((p) => p.id)
  }

  async append(event: LedgerEvent): Promise<string> {
    return this.#committer.append(this.#prepare(event))
  }

  committed(eventIds: readonly string[]): void {
    for (const id of eventIds) {
      this.#pending.add(id, this.#recorded.get(id) ?? null)
      this.#recorded.delete(id)
    }
    this.#committer.link(eventIds)
    this.#sequencer.nudge()
  }

  #durable(events: readonly PreparedEvent[]): void {
    for (const e of events) this.#pending.add(e.id, e.leaf)
    this.#sequencer.nudge()
  }

  status(): LedgerStatus {
    return {
      size: this.#sequencer.size,
      checkpointAt: this.#sequencer.checkpointAt,
      unsequencedSeconds: Math.round(this.#pending.oldestSeconds() * 10) / 10,
      alarm: this.#alarms.current,
      leading: this.#sequencer.leading,
    }
  }

  verifierKey(): string {
    return this.#vkey
  }

  async checkpoint(): Promise<string> {
    return (await this.#head(true)).note
  }

  async #head(fresh: boolean): Promise<SignedHead> {
    if (fresh) await this.#sequencer.flush(true)
    const head = (this.#sequencer.leading ? this.#sequencer.signed : null) ?? (await latestSigned(this.#o.db, this.#key))
    if (!head && !fresh) return this.#head(true)
    if (!head) throw new Problem('ledger-unavailable', { cause: new Error('no signed checkpoint yet') })
    return head
  }

  async proof(leaf: number, size?: number): Promise<{ index: number; size: number; hashes: string[] }> {
    let head = await this.#head(false)
    if (leaf >= head.size) head = await this.#head(true)
    return inclusionProof(this.#o.db, leaf, size ?? head.size, head)
  }

  async consistency(size1: number, size2: number): Promise<{ size1: number; size2: number; hashes: string[] }> {
    let head = await this.#head(false)
    if (size2 > head.size) head = await this.#head(true)
    return consistencyProof(this.#o.db, size1, size2, head)
  }

  async verify(options: { vkey?: string; since?: string; deep?: boolean }) {
    await this.#committer.flushLinks()
    await this.#sequencer.flush(true)
    const known = [this.#sequencer.signed, this.#anchor?.read()].filter((h) => h !== null && h !== undefined)
    return verifyLive({ db: this.#o.db, vault: this.#o.vault, ownKey: this.#key, known, ...options })
  }

  async exportBundle(out: NodeJS.WritableStream, range: { from?: string; to?: string; payloads?: boolean }): Promise<{ events: number }> {
    return exportBundle({ db: this.#o.db, out, head: await this.#head(true), vkey: this.#vkey, range })
  }

  async timeline(object: { kind: string; id: string }, options: { before?: number; beforeId?: string; looks?: boolean; limit: number }) {
    return readTimeline(this.#o.db, this.#reader, { object, ...options })
  }

  async happened(objectIds: readonly string[], actions: readonly string[], options: { actors?: boolean } = {}) {
    return readPast(this.#o.db, this.#reader, objectIds, actions, options.actors)
  }

  async tail(from: number, limit: number, options: { detail?: boolean } = {}) {
    return readTail(this.#o.db, this.#reader, from, limit, options.detail)
  }

  close(): Promise<void> {
    return (this.#closing ??= this.#close())
  }

  async #close(): Promise<void> {
    clearInterval(this.#daily)
    await this.#committer.close()
    await this.#sequencer.stop()
    await this.#anchor?.settled()
  }
}
