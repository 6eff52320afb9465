import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { openHome, type Home } from './kernel/base/home.ts'
import { isUuid, Problem, Refusal, uuidv7 } from './kernel/base/index.ts'
import type { Config } from './kernel/config/index.ts'
import { collectMigrations, externalDatabase, migrate, openDb, startEmbedded, type Db, type DbConfig } from './kernel/db/index.ts'
import type { Log } from './kernel/log/index.ts'
import { createInstance, hasInstance, openVault, type OpenedVault } from './kernel/vault/index.ts'

/** One line of what start-up is doing, for people. */
export type Progress = (en: string, zh: string) => void

export interface Database {
  app: DbConfig
  admin: DbConfig
  appRole: string
  kind: 'embedded' | 'external'
  stop(): Promise<void>
}

/** A home with its vault and a migrated database, before anything is served from it. */
export interface Instance {
  home: Home
  log: Log
  vault: OpenedVault
  database: Database
  /** The restricted role's pool. */
  db: Db
  /** Of this process in the ledger; the same after a restart. */
  nodeId: string
  close(): Promise<void>
}

/** `create`: whether a database that is not there may be made. */
async function openDatabase(config: Config, log: Log, create: boolean): Promise<Database> {
  if (config.databaseUrl && config.databaseAdminUrl) {
    const { app, admin, appRole } = await externalDatabase(config.databaseUrl, config.databaseAdminUrl)
    return { app, admin, appRole, kind: 'external', stop: async () => undefined }
  }
  const server = await startEmbedded({
    home: config.home,
    log,
    create,
    onEvent: (e) => log.warn({ component: 'postgres', event: e.kind }, 'the database server went down or came back'),
  })
  return { app: server.appConfig, admin: server.adminConfig, appRole: server.appRole, kind: 'embedded', stop: () => server.stop() }
}

/** What a person reads who starts it; a Problem speaks to somebody who asked a running server. */
export function startRefusal(error: unknown): unknown {
  if (!(error instanceof Problem)) return error
  if (error.code === 'database-damaged') return new Refusal('database-damaged', 'Files of the database are damaged: keep a copy of this home as it is, then restore the last backup.', 4, error)
  if (error.code === 'database-unavailable') return new Refusal('database-unavailable', 'The database stopped answering during the start: look into log/postgres.log of the home, or at your own server, and start again.', 4, error)
  return error
}

const nodeIdPath = (home: string): string => join(home, 'keys', 'node-id')

/**
 * The node's id is written after the first migration, so a home that has one has had a database. A start that was killed between
 * making the keys and making the database left none, and the next one goes on from there.
 */
const hadDatabase = (home: string): boolean => existsSync(nodeIdPath(home))

function nodeIdOf(home: string): string {
  const path = nodeIdPath(home)
  const kept = existsSync(path) ? readFileSync(path, 'utf8').trim() : ''
  if (isUuid(kept)) return kept
  const fresh = uuidv7()
  writeFileSync(path, `${fresh}\n`, { mode: 0o600 })
  return fresh
}

const POOL = 16

/** Opens the home, its keys and its database, in this order: without a key nothing is started and nothing changes. `checkFirst` may refuse once the home is known to be free. Throws a Refusal. */
export async function openInstance(config: Config, openLog: () => Log, progress: Progress, checkFirst?: () => Promise<void>): Promise<Instance> {
  const home = openHome(config.home)
  const undo: (() => Promise<void> | void)[] = [() => home.release()]
  const close = async (): Promise<void> => {
    for (const step of undo.splice(0).reverse()) await step()
  }
  try {
    await checkFirst?.()
    // Not before: a log file in a folder that turns out to be somebody else's would be a change.
    const log = openLog()
    if (!hasInstance(config)) {
      progress('Making the keys of a new instance', '正在为新实例生成密钥')
      await createInstance(config)
    }
    const vault = await openVault(config)
    undo.push(() => vault.close())
    progress('Starting the database', '正在启动数据库')
    const fresh = !hadDatabase(home.path)
    const database = await openDatabase(config, log, fresh)
    undo.push(() => database.stop())
    const applied = await migrate(database.admin, await collectMigrations(import.meta.dirname), database.appRole, { fresh })
    if (applied.length > 0) progress(`Brought the schema up to date (${applied.length} steps)`, `数据库结构已更新（${applied.length} 步）`)
    const db = openDb(database.app, { max: POOL, log })
    undo.push(() => db.close())
    return { home, log, vault, database, db, nodeId: nodeIdOf(home.path), close }
  } catch (error) {
    await close()
    throw startRefusal(error)
  }
}
