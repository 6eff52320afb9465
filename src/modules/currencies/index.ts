import type { Module } from '../../kernel/module.ts'
import { recordRoutes, sliceOf, type RecordsDeps, type Slice } from '../records/index.ts'
import { Rate } from './currencies.entity.ts'
import { checkRate, deriveRate, type Reckoning } from './currencies.policy.ts'

export { Rate } from './currencies.entity.ts'
export type { Reckoning } from './currencies.policy.ts'
export { converterFor, sumInBase, type Converter } from './currencies.service.ts'
export { converted, decimalOf, linesTotal, minorDigits, type Priced } from './money.ts'

export const rateSlice = (reckoning: Reckoning): Slice => sliceOf({ entity: Rate, normalise: checkRate, derive: (before, next, at) => deriveRate(reckoning, before, next, at) })

export function currenciesModule(deps: RecordsDeps, slice: Slice): Module {
  return { name: 'currencies', entities: [Rate], routes: recordRoutes(deps, slice) }
}
