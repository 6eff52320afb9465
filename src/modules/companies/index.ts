import type { Module } from '../../kernel/module.ts'
import { recordRoutes, sliceOf, type RecordsDeps, type Slice } from '../records/index.ts'
import { Company } from './companies.entity.ts'

export { Company } from './companies.entity.ts'
export { companiesNamed, companyNamed } from './companies.service.ts'

export const companySlice = (): Slice => sliceOf({ entity: Company })

export function companiesModule(deps: RecordsDeps, slice: Slice): Module {
  return { name: 'companies', entities: [Company], routes: recordRoutes(deps, slice) }
}
