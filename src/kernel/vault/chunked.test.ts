import { createCipheriv, createHash, createHmac, createSecretKey, randomBytes, type KeyObject } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { inflateSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ChunkOpener, ChunkReader, ChunkSealer, nonceOf, openRange, openStream, sealStream, type RandomAccess } from './chunked.ts'
import { codeOf, wycheproof } from './fixture.ts'

const KIB16 = 16 * 1024
const CHUNK = KIB16 + 16
const KEY = createSecretKey(randomBytes(32))
const AD = Buffer.from('staging import-1')

/** The specification written down once more, whole and slow, sharing nothing with the code under test. */
function bySpecification(key: Buffer, salt: Buffer, context: Buffer, message: Buffer): Buffer {
  const info = Buffer.concat([Buffer.from('c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM'), Buffer.from([0]), salt, context])
  let okm = Buffer.alloc(0)
  let t = Buffer.alloc(0)
  for (let i = 1; okm.length < 76; i++) {
    t = createHmac('sha512', key).update(Buffer.concat([t, info, Buffer.from([i])])).digest()
    okm = Buffer.concat([okm, t])
  }
  const base = BigInt(`0x${okm.subarray(32, 44).toString('hex')}`)
  const parts = [salt, okm.subarray(44, 76)]
  for (let n = 0; n <= Math.floor(message.length / KIB16); n++) {
    const nonce = Buffer.from((base ^ BigInt(n)).toString(16).padStart(24, '0'), 'hex')
    const cipher = createCipheriv('aes-256-gcm', okm.subarray(0, 32), nonce)
    parts.push(cipher.update(message.subarray(n * KIB16, (n + 1) * KIB16)), cipher.final(), cipher.getAuthTag())
  }
  return Buffer.concat(parts)
}

const seal = (message: Uint8Array, key = KEY, ad: Uint8Array = AD): Promise<Buffer> => buffer(Readable.from([message]).pipe(sealStream(key, ad)))

/** Opens in pieces of one size and answers what came out, and whether it ended well. */
async function open(sealed: Uint8Array, key: KeyObject = KEY, ad: Uint8Array = AD, piece = 5000): Promise<{ out: Buffer; code: string }> {
  const pieces = Array.from({ length: Math.ceil(sealed.length / piece) }, (_v, i) => sealed.subarray(i * piece, (i + 1) * piece))
  const out: Buffer[] = []
  const code = await codeOf(() => pipeline(Readable.from(pieces), openStream(key, ad), async (s) => { for await (const b of s) out.push(b as Buffer) })) // a pipe of Buffers
  return { out: Buffer.concat(out), code }
}

const sourceOf = (bytes: Uint8Array): RandomAccess => ({ size: bytes.length, read: (offset, length) => Promise.resolve(bytes.subarray(offset, offset + length)) })

const LENGTHS = [0, 1, 100, KIB16 - 1, KIB16, KIB16 + 1, 2 * KIB16, 2 * KIB16 + 1, 5 * KIB16 + 77]

describe('chunked encryption', () => {
  it.each(LENGTHS)('is the specification, for %i bytes', (length) => {
    const [key, salt, message] = [randomBytes(32), randomBytes(24), randomBytes(length)]
    const sealer = new ChunkSealer(createSecretKey(key), AD, salt)
    const sealed = Buffer.concat([sealer.head, ...sealer.update(message), sealer.final()])
    expect(sealed.equals(bySpecification(key, salt, AD, message))).toBe(true)
    expect(sealed.length).toBe(56 + length + 16 * (Math.floor(length / KIB16) + 1))
  })

  it('counts past one and two bytes of the nonce', async () => {
    const [key, salt, message] = [randomBytes(32), randomBytes(24), Buffer.alloc(258 * KIB16 + 3, 7)]
    const sealed = bySpecification(key, salt, AD, message)
    expect((await open(sealed, createSecretKey(key), AD, 100_000)).out.equals(message)).toBe(true)
  })

  it('numbers up to 2^38 chunks, each its own nonce, and no more', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 12, maxLength: 12 }), fc.oneof(fc.nat(), fc.integer({ min: 0, max: 2 ** 38 - 1 })), (base, n) => {
        const expected = (BigInt(`0x${Buffer.from(base).toString('hex')}`) ^ BigInt(n)).toString(16).padStart(24, '0')
        expect(nonceOf(Buffer.from(base), n).toString('hex')).toBe(expected)
      }),
    )
    expect(() => nonceOf(Buffer.alloc(12), 2 ** 38)).toThrow(RangeError)
  })

  it('opens what it sealed, however the bytes are cut on the way in and out', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 70_000 }), fc.array(fc.integer({ min: 1, max: 40_000 }), { maxLength: 20 }), fc.uint8Array({ maxLength: 20 }), async (length, cuts, ad) => {
        const message = randomBytes(length)
        const pieces: Buffer[] = []
        let at = 0
        for (const c of cuts) pieces.push(message.subarray(at, (at += c)))
        pieces.push(message.subarray(at))
        const sealed = await buffer(Readable.from(pieces.filter((p) => p.length > 0)).pipe(sealStream(KEY, ad)))
        const { out, code } = await open(sealed, KEY, ad, 1 + (length % 33_000))
        expect(code).toBe('no error')
        expect(out.equals(message)).toBe(true)
      }),
      { numRuns: 60 },
    )
  })

  it('never seals the same message twice alike', async () => {
    const [a, b] = [await seal(Buffer.alloc(100)), await seal(Buffer.alloc(100))]
    expect(a.subarray(0, 24).equals(b.subarray(0, 24))).toBe(false)
    expect(a.subarray(56).equals(b.subarray(56))).toBe(false)
  })

  it.each([16, 31, 33, 64])('refuses a key of %i bytes', (n) => {
    const key = createSecretKey(randomBytes(n))
    expect(() => sealStream(key, AD)).toThrow(RangeError)
    expect(() => openStream(key, AD)).toThrow(RangeError)
  })
})

