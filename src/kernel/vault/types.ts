import type { KeyObject } from 'node:crypto'

/** What a sealed cell is bound to. Opening with any part different fails (additional authenticated data). */
export interface Cell {
  table: string
  compartment: string
  rowId: string
  /** The row's version, its ETag. A patch re-seals every compartment of the row. */
  rowVersion: number
  /**
   * Canonical bytes of the row's plain columns that carry authority (owner, department, deleted, stage, …), so that
   * changing one of them in the database makes the row unreadable. Empty where a row has none.
   */
  bound: Uint8Array
}

/** The key of one key owner: a person (data subject or colleague) or a container (company, organisation). */
export interface OwnerKey {
  readonly ownerId: string
  readonly keyVersion: number
  /** 16 random bytes that stand for this owner in the ledger; destroyed with the key. */
  readonly handle: Buffer
  /** Per-use key, derived once per (owner, purpose) and kept with this object. */
  use(purpose: string): KeyObject
}

export type MacPurpose = 'authority' | 'session' | 'ledger-event' | 'ledger-link' | 'cursor' | 'pepper'

export interface Vault {
  readonly instanceId: string
  /** Makes and durably stores keys for new owners before it resolves. Write the key before the row. Throws Problem key-unavailable. */
  createOwnerKeys(ownerIds: readonly string[]): Promise<OwnerKey[]>
  /** The key of an owner, from memory or the key store (synchronous, microseconds). Throws Problem key-unavailable when there is none: no key never means "make one". */
  ownerKey(ownerId: string): OwnerKey
  hasOwnerKey(ownerId: string): boolean
  /** Both in one look: the key, or null when there is none. Throws Problem key-unavailable for one that does not unwrap. */
  findOwnerKey(ownerId: string): OwnerKey | null
  /** True where a tombstone says that the key was destroyed; a key that is only away has none. Throws Problem key-unavailable. */
  isDestroyed(ownerId: string): boolean
  /**
   * Destroys the key and writes a tombstone; it cannot be created again. Resolves once no file of the key store holds it any more.
   * Throws Problem key-unavailable when that could not be done yet (a long reader, a full disk): ask again.
   */
  destroyOwnerKey(ownerId: string): Promise<void>
  /** AES-256-GCM under the owner's per-use key: version(1) algorithm(1) keyVersion(4) nonce(12) ciphertext tag(16). `plaintext` is padded to its bucket first. */
  seal(key: OwnerKey, cell: Cell, plaintext: Uint8Array): Buffer
  /** Throws Problem seal-broken when anything about the cell, key or bytes differs. */
  open(key: OwnerKey, cell: Cell, sealed: Uint8Array): Buffer
  /** 16-byte blind index of a normalised, near-unique value; key per index name. */
  blind(index: string, value: string): Buffer
  /** 32-byte HMAC-SHA-256 under a purpose key of this instance. */
  mac(purpose: MacPurpose, data: Uint8Array | string): Buffer
  /** Constant-time check of `mac`. */
  macEquals(purpose: MacPurpose, data: Uint8Array | string, expected: Uint8Array): boolean
  /** The Ed25519 private key that signs checkpoints. */
  readonly ledgerSigner: KeyObject
  /** Seals bytes that belong to the instance, not to an owner (TLS CA key, TOTP secrets of the set-up, staging file keys). */
  sealInstance(label: string, plaintext: Uint8Array): Buffer
  openInstance(label: string, sealed: Uint8Array): Buffer
  status(): { custodians: string[]; purposes: { purpose: string; epoch: number; createdAt: string }[]; subjectKeys: number }
  close(): Promise<void>
}
