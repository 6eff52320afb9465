import { randomBytes } from 'node:crypto'
import { open, readdir, readFile, rename, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Problem, Refusal } from '../../base/index.ts'
import { dedicated } from '../client.ts'
import type { DbLog } from '../config.ts'
import { SqlError } from '../errors.ts'
import type { Account } from './account.ts'
import type { Binaries } from './binaries.ts'
import { dataOf, ownedDirectory, UNFINISHED, type Layout } from './layout.ts'
import { initdb, readPidFile, serves, startRefusal, startServer, stopServer, watch, type Running } from './process.ts'
import { configFor } from './roles.ts'
import { PORT, settingsFiles, SUPER, writeSettings } from './settings.ts'

export interface Cluster {
  binaries: Binaries
  account: Account
  layout: Layout
  log: DbLog
}

async function isEmpty(data: string): Promise<boolean> {
  const entries = await readdir(data).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw error
  })
  return entries.length === 0
}

/** Before anything is made where the mount should be. */
export async function refuseMissing(home: string): Promise<void> {
  const data = dataOf(home)
  if (await isEmpty(data)) throw new Refusal('database-missing', `${data} holds no database although this home has been set up; mount it again, or restore the last backup. Nothing was changed.`)
}

/** Makes the cluster when there is none, and refuses one this PostgreSQL cannot run. Resolves with whether it was made. */
export async function ensureCluster(cluster: Cluster): Promise<boolean> {
  const { layout, binaries, account } = cluster
  await clearUnfinished(layout)
  if (await isEmpty(layout.data)) {
    await create(cluster)
    return true
  }
  const version = (await readFile(join(layout.data, 'PG_VERSION'), 'utf8').catch(() => '')).trim()
  if (!/^\d+$/.test(version)) throw new Refusal('database-damaged', `${layout.data} is not a complete PostgreSQL data directory (PG_VERSION is missing or unreadable); restore the last backup.`)
  if (Number(version) !== binaries.major) {
    throw new Refusal('database-other-version', `The data was made by PostgreSQL ${version} and this Sealbook brings ${binaries.major}; start the Sealbook that made it, or restore a backup into this one. Nothing was changed.`)
  }
  await ownedDirectory(layout.data, account)
  return false
}

/** An initdb whose Node was killed may still be at work in its directory; what cannot be removed now goes at the next start. */
async function clearUnfinished(layout: Layout): Promise<void> {
  const left = (await readdir(layout.base)).filter((name) => name.startsWith(UNFINISHED))
  for (const name of left) await rm(join(layout.base, name), { recursive: true, force: true, maxRetries: 3, retryDelay: 100 }).catch(() => undefined)
}

/** In a directory of this attempt's own, renamed when complete: a start that was killed half-way leaves nothing that looks like data. */
async function create(cluster: Cluster): Promise<void> {
  const { layout, account, log } = cluster
  const directory = join(layout.base, `${UNFINISHED}-${randomBytes(4).toString('hex')}`)
  await ownedDirectory(directory, account)
  log.info({}, 'creating the database')
  await initdb({ ...cluster, directory }, SUPER)
  await rename(directory, layout.data)
  await syncFolder(layout.base)
}

/** A power cut must not take the new name away after the caller has noted elsewhere that there is a database. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } catch (error) {
    // Some file systems have no such thing for a folder; a broken disk (EIO) is told.
    if ((error as NodeJS.ErrnoException).code !== 'EINVAL') throw error
  } finally {
    await folder.close()
  }
}

/** A server that a killed Node left behind, if it is ours, runs with today's settings and answers; anything else of ours is stopped. */
export async function adopt(cluster: Cluster): Promise<Running | undefined> {
  const { layout, log } = cluster
  const file = await readPidFile(layout.data)
  if (!file || !(await serves(file.pid, layout))) {
    await refuseUnseen(cluster)
    // PostgreSQL sees that the process of these files is gone, unless another one, or a dead one nobody waited for, has its number.
    if (process.platform === 'linux') await removeStale(layout)
    return undefined
  }
  const running = watch(file.pid, layout)
  if (file.sockets === layout.socketsForServer && file.port === PORT && (await sameSettings(cluster))) {
    const state = await waitReady(cluster, running).catch(() => 'gone' as const)
    if (state === 'ready') {
      log.info({ pid: file.pid }, 'took over the database server that was still running')
      return running
    }
  }
  log.info({ pid: file.pid }, 'stopping the database server that was still running')
  await stopServer(running)
  return undefined
}

