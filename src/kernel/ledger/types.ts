import type { Json } from '../base/index.ts'
import type { OwnerKey } from '../vault/types.ts'
import type { Tx } from '../db/types.ts'

/** One thing that happened. Times, actor and subjects are handles; personal detail goes into `detail`, which is sealed. */
export interface LedgerEvent {
  /** noun.past-tense, e.g. `contact.read`, `contact.created`, `session.created`, `access.denied`. */
  action: string
  /** The person who acted, or null for the system itself. */
  actor: OwnerKey | null
  /** What was touched. `id` is a row id, never a value. */
  object?: { kind: string; id: string | null }
  /** The data subjects concerned (one for a record, up to 1,000 packed for a list). */
  subjects?: readonly OwnerKey[]
  /** Sealed under `sealTo` (default: the first subject, else the actor, else the instance's container). Never search terms, never values of other people. */
  detail?: Json
  sealTo?: OwnerKey
  /** Purpose of a read, closed words: 'view' | 'list' | 'export' | 'reveal' | 'job' … */
  purpose?: string
}

export interface Ledger {
  /** Inserts the event inside the caller's transaction; call it last before commit. Resolves with the event id. */
  record(tx: Tx, event: LedgerEvent): Promise<string>
  /** Same for many events in one statement (import batches). */
  recordMany(tx: Tx, events: readonly LedgerEvent[]): Promise<string[]>
  /** The same without waiting: the events travel with COMMIT, and when they are not stored nothing is committed. The last statement of a transaction. */
  send(tx: Tx, events: readonly LedgerEvent[]): string[]
  /** Group-committed on the ledger's own connection; resolves once durable. Throws Problem ledger-unavailable: the caller must then show nothing. */
  append(event: LedgerEvent): Promise<string>
  /** Tells the ledger that a transaction holding these events has committed (feeds the node chain). */
  committed(eventIds: readonly string[]): void
  status(): LedgerStatus
  /** The newest signed tree head as a C2SP signed note. On the sequencing node it covers everything committed before the call. Throws Problem ledger-unavailable when there is none. */
  checkpoint(): Promise<string>
  /** `name+hash+key` of C2SP signed-note: what an auditor pins. */
  verifierKey(): string
  /** RFC 6962 inclusion proof of a leaf in the tree of `size` leaves (default: the newest signed one), hashes in base64. Throws Problem not-found for a leaf outside it. */
  proof(leaf: number, size?: number): Promise<{ index: number; size: number; hashes: string[] }>
  /** RFC 6962 consistency proof between two sizes, hashes in base64. Throws Problem not-found for sizes outside the signed tree. */
  consistency(size1: number, size2: number): Promise<{ size1: number; size2: number; hashes: string[] }>
  /**
   * Recomputes everything from the rows. `since`: the text of a checkpoint kept elsewhere; then nothing before it was rewritten. `vkey`: check
   * signatures against this key instead of our own. `deep`: also open every payload whose key exists. A report, never a throw, for whatever is in the tables.
   */
  verify(options: { vkey?: string; since?: string; deep?: boolean }): Promise<VerifyReport>
  /** JSON lines that `verifyBundle` checks without database or vault. `from` and `to` are ISO 8601 times. Ciphertexts only with `payloads`. */
  exportBundle(out: NodeJS.WritableStream, range: { from?: string; to?: string; payloads?: boolean }): Promise<{ events: number }>
  /** Sequenced events of the leaves `from` to `from + limit - 1`, in order, none skipped: the feed of every consumer (webhooks, detections, touches). Opened details only when asked for. */
  tail(from: number, limit: number, options?: { detail?: boolean }): Promise<TailEntry[]>
  /**
   * The decrypted detail of events of one object, newest first (timelines). Events whose key is destroyed come without detail.
   * To go on, pass the last entry's id as `beforeId` (or its leaf as `before`, when it has one). `looks: false` leaves out events with a purpose: who looked.
   */
  timeline(object: { kind: string; id: string }, options: { before?: number; beforeId?: string; looks?: boolean; limit: number }): Promise<TimelineEntry[]>
  /** All events of these actions about these objects, oldest first: what must still be true of them. Like everywhere, only events that are ours. */
  happened(objectIds: readonly string[], actions: readonly string[], options?: { actors?: boolean }): Promise<PastEvent[]>
  close(): Promise<void>
}

export interface LedgerStatus {
  /** Leaves, as far as this node knows. */
  size: number
  checkpointAt: string | null
  /** Age of the oldest event known to this node that has no leaf. */
  unsequencedSeconds: number
  /** A failure code of `verify` that was met while running, `unsequenced`, or null. */
  alarm: string | null
  /** This node holds the lease and sequences. */
  leading: boolean
}

/** What pino and the tests both offer. */
export interface LedgerLog {
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

export interface TailEntry {
  leaf: number
  id: string
  at: string
  node: string
  action: string
  /** Handles, 16 bytes each. */
  actor: Buffer | null
  subjects: Buffer[]
  object: { kind: string; id: string | null } | null
  purpose: string | null
  /** Only when asked for; null when there is none, or its key is destroyed. */
  detail?: Json | null
}

export interface PastEvent {
  objectId: string
  action: string
  /** Only when asked for; null for the system itself. */
  actorId?: string | null
  /** Null when there is none, or its key is destroyed. */
  detail: Json | null
}

export interface TimelineEntry {
  id: string
  leaf: number | null
  at: string
  action: string
  actorId: string | null
  purpose: string | null
  detail: Json | null
}

export interface VerifyReport {
  ok: boolean
  size: number
  root: string
  checkpointAt: string | null
  /** At most 1,000; `failureCount` has the whole number. */
  failures: { leaf: number | null; code: string; eventId?: string }[]
  failureCount: number
  /** Worth a look, but no proof of tampering: `clock-backwards` (an event later in the log is more than ten minutes earlier in time). */
  warnings: { leaf: number | null; code: string }[]
  notProven: string[]
}
