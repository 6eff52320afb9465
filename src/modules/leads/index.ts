import type { CountryCode } from 'libphonenumber-js/max'
import type { Module } from '../../kernel/module.ts'
import { contactPointWords } from '../contact-points/index.ts'
import { recordRoutes, sliceOf, type RecordsDeps, type Slice } from '../records/index.ts'
import { Lead } from './leads.entity.ts'

export { Lead, LEAD_STATUS } from './leads.entity.ts'

/** `country`: ISO 3166 code that bare phone numbers are read in. */
export const leadSlice = (country: () => CountryCode): Slice => sliceOf(contactPointWords(Lead, country))

export function leadsModule(deps: RecordsDeps, slice: Slice): Module {
  return { name: 'leads', entities: [Lead], routes: recordRoutes(deps, slice) }
}
