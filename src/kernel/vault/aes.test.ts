import { createCipheriv, createHmac, createSecretKey, hkdfSync, randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { aesGcmOpen, aesGcmSeal, expand, expandKey, freshNonce, OpenFailed } from './aes.ts'
import { wycheproof } from './fixture.ts'

const hex = (s: string): Buffer => Buffer.from(s, 'hex')

interface Vector {
  name: string
  key: string
  iv: string
  aad: string
  pt?: string
  ct: string
  tag: string
  valid: boolean
}

/** One vector through the one pair of functions the vault seals and opens with. */
function check(v: Vector): void {
  const key = createSecretKey(hex(v.key))
  const open = (): Buffer => aesGcmOpen(key, hex(v.iv), hex(v.aad), hex(v.ct + v.tag))
  if (!v.valid) {
    expect(open, v.name).toThrow(OpenFailed)
    return
  }
  expect(open().toString('hex'), v.name).toBe(v.pt)
  expect(aesGcmSeal(key, hex(v.iv), hex(v.aad), hex(v.pt!)).toString('hex'), v.name).toBe(v.ct + v.tag)
}

describe('AES-256-GCM', () => {
  interface Cavp {
    counts: Record<string, number>
    [file: string]: unknown
  }
  const cavp = JSON.parse(readFileSync(new URL('../../../test/data/nist-cavp/gcm-256.json', import.meta.url), 'utf8')) as Cavp

  it.each(Object.entries({ 'gcmDecrypt256.rsp': [375, 191], 'gcmEncryptExtIV256.rsp': [375, 0] }))('agrees with every vector of NIST %s', (file, [count, refused]) => {
    const rows = cavp[file] as (Omit<Vector, 'valid' | 'name'> & { fail?: true })[]
    const vectors = rows.map((v, i) => ({ ...v, name: `${file} ${i}`, valid: v.fail !== true }))
    for (const v of vectors) check(v)
    expect(vectors.length).toBe(count)
    expect(vectors.length).toBe(cavp.counts[file])
    expect(vectors.filter((v) => !v.valid).length).toBe(refused)
  })

  const file = wycheproof('aes_gcm_test.json')
  it.skipIf(file === null)('agrees with every Wycheproof vector of its sizes', () => {
    interface Group {
      keySize: number
      ivSize: number
      tagSize: number
      tests: { tcId: number; comment: string; key: string; iv: string; aad: string; msg: string; ct: string; tag: string; result: string }[]
    }
    const { numberOfTests, testGroups } = JSON.parse(readFileSync(file!, 'utf8')) as { numberOfTests: number; testGroups: Group[] }
    expect(testGroups.flatMap((g) => g.tests).length).toBe(numberOfTests)
    const tests = testGroups.filter((g) => g.keySize === 256 && g.ivSize === 96 && g.tagSize === 128).flatMap((g) => g.tests)
    for (const t of tests) check({ ...t, name: `${t.tcId} ${t.comment}`, pt: t.msg, valid: t.result === 'valid' })
    expect(tests.length).toBeGreaterThanOrEqual(66)
    expect(tests.filter((t) => t.result !== 'valid').length).toBeGreaterThanOrEqual(27)
    // Every other size is refused, too: 128-bit keys, longer and shorter nonces.
    for (const g of testGroups.filter((g) => g.keySize !== 256 || g.ivSize !== 96)) {
      for (const t of g.tests) expect(() => aesGcmOpen(createSecretKey(hex(t.key)), hex(t.iv), hex(t.aad), hex(t.ct + t.tag)), String(t.tcId)).toThrow(OpenFailed)
    }
  })

  it('refuses every single bit flipped, in ciphertext, tag, nonce, aad and key', () => {
    const [key, nonce, aad] = [randomBytes(32), randomBytes(12), randomBytes(9)]
    const sealed = aesGcmSeal(createSecretKey(key), nonce, aad, Buffer.from('a message of no more than some length'))
    for (const part of [key, nonce, aad, sealed]) {
      for (let bit = 0; bit < part.length * 8; bit++) {
        part[bit >> 3]! ^= 1 << (bit & 7)
        expect(() => aesGcmOpen(createSecretKey(key), nonce, aad, sealed)).toThrow(OpenFailed)
        part[bit >> 3]! ^= 1 << (bit & 7)
      }
    }
    expect(aesGcmOpen(createSecretKey(key), nonce, aad, sealed).toString()).toBe('a message of no more than some length')
  })

  it('refuses every truncation, a shortened tag above all', () => {
    const [key, nonce] = [createSecretKey(randomBytes(32)), randomBytes(12)]
    const sealed = aesGcmSeal(key, nonce, Buffer.alloc(0), Buffer.alloc(40))
    for (let n = 0; n < sealed.length; n++) expect(() => aesGcmOpen(key, nonce, Buffer.alloc(0), sealed.subarray(0, n))).toThrow(OpenFailed)
    const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: 12 })
    const short = Buffer.concat([cipher.update(Buffer.alloc(40)), cipher.final(), cipher.getAuthTag()])
    expect(() => aesGcmOpen(key, nonce, Buffer.alloc(0), short)).toThrow(OpenFailed)
  })

  it.each([0, 8, 11, 13, 16])('neither seals nor opens with a nonce of %i bytes', (n) => {
    const key = createSecretKey(randomBytes(32))
    expect(() => aesGcmSeal(key, randomBytes(n), Buffer.alloc(0), Buffer.alloc(4))).toThrow()
    expect(() => aesGcmOpen(key, randomBytes(n), Buffer.alloc(0), Buffer.alloc(32))).toThrow(OpenFailed)
  })

  it.each([16, 24])('neither seals nor opens with a key of %i bytes', (n) => {
    const key = createSecretKey(randomBytes(n))
    expect(() => aesGcmSeal(key, randomBytes(12), Buffer.alloc(0), Buffer.alloc(4))).toThrow()
    expect(() => aesGcmOpen(key, randomBytes(12), Buffer.alloc(0), Buffer.alloc(32))).toThrow(OpenFailed)
  })

  it('says nothing about why it did not open', () => {
    const key = createSecretKey(randomBytes(32))
    const errors = [Buffer.alloc(3), Buffer.alloc(40)].map((sealed) => {
      try {
        return aesGcmOpen(key, randomBytes(12), Buffer.alloc(0), sealed)
      } catch (error) {
        return `${(error as Error).message} ${String((error as Error).cause)}`
      }
    })
    expect(new Set(errors)).toEqual(new Set(['cannot be opened undefined']))
  })

  it('never hands out a nonce twice, over many fills of its pool', () => {
    const nonces = Array.from({ length: 5000 }, () => freshNonce())
    expect(new Set(nonces.map((n) => n.toString('hex'))).size).toBe(5000)
    expect(nonces.every((n) => n.length === 12 && !n.equals(Buffer.alloc(12)))).toBe(true)
  })
})

describe('HKDF-Expand (RFC 5869)', () => {
  // Appendix A.1 to A.3: the first block of OKM for PRK and info.
  it.each([
    ['077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5', 'f0f1f2f3f4f5f6f7f8f9', '3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf'],
    [
      '06a6b88c5853361a06104c9ceb35b45cef760014904671014a193f40c15fc244',
      Array.from({ length: 80 }, (_v, i) => (0xb0 + i).toString(16)).join(''),
      'b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c',
    ],
    ['19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04', '', '8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d'],
  ])('agrees with the appendix: %s', (prk, info, okm) => {
    expect(expand(hex(prk), hex(info)).toString('hex')).toBe(okm)
    expect(expandKey(createSecretKey(hex(prk)), hex(info)).export().toString('hex')).toBe(okm)
  })

  it('agrees with the HKDF of node:crypto after its Extract', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 64 }), fc.uint8Array({ maxLength: 64 }), fc.string(), (ikm, salt, info) => {
        const prk = createHmac('sha256', salt).update(ikm).digest()
        expect(expand(prk, info).equals(Buffer.from(hkdfSync('sha256', ikm, salt, info, 32)))).toBe(true)
      }),
    )
  })
})
