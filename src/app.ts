import { readFileSync } from 'node:fs'
import type { Server } from 'node:https'
import { join } from 'node:path'
import type { CountryCode } from 'libphonenumber-js/max'
import { uuidv7 } from './kernel/base/index.ts'
import { writeServerJson, removeServerJson } from './kernel/base/home.ts'
import type { Config } from './kernel/config/index.ts'
import { collectMigrations, type Migration } from './kernel/db/index.ts'
import type { Entity } from './kernel/entity/index.ts'
import { buildServer, checkAddress, drain, listen, openApi, purgeIdempotency, type Authenticator, type PublicRoute, type Route } from './kernel/http/index.ts'
import { openJobs } from './kernel/jobs/index.ts'
import { openLedger, type Ledger } from './kernel/ledger/index.ts'
import { openLens, type Lens } from './kernel/lens/index.ts'
import { errorFields, openLog, type Log } from './kernel/log/index.ts'
import type { Module } from './kernel/module.ts'
import { hostsOf, openTls, type Tls } from './kernel/tls/index.ts'
import { keyPosture, type Finding, type OpenedVault } from './kernel/vault/index.ts'
import { EpochWatch, openDesk, systemActor, type WorkDeps } from './kernel/work/index.ts'
import { ENTITIES } from './entities.ts'
import { openInstance, startRefusal, type Instance, type Progress } from './instance.ts'
import { startRounds } from './rounds.ts'
import { accessModule, authorityCounter, BUILT_IN_ROLES, checkRolePermissions, entityPermissions, MatchBudget, permissionsOf, roleRegistry } from './modules/access/index.ts'
import { activitiesModule, activitySlice } from './modules/activities/index.ts'
import { ATTACHMENT_QUEUES, Attachments, attachmentSlice, type AttachmentWords } from './modules/attachments/index.ts'
import { bulkModule } from './modules/bulk/index.ts'
import { Calendar, calendarModule } from './modules/calendar/index.ts'
import { companiesModule, companySlice } from './modules/companies/index.ts'
import { contactsModule, contactSlice } from './modules/contacts/index.ts'
import { contractsModule, contractSlice } from './modules/contracts/index.ts'
import { dealsModule, dealSlice } from './modules/deals/index.ts'
import { Lead, leadsModule, leadSlice, rescore } from './modules/leads/index.ts'
import { ensureStandardPipeline, pipelinesModule, pipelineSlice } from './modules/pipelines/index.ts'
import { CHANGES_PER_HOUR, changesModule } from './modules/changes/index.ts'
import { currenciesModule, type Reckoning, rateSlice } from './modules/currencies/index.ts'
import { CustomFields, customFieldsModule } from './modules/custom-fields/index.ts'
import { Demo, demoModule } from './modules/demo/index.ts'
import { doctorModule } from './modules/doctor/index.ts'
import { exportsModule } from './modules/exports/index.ts'
import { createAuthenticator, disableIn, explain, identityModule, peopleSource, placeOf, poolsOf, principalsOf, purgeSessions, setUpModule, SetUpPage, staffingOf, type IdentityDeps, type StatusFacts } from './modules/identity/index.ts'
import { actorOf, founderOf, HomeCountry, PersonHandles } from './modules/identity/lookups.ts'
import { handoverModule } from './modules/handover/index.ts'
import { importsModule } from './modules/imports/index.ts'
import { keysModule } from './modules/keys/index.ts'
import { notificationsModule, openMailer, purgeNotifications } from './modules/notifications/index.ts'
import { Organisation, organisationModule } from './modules/organisation/index.ts'
import { OpenPools, poolSlice, poolsModule } from './modules/pools/index.ts'
import { lensTable, purgeUndo, startFilling, undoRoute, type RecordsDeps, type Slice } from './modules/records/index.ts'
import { SCORE_QUEUE, scoreRuleSlice, scoreRulesModule } from './modules/score-rules/index.ts'
import { reportsModule } from './modules/reports/index.ts'
import { RUN_QUEUES, Runs } from './modules/runs/index.ts'
import { systemModule } from './modules/system/index.ts'
import { tagsModule, tagSlice } from './modules/tags/index.ts'
import { trail } from './modules/trail/index.ts'
import { countShared, giveSharedViews, viewsModule } from './modules/views/index.ts'
import { purgeDeliveries, Targets, Webhooks } from './modules/webhooks/index.ts'

