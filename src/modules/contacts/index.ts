import type { Module } from '../../kernel/module.ts'
import { recordRoutes, sliceOf, type RecordsDeps, type Slice } from '../records/index.ts'
import { Contact } from './contacts.entity.ts'
import type { CountryCode } from 'libphonenumber-js/max'
import { contactWords, createContact, createExtra } from './contacts.service.ts'

export { CHANNELS, Contact } from './contacts.entity.ts'
export { normaliseEmail } from './email.ts'
export { parsePhone, phoneCountry } from './phone.ts'

/** `country`: ISO 3166 code that bare phone numbers are read in. */
export const contactSlice = (country: () => CountryCode): Slice => sliceOf(contactWords(country))

export function contactsModule(deps: RecordsDeps, slice: Slice): Module {
  return {
    name: 'contacts',
    entities: [Contact],
    routes: recordRoutes(deps, slice, { create: (desk, body) => createContact(desk, deps, slice, body), createBody: createExtra }),
  }
}
