import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { converted, decimalOf, lineTotal, linesTotal, minorDigits, roundedQuotient } from './money.ts'

const currency = fc.constantFrom('CNY', 'USD', 'JPY', 'KWD', 'EUR') // 2, 2, 0, 3, 2 places
const minor = fc.integer({ min: -1e9, max: 1e9 })
/** A decimal number in text, and the same as a fraction of whole numbers: the tests reckon with fractions. */
const decimal = (mostDigits: number, most: number): fc.Arbitrary<{ text: string; n: bigint; d: bigint }> =>
  fc.tuple(fc.nat({ max: most }), fc.nat({ max: mostDigits })).chain(([whole, digits]) =>
    fc.array(fc.integer({ min: 0, max: 9 }), { minLength: digits, maxLength: digits }).map((f) => ({ text: digits > 0 ? `${whole}.${f.join('')}` : String(whole), n: BigInt(`${whole}${f.join('')}`), d: 10n ** BigInt(digits) })),
  )
const rate = decimal(12, 99_999).filter((r) => r.n > 0n)

/** Whether `r` is n/d rounded half away from zero, said without dividing. */
function isRounded(r: bigint, n: bigint, d: bigint): boolean {
  const abs = (x: bigint): bigint => (x < 0n ? -x : x)
  const off = abs(n) - abs(r) * d
  return (r === 0n || n < 0n === r < 0n) && 2n * off < d && 2n * off >= -d
}

describe('rounding', () => {
  it('goes to the nearest whole number, halves away from zero, on both sides of it alike', () => {
    expect([[5n, 2n], [-5n, 2n], [1n, 2n], [-1n, 2n], [7n, 4n], [5n, 4n], [0n, 9n]].map(([n, d]) => roundedQuotient(n!, d!))).toEqual([3n, -3n, 1n, -1n, 2n, 1n, 0n])
    fc.assert(fc.property(fc.bigInt({ min: -(10n ** 40n), max: 10n ** 40n }), fc.bigInt({ min: 1n, max: 10n ** 30n }), (n, d) => isRounded(roundedQuotient(n, d), n, d) && roundedQuotient(-n, d) === -roundedQuotient(n, d)))
  })
})

describe('a decimal number', () => {
  it('is read to the last digit, in every spelling JavaScript has for it', () => {
    expect(decimalOf('0.1')).toEqual({ units: 1n, digits: 1 })
    fc.assert(fc.property(fc.double({ min: 0, max: 1e21, noNaN: true }), (x) => {
      const { units, digits } = decimalOf(String(x))
      return Number(`${units}e-${digits}`) === x
    }))
  })
  it.each(['', '1.', '.5', '1,5', ' 1', '1e5x', 'NaN', 'Infinity', '0x10', '--1', '1_000'])('is not %j', (text) => {
    expect(() => decimalOf(text)).toThrow(RangeError)
  })
})

describe('conversion', () => {
  it('knows how many places the minor unit of a currency has', () => {
    expect(['CNY', 'JPY', 'KWD', 'USD'].map(minorDigits)).toEqual([2, 0, 3, 2])
  })

  it('by hand: 100.00 USD at 7.1234 are 712.34 CNY; 1,000 JPY at 0.0493 are 49.30; a fen and a half becomes two', () => {
    expect(converted({ minor: 100_00, currency: 'USD' }, 'CNY', '7.1234')).toEqual({ minor: 712_34, currency: 'CNY' })
    expect(converted({ minor: 1000, currency: 'JPY' }, 'CNY', '0.0493')).toEqual({ minor: 49_30, currency: 'CNY' })
    expect(converted({ minor: 1, currency: 'USD' }, 'CNY', '1.5')).toEqual({ minor: 2, currency: 'CNY' })
    expect(converted({ minor: -1, currency: 'USD' }, 'CNY', '1.5')).toEqual({ minor: -2, currency: 'CNY' })
    // 0.1 + 0.2 of floating point: 1.005 has no exact double and would round down.
    expect(converted({ minor: 100, currency: 'USD' }, 'CNY', '1.005')).toEqual({ minor: 101, currency: 'CNY' })
  })

  it('is the exact product, rounded once', () => {
    fc.assert(
      fc.property(minor, currency, currency, rate, (m, from, to, r) => {
        const n = BigInt(m) * r.n * 10n ** BigInt(minorDigits(to))
        const d = r.d * 10n ** BigInt(minorDigits(from))
        fc.pre((n < 0n ? -n : n) / d < 2n ** 52n)
        return isRounded(BigInt(converted({ minor: m, currency: from }, to, r.text).minor), n, d)
      }),
      { numRuns: 2000 },
    )
  })

  it('is odd, rising, and adds up but for a unit of rounding', () => {
    const small = fc.integer({ min: -1e6, max: 1e6 })
    fc.assert(
      fc.property(small, small, rate, (a, b, r) => {
        const of = (m: number): number => converted({ minor: m, currency: 'USD' }, 'CNY', r.text).minor
        return of(-a) === -of(a) + 0 && (a <= b ? of(a) <= of(b) : of(a) >= of(b)) && Math.abs(of(a) + of(b) - of(a + b)) <= 1 && of(0) === 0
      }),
    )
  })

  it('refuses what a JSON number cannot carry', () => {
    expect(() => converted({ minor: 9e15, currency: 'USD' }, 'CNY', '7')).toThrow('invalid')
  })
})

describe('product lines', () => {
  const priced = (quantity: number, minor: number, discountPercent = 0, currency = 'CNY') => ({ quantity, unitPrice: { minor, currency }, discountPercent })

  it('by hand', () => {
    expect(linesTotal([])).toBeNull()
    expect(linesTotal([priced(3, 19_99)])).toEqual({ minor: 59_97, currency: 'CNY' })
    expect(linesTotal([priced(1, 100, 33.33), priced(1, 100, 33.33), priced(1, 100, 33.33)])).toEqual({ minor: 201, currency: 'CNY' }) // 66.67 rounds to 67, three times
    expect(linesTotal([priced(1.005, 100)])).toEqual({ minor: 101, currency: 'CNY' })
    expect(linesTotal([priced(2, 500, 100)])).toEqual({ minor: 0, currency: 'CNY' })
    expect(() => linesTotal([priced(1, 1), priced(1, 1, 0, 'USD')])).toThrow('invalid')
    expect(() => linesTotal([priced(1e9, 9e15)])).toThrow('invalid')
  })

  it('each is the exact product, rounded; the sum is theirs in any order', () => {
    const line = fc.record({ q: decimal(6, 9999).filter((q) => q.n > 0n), m: fc.integer({ min: -1e8, max: 1e8 }), off: decimal(4, 99) })
    fc.assert(
      fc.property(fc.array(line, { minLength: 1, maxLength: 30 }), (lines) => {
        const all = lines.map((l) => ({ ...priced(Number(l.q.text), l.m, Number(l.off.text)) }))
        let sum = 0n
        for (const [i, l] of lines.entries()) {
          const total = lineTotal(all[i]!)
          if (!isRounded(total, l.q.n * BigInt(l.m) * (100n * l.off.d - l.off.n), l.q.d * 100n * l.off.d)) return false
          sum += total
        }
        return linesTotal(all)?.minor === Number(sum) && linesTotal(all.toReversed())?.minor === Number(sum)
      }),
    )
  })
})
