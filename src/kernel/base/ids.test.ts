import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isUuid, uuidBytes, uuidText, uuidv7 } from './ids.ts'

describe('uuidv7', () => {
  it('has version 7, the variant of RFC 9562, and the time', () => {
    const before = Date.now()
    const id = uuidv7()
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    const ms = Number.parseInt(id.replaceAll('-', '').slice(0, 12), 16)
    expect(ms).toBeGreaterThanOrEqual(before)
    expect(ms).toBeLessThanOrEqual(Date.now() + 1000)
  })

  it('is in order of making, faster than the clock ticks and more than its counter holds', () => {
    const made = Array.from({ length: 20_000 }, () => uuidv7())
    expect([...made].sort()).toEqual(made)
    expect(new Set(made).size).toBe(made.length)
  })

  it('stays in order when the clock is set back', () => {
    const now = Date.now() + 60_000
    const made = [uuidv7(now), uuidv7(now - 30_000), uuidv7(now - 59_000), uuidv7(now), uuidv7(now + 1)]
    expect([...made].sort()).toEqual(made)
  })

  it('has 62 bits of chance', () => {
    const tails = Array.from({ length: 2000 }, () => uuidv7().slice(19))
    expect(new Set(tails).size).toBe(2000)
    // Each of the 62 bits takes both values.
    const seen = [0n, 0n]
    for (const t of tails) {
      const bits = BigInt(`0x${t.replace('-', '')}`) & (2n ** 62n - 1n)
      seen[0]! |= bits
      seen[1]! |= ~bits & (2n ** 62n - 1n)
    }
    expect(seen).toEqual([2n ** 62n - 1n, 2n ** 62n - 1n])
  })
})

describe('the bytes of an id', () => {
  it('and its text are the same thing', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), (bytes) => {
        const text = uuidText(bytes)
        expect(isUuid(text)).toBe(true)
        expect(uuidBytes(text).equals(bytes)).toBe(true)
      }),
    )
  })

  it('are read in place, out of a larger buffer', () => {
    const large = Buffer.concat([Buffer.alloc(5, 1), Buffer.alloc(16, 2), Buffer.alloc(5, 3)])
    expect(uuidText(large.subarray(5, 21))).toBe('02020202-0202-0202-0202-020202020202')
    expect(() => uuidText(large.subarray(5, 20))).toThrow(TypeError)
    expect(() => uuidText(large)).toThrow(TypeError)
  })

  const id = '0190a1b2-c3d4-7e5f-8a6b-0c1d2e3f4a5b'
  it.each(['', 'x', id.toUpperCase(), id.replaceAll('-', ''), id.replace('-', '_'), `${id}\n`, ` ${id}`, `{${id}}`, id.replace('a', 'g'), id.slice(1), `${id}0`])('are of its one spelling only: %j', (text) => {
    expect(() => uuidBytes(text)).toThrow(TypeError)
    expect(isUuid(text)).toBe(false)
  })

  it.each([null, undefined, 1, {}, [id]])('are those of a text: %j is none', (value) => {
    expect(isUuid(value)).toBe(false)
  })
})
