import './problems.ts'
import type { CountryCode } from 'libphonenumber-js/max'
import type { Module } from '../../kernel/module.ts'
import { contactPointWords } from '../contact-points/index.ts'
import { mergeRoutes, recordRoutes, sliceOf, type RecordsDeps, type Slice } from '../records/index.ts'
import { Company } from './companies.entity.ts'
import { companyRules } from './companies.service.ts'

export { Company } from './companies.entity.ts'
export { companiesNamed, companyNamed } from './companies.service.ts'

/** `country`: ISO 3166 code that bare phone numbers are read in. */
export const companySlice = (country: () => CountryCode): Slice => sliceOf({ ...contactPointWords(Company, country), derive: companyRules })

export function companiesModule(deps: RecordsDeps, slice: Slice): Module {
  return { name: 'companies', entities: [Company], routes: [...recordRoutes(deps, slice), ...mergeRoutes(deps, slice)] }
}