async function removeStale(layout: Layout): Promise<void> {
  const stale = [join(layout.data, 'postmaster.pid'), `${socketOf(layout)}.lock`, socketOf(layout)]
  for (const path of stale) await rm(path, { force: true })
}

function socketOf(layout: Layout): string {
  return join(layout.sockets, `.s.PGSQL.${PORT}`)
}

async function sameSettings(cluster: Cluster): Promise<boolean> {
  const wanted = Object.entries(settingsFiles(cluster.layout, cluster.account))
  const found = await Promise.all(wanted.map(([name]) => readFile(join(cluster.layout.data, name), 'utf8').catch(() => '')))
  return wanted.every(([, text], i) => text === found[i])
}

/**
 * A server of another container that shares the home has a number that means nothing here, but its socket answers; two on one
 * cluster destroy it. A server that is just being killed answers for a moment too, after /proc has forgotten what it was.
 */
async function refuseUnseen(cluster: Cluster): Promise<void> {
  const patience = Date.now() + 5_000
  while (await answers(socketOf(cluster.layout))) {
    if (Date.now() > patience) throw new Refusal('database-elsewhere', `Another PostgreSQL outside of this container or user serves ${cluster.layout.data}; stop that one first. Nothing was changed.`)
    await sleep(100)
  }
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path)
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}

/** Starts the server and resolves when it answers. */
export async function launch(cluster: Cluster): Promise<Running> {
  const { layout, account } = cluster
  await writeSettings(layout.data, settingsFiles(layout, account), account)
  const patience = Date.now() + 30_000
  for (;;) {
    const running = await startServer({ ...cluster, directory: layout.data }, layout.logFile)
    if ((await waitReady(cluster, running)) === 'ready') return running
    const said = await running.said()
    // After kill -9 its children need a moment to notice that the postmaster is gone.
    if (!/pre-existing shared memory block|lock file "postmaster.pid" already exists/.test(said) || Date.now() > patience) throw startRefusal(said, 'PostgreSQL did not start')
    await sleep(200)
  }
}

/** Recovery after a crash may take minutes; a server that neither answers nor says it is starting gets one. */
async function waitReady(cluster: Cluster, running: Running): Promise<'ready' | 'gone'> {
  const begun = Date.now()
  let told = begun
  for (;;) {
    const state = await stateOf(cluster, running)
    if (state === 'ready') return 'ready'
    if (running.ended) {
      await running.gone
      return 'gone'
    }
    if (state === 'silent' && Date.now() - begun > 60_000) throw new Refusal('database-not-started', `PostgreSQL runs but does not answer on its socket in ${cluster.layout.sockets}; stop process ${running.pid} and start again.`)
    if (Date.now() - told > 3_000) {
      told = Date.now()
      cluster.log.info({ seconds: Math.round((told - begun) / 1000) }, 'the database is recovering')
    }
    await sleep(20)
  }
}

/** Asks the file first: every connection to a server that is still recovering leaves a line in its log. */
async function stateOf(cluster: Cluster, running: Running): Promise<'ready' | 'starting' | 'silent'> {
  const file = await readPidFile(cluster.layout.data)
  if (file?.pid !== running.pid) return 'silent'
  return file.state === 'ready' ? knock(cluster) : 'starting'
}

async function knock(cluster: Cluster): Promise<'ready' | 'starting' | 'silent'> {
  try {
    const connection = await dedicated(configFor(SUPER, cluster.layout.sockets, PORT, 'postgres'), 'sealbook:supervisor')
    await connection.end()
    return 'ready'
  } catch (error) {
    if (error instanceof SqlError) throw new Refusal('database-not-started', `PostgreSQL refuses the supervisor (${error.sqlState}); run doctor.`, 4, error)
    const state = error instanceof Problem && error.cause instanceof Error ? error.cause.message : ''
    return state === '57P03' ? 'starting' : 'silent'
  }
}
