import type { Locale } from '../base/index.ts'
import type { Sql, Tx } from '../db/types.ts'
import type { Ledger, LedgerEvent } from '../ledger/types.ts'
import type { Condition, Lens, LensRow } from '../lens/types.ts'
import type { OwnerKey, Vault } from '../vault/types.ts'

export type FieldRight = 'hidden' | 'masked' | 'read' | 'edit'

/** What an actor may do, compiled once per authority epoch from roles and departments. Closed by default. */
export interface Grants {
  /** Rows of `entity` on which the actor may do `action`, in the closed predicate language; `{ or: [] }` means none. */
  scope(entity: string, action: 'read' | 'create' | 'edit' | 'delete' | 'assign' | 'export' | 'report'): Condition
  field(entity: string, field: string): FieldRight
  readonly roles: readonly string[]
  readonly permissions: ReadonlySet<string>
}

/** Who acts. Made by the identity module for each request, and only there. */
export interface Actor {
  readonly personId: string
  readonly departmentId: string
  /** The person's key: their handle stands for them in the ledger. */
  readonly key: OwnerKey
  readonly via: 'session' | 'token' | 'system'
  /** Session or token id. */
  readonly credentialId: string
  /** When a factor was last proven in this session, Unix ms; null for tokens. */
  readonly factorAt: number | null
  readonly locale: Locale
  readonly grants: Grants
  /** The authority epoch these grants were compiled at. */
  readonly epoch: number
}

export type NewEvent = Omit<LedgerEvent, 'actor'>

/** A read: no BEGIN. Its events are committed in parallel; the door waits for them before it answers and fails closed. */
export interface Reading {
  readonly actor: Actor
  readonly requestId: string
  readonly at: Date
  readonly sql: Sql
  readonly vault: Vault
  readonly lens: Lens
  readonly ledger: Ledger
  record(event: NewEvent): void
}

/** A write: one short transaction. It holds no pool, so a query outside the transaction cannot be written. */
export interface Work {
  readonly actor: Actor
  readonly requestId: string
  readonly at: Date
  readonly sql: Tx
  readonly vault: Vault
  /** Inserted last, before COMMIT. */
  record(event: NewEvent): void
  /** A job inside this transaction. `data` holds ids and numbers only. */
  enqueue(queue: string, data: Record<string, string | number>): Promise<void>
  /** Rows the lens is given after commit and before the answer leaves: a search that begins after the answer finds them. */
  lens(entity: string, rows: readonly LensRow[], removed?: readonly string[]): void
  /** The answer of this request, kept in the same transaction for a repeated Idempotency-Key. */
  answers(body: object, version?: number): void
  /** Ends every cached grant on every node: call in any transaction that changes people, roles, departments, sessions revoked, tokens revoked. */
  bumpAuthority(): Promise<void>
}

/** What a route's handler gets. Keys for new owners are made before `write`, so that nothing slow runs inside a transaction. */
export interface Desk extends Reading {
  write<T>(fn: (work: Work) => Promise<T>): Promise<T>
}
