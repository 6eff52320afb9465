import { route, type Route } from '../../kernel/http/index.ts'
import { organisationContracts } from './organisation.contract.ts'
import type { Organisation, OrganisationFacts } from './organisation.service.ts'

function viewOf(o: OrganisationFacts): object {
  const { id, version, name, country, locale, timeZone, workingDays, fiscalYearStart, baseCurrency } = o
  return { id, version, name, country, locale, timeZone, workingDays, fiscalYearStart, baseCurrency }
}

export function organisationRoutes(organisation: Organisation): Route[] {
  return [
    route(organisationContracts.get, async (desk) => {
      const { facts } = organisation
      desk.record({ action: 'organisation.read', object: { kind: 'organisation', id: facts.id }, purpose: 'view' })
      return { body: viewOf(facts), version: facts.version }
    }),
    route(organisationContracts.patch, async (desk, { body, version }) => {
      const facts = await organisation.change(desk, version, body)
      return { body: viewOf(facts), version: facts.version }
    }),
  ]
}
