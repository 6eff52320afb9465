/**
 * An unambiguous byte string of several parts: each part is preceded by its length as a 32-bit
 * big-endian number, so that moving a byte from one part to its neighbour changes the result.
 * `null` is written as length 0xffffffff and no bytes, so it differs from an empty string.
 */
export function lengthPrefixed(parts: readonly (string | Uint8Array | null)[]): Buffer {
  let total = 0
  for (const p of parts) total += 4 + (p === null ? 0 : typeof p === 'string' ? Buffer.byteLength(p) : p.length)
  const out = Buffer.allocUnsafe(total)
  let at = 0
  for (const p of parts) {
    if (p === null) {
      at = out.writeUInt32BE(0xffffffff, at)
    } else if (typeof p === 'string') {
      const n = out.write(p, at + 4)
      out.writeUInt32BE(n, at)
      at += 4 + n
    } else {
      at = out.writeUInt32BE(p.length, at)
      out.set(p, at)
      at += p.length
    }
  }
  return out
}

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json | undefined }
