import './problems.ts'
import type { Sql } from '../../kernel/db/types.ts'
import type { AnyRecord, Entity } from '../../kernel/entity/index.ts'
import type { Desk } from '../../kernel/work/types.ts'
import type { Module } from '../../kernel/module.ts'
import type { PeopleSource } from '../access/index.ts'
import { contextOf, type IdentityDeps } from './context.ts'
import { identityRoutes } from './identity.routes.ts'
import { disableUser, explainFor, peopleSource as sourceOf, placeOf as placeIn } from './people.service.ts'
import { resetAtHost as resetIn } from './reset.service.ts'
import { publicSessionRoutes, sessionRoutes } from './session.routes.ts'
import { setUpRoutes, type StatusFacts } from './setup/setup.routes.ts'
import type { SetUpPage } from './setup/setup.service.ts'
import { Throttle } from './throttle.ts'

export { createAuthenticator } from './authenticator.ts'
export { authorityCounter, currentEpoch } from '../access/index.ts'
export type { IdentityDeps } from './context.ts'
export { checkSetUpWords, isSetUp, setUp, type SetUpResult, type SetUpWords } from './set-up.ts'
export { principalsOf, type NewPrincipal, type Principals } from './principals.ts'
export { staffingOf, type NewColleague, type NewDepartment, type Staffing } from './staffing.ts'
export { purgeSessions } from './sessions.store.ts'
export type { StatusFacts } from './setup/setup.routes.ts'
export { SetUpPage, type Kit } from './setup/setup.service.ts'

/** The words identity adds to the registry of permissions. */
export const IDENTITY_PERMISSIONS = {
  'users:read': 'see who works here: name, roles, department',
  'users:manage': 'make, change, disable and reset accounts; never one\'s own roles',
  'tokens:create': 'make, see and revoke tokens of one\'s own',
  'tokens:manage': 'see and revoke everybody\'s tokens; make them for accounts without customers',
} as const

/** People, sessions, factors and tokens. */
export function identityModule(deps: IdentityDeps): Module {
  const c = contextOf(deps)
  const throttle = new Throttle(() => c.now().getTime())
  return {
    name: 'identity',
    permissions: IDENTITY_PERMISSIONS,
    routes: [...sessionRoutes(c, throttle), ...identityRoutes(c)],
    publicRoutes: publicSessionRoutes(c, throttle),
  }
}

export interface SetUpModuleDeps {
  /** Made once per start; `page.url(origin)` is the link to print. */
  page: SetUpPage
  status(): Promise<StatusFacts>
}

/** The set-up page and the status page, until the browser work brings more. */
export function setUpModule({ page, status }: SetUpModuleDeps): Module {
  return { name: 'setup', publicRoutes: setUpRoutes(page, status) }
}

/** People as the access module judges and changes them. */
export const peopleSource = (deps: IdentityDeps): PeopleSource => sourceOf(contextOf(deps))

/** Where a person stands, for owners of records other than the actor; null when there is no such person. */
export function placeOf(deps: IdentityDeps): (sql: Sql, personId: string) => Promise<{ id: string; departmentId: string; active: boolean } | null> {
  const c = contextOf(deps)
  return (sql, personId) => placeIn(c, sql, personId)
}

/** Pools open to the people of a department. */
export const poolsOf = (deps: IdentityDeps): ((sql: Sql, departmentId: string) => Promise<readonly string[]>) => contextOf(deps).poolsOf

/** Shuts a person out, as the route does; for the end of a hand-over. */
export const disableIn = (deps: IdentityDeps): ((desk: Desk, personId: string) => Promise<void>) => (desk, personId) => disableUser(desk, contextOf(deps), personId)

/** Why a person may or may not see a record: the rule chain of GET /{noun}/{id}/why. */
export function explain(deps: IdentityDeps): (sql: Sql, personId: string, entity: Entity, record: AnyRecord, hangsOn?: AnyRecord | null) => Promise<object | null> {
  const c = contextOf(deps)
  return (sql, personId, entity, record, hangsOn) => explainFor(c, sql, personId, entity, record, hangsOn)
}

/** For `sealbook user reset` at the host. */
export const resetAtHost = (deps: IdentityDeps, email: string, secondFactor: boolean): Promise<{ personId: string; code: string }> => resetIn(contextOf(deps), email, secondFactor)
