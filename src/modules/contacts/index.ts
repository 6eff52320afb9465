import type { Module } from '../../kernel/module.ts'
import { contactPointWords } from '../contact-points/index.ts'
import { mergeRoutes, recordRoutes, sliceOf, type RecordsDeps, type Slice } from '../records/index.ts'
import { Contact } from './contacts.entity.ts'
import type { CountryCode } from 'libphonenumber-js/max'
import { createContact, createExtra } from './contacts.service.ts'

export { Contact } from './contacts.entity.ts'

/** `country`: ISO 3166 code that bare phone numbers are read in. */
export const contactSlice = (country: () => CountryCode): Slice => sliceOf(contactPointWords(Contact, country))

export function contactsModule(deps: RecordsDeps, slice: Slice): Module {
  return {
    name: 'contacts',
    entities: [Contact],
    routes: [...recordRoutes(deps, slice, { create: (desk, body) => createContact(desk, deps, slice, body), createBody: createExtra }), ...mergeRoutes(deps, slice)],
  }
}