describe('an altered message', () => {
  const message = randomBytes(3 * KIB16 + 500)
  const chunk = (sealed: Buffer, n: number): Buffer => sealed.subarray(56 + n * CHUNK, 56 + (n + 1) * CHUNK)

  /** What an attacker does to the bytes, and how much of the true beginning may come out before it is noticed. */
  const attacks: [string, (sealed: Buffer) => Buffer, number][] = [
    ['nothing left', () => Buffer.alloc(0), 0],
    ['part of the salt', (s) => s.subarray(0, 20), 0],
    ['salt alone', (s) => s.subarray(0, 24), 0],
    ['part of the head', (s) => s.subarray(0, 40), 0],
    ['head alone', (s) => s.subarray(0, 56), 0],
    ['less than a tag', (s) => s.subarray(0, 56 + 12), 0],
    ['cut after the first chunk', (s) => s.subarray(0, 56 + CHUNK), 1],
    ['cut after the third chunk', (s) => s.subarray(0, 56 + 3 * CHUNK), 3],
    ['cut inside a chunk', (s) => s.subarray(0, 56 + 2 * CHUNK + 100), 2],
    ['last byte gone', (s) => s.subarray(0, -1), 3],
    ['last tag gone', (s) => s.subarray(0, -16), 3],
    ['one byte more', (s) => Buffer.concat([s, Buffer.from([0])]), 3],
    ['a tag of zeros more', (s) => Buffer.concat([s, Buffer.alloc(16)]), 3],
    ['its last chunk twice', (s) => Buffer.concat([s, s.subarray(56 + 3 * CHUNK)]), 3],
    ['first and second chunk swapped', (s) => Buffer.concat([s.subarray(0, 56), chunk(s, 1), chunk(s, 0), s.subarray(56 + 2 * CHUNK)]), 0],
    ['a chunk doubled', (s) => Buffer.concat([s.subarray(0, 56 + CHUNK), s.subarray(56)]), 1],
    ['a chunk left out', (s) => Buffer.concat([s.subarray(0, 56 + CHUNK), s.subarray(56 + 2 * CHUNK)]), 1],
    ['last chunk alone', (s) => Buffer.concat([s.subarray(0, 56), s.subarray(56 + 3 * CHUNK)]), 0],
  ]

  it.each(attacks)('is refused: %s', async (_name, alter, most) => {
    const altered = alter(await seal(message))
    const { out, code } = await open(altered)
    expect(code).toBe('seal-broken')
    expect(out.equals(message.subarray(0, out.length))).toBe(true)
    expect(out.length).toBeLessThanOrEqual(most * KIB16)
    expect(await codeOf(async () => (await ChunkReader.open(sourceOf(altered), KEY, AD)).range(0, message.length))).not.toBe('no error')
  })

  it('is refused with any bit of it flipped', async () => {
    const sealed = await seal(message)
    const places = [...Array(57 * 8).keys(), ...Array.from({ length: 200 }, () => Math.floor(Math.random() * sealed.length * 8))]
    for (const bit of places) {
      sealed[bit >> 3]! ^= 1 << (bit & 7)
      expect((await open(sealed, KEY, AD, 1 << 20)).code, `bit ${bit}`).toBe('seal-broken')
      expect(await codeOf(async () => (await ChunkReader.open(sourceOf(sealed), KEY, AD)).range(0, message.length)), `bit ${bit}`).toBe('seal-broken')
      sealed[bit >> 3]! ^= 1 << (bit & 7)
    }
  })

  it('is refused under another key or another context, before anything is decrypted', async () => {
    const sealed = await seal(message)
    for (const [key, ad] of [[createSecretKey(randomBytes(32)), AD], [KEY, Buffer.from('staging import-2')], [KEY, Buffer.alloc(0)]] as const) {
      const { out, code } = await open(sealed, key, ad)
      expect([code, out.length]).toEqual(['seal-broken', 0])
      expect(await codeOf(() => openRange(sourceOf(sealed), key, ad, 0, 1))).toBe('seal-broken')
    }
  })

  it('is refused with a chunk of another message under the same key', async () => {
    const [a, b] = [await seal(message), await seal(message)]
    b.copy(a, 56 + CHUNK, 56 + CHUNK, 56 + 2 * CHUNK)
    expect((await open(a)).code).toBe('seal-broken')
  })

  it('goes on failing once it has failed', async () => {
    const sealed = await seal(message)
    sealed[60]! ^= 1
    const opener = new ChunkOpener(KEY, AD)
    expect(() => [...opener.update(sealed)]).toThrow('seal-broken')
    expect(() => [...opener.update(sealed)]).toThrow('seal-broken')
    expect(() => opener.final()).toThrow('seal-broken')
  })
})