export { ENTITIES }

/** Which day it is and in which currency sums are told, as the organisation has it at that moment. */
const reckoningOf = (o: Organisation): Reckoning => ({ baseCurrency: () => o.settings.baseCurrency, today: (at) => o.day(at) })

/** A slice for each of ENTITIES, by name. */
function slicesOf(country: () => CountryCode, organisation: Organisation) {
  return { company: companySlice(country), contact: contactSlice(country), lead: leadSlice(country), 'score-rule': scoreRuleSlice(Lead), pool: poolSlice(), pipeline: pipelineSlice(), rate: rateSlice(reckoningOf(organisation)), deal: dealSlice(), contract: contractSlice((at) => organisation.day(at)), activity: activitySlice(() => organisation.settings.timeZone), attachment: attachmentSlice(), tag: tagSlice() }
}

export const VERSION = (JSON.parse(readFileSync(join(import.meta.dirname, '..', 'package.json'), 'utf8')) as { version: string }).version // our own file

export interface RunningApp {
  url: string
  pid: number
  caFile: string
  caSha256: string
  /** One-time set-up link while there is no owner; the secret is in the fragment, which no server and no log sees. */
  setupUrl: string | null
  posture: Finding[]
  stop(): Promise<void>
}

/** Everything the modules are made of. */
interface Parts {
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

const registry = roleRegistry(BUILT_IN_ROLES, ENTITIES)
const nouns = (): string[] => ENTITIES.map((e) => e.name)

/** The product, in the order of the menu. */
function modulesOf(p: Parts): Module[] {
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
    reportsModule(p.records, { timeZone: () => p.organisation.settings.timeZone, baseCurrency: () => p.organisation.settings.baseCurrency, today: (at) => p.organisation.day(at) }),
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

interface Mounted {
  routes: (Route | PublicRoute)[]
  permissions: Record<string, string>
}

/** Collects what the modules declare; a role or route that names something nobody declares stops the boot. */
function mount(modules: readonly Module[]): Mounted {
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

interface Opened {
  parts: Parts
  work: WorkDeps
  mounted: Mounted
}

/** What the records room needs of its neighbours. */
function recordsOf(slices: Parts['slices'], customFields: CustomFields, identity: IdentityDeps): RecordsDeps {
  return { slices: new Map(Object.entries<Slice>(slices)), matches: new MatchBudget(), customFields: (entity) => customFields.of(entity), place: placeOf(identity), explain: explain(identity) }
}

async function openParts(config: Config, instance: Instance, log: Log, undo: (() => Promise<unknown> | unknown)[]): Promise<Opened> {
  const { vault, db, database } = instance
  const late: { handles?: PersonHandles; furnish?: () => Promise<void> } = {}
  const opening = {
    ledger: openLedger({ db, vault, nodeId: instance.nodeId, log, anchorFile: join(config.home, 'keys', 'ledger-anchor'), personOf: (handle) => late.handles?.of(handle) ?? null }),
    lens: openLens({ tables: ENTITIES.map(lensTable), memoryLimitMb: LENS_MEMORY_MB, log }),
    jobs: openJobs({ admin: database.admin, app: database.app, appRole: database.appRole, queues: [...Object.values(RUN_QUEUES), ...ATTACHMENT_QUEUES, SCORE_QUEUE], log }),
  }
  // Said before they are open, so that one that is refused leaves none of the others open.
  undo.push(() => opening.ledger.then((l) => l.close(), nothing), () => opening.lens.then((l) => l.close(), nothing), () => opening.jobs.then((j) => j.stop(), nothing))
  await Promise.allSettled(Object.values(opening))
  const [ledger, lens, jobs] = [await opening.ledger, await opening.lens, await opening.jobs]
  const identity: IdentityDeps = { db, vault, ledger, registry }
  late.handles = new PersonHandles(identity)
  await late.handles.refresh()
  const home = new HomeCountry(identity)
  await home.refresh()
  const organisation = new Organisation({ sql: db, vault, ledger })
  await organisation.open()
  const setUp = new SetUpPage(identity, vault, async () => {
    await Promise.all([home.refresh(), organisation.load(), late.handles?.refresh()])
    await late.furnish?.()
  })
  const customFields = new CustomFields()
  await customFields.load(db, vault, ledger)
  const country = (): CountryCode => home.get()
  const slices = slicesOf(country, organisation)
  identity.pools = new OpenPools({ vault, ledger, slice: slices.pool })
  const records = recordsOf(slices, customFields, identity)
  const work: WorkDeps = { db, vault, ledger, lens, log, authority: authorityCounter, epochs: new EpochWatch(() => authorityCounter.current(db)), send: (tx, queue, data) => jobs.send(tx, queue, data) }
  await jobs.work(SCORE_QUEUE, () => rescore(work, records))
  const runs = new Runs({ work, jobs, staging: join(config.home, 'staging'), actorOf: (id, token) => actorOf(identity, id, token) })
  const webhooks = new Webhooks({ work, records, principals: principalsOf(identity), targets: new Targets(config.webhookNetworks) })
  const attachments = new Attachments({ records, slice: slices.attachment, work, jobs, folder: join(config.home, 'blobs'), megabytes: config.attachmentMb, scanner: config.clamav })
  const parts: Parts = { config, vault, db, ledger, lens, identity, setUp, records, slices, attachments, customFields, organisation, runs, demo: new Demo({ work, records, staffing: staffingOf(identity), files: attachments }), webhooks, calendar: new Calendar({ work, records, principals: principalsOf(identity), origin: config.origin }), authenticator: createAuthenticator(identity), migrations: await collectMigrations(import.meta.dirname), country, describe: () => description }
  // Without it there is one thing less to begin with; an owner who was made a moment ago must not hear that they were not.
  late.furnish = () => furnish({ parts, work }).catch((error: unknown) => log.warn({ component: 'start', ...errorFields(error) }, 'what an organisation begins with was not made; the next start tries again'))
  await late.furnish()
  const mounted = mount(modulesOf(parts))
  const description = openApi(mounted.routes, VERSION)
  return { parts, work, mounted }
}

/** What an organisation begins with, made where it is missing; nothing before there is one. */
async function furnish({ parts, work }: Pick<Opened, 'parts' | 'work'>): Promise<void> {
  const founder = await founderOf(parts.identity)
  if (!founder) return
  const { desk, settled } = openDesk(work, systemActor({ pipeline: ['read', 'create'] }), uuidv7())
  await ensureStandardPipeline(desk, parts.records, founder, parts.organisation.settings.locale)
  await settled()
}

const nothing = (): void => undefined

/** DuckDB's share: 600 MB hold a million contacts. */
const LENS_MEMORY_MB = 1200
const HOUR_MS = 3_600_000

/** Small work that comes round again while the server runs. */
function keepTidy(opened: Opened, log: Log): () => void {
  const { db } = opened.parts
  const round = (): void => {
    void Promise.all([purgeIdempotency(db), purgeUndo(db), purgeNotifications(db), opened.parts.runs.purge(), opened.parts.demo.tidy(), opened.parts.attachments.tidy(), purgeSessions(db), purgeDeliveries(db)]).catch((error: unknown) => log.warn({ component: 'tidy', ...errorFields(error) }, 'tidying up is tried again in an hour'))
  }
  const timer = setInterval(round, HOUR_MS)
  timer.unref()
  round()
  return () => clearInterval(timer)
}

type StartOptions = { demo?: boolean; progress: Progress; stopped?: Promise<void> }

/** Makes the demonstration company where one is asked for: now, or as soon as there is somebody whose it is. Throws a Refusal in a home with records. */
async function showDemo({ demo, setUp }: Parts, { demo: wanted, progress, stopped }: StartOptions, log: Log, undo: (() => Promise<unknown> | unknown)[]): Promise<void> {
  if (!wanted) return
  await demo.check()
  undo.push(() => demo.stop())
  void stopped?.then(() => demo.stop())
  const make = (): Promise<void> => demo.make((done, total) => progress(`The demonstration company: ${done} of ${total} records`, `演示公司：已生成 ${done} / ${total} 条记录`))
  setUp.afterwards(() => void make().catch((error: unknown) => log.error({ component: 'demo', ...errorFields(error) }, 'the demonstration company was not made; the next start with --demo goes on')))
  await make()
}

async function serve(config: Config, opened: Opened, tls: Tls, log: Log, undo: (() => Promise<unknown> | unknown)[]): Promise<number> {
  const app = await buildServer(
    { tls: tls.options(), hosts: hostsOf(config.origin), trustedProxies: config.trustedProxies, requestsPerMinute: config.requestsPerMinute, permissions: new Set(Object.keys(opened.mounted.permissions)), log },
    { work: opened.work, authenticator: opened.parts.authenticator },
    opened.mounted.routes,
  )
  const port = await listen(app, config)
  undo.push(() => drain(app))
  tls.keepFresh(app.server as unknown as Server) // built with TLS options
  return port
}

/** Opens everything in the order of the house and serves it. What was opened is closed again when a later part is refused. */
export async function startApp(config: Config, options: StartOptions): Promise<RunningApp> {
  const undo: (() => Promise<unknown> | unknown)[] = []
  const stop = async (): Promise<void> => {
    for (const step of undo.splice(0).reverse()) await step()
  }
  try {
    const mailer = config.mail && openMailer(config.mail)
    const instance = await openInstance(config, () => openLog(config), options.progress, () => checkAddress(config))
    const { log } = instance
    undo.push(() => instance.close())
    options.progress('Opening ledger, search and jobs', '正在打开账本、检索与任务')
    const opened = await openParts(config, instance, log, undo)
    const { vault, runs, webhooks } = opened.parts
    const tls = await openTls({ home: config.home, origin: config.origin, seal: (b) => vault.sealInstance('tls-authority', b), open: (b) => vault.openInstance('tls-authority', b), onIssued: (what, why) => log.info({ component: 'tls', name: what, code: why }, 'certificate made') })
    undo.push(() => tls.close())
    const port = await serve(config, opened, tls, log, undo)
    const url = config.origin ?? `https://localhost:${port}`
    undo.push(keepTidy(opened, log))
    undo.push(startRounds({ ...opened.parts, work: opened.work, node: instance.nodeId, url, mailer, log }))
    const { db, lens, records } = opened.parts
    const filling = startFilling({ db, vault, lens, log, records, threads: { entities: new URL('./entities.ts', import.meta.url).href, keyStore: vault.keyStore, root: vault.rootForThreads(), db: instance.database.app } })
    undo.push(() => filling.stop())
    undo.push(() => runs.stop())
    await runs.start()
    await opened.parts.attachments.start()
    undo.push(() => webhooks.stop())
    webhooks.start()
    await showDemo(opened.parts, options, log, undo)
    const { custodians } = vault.status()
    const posture = keyPosture(config, vault.instanceId, custodians)
    const setupUrl = await opened.parts.setUp.url(url)
    const server = { event: 'ready' as const, url, pid: process.pid, caFile: tls.caFile, caSha256: tls.caSha256, setupUrl }
    writeServerJson(config.home, server)
    undo.push(() => removeServerJson(config.home))
    return { ...server, posture, stop }
  } catch (error) {
    await stop()
    throw startRefusal(error)
  }
}
