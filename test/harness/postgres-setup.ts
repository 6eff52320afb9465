import { existsSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { collectMigrations, createDatabase, migrate, startEmbedded, stopLeftBehind, type DbConfig, type DbLog, type Embedded } from '../../src/kernel/db/index.ts'

export const TEMPLATE = 'sealbook_template'
const PREFIX = 'sealbook-test-'
const DAY_MS = 86_400_000

export interface TestServer {
  superConfig: DbConfig
  adminConfig: DbConfig
  appConfig: DbConfig
  appRole: string
  /** Why there is no template database; told by the tests that need one, so that the others still run. */
  broken: string | null
}

declare module 'vitest' {
  interface ProvidedContext {
    postgres: TestServer
  }
}

function tell(fields: object, message: string): void {
  process.stderr.write(`${message} ${JSON.stringify(fields)}\n`)
}

const log: DbLog = { info: () => {}, warn: tell, error: tell }

/** Vitest's globalSetup: one embedded PostgreSQL for the whole run, one template database with every migration. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  await sweep()
  const home = mkdtempSync(join(realpathSync(tmpdir()), PREFIX))
  writeFileSync(join(home, 'owner'), String(process.pid))
  const server = await startEmbedded({ home, log })
  const { superConfig, adminConfig, appConfig, appRole } = server
  project.provide('postgres', { superConfig, adminConfig, appConfig, appRole, broken: await makeTemplate(server) })
  return async () => {
    await server.stop()
    if (project.vitest.state.getCountOfFailedTests() === 0) {
      rmSync(home, { recursive: true, force: true })
    } else {
      writeFileSync(join(home, 'kept'), '')
      process.stderr.write(`The databases of failed test files are kept in ${home} for a day.\n`)
    }
  }
}

async function makeTemplate(server: Embedded): Promise<string | null> {
  try {
    await createDatabase(server.superConfig, TEMPLATE)
    const migrations = await collectMigrations(join(import.meta.dirname, '..', '..', 'src'))
    await migrate({ ...server.adminConfig, database: TEMPLATE }, migrations, server.appRole)
    return null
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

/** Ends what killed runs left behind, and forgets kept databases after a day. */
async function sweep(): Promise<void> {
  const root = realpathSync(tmpdir())
  for (const name of readdirSync(root)) {
    const home = join(root, name)
    if (!name.startsWith(PREFIX) || inUse(home)) continue
    await stopLeftBehind(home).catch(() => {})
    rmSync(home, { recursive: true, force: true })
  }
}

function inUse(home: string): boolean {
  try {
    const { mtimeMs, uid } = statSync(home)
    // Another user's; also keeps us from taking a process we may not signal for a dead one.
    if (uid !== process.getuid!()) return true
    const age = Date.now() - mtimeMs
    if (existsSync(join(home, 'kept'))) return age < DAY_MS
    if (!existsSync(join(home, 'owner'))) return age < 60_000
    process.kill(Number(readFileSync(join(home, 'owner'), 'utf8')), 0)
    return true
  } catch {
    return false
  }
}
