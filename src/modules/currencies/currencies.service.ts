import { Problem } from '../../kernel/base/index.ts'
import type { MoneyValue, RecordOf } from '../../kernel/entity/index.ts'
import type { Condition } from '../../kernel/lens/types.ts'
import type { Reading } from '../../kernel/work/types.ts'
import { NONE, rowCondition } from '../access/index.ts'
import { openRows, sliceFor, subjectsOf, type RecordsDeps } from '../records/index.ts'
import { Rate } from './currencies.entity.ts'
import { converted } from './money.ts'

/** Amounts in the base currency, by the rates of one day or the last before it. */
export interface Converter {
  base: string
  /** Null where no rate is known: nothing is guessed. */
  toBase(amount: MoneyValue): MoneyValue | null
}

const eq = (field: string, value: string): Condition => ({ field, op: 'eq', value })

/** Throws Problem lens-warming: an older rate in place of one that is still to come would be a wrong one. */
async function lastBefore(reading: Reading, deps: RecordsDeps, currency: string, base: string, day: string): Promise<RecordOf<typeof Rate> | null> {
  const slice = sliceFor(deps, Rate.name)
  const scope = rowCondition(reading.actor, Rate, 'read')
  const where: Condition = { and: [eq('currency', currency), eq('base', base), { field: 'day', op: 'lte', value: day }] }
  const sort = [{ field: 'day', direction: 'desc' }, { field: 'createdAt', direction: 'desc' }] as const
  const found = await reading.lens.search({ entity: Rate.name, scope, where, sort, limit: 1, count: false })
  if (!found.complete) throw new Problem('lens-warming')
  if (found.ids.length === 0) return null
  const rows = await slice.store.page(reading.sql, { scope, ids: found.ids, limit: 1 })
  reading.record({ action: 'rate.read', object: { kind: Rate.name, id: found.ids[0]! }, subjects: subjectsOf(reading.vault, rows), purpose: 'convert' })
  const { records } = await openRows(reading, slice, rows)
  return (records[0] as RecordOf<typeof Rate> | undefined) ?? null // opened as this entity says
}

/** Rates of these currencies as the actor may read them: whoever may not gets amounts as they are and no sum in the base currency. */
export async function converterFor(reading: Reading, deps: RecordsDeps, currencies: Iterable<string>, base: string, day: string): Promise<Converter> {
  const { grants } = reading.actor
  const may = rowCondition(reading.actor, Rate, 'read') !== NONE && ['read', 'edit'].includes(grants.field(Rate.name, 'rate'))
  const wanted = may ? [...new Set(currencies)].filter((c) => c !== base) : []
  const rates = new Map<string, string>()
  for (const currency of wanted) {
    const found = await lastBefore(reading, deps, currency, base, day)
    if (found) rates.set(currency, found.rate)
  }
  return {
    base,
    toBase(amount) {
      if (amount.currency === base) return amount
      const rate = rates.get(amount.currency)
      return rate === undefined ? null : converted(amount, base, rate)
    },
  }
}

/** The sum in the base currency, and the currencies without a rate, which are not in it. */
export function sumInBase(converter: Converter, amounts: readonly MoneyValue[]): { amount: MoneyValue; unconverted: string[] } {
  const unconverted: string[] = []
  let minor = 0n
  for (const amount of amounts) {
    const inBase = converter.toBase(amount)
    if (inBase) minor += BigInt(inBase.minor)
    else unconverted.push(amount.currency)
  }
  const number = Number(minor)
  if (!Number.isSafeInteger(number)) throw new Problem('invalid', { errors: [{ path: 'amount', code: 'sum-too-large' }] })
  return { amount: { minor: number, currency: converter.base }, unconverted: [...new Set(unconverted)].sort() }
}
