import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { CountryCode } from 'libphonenumber-js/max'
import type { Config } from './kernel/config/index.ts'
import type { Migration } from './kernel/db/index.ts'
import type { Entity } from './kernel/entity/index.ts'
import type { Authenticator, PublicRoute, Route } from './kernel/http/index.ts'
import type { Ledger } from './kernel/ledger/index.ts'
import type { Lens } from './kernel/lens/index.ts'
import type { Module } from './kernel/module.ts'
import { keyPosture, type OpenedVault } from './kernel/vault/index.ts'
import { ENTITIES } from './entities.ts'
import type { Instance } from './instance.ts'
import { accessModule, BUILT_IN_ROLES, checkRolePermissions, entityPermissions, MatchBudget, permissionsOf, roleRegistry } from './modules/access/index.ts'
import { activitiesModule, activitySlice } from './modules/activities/index.ts'
import { Attachments, attachmentSlice, type AttachmentWords } from './modules/attachments/index.ts'
import { bulkModule } from './modules/bulk/index.ts'
import { Calendar, calendarModule } from './modules/calendar/index.ts'
import { companiesModule, companySlice } from './modules/companies/index.ts'
import { contactsModule, contactSlice } from './modules/contacts/index.ts'
import { contractsModule, contractSlice } from './modules/contracts/index.ts'
import { dealsModule, dealSlice } from './modules/deals/index.ts'
import { Lead, leadsModule, leadSlice } from './modules/leads/index.ts'
import { pipelinesModule, pipelineSlice } from './modules/pipelines/index.ts'
import { CHANGES_PER_HOUR, changesModule } from './modules/changes/index.ts'
import { currenciesModule, type Reckoning, rateSlice } from './modules/currencies/index.ts'
import { CustomFields, customFieldsModule } from './modules/custom-fields/index.ts'
import { Demo, demoModule } from './modules/demo/index.ts'
import { doctorModule } from './modules/doctor/index.ts'
import { exportsModule } from './modules/exports/index.ts'
import { disableIn, identityModule, peopleSource, poolsOf, setUpModule, SetUpPage, type IdentityDeps, type StatusFacts } from './modules/identity/index.ts'
import { handoverModule } from './modules/handover/index.ts'
import { importsModule } from './modules/imports/index.ts'
import { keysModule } from './modules/keys/index.ts'
import { notificationsModule } from './modules/notifications/index.ts'
import { Organisation, organisationModule } from './modules/organisation/index.ts'
import { poolSlice, poolsModule } from './modules/pools/index.ts'
import { undoRoute, type RecordsDeps } from './modules/records/index.ts'
import { scoreRuleSlice, scoreRulesModule } from './modules/score-rules/index.ts'
import { reportsModule } from './modules/reports/index.ts'
import { Runs } from './modules/runs/index.ts'
import { systemModule } from './modules/system/index.ts'
import { tagsModule, tagSlice } from './modules/tags/index.ts'
import { trail } from './modules/trail/index.ts'
import { countShared, giveSharedViews, viewsModule } from './modules/views/index.ts'
import { Webhooks } from './modules/webhooks/index.ts'

/** Which day it is and in which currency sums are told, as the organisation has it at that moment. */
const reckoningOf = (o: Organisation): Reckoning => ({ baseCurrency: () => o.settings.baseCurrency, today: (at) => o.day(at) })

/** A slice for each of ENTITIES, by name. */
export function slicesOf(country: () => CountryCode, organisation: Organisation) {
  return { company: companySlice(country), contact: contactSlice(country), lead: leadSlice(country), 'score-rule': scoreRuleSlice(Lead), pool: poolSlice(), pipeline: pipelineSlice(), rate: rateSlice(reckoningOf(organisation)), deal: dealSlice(), contract: contractSlice((at) => organisation.day(at)), activity: activitySlice(() => organisation.settings.timeZone), attachment: attachmentSlice(), tag: tagSlice() }
}

export const VERSION = (JSON.parse(readFileSync(join(import.meta.dirname, '..', 'package.json'), 'utf8')) as { version: string }).version // our own file

/** Everything the modules are made of. */
export interface Parts {
  config: Config
  vault: OpenedVault
  db: Instance['db']
  ledger: Ledger
  lens: Lens
  identity: IdentityDeps
  setUp: SetUpPage
  records: RecordsDeps
  slices: ReturnType<typeof slicesOf>
  attachments: Attachments
  customFields: CustomFields
  organisation: Organisation
  runs: Runs
  demo: Demo
  webhooks: Webhooks
  calendar: Calendar
  authenticator: Authenticator
  migrations: readonly Migration[]
  country(): CountryCode
  describe(): object
}

export const registry = roleRegistry(BUILT_IN_ROLES, ENTITIES)
const nouns = (): string[] => ENTITIES.map((e) => e.name)

