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
  /** Group-committed on the ledger's own connection; resolves once durable. Throws Problem ledger-unavailable: the caller must then show nothing. */
  append(event: LedgerEvent): Promise<string>
  /** Tells the ledger that a transaction holding these events has committed (feeds the node chain). */
  committed(eventIds: readonly string[]): void
  status(): { size: number; checkpointAt: string | null; unsequencedSeconds: number; alarm: string | null }
  checkpoint(): Promise<string>
  verifierKey(): string
  proof(leaf: number): Promise<{ index: number; size: number; hashes: string[] }>
  verify(options: { vkey?: string; since?: string; deep?: boolean }): Promise<VerifyReport>
  exportBundle(out: NodeJS.WritableStream, range: { from?: string; to?: string }): Promise<{ events: number }>
  /** The decrypted detail of events of one object, newest first (timelines). Events whose key is destroyed come without detail. */
  timeline(object: { kind: string; id: string }, options: { before?: number; limit: number }): Promise<TimelineEntry[]>
  close(): Promise<void>
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
  failures: { leaf: number | null; code: string; eventId?: string }[]
  notProven: string[]
}
