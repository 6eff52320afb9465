import { Problem } from '../../kernel/base/index.ts'
import type { AnyRecord } from '../../kernel/entity/index.ts'
import type { Deriving } from '../records/index.ts'

const RATE = /^\d{1,12}(?:\.\d{1,12})?$/

/** Throws Problem invalid for what is no positive decimal number. */
export function checkRate(input: Record<string, unknown>): Record<string, unknown> {
  const { rate } = input
  if (rate !== undefined && (!RATE.test(String(rate)) || /^[0.]*$/.test(String(rate)))) throw new Problem('invalid', { errors: [{ path: 'rate', code: 'rate-invalid' }] })
  return input
}

/** Base currency and today's day of the organisation. */
export interface Reckoning {
  baseCurrency(): string
  today(at: Date): string
}

/** A new rate is one in the base currency of now, from today where no day is given. */
export function deriveRate(reckoning: Reckoning, before: AnyRecord | null, next: AnyRecord, at: Deriving): AnyRecord {
  if (before) return next
  const base = reckoning.baseCurrency()
  if (next['currency'] === base) throw new Problem('invalid', { errors: [{ path: 'currency', code: 'is-base' }] })
  return { ...next, base, day: next['day'] ?? reckoning.today(at.work.at) }
}
