import { PgBoss } from 'pg-boss'
import { clientOptions, openDb, type DbConfig, type Tx } from '../db/index.ts'
import { errorFields, type Log } from '../log/index.ts'

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
  await install(options)
  const boss = new PgBoss({ ...clientOptions(options.app, 'sealbook-jobs'), schema: SCHEMA, migrate: false, createSchema: false, schedule: false, persistWarnings: false, max: 3 })
  boss.on('error', (e) => options.log.warn({ component: 'jobs', ...errorFields(e) }, 'the job queue lost its database; it goes on by itself'))
  await boss.start()
  const workers = new Map<string, string>()
  return {
    async send(tx, queue, data) {
      const db = { executeSql: async (text: string, values?: unknown[]) => ({ rows: await tx.query(text, values ?? []) }) }
      await boss.send(queue, data, { db })
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
            options.log.error({ component: 'jobs', queue, jobId: job.id, ...errorFields(error) }, 'a job failed')
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
