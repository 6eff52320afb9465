import { chunkBytes } from './limits.ts'

/** A file that can be read from its beginning more than once: a staged upload, a path, a test's generator. */
export type CsvSource = () => AsyncIterable<Uint8Array>

/**
 * The same bytes in pieces of exactly `size` (the last may be shorter). Joining small pieces keeps a record that arrives byte
 * by byte from being scanned again for each byte; cutting large ones keeps the decoded text small.
 */
export async function* rechunk(source: AsyncIterable<Uint8Array>, size = chunkBytes): AsyncGenerator<Uint8Array> {
  let held = Buffer.allocUnsafe(size)
  let used = 0
  for await (const piece of source) {
    for (let at = 0; at < piece.length; ) {
      const take = Math.min(size - used, piece.length - at)
      held.set(piece.subarray(at, at + take), used)
      used += take
      at += take
      if (used < size) continue
      yield held
      held = Buffer.allocUnsafe(size)
      used = 0
    }
  }
  if (used > 0) yield held.subarray(0, used)
}
