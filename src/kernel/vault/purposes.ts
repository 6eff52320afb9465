import { createPrivateKey, createSecretKey, randomBytes, type KeyObject } from 'node:crypto'
import { lengthPrefixed, Refusal } from '../base/index.ts'
import { aesGcmOpen, aesGcmSeal, expandKey, freshNonce } from './aes.ts'
import type { KeyWrite, PurposeRow } from './keystore.ts'

/** Every key directly under the root. A new one is added here and made at the next start. */
export const PURPOSES = ['owner-wrap', 'blind', 'authority', 'session', 'ledger-event', 'ledger-link', 'ledger-sign', 'cursor', 'pepper', 'instance'] as const
export type Purpose = (typeof PURPOSES)[number]

/** Those every instance was made with. One of them missing was lost, and is never made anew. */
export const FOUNDING: readonly Purpose[] = ['owner-wrap', 'blind', 'authority', 'session', 'ledger-event', 'ledger-link', 'ledger-sign', 'cursor', 'pepper', 'instance']

const aadOf = (instanceId: string, purpose: string, epoch: number): Buffer => lengthPrefixed(['sealbook/v1', instanceId, 'purpose', purpose, String(epoch)])

/** The purpose keys of an instance by name and epoch, unwrapped once at start. */
export class Purposes {
  readonly #keys = new Map<string, KeyObject>()
  readonly #current = new Map<string, number>()
  readonly rows: readonly PurposeRow[]

  constructor(instanceId: string, root: KeyObject, rows: readonly PurposeRow[]) {
    const wrapping = expandKey(root, 'sealbook/v1 purpose-wrap')
    this.rows = rows
    for (const row of rows) {
      try {
        const bytes = aesGcmOpen(wrapping, row.wrapped.subarray(0, 12), aadOf(instanceId, row.purpose, row.epoch), row.wrapped.subarray(12))
        this.#keys.set(`${row.purpose} ${row.epoch}`, createSecretKey(bytes))
      } catch (error) {
        throw new Refusal('key-store-damaged', `The key store does not match its root key (purpose ${row.purpose}): put both back from the same moment; nothing was changed.`, 4, error)
      }
      this.#current.set(row.purpose, Math.max(row.epoch, this.#current.get(row.purpose) ?? 0))
    }
  }

  epoch(purpose: Purpose): number {
    return this.#current.get(purpose) ?? 0
  }

  /** The key of a purpose at an epoch, the current one by default. Throws a Refusal when it does not exist. */
  key(purpose: Purpose, epoch = this.epoch(purpose)): KeyObject {
    const key = this.#keys.get(`${purpose} ${epoch}`)
    if (!key) throw new Refusal('key-unavailable', `The key store holds no ${purpose} key of epoch ${epoch}: put it back from its own backup.`)
    return key
  }
}

/** The writes that make the first epoch of every purpose not yet in the store. */
export function newPurposes(instanceId: string, root: KeyObject, have: ReadonlySet<string>): KeyWrite[] {
  const wrapping = expandKey(root, 'sealbook/v1 purpose-wrap')
  const at = new Date().toISOString()
  return PURPOSES.filter((p) => !have.has(p)).map((purpose) => {
    const nonce = freshNonce()
    const wrapped = Buffer.concat([nonce, aesGcmSeal(wrapping, nonce, aadOf(instanceId, purpose, 1), randomBytes(32))])
    return { op: 'purpose', purpose, epoch: 1, wrapped, at }
  })
}

// RFC 8410 §7: the DER header of an Ed25519 private key, before its 32-byte seed.
const ED25519_HEADER = Buffer.from('302e020100300506032b657004220420', 'hex')

export function ed25519FromSeed(seed: KeyObject): KeyObject {
  return createPrivateKey({ key: Buffer.concat([ED25519_HEADER, seed.export()]), format: 'der', type: 'pkcs8' })
}
