import { createHmac, createSecretKey, randomBytes, timingSafeEqual, type KeyObject } from 'node:crypto'
import { Transform, type TransformCallback } from 'node:stream'
import { Problem } from '../base/index.ts'
import { aesGcmOpen, aesGcmSeal } from './aes.ts'

/*
 * C2SP chunked-encryption v1 (c2sp.org/chunked-encryption) with HKDF-SHA-512 and AES-256-GCM ("Cobblestone-256"):
 * salt(24) ‖ commitment(32) ‖ chunks of 16 KiB each under its number; the last one is always shorter, so a message that
 * was cut off, even between two chunks, is told from a whole one. `ad` is the specification's context.
 */
export const CHUNK_BYTES = 16 * 1024
const TAG = 16
const SEALED = CHUNK_BYTES + TAG
const SALT = 24
const HEAD = SALT + 32
const MOST_CHUNKS = 2 ** 38
const INFO = Buffer.from('c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\u0000')
const NOTHING = new Uint8Array(0)

interface MessageKeys {
  key: KeyObject
  nonce: Buffer
  commitment: Buffer
}

/** HKDF-Expand (RFC 5869 §2.3) with SHA-512 to 76 bytes: key(32) ‖ base nonce(12) ‖ commitment(32). Throws a RangeError on a key of another length. */
function messageKeys(key: KeyObject, salt: Uint8Array, ad: Uint8Array): MessageKeys {
  if (key.symmetricKeySize !== 32) throw new RangeError('key length')
  const info = Buffer.concat([INFO, salt, ad])
  const first = createHmac('sha512', key).update(info).update('\u0001').digest()
  const second = createHmac('sha512', key).update(first).update(info).update('\u0002').digest()
  const out = Buffer.concat([first, second])
  return { key: createSecretKey(out.subarray(0, 32)), nonce: out.subarray(32, 44), commitment: out.subarray(44, 76) }
}

/** The base nonce XOR the chunk's number as a big-endian integer. Throws a RangeError from 2^38 on. */
export function nonceOf(base: Buffer, n: number): Buffer {
  if (n >= MOST_CHUNKS) throw new RangeError('message too long')
  const nonce = Buffer.from(base)
  nonce.writeUInt32BE((nonce.readUInt32BE(8) ^ (n % 2 ** 32)) >>> 0, 8)
  nonce[7] = nonce[7]! ^ Math.floor(n / 2 ** 32)
  return nonce
}

const sealChunk = (keys: MessageKeys, n: number, chunk: Uint8Array): Buffer => aesGcmSeal(keys.key, nonceOf(keys.nonce, n), NOTHING, chunk)
const openChunk = (keys: MessageKeys, n: number, sealed: Uint8Array): Buffer => aesGcmOpen(keys.key, nonceOf(keys.nonce, n), NOTHING, sealed)

/** Checks the commitment before anything is decrypted: one message cannot be made to open under two keys. */
function keysFromHead(key: KeyObject, ad: Uint8Array, head: Uint8Array): MessageKeys {
  const keys = messageKeys(key, head.subarray(0, SALT), ad)
  if (!timingSafeEqual(keys.commitment, head.subarray(SALT, HEAD))) throw new Error('commitment')
  return keys
}

/** Cuts what comes in into blocks of one size; holds less than one block. */
class Blocks {
  readonly #held: Buffer
  #size = 0

  constructor(size: number) {
    this.#held = Buffer.allocUnsafe(size)
  }

