import { PgBoss } from 'pg-boss'
import pgBoss from 'pg-boss/package.json' with { type: 'json' }
import { Problem } from '../base/index.ts'
import { clientOptions, openDb, type DbConfig, type Tx } from '../db/index.ts'
import { errorFields, type Log } from '../log/index.ts'

export { startRound, type Round, type RoundWords } from './rounds.ts'

export interface Jobs {
  /** Puts a job into the caller's transaction; it runs only if that commits. `data` holds ids and numbers, never a value. */
  send(tx: Tx, queue: string, data: Record<string, string | number>): Promise<void>
  /** Runs `handler` for each job, one at a time. A job that throws is tried again, then failed. */
  work(queue: string, handler: (data: Record<string, unknown>) => Promise<void>): Promise<void>
  /** Lets running jobs end, then stops. */
  stop(): Promise<void>
}

export interface JobsOptions {
  admin: DbConfig
  app: DbConfig
  appRole: string
  queues: readonly string[]
  log: Log
}

const SCHEMA = 'pgboss'
const RETRIES = 3
const LONGEST_JOB_SECONDS = 4 * 3600
/** A worker says this often that its job goes on; one whose process died, or whose answer was lost with the database, is given to another. */
const HEARTBEAT_SECONDS = 15
const LOOK_SECONDS = 10

/** Everything the restricted role needs is there, and of this pg-boss: the installing may be left out, which takes longer than all the rest of a start. */
async function isInstalled(options: JobsOptions): Promise<boolean> {
  const db = openDb(options.app, { name: 'sealbook-jobs-look', max: 1 })
  try {
    const [row] = await db.query<{ usable: boolean }>(USABLE, [SCHEMA])
    if (!row?.usable) return false
    const [found] = await db.query<{ version: number; queues: string[] }>(`SELECT version, (SELECT array_agg(name) FROM ${SCHEMA}.queue) AS queues FROM ${SCHEMA}.version`)
    return found?.version === pgBoss.pgboss.schema && options.queues.every((q) => found.queues?.includes(q))
  } finally {
    await db.close()
  }
}

/** Whether every table and function of a schema may be used: a start that was killed between making and granting them is seen. */
const USABLE = `
  SELECT has_schema_privilege(oid, 'USAGE')
    AND EXISTS (SELECT FROM pg_class WHERE relnamespace = n.oid AND relname = 'version')
    AND NOT EXISTS (SELECT FROM pg_class t, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) p WHERE t.relnamespace = n.oid AND t.relkind IN ('r', 'p') AND NOT has_table_privilege(t.oid, p))
    AND NOT EXISTS (SELECT FROM pg_proc f WHERE f.pronamespace = n.oid AND NOT has_function_privilege(f.oid, 'EXECUTE')) AS usable
  FROM pg_namespace n WHERE nspname = $1`

/** The queue's own tables belong to the migrating role; the restricted role may work with their rows only. */
async function install(options: JobsOptions): Promise<void> {
  const boss = new PgBoss({ ...clientOptions(options.admin, 'sealbook-jobs-setup'), schema: SCHEMA, supervise: false, schedule: false, max: 1 })
  boss.on('error', (e) => options.log.error({ component: 'jobs', ...errorFields(e) }, 'setting up the job queue'))
  await boss.start()
  for (const queue of options.queues) await boss.createQueue(queue, { retryLimit: RETRIES, expireInSeconds: LONGEST_JOB_SECONDS, deleteAfterSeconds: 86_400 })
  await boss.stop({ graceful: false })
  const admin = openDb(options.admin, { name: 'sealbook-jobs-grants', max: 1 })
  const role = `"${options.appRole.replaceAll('"', '""')}"`
  await admin.query(`GRANT USAGE ON SCHEMA ${SCHEMA} TO ${role}`)
  await admin.query(`GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ${SCHEMA} TO ${role}`)
  await admin.query(`GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA ${SCHEMA} TO ${role}`)
  await admin.close()
}

/** Starts the job queue (pg-boss). Throws what the database throws. */
export async function openJobs(options: JobsOptions): Promise<Jobs> {
  if (!(await isInstalled(options))) await install(options)
  const boss = new PgBoss({ ...clientOptions(options.app, 'sealbook-jobs'), schema: SCHEMA, migrate: false, createSchema: false, schedule: false, persistWarnings: false, monitorIntervalSeconds: LOOK_SECONDS, superviseIntervalSeconds: LOOK_SECONDS, max: 3 })
  boss.on('error', (e) => options.log.warn({ component: 'jobs', ...errorFields(e) }, 'the job queue lost its database; it goes on by itself'))
  await boss.start()
  const workers = new Map<string, string>()
  return {
    async send(tx, queue, data) {
      const db = { executeSql: async (text: string, values?: unknown[]) => ({ rows: await tx.query(text, values ?? []) }) }
      await boss.send(queue, data, { db, heartbeatSeconds: HEARTBEAT_SECONDS })
      // Woken a moment later, when the caller has most likely committed; the poll finds it in any case.
      const worker = workers.get(queue)
      if (worker) setTimeout(() => boss.notifyWorker(worker), 20).unref()
    },
    async work(queue, handler) {
      const id = await boss.work<Record<string, unknown>>(queue, { pollingIntervalSeconds: 1 }, async (jobs) => {
        for (const job of jobs) {
          try {
            await handler(job.data)
          } catch (error) {
            if (!(error instanceof Problem && error.code === 'shutting-down')) options.log.error({ component: 'jobs', queue, jobId: job.id, ...errorFields(error) }, 'a job failed')
            // pg-boss keeps what is thrown in its table: only a code goes there, never a message that may quote a value.
            throw new Error(error instanceof Error ? error.name : 'failed')
          }
        }
      })
      workers.set(queue, id)
    },
    stop: () => boss.stop({ graceful: true, timeout: 20_000 }),
  }
}
