import './problems.ts'
import type { CountryCode } from 'libphonenumber-js/max'
import type { Entity } from '../../kernel/entity/index.ts'
import type { Module } from '../../kernel/module.ts'
import { contactPointWords } from '../contact-points/index.ts'
import { recordRoutes, sliceOf, type RecordsDeps, type Slice } from '../records/index.ts'
import { Lead } from './leads.entity.ts'
import { leadRules } from './leads.policy.ts'
import { leadRoutes } from './leads.routes.ts'

export { Lead, LEAD_STATUS } from './leads.entity.ts'
export { rescore } from './leads.jobs.ts'

/** `country`: ISO 3166 code that bare phone numbers are read in. */
export const leadSlice = (country: () => CountryCode): Slice => sliceOf({ ...contactPointWords(Lead, country), derive: leadRules, becomes: ['contactId', 'companyId', 'dealId'] })

/** `targets`: what a lead becomes. */
export function leadsModule(deps: RecordsDeps, slice: Slice, targets: { company: Entity; contact: Entity; deal: Entity }): Module {
  return { name: 'leads', entities: [Lead], routes: [...recordRoutes(deps, slice), ...leadRoutes(deps, slice, targets)] }
}
