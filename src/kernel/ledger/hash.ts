import { hash as digest } from 'node:crypto'

export const HASH_BYTES = 32

export function sha256(data: Uint8Array | string): Buffer {
  return digest('sha256', data, 'buffer')
}

/** The root of a tree of no leaves (RFC 6962 §2.1). */
export const EMPTY_ROOT: Buffer = sha256('')

/** SHA-256(0x00 ‖ data), RFC 6962 §2.1: the prefix keeps a leaf from ever passing for an inner node. */
export function leafHash(data: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(data.length + 1)
  bytes[0] = 0
  bytes.set(data, 1)
  return sha256(bytes)
}

/** SHA-256(0x01 ‖ left ‖ right), RFC 6962 §2.1. */
export function nodeHash(left: Uint8Array, right: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(1 + 2 * HASH_BYTES)
  bytes[0] = 1
  bytes.set(left, 1)
  bytes.set(right, 1 + HASH_BYTES)
  return sha256(bytes)
}
