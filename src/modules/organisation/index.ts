import type { Module } from '../../kernel/module.ts'
import { organisationRoutes } from './organisation.routes.ts'
import type { Organisation } from './organisation.service.ts'

export { Organisation } from './organisation.service.ts'
export { insertOrganisation, loadOrganisation, type OrganisationFacts } from './organisation.store.ts'
export { dayIn, isTimeZone, type OrganisationSettings } from './settings.ts'

/** 组织设置: read by everybody who works here, changed by an administrator. */
export function organisationModule(organisation: Organisation): Module {
  return {
    name: 'organisation',
    permissions: { 'organisation:manage': 'change name, language, time zone, working days, fiscal year and base currency of the organisation' },
    routes: organisationRoutes(organisation),
  }
}
