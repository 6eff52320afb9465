import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { lengthPrefixed } from './canonical.ts'

type Part = string | Uint8Array | null

/** Reads the parts back, which shows that no two lists of parts have the same bytes. */
function parse(bytes: Buffer): (Buffer | null)[] {
  const parts: (Buffer | null)[] = []
  for (let at = 0; at < bytes.length; ) {
    const n = bytes.readUInt32BE(at)
    at += 4
    if (n === 0xffffffff) parts.push(null)
    else {
      parts.push(bytes.subarray(at, at + n))
      at += n
    }
  }
  return parts
}

const part = fc.oneof<fc.Arbitrary<Part>[]>(fc.string({ unit: 'grapheme' }), fc.uint8Array({ maxLength: 40 }), fc.constant(null))
const bytesOf = (p: Part): Buffer | null => (p === null ? null : Buffer.from(p as string))

describe('lengthPrefixed', () => {
  it('can be read back: no two lists of parts are alike', () => {
    fc.assert(
      fc.property(fc.array(part), (parts) => {
        expect(parse(lengthPrefixed(parts))).toEqual(parts.map(bytesOf))
      }),
    )
  })

  it('differs whenever the parts do', () => {
    fc.assert(
      fc.property(fc.array(part), fc.array(part), (a, b) => {
        const same = JSON.stringify(a.map((p) => bytesOf(p)?.toString('hex') ?? null)) === JSON.stringify(b.map((p) => bytesOf(p)?.toString('hex') ?? null))
        expect(lengthPrefixed(a).equals(lengthPrefixed(b))).toBe(same)
      }),
    )
  })

  it.each([
    [['ab', 'c'], ['a', 'bc']],
    [['abc'], ['abc', '']],
    [[''], []],
    [[null], ['']],
    [[null, ''], ['', null]],
    [['a', null], ['a']],
    [['\u0000\u0000\u0000\u0001a'], ['', 'a']],
    [['\u00e9'], ['e\u0301']],
  ] as [Part[], Part[]][])('tells %j from %j', (a, b) => {
    expect(lengthPrefixed(a).equals(lengthPrefixed(b))).toBe(false)
  })

  it('takes a text and its UTF-8 bytes as the same', () => {
    expect(lengthPrefixed(['密客']).equals(lengthPrefixed([Buffer.from('密客')]))).toBe(true)
  })
})