describe('reading anywhere', () => {
  it('answers any range as the message has it', async () => {
    const message = randomBytes(3 * KIB16 + 500)
    const reader = await ChunkReader.open(sourceOf(await seal(message)), KEY, AD)
    expect(reader.size).toBe(message.length)
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: message.length }), fc.integer({ min: 0, max: message.length }), async (a, b) => {
        const [start, end] = [Math.min(a, b), Math.max(a, b)]
        expect((await reader.range(start, end)).equals(message.subarray(start, end))).toBe(true)
      }),
    )
  })

  it.each(LENGTHS)('knows the length of %i bytes', async (length) => {
    const reader = await ChunkReader.open(sourceOf(await seal(randomBytes(length))), KEY, AD)
    expect(reader.size).toBe(length)
    expect((await reader.range(0, length)).length).toBe(length)
  })

  it.each([[-1, 3], [3, 2], [0, 501], [0.5, 2], [0, Number.NaN]])('refuses the range %d to %d', async (start, end) => {
    const sealed = await seal(randomBytes(500))
    await expect(openRange(sourceOf(sealed), KEY, AD, start, end)).rejects.toThrow(RangeError)
  })
})

describe('Wycheproof', () => {
  interface Test {
    tcId: number
    comment: string
    flags: string[]
    key: string
    ctx: string
    ct: string
    msgLength?: number
    msgSha512?: string
    result: string
  }
  const file = wycheproof('c2sp_chunked_encryption_aes_256_gcm_test.json')
  const sha512 = (b: Uint8Array): string => createHash('sha512').update(b).digest('hex')

  it.skipIf(file === null)('agrees with every vector: whole, streamed and read anywhere', async () => {
    const { numberOfTests, testGroups } = JSON.parse(readFileSync(file!, 'utf8')) as { numberOfTests: number; testGroups: { tests: Test[] }[] }
    const tests = testGroups.flatMap((g) => g.tests)
    expect(tests.length).toBe(numberOfTests)
    expect(tests.length).toBeGreaterThanOrEqual(35)
    for (const t of tests) {
      const name = `${t.tcId} ${t.comment}`
      const [key, ad, sealed] = [createSecretKey(Buffer.from(t.key, 'hex')), Buffer.from(t.ctx, 'hex'), inflateSync(Buffer.from(t.ct, 'hex'))]
      if (t.flags.includes('InvalidKeySize')) {
        expect(() => openStream(key, ad), name).toThrow(RangeError)
        continue
      }
      const { out, code } = await open(sealed, key, ad, 70_000)
      expect(code, name).toBe(t.result === 'valid' ? 'no error' : 'seal-broken')
      if (t.result === 'valid') {
        expect([out.length, sha512(out)], name).toEqual([t.msgLength, t.msgSha512])
        const again = new ChunkSealer(key, ad, sealed.subarray(0, 24))
        expect(Buffer.concat([again.head, ...again.update(out), again.final()]).equals(sealed), name).toBe(true)
      } else {
        expect(out.length, name).toBeLessThanOrEqual(t.msgLength ?? 0)
        if (out.length === t.msgLength) expect(sha512(out), name).toBe(t.msgSha512)
      }
      const read = await codeOf(async () => {
        const reader = await ChunkReader.open(sourceOf(sealed), key, ad)
        expect((await reader.range(0, reader.size)).equals(out), name).toBe(true)
      })
      expect(read, name).toBe(code)
    }
  })
})
