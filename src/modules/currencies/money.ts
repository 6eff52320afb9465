import { Problem } from '../../kernel/base/index.ts'
import type { MoneyValue } from '../../kernel/entity/index.ts'

const digitsOf = new Map<string, number>()

/** How many decimal places the minor unit of a currency has (ISO 4217): 2 for CNY, 0 for JPY. */
export function minorDigits(currency: string): number {
  let digits = digitsOf.get(currency)
  if (digits === undefined) digitsOf.set(currency, (digits = new Intl.NumberFormat('en', { style: 'currency', currency }).resolvedOptions().maximumFractionDigits ?? 2))
  return digits
}

/** `units` / 10^`digits`, exactly. */
export interface Decimal {
  units: bigint
  digits: number
}

/** Reads `12`, `-0.5`, and what JavaScript writes for a small or large number (`1e-7`). Throws RangeError for anything else. */
export function decimalOf(text: string): Decimal {
  const parts = /^(-?)(\d+)(?:\.(\d+))?(?:e([+-]\d{1,3}))?$/.exec(text)
  if (!parts) throw new RangeError('no decimal number')
  const [, sign, whole, fraction = '', exponent = '0'] = parts
  const digits = fraction.length - Number(exponent)
  const units = BigInt(`${sign}${whole}${fraction}`)
  return digits >= 0 ? { units, digits } : { units: units * 10n ** BigInt(-digits), digits: 0 }
}

/** Rounds half away from zero (四舍五入), as invoices do. `d` > 0. */
export function roundedQuotient(n: bigint, d: bigint): bigint {
  const magnitude = n < 0n ? -n : n
  const rounded = (2n * magnitude + d) / (2n * d)
  return n < 0n ? -rounded : rounded
}

/** An amount a JSON number carries to the last unit. Throws Problem invalid for one it cannot: it is refused rather than rounded. */
export function moneyOf(minor: bigint, currency: string, path = 'amount'): MoneyValue {
  const number = Number(minor)
  if (!Number.isSafeInteger(number)) throw new Problem('invalid', { errors: [{ path, code: 'too-big' }] })
  return { minor: number, currency }
}

/** `rate` is what one whole unit of the amount's currency is worth in `currency`, as a decimal. Rounded once, at the end. */
export function converted(amount: MoneyValue, currency: string, rate: string): MoneyValue {
  const { units, digits } = decimalOf(rate)
  const up = 10n ** BigInt(minorDigits(currency))
  const down = 10n ** BigInt(digits + minorDigits(amount.currency))
  return moneyOf(roundedQuotient(BigInt(amount.minor) * units * up, down), currency)
}

/** A product line as far as it makes a sum: quantity × unit price, less a discount in percent. */
export interface Priced {
  quantity: number
  unitPrice: MoneyValue
  discountPercent: number
}

/** Rounded to the minor unit line by line, as it stands on an offer; whoever adds the lines up by hand gets the same sum. */
export function lineTotal({ quantity, unitPrice, discountPercent }: Priced): bigint {
  const q = decimalOf(String(quantity))
  const off = decimalOf(String(discountPercent))
  const hundred = 100n * 10n ** BigInt(off.digits)
  return roundedQuotient(BigInt(unitPrice.minor) * q.units * (hundred - off.units), hundred * 10n ** BigInt(q.digits))
}

/** The sum of product lines; null of none. Throws Problem invalid when they are in several currencies. */
export function linesTotal(lines: readonly Priced[]): MoneyValue | null {
  const [first] = lines
  if (!first) return null
  const { currency } = first.unitPrice
  if (lines.some((l) => l.unitPrice.currency !== currency)) throw new Problem('invalid', { errors: [{ path: 'lines', code: 'several-currencies' }] })
  return moneyOf(lines.reduce((sum, l) => sum + lineTotal(l), 0n), currency, 'lines')
}
