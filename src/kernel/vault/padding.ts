// Below 128 lie single values, whose length says most; above, a second step in each doubling makes a contact a seventh shorter and tells four lengths instead of three.
const BUCKETS = [32, 64, 128, 192, 256, 384, 512, 768, 1024]

/** The padded length of `n` bytes: the next bucket, above 1 KiB steps of +25 %. */
export function bucketOf(n: number): number {
  for (const b of BUCKETS) if (n <= b) return b
  let size = 1024
  while (size < n) size = Math.ceil(size * 1.25)
  return size
}

/** ISO/IEC 7816-4 padding up to the bucket: 0x80 then zeros. Length leaks what a value is; a bucket leaks far less. */
export function pad(plaintext: Uint8Array): Buffer {
  const out = Buffer.alloc(bucketOf(plaintext.length + 1))
  out.set(plaintext)
  out[plaintext.length] = 0x80
  return out
}

/** Removes `pad`. Throws a RangeError when there is no padding, which only happens to bytes that were never padded. */
export function unpad(padded: Buffer): Buffer {
  let end = padded.length - 1
  while (end >= 0 && padded[end] === 0) end--
  if (end < 0 || padded[end] !== 0x80) throw new RangeError('no padding')
  return padded.subarray(0, end)
}