  /** The whole blocks so far. One is valid until the next is asked for. */
  *cut(bytes: Uint8Array): Generator<Uint8Array, void> {
    const size = this.#held.length
    let at = 0
    while (at < bytes.length) {
      if (this.#size === 0 && bytes.length - at >= size) {
        yield bytes.subarray(at, at + size)
        at += size
        continue
      }
      const n = Math.min(size - this.#size, bytes.length - at)
      this.#held.set(bytes.subarray(at, at + n), this.#size)
      this.#size += n
      at += n
      if (this.#size < size) return
      this.#size = 0
      yield this.#held
    }
  }

  rest(): Uint8Array {
    return this.#held.subarray(0, this.#size)
  }
}

/** Seals one message piece by piece, in constant memory. `salt` is given by known-answer tests only. */
export class ChunkSealer {
  readonly head: Buffer
  readonly #keys: MessageKeys
  readonly #blocks = new Blocks(CHUNK_BYTES)
  #n = 0

  constructor(key: KeyObject, ad: Uint8Array, salt: Uint8Array = randomBytes(SALT)) {
    this.#keys = messageKeys(key, salt, ad)
    this.head = Buffer.concat([salt, this.#keys.commitment])
  }

  *update(bytes: Uint8Array): Generator<Buffer, void> {
    for (const block of this.#blocks.cut(bytes)) yield sealChunk(this.#keys, this.#n++, block)
  }

  final(): Buffer {
    return sealChunk(this.#keys, this.#n++, this.#blocks.rest())
  }
}

/** Opens one message piece by piece. Throws Problem seal-broken, and from then on always. */
export class ChunkOpener {
  readonly #key: KeyObject
  readonly #ad: Uint8Array
  readonly #blocks = new Blocks(SEALED)
  #head = Buffer.alloc(0)
  #keys: MessageKeys | null = null
  #n = 0
  #broken: Problem | null = null

  constructor(key: KeyObject, ad: Uint8Array) {
    if (key.symmetricKeySize !== 32) throw new RangeError('key length')
    this.#key = key
    this.#ad = ad
  }

  *update(bytes: Uint8Array): Generator<Buffer, void> {
    let body = bytes
    if (!this.#keys) {
      const n = Math.min(HEAD - this.#head.length, bytes.length)
      this.#head = Buffer.concat([this.#head, bytes.subarray(0, n)])
      if (this.#head.length < HEAD) return
      this.#keys = this.#checked(() => keysFromHead(this.#key, this.#ad, this.#head))
      body = bytes.subarray(n)
    }
    const keys = this.#keys
    for (const block of this.#blocks.cut(body)) yield this.#checked(() => openChunk(keys, this.#n++, block))
  }

  /** The last chunk. Whoever has not seen this return has not seen a whole message. */
  final(): Buffer {
    return this.#checked(() => {
      if (!this.#keys) throw new Error('head')
      return openChunk(this.#keys, this.#n++, this.#blocks.rest())
    })
  }

  #checked<T>(step: () => T): T {
    if (this.#broken) throw this.#broken
    try {
      return step()
    } catch (error) {
      this.#broken = new Problem('seal-broken', { cause: error })
      throw this.#broken
    }
  }
}

function attempt(done: TransformCallback, step: () => void): void {
  try {
    step()
  } catch (error) {
    done(error as Error)
    return
  }
  done()
}

/** Plain bytes in, sealed bytes out. `key`: 32 bytes. Many messages may be sealed under one key. */
export function sealStream(key: KeyObject, ad: Uint8Array): Transform {
  const sealer = new ChunkSealer(key, ad)
  const out: Transform = new Transform({
    construct: (done) => attempt(done, () => out.push(sealer.head)),
    transform: (bytes: Buffer, _encoding, done) => attempt(done, () => sealer.update(bytes).forEach((b) => out.push(b))),
    flush: (done) => attempt(done, () => out.push(sealer.final())),
  })
  return out
}

/**
 * Sealed bytes in, plain bytes out. Fails with Problem seal-broken on anything changed, moved, added or cut off. What came
 * out before is genuine but may not be all: act on it only after the stream has ended by itself.
 */
export function openStream(key: KeyObject, ad: Uint8Array): Transform {
  const opener = new ChunkOpener(key, ad)
  const out: Transform = new Transform({
    transform: (bytes: Buffer, _encoding, done) => attempt(done, () => opener.update(bytes).forEach((b) => out.push(b))),
    flush: (done) => attempt(done, () => out.push(opener.final())),
  })
  return out
}

/** Sealed bytes that can be read anywhere. `read` answers exactly `length` bytes. */
export interface RandomAccess {
  readonly size: number
  read(offset: number, length: number): Promise<Uint8Array>
}

/** A message opened for reading anywhere; its length has been checked against its last chunk. */
export class ChunkReader {
  /** Bytes of plain text. */
  readonly size: number
  readonly #source: RandomAccess
  readonly #keys: MessageKeys

  private constructor(source: RandomAccess, keys: MessageKeys, size: number) {
    this.#source = source
    this.#keys = keys
    this.size = size
  }

  /** Throws Problem seal-broken. */
  static async open(source: RandomAccess, key: KeyObject, ad: Uint8Array): Promise<ChunkReader> {
    const body = source.size - HEAD
    const whole = Math.floor(body / SEALED)
    const last = body - whole * SEALED
    if (body < TAG || last < TAG) throw new Problem('seal-broken')
    const head = await source.read(0, HEAD)
    const tail = await source.read(HEAD + whole * SEALED, last)
    return broken(() => {
      const keys = keysFromHead(key, ad, head)
      openChunk(keys, whole, tail)
      return new ChunkReader(source, keys, whole * CHUNK_BYTES + last - TAG)
    })
  }

  /** The bytes from `start` up to, without, `end`. Throws a RangeError outside the message, Problem seal-broken. */
  async range(start: number, end: number): Promise<Buffer> {
    if (!Number.isSafeInteger(start) || !Number.isSafeInteger(end) || start < 0 || end < start || end > this.size) throw new RangeError('range')
    if (start === end) return Buffer.alloc(0)
    const first = Math.floor(start / CHUNK_BYTES)
    const behind = Math.ceil(end / CHUNK_BYTES)
    const from = HEAD + first * SEALED
    const sealed = await this.#source.read(from, Math.min(this.#source.size, HEAD + behind * SEALED) - from)
    const chunks: Buffer[] = []
    for (let n = first; n < behind; n++) chunks.push(broken(() => openChunk(this.#keys, n, sealed.subarray((n - first) * SEALED, (n - first + 1) * SEALED))))
    return Buffer.concat(chunks).subarray(start - first * CHUNK_BYTES, end - first * CHUNK_BYTES)
  }
}

function broken<T>(step: () => T): T {
  try {
    return step()
  } catch (error) {
    throw new Problem('seal-broken', { cause: error })
  }
}

/** One range of a sealed message; `ChunkReader` where there are several. Throws a RangeError, Problem seal-broken. */
export async function openRange(source: RandomAccess, key: KeyObject, ad: Uint8Array, start: number, end: number): Promise<Buffer> {
  return (await ChunkReader.open(source, key, ad)).range(start, end)
}