/** The product, in the order of the menu. */
export function modulesOf(p: Parts): Module[] {
  return [
    systemModule({ version: VERSION, lens: p.lens, ledger: p.ledger, authenticator: p.authenticator, databaseUp: async () => p.db.query('SELECT 1').then(() => true, () => false), describe: p.describe }),
    identityModule(p.identity),
    setUpModule({ page: p.setUp, status: () => statusOf(p) }),
    accessModule({ vault: p.vault, ledger: p.ledger, registry, people: peopleSource(p.identity) }),
    contactsModule(p.records, p.slices.contact),
    companiesModule(p.records, p.slices.company),
    leadsModule(p.records, p.slices.lead, { company: p.slices.company.entity, contact: p.slices.contact.entity, deal: p.slices.deal.entity }),
    scoreRulesModule(p.records, p.slices['score-rule']),
    poolsModule({ records: p.records, openTo: poolsOf(p.identity) }, p.slices.pool, [p.slices.lead, p.slices.company]),
    pipelinesModule(p.records, p.slices.pipeline),
    currenciesModule(p.records, p.slices.rate),
    dealsModule(p.records, p.slices.deal, reckoningOf(p.organisation)),
    contractsModule(p.records, p.slices.contract),
    activitiesModule(p.records, p.slices.activity, ENTITIES),
    notificationsModule(p.records),
    calendarModule(p.calendar),
    p.attachments.module(),
    tagsModule({ records: p.records, slice: p.slices.tag, runs: p.runs }),
    viewsModule({ records: p.records, vault: p.vault, ledger: p.ledger }),
    reportsModule(p.records, { ...reckoningOf(p.organisation), timeZone: () => p.organisation.settings.timeZone }),
    organisationModule(p.organisation),
    customFieldsModule(p.customFields, nouns),
    importsModule({ records: p.records, customFields: p.customFields, country: p.country }, p.runs),
    exportsModule(p.records, p.runs),
    bulkModule(p.records, p.runs),
    handoverModule({ records: p.records, views: { count: countShared, give: giveSharedViews }, disable: (desk, id) => disableIn(p.identity)(desk, id) }, p.runs, [p.slices.contact, p.slices.company, p.slices.lead, p.slices.deal, p.slices.contract]),
    changesModule({ nouns: new Map(ENTITIES.map((e) => [e.name, e])), budget: new MatchBudget(CHANGES_PER_HOUR) }),
    p.webhooks.module(),
    trail,
    keysModule({ config: p.config, vault: p.vault }),
    doctorModule({ config: p.config, vault: p.vault, sql: p.db, ledger: p.ledger, entities: ENTITIES, migrations: p.migrations }),
    demoModule(p.demo),
    { name: 'records', routes: [undoRoute(p.records)] },
  ]
}

/** What the status page shows to anybody who reaches it: nothing of people, nothing of records. */
async function statusOf({ config, db, vault, lens, ledger }: Parts): Promise<StatusFacts> {
  const up = await db.query('SELECT 1').then(() => true, () => false)
  const { size, alarm } = ledger.status()
  const posture = keyPosture(config, vault.instanceId, vault.status().custodians).map(({ code, level }) => ({ code, level }))
  return { status: !up || alarm !== null ? 'failed' : lens.status().complete ? 'ready' : 'warming', version: VERSION, ledgerSize: size, posture }
}

export interface Mounted {
  routes: (Route | PublicRoute)[]
  permissions: Record<string, string>
}

/** Collects what the modules declare; a role or route that names something nobody declares stops the boot. */
export function mount(modules: readonly Module[]): Mounted {
  const permissions = Object.assign({}, ...modules.map((m) => m.permissions ?? {})) as Record<string, string> // only such maps go in
  checkRolePermissions(registry, Object.keys(permissions))
  return { routes: modules.flatMap((m) => [...(m.publicRoutes ?? []), ...(m.routes ?? [])]), permissions }
}

/** Stands for a part that is not there while the code is only described; touching it in earnest is a fault. */
function absent<T>(): T {
  const stub: unknown = new Proxy(() => undefined, {
    get: (_t, key) => (key === Symbol.toPrimitive || key === 'then' ? undefined : stub),
    apply: () => stub,
  })
  return stub as T // never used as one: handlers are not called
}

export interface AppDescription {
  version: string
  entities: readonly Entity[]
  routes: readonly (Route | PublicRoute)[]
  permissions: Readonly<Record<string, string>>
  roles: { name: string; title: { en: string; zh: string }; permissions: string[] }[]
}

/** Routes, entities, permissions and roles from the code alone; nothing is opened. */
export function describeApp(): AppDescription {
  const slices = slicesOf(() => 'US', absent())
  const mounted = mount(modulesOf({ ...absent<Parts>(), config: absent(), vault: absent(), db: absent(), ledger: absent(), lens: absent(), identity: absent(), setUp: absent(), records: absent(), attachments: new Attachments({ ...absent<AttachmentWords>(), slice: slices.attachment, folder: '', megabytes: 0, scanner: null }), customFields: new CustomFields(), organisation: absent(), runs: new Runs(absent()), demo: absent(), webhooks: new Webhooks(absent()), calendar: new Calendar(absent()), authenticator: absent(), migrations: [], country: () => 'US', describe: () => ({}), slices }))
  const roles = BUILT_IN_ROLES.map((r) => ({ name: r.name, title: r.title, permissions: permissionsOf(r, registry.entities) }))
  return { version: VERSION, entities: ENTITIES, routes: mounted.routes, permissions: { ...entityPermissions(ENTITIES), ...mounted.permissions }, roles }
}
