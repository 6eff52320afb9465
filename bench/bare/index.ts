import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { openHome, uuidv7, type Home } from '../../src/kernel/base/index.ts'
import { createDatabase, openDb, startEmbedded, type DbConfig, type Embedded } from '../../src/kernel/db/index.ts'
import { fill } from './fill.ts'
import { createTables, createTrigrams } from './schema.ts'
import type { BareOptions } from './server.ts'

export interface Certificate {
  keyFile: string
  certFile: string
}

/** One peer: its database, and its server once started. */
export interface Peer {
  name: 'bare' | 'audit'
  database: DbConfig
  superuser: DbConfig
  ids: string[]
  importRowsPerSecond: number
  /** Whether names are found by trigrams. */
  trigrams: boolean
  start(certificate: Certificate): Promise<{ port: number; pid: number }>
}

export interface Bare {
  bare: Peer
  audit: Peer
  stop(): Promise<void>
}

/** Both peers in one PostgreSQL of their own, with the same binaries and settings as Sealbook's, each in a database of its own with the same rows. */
export async function openBare(home: string, csvFile: string): Promise<Bare> {
  const opened = openHome(home)
  const cluster = await startEmbedded({ home: opened.path })
  const children: ChildProcess[] = []
  const end = (): Promise<void> => stop(opened, cluster, children)
  try {
    const bare = await makePeer(cluster, 'bare', csvFile, children)
    const audit = await makePeer(cluster, 'audit', csvFile, children)
    return { bare, audit, stop: end }
  } catch (error) {
    await end()
    throw error
  }
}

async function stop(home: Home, cluster: Embedded, children: readonly ChildProcess[]): Promise<void> {
  for (const child of children) {
    if (!child.connected) continue
    child.disconnect()
    await once(child, 'exit')
  }
  await cluster.stop()
  home.release()
}

async function makePeer(cluster: Embedded, name: Peer['name'], csvFile: string, children: ChildProcess[]): Promise<Peer> {
  const databaseName = `bench_${name}`
  await createDatabase(cluster.superConfig, databaseName)
  const database = { ...cluster.appConfig, database: databaseName }
  const superuser = { ...cluster.superConfig, database: databaseName }
  const ownerId = uuidv7()
  const admin = openDb({ ...cluster.adminConfig, database: databaseName }, { name: 'bench', max: 1 })
  await createTables(admin, cluster.appRole)
  await admin.close()
  const begun = performance.now()
  const rows = await fill({ database, ownerId, audit: name === 'audit', csvFile })
  const importRowsPerSecond = rows / ((performance.now() - begun) / 1000)
  const { ids, trigrams } = await settle(superuser)
  const start: Peer['start'] = async (certificate) => {
    const child = forkServer({ database, ownerId, audit: name === 'audit', ...certificate })
    children.push(child)
    return { port: await portOf(child), pid: child.pid ?? 0 }
  }
  return { name, database, superuser, ids, trigrams, importRowsPerSecond, start }
}

async function settle(superuser: DbConfig): Promise<{ ids: string[]; trigrams: boolean }> {
  const db = openDb(superuser, { name: 'bench', max: 1, limits: { statementSeconds: 600, lockSeconds: 60, idleInTransactionSeconds: 60 } })
  try {
    const trigrams = await createTrigrams(db)
    await db.query('VACUUM ANALYZE')
    return { trigrams, ids: (await db.query<{ id: string }>('SELECT id FROM contacts')).map((r) => r.id) }
  } finally {
    await db.close()
  }
}

function forkServer(options: BareOptions): ChildProcess {
  return fork(join(import.meta.dirname, 'server.ts'), [JSON.stringify(options)], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
}

function portOf(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once('message', (message: { port: number }) => resolve(message.port))
    child.once('exit', (code) => reject(new Error(`a peer ended (${String(code)}) before it was ready`)))
  })
}
