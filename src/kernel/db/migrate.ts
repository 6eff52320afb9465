import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { Refusal } from '../base/index.ts'
import { dedicated } from './client.ts'
import type { DbConfig } from './config.ts'
import { SqlError } from './errors.ts'
import type { DedicatedConnection } from './types.ts'

export interface Migration {
  /** File name without `.sql`: `YYYYMMDDHHMM_name`. */
  name: string
  sql: string
}

const NAME = /^\d{12}_[a-z0-9_]+$/
// Any fixed number; it only has to be the same in every version of Sealbook. "seal" in ASCII.
const LOCK = 0x7365616c

/** Reads every `migrations/*.sql` below `root`, in the order of their timestamps. Throws when a name is malformed or used twice. */
export async function collectMigrations(root: string): Promise<Migration[]> {
  const found: Migration[] = []
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !entry.name.endsWith('.sql') || basename(entry.parentPath) !== 'migrations') continue
    const name = entry.name.slice(0, -'.sql'.length)
    if (!NAME.test(name)) throw new Error(`migration ${entry.name} is not named YYYYMMDDHHMM_name.sql`)
    found.push({ name, sql: await readFile(join(entry.parentPath, entry.name), 'utf8') })
  }
  found.sort((a, b) => (a.name < b.name ? -1 : 1))
  for (let i = 1; i < found.length; i++) {
    if (found[i]!.name.slice(0, 12) === found[i - 1]!.name.slice(0, 12)) throw new Error(`migrations ${found[i - 1]!.name} and ${found[i]!.name} have the same timestamp`)
  }
  return found
}

/** Applies what is missing, oldest first, each in its own transaction. Returns the names applied. `fresh: false` refuses a database that never was one of ours ('database-missing'). */
export async function migrate(adminConfig: DbConfig, migrations: readonly Migration[], appRole: string, options: { fresh?: boolean } = {}): Promise<string[]> {
  const connection = await dedicated(adminConfig, 'sealbook:migrate')
  try {
    await connection.query('SELECT pg_advisory_lock($1)', [LOCK])
    await prepare(connection, appRole, options.fresh ?? true)
    const missing = await compare(connection, migrations)
    for (const m of missing) await apply(connection, m, appRole)
    return missing.map((m) => m.name)
  } finally {
    // Ending the session gives the lock back.
    await connection.end()
  }
}

async function prepare(connection: DedicatedConnection, appRole: string, fresh: boolean): Promise<void> {
  const [row] = await connection.query<{ there: boolean }>(`SELECT to_regclass('public.schema_migration') IS NOT NULL AS there`)
  if (row!.there) return
  if (!fresh) throw new Refusal('database-missing', 'The database is empty although this home has been set up: correct SEALBOOK_DATABASE_URL, or restore the last backup. Nothing was changed.')
  await connection.query(`CREATE TABLE public.schema_migration (name text PRIMARY KEY, checksum bytea NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())`)
  await connection.query(`GRANT SELECT ON public.schema_migration TO ${quoteIdentifier(appRole)}`)
}

async function compare(connection: DedicatedConnection, migrations: readonly Migration[]): Promise<Migration[]> {
  const applied = await connection.query<{ name: string; checksum: Buffer }>('SELECT name, checksum FROM public.schema_migration ORDER BY name')
  const known = new Map(migrations.map((m) => [m.name, m]))
  const unknown = applied.filter((a) => !known.has(a.name)).map((a) => a.name)
  if (unknown.length > 0) {
    throw new Refusal('schema-newer', `The database was migrated by a newer Sealbook (${unknown.at(-1)}); start that version or a later one, or restore the backup made before the upgrade. Nothing was changed.`)
  }
  for (const a of applied) {
    if (!checksum(known.get(a.name)!.sql).equals(a.checksum)) {
      throw new Refusal('schema-changed', `Migration ${a.name} is not the text that was applied to this database; install an unmodified Sealbook. Nothing was changed.`)
    }
  }
  const last = applied.at(-1)?.name ?? ''
  const missing = migrations.filter((m) => !applied.some((a) => a.name === m.name))
  const late = missing.find((m) => m.name < last)
  // Forward only: one that sorts before what is applied would run in another order here than on a fresh database.
  if (late) throw new Refusal('schema-changed', `Migration ${late.name} is older than ${last}, which is already applied; give it a later timestamp. Nothing was changed.`)
  return missing
}

async function apply(connection: DedicatedConnection, migration: Migration, appRole: string): Promise<void> {
  const sql = migration.sql.replaceAll('{{app}}', quoteIdentifier(appRole))
  try {
    await connection.query('BEGIN')
    await connection.query(sql)
    await connection.query('INSERT INTO public.schema_migration (name, checksum) VALUES ($1, $2)', [migration.name, checksum(migration.sql)])
    await connection.query('COMMIT')
  } catch (error) {
    await connection.query('ROLLBACK').catch(() => {})
    if (error instanceof SqlError) throw new Refusal('migration-failed', `Migration ${migration.name} failed and was rolled back (${error.message}); report it, and keep using the version before.`, 1, error)
    throw error
  }
}

// Line endings are not part of it: git may check the file out with others.
function checksum(sql: string): Buffer {
  return createHash('sha256').update(sql.replaceAll('\r\n', '\n')).digest()
}

export function quoteIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}
