import type { Server } from 'node:https'
import { join } from 'node:path'
import type { CountryCode } from 'libphonenumber-js/max'
import { uuidv7 } from './kernel/base/index.ts'
import { writeServerJson, removeServerJson } from './kernel/base/home.ts'
import type { Config } from './kernel/config/index.ts'
import { collectMigrations } from './kernel/db/index.ts'
import { buildServer, checkAddress, drain, listen, openApi, purgeIdempotency } from './kernel/http/index.ts'
import { openJobs } from './kernel/jobs/index.ts'
import { openLedger } from './kernel/ledger/index.ts'
import { openLens } from './kernel/lens/index.ts'
import { errorFields, openLog, type Log } from './kernel/log/index.ts'
import { hostsOf, openTls, type Tls } from './kernel/tls/index.ts'
import { keyPosture, type Finding } from './kernel/vault/index.ts'
import { EpochWatch, openDesk, systemActor, type WorkDeps } from './kernel/work/index.ts'
import { ENTITIES } from './entities.ts'
import { openInstance, startRefusal, type Instance, type Progress } from './instance.ts'
import { modulesOf, mount, registry, slicesOf, VERSION, type Parts, type Mounted } from './product.ts'
import { startRounds } from './rounds.ts'
import { authorityCounter, MatchBudget } from './modules/access/index.ts'
import { ATTACHMENT_QUEUES, Attachments } from './modules/attachments/index.ts'
import { Calendar } from './modules/calendar/index.ts'
import { rescore } from './modules/leads/index.ts'
import { ensureStandardPipeline } from './modules/pipelines/index.ts'
import { CustomFields } from './modules/custom-fields/index.ts'
import { Demo } from './modules/demo/index.ts'
import { createAuthenticator, explain, placeOf, principalsOf, purgeSessions, SetUpPage, staffingOf, type IdentityDeps } from './modules/identity/index.ts'
import { actorOf, founderOf, HomeCountry, PersonHandles } from './modules/identity/lookups.ts'
import { openMailer, purgeNotifications } from './modules/notifications/index.ts'
import { Organisation } from './modules/organisation/index.ts'
import { OpenPools } from './modules/pools/index.ts'
import { lensTable, purgeUndo, startFilling, type RecordsDeps, type Slice } from './modules/records/index.ts'
import { SCORE_QUEUE } from './modules/score-rules/index.ts'
import { RUN_QUEUES, Runs } from './modules/runs/index.ts'
import { purgeDeliveries, Targets, Webhooks } from './modules/webhooks/index.ts'

export { ENTITIES }
export { describeApp, VERSION, type AppDescription } from './product.ts'

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
