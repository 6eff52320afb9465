import { createCipheriv, createDecipheriv, createHmac, createSecretKey, randomFillSync, type KeyObject } from 'node:crypto'

/** Thrown for every failure to open: wrong key, wrong AAD, changed or short bytes. Says nothing more, on purpose. */
export class OpenFailed extends Error {
  constructor() {
    super('cannot be opened')
    this.name = 'OpenFailed'
  }
}

const TAG = 16
const NONCE = 12

/** AES-256-GCM (NIST SP 800-38D), 96-bit nonce, 128-bit tag: the one function every seal goes through. Returns ciphertext ‖ tag. Throws a RangeError on a nonce of another length. */
export function aesGcmSeal(key: KeyObject, nonce: Uint8Array, aad: Uint8Array, plaintext: Uint8Array): Buffer {
  // GCM takes any length, but hashes all others down to 96 bits, where two may meet.
  if (nonce.length !== NONCE) throw new RangeError('nonce length')
  const cipher = createCipheriv('aes-256-gcm', key, nonce)
  if (aad.length > 0) cipher.setAAD(aad)
  const body = cipher.update(plaintext)
  cipher.final()
  return Buffer.concat([body, cipher.getAuthTag()])
}

/** The one function every open goes through. Input: ciphertext ‖ tag. Throws OpenFailed. */
export function aesGcmOpen(key: KeyObject, nonce: Uint8Array, aad: Uint8Array, sealed: Uint8Array): Buffer {
  if (sealed.length < TAG || nonce.length !== NONCE) throw new OpenFailed()
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG })
    if (aad.length > 0) decipher.setAAD(aad)
    decipher.setAuthTag(sealed.subarray(sealed.length - TAG))
    const body = decipher.update(sealed.subarray(0, sealed.length - TAG))
    decipher.final()
    return body
  } catch {
    throw new OpenFailed()
  }
}

const noncePool = Buffer.allocUnsafe(NONCE * 512)
let nonceAt = noncePool.length

/** 12 random bytes; drawn from the system generator 512 at a time, since one call costs as much as the whole pool. */
export function freshNonce(): Buffer {
  if (nonceAt >= noncePool.length) {
    randomFillSync(noncePool)
    nonceAt = 0
  }
  const nonce = Buffer.from(noncePool.subarray(nonceAt, nonceAt + NONCE))
  noncePool.fill(0, nonceAt, nonceAt + NONCE)
  nonceAt += NONCE
  return nonce
}

/** HKDF-Expand (RFC 5869 §2.3) with SHA-256 for one 32-byte block. Extract is left out because every input key is already 32 uniform random bytes (§3.3). */
export function expand(key: KeyObject | Uint8Array, info: string | Uint8Array): Buffer {
  return createHmac('sha256', key).update(info).update('\u0001').digest()
}

export function expandKey(key: KeyObject | Uint8Array, info: string | Uint8Array): KeyObject {
  return createSecretKey(expand(key, info))
}
