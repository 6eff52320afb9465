import { createSecretKey, randomFillSync, timingSafeEqual, type KeyObject } from 'node:crypto'
import { lengthPrefixed, Problem, uuidBytes } from '../base/index.ts'
import { aesGcmOpen, aesGcmSeal, expand, expandKey, freshNonce } from './aes.ts'
import type { KeyStore, WrappedOwnerKey } from './keystore.ts'
import type { Purposes } from './purposes.ts'
import type { OwnerKey } from './types.ts'

// NIST SP 800-38D §8.3 allows 2^32 random nonces under one key; the hard stop leaves half of it.
const MOST_WRAPS = 2 ** 31
const CACHED = 20_000
const COMMIT = 'sealbook/v1 commit'
/** nonce(12), key and handle sealed(48 + 16), commitment(32). */
const WRAPPED = 108

function aadOf(instanceId: string, ownerId: string, epoch: number, keyVersion: number): Buffer {
  return lengthPrefixed(['sealbook/v1', instanceId, 'owner-key', uuidBytes(ownerId), String(epoch), String(keyVersion)])
}

class HeldKey implements OwnerKey {
  readonly ownerId: string
  readonly keyVersion: number
  readonly handle: Buffer
  readonly #bytes: KeyObject
  readonly #uses = new Map<string, KeyObject>()

  constructor(ownerId: string, keyVersion: number, secret: Buffer) {
    this.ownerId = ownerId
    this.keyVersion = keyVersion
    this.#bytes = createSecretKey(secret.subarray(0, 32))
    this.handle = Buffer.from(secret.subarray(32, 48))
  }

  use(purpose: string): KeyObject {
    let key = this.#uses.get(purpose)
    if (!key) {
      key = expandKey(this.#bytes, purpose)
      this.#uses.set(purpose, key)
    }
    return key
  }
}

/** Unwraps one key of the store; shared by the server and the lens's filling threads. `secret` = key(32) ‖ handle(16). Throws Problem key-unavailable. */
export function unwrapOwnerKey(instanceId: string, purposes: Purposes, row: WrappedOwnerKey): OwnerKey {
  try {
    const wrap = purposes.key('owner-wrap', row.epoch)
    const secret = aesGcmOpen(wrap, row.wrapped.subarray(0, 12), aadOf(instanceId, row.ownerId, row.epoch, row.keyVersion), row.wrapped.subarray(12, 76))
    // GCM does not commit to its key; this does, so one wrapped blob cannot be made to open under two wrapping keys.
    if (!timingSafeEqual(expand(secret.subarray(0, 32), COMMIT), row.wrapped.subarray(76))) throw new Error('commitment')
    const key = new HeldKey(row.ownerId, row.keyVersion, secret)
    secret.fill(0)
    return key
  } catch (error) {
    throw new Problem('key-unavailable', { cause: error })
  }
}

/** Makes, finds, keeps and destroys owner keys. */
export class OwnerKeys {
  readonly #store: KeyStore
  readonly #purposes: Purposes
  readonly #cache = new Map<string, OwnerKey>()
  #wraps: number

  constructor(store: KeyStore, purposes: Purposes) {
    this.#store = store
    this.#purposes = purposes
    this.#wraps = store.wraps()
  }

  async create(ownerIds: readonly string[]): Promise<OwnerKey[]> {
    this.#wraps += ownerIds.length
    if (this.#wraps >= MOST_WRAPS) throw new Problem('key-unavailable', { cause: new Error('the owner-wrap epoch is used up: rotate it') })
    const epoch = this.#purposes.epoch('owner-wrap')
    const wrap = this.#purposes.key('owner-wrap', epoch)
    if (ownerIds.length === 0) return []
    const secrets = randomFillSync(Buffer.allocUnsafe(48 * ownerIds.length))
    // Not from Node's pool, which would pass between the threads with all that is in it.
    const [ids, wrapped] = [Buffer.alloc(16 * ownerIds.length), Buffer.alloc(WRAPPED * ownerIds.length)]
    const keys = ownerIds.map((ownerId, i) => {
      const secret = secrets.subarray(i * 48, i * 48 + 48)
      const nonce = freshNonce()
      ids.set(uuidBytes(ownerId), i * 16)
      wrapped.set(nonce, i * WRAPPED)
      wrapped.set(aesGcmSeal(wrap, nonce, aadOf(this.#store.instanceId, ownerId, epoch, 1), secret), i * WRAPPED + 12)
      wrapped.set(expand(secret.subarray(0, 32), COMMIT), i * WRAPPED + 76)
      return new HeldKey(ownerId, 1, secret)
    })
    secrets.fill(0)
    await this.#store.write([{ op: 'owners', ids, epoch, version: 1, wrapped }])
    for (const key of keys) this.#keep(key)
    return keys
  }

  get(ownerId: string): OwnerKey {
    const key = this.find(ownerId)
    if (!key) throw new Problem('key-unavailable')
    return key
  }

  find(ownerId: string): OwnerKey | null {
    const kept = this.#cache.get(ownerId)
    if (kept) return kept
    const row = this.#store.ownerKey(ownerId)
    if (!row) return null
    const key = unwrapOwnerKey(this.#store.instanceId, this.#purposes, row)
    this.#keep(key)
    return key
  }

  has(ownerId: string): boolean {
    return this.#cache.has(ownerId) || this.#store.ownerKey(ownerId) !== null
  }

  async destroy(ownerId: string): Promise<void> {
    this.#cache.delete(ownerId)
    await this.#store.write([{ op: 'destroy', id: uuidBytes(ownerId), at: new Date().toISOString() }])
    this.#cache.delete(ownerId)
  }

  #keep(key: OwnerKey): void {
    if (this.#cache.size >= CACHED) {
      // Drops the oldest tenth at once; a Map iterates in insertion order.
      let drop = CACHED / 10
      for (const id of this.#cache.keys()) {
        this.#cache.delete(id)
        if (--drop <= 0) break
      }
    }
    this.#cache.set(key.ownerId, key)
  }
}
