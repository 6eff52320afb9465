import { randomFillSync } from 'node:crypto'

const pool = Buffer.allocUnsafe(4096)
let used = pool.length
let lastMs = 0
let counter = 0

/** A random UUID version 7 (RFC 9562 §5.7): 48 bits of Unix milliseconds, then a 12-bit counter that keeps ids of one process in order, then 62 random bits. */
export function uuidv7(now = Date.now()): string {
  if (used + 10 > pool.length) {
    randomFillSync(pool)
    used = 0
  }
  const b = Buffer.allocUnsafe(16)
  if (now <= lastMs) {
    counter++
    if (counter > 0xfff) {
      lastMs++
      counter = 0
    }
  } else {
    lastMs = now
    counter = pool.readUInt16BE(used) & 0x7ff
  }
  b.writeUIntBE(lastMs, 0, 6)
  b.writeUInt16BE(0x7000 | counter, 6)
  pool.copy(b, 8, used + 2, used + 10)
  b[8] = 0x80 | (b[8]! & 0x3f)
  used += 10
  return uuidText(b)
}

/**
 * The 16 bytes of a UUID in its one canonical text form, lower case with dashes. Throws a TypeError on anything else:
 * were `ABC…` and `abc…` the same owner, a key destroyed under one spelling would live on in a cache under the other.
 */
export function uuidBytes(id: string): Buffer {
  if (!UUID.test(id)) throw new TypeError('not a uuid')
  return Buffer.from(id.slice(0, 8) + id.slice(9, 13) + id.slice(14, 18) + id.slice(19, 23) + id.slice(24), 'hex')
}

/** The lower-case text form of 16 bytes. Throws a TypeError on any other length. */
export function uuidText(b: Uint8Array): string {
  if (b.length !== 16) throw new TypeError('not 16 bytes')
  const h = Buffer.from(b.buffer, b.byteOffset, 16).toString('hex')
  return `${h.slice(0, 8)}-${h.slice(8, 12)}-${h.slice(12, 16)}-${h.slice(16, 20)}-${h.slice(20)}`
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

export function isUuid(s: unknown): s is string {
  return typeof s === 'string' && UUID.test(s)
}
