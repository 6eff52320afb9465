import type { Sql } from '../../kernel/db/index.ts'
import type { Finding } from '../../kernel/vault/index.ts'

const LEAST_VERSION = 150_000
/** What must be on for an acknowledged write to survive a crash. */
const DURABLE = ['fsync', 'full_page_writes', 'synchronous_commit'] as const

interface Facts {
  version: number
  settings: Record<string, string>
  superuser: boolean
  rewrites: boolean
  /** Pages whose checksum did not hold when they were read. */
  damagedPages: number
}

async function factsOf(sql: Sql): Promise<Facts> {
  const names = ['server_version_num', 'data_checksums', ...DURABLE]
  const rows = await sql.query<{ name: string; setting: string }>('SELECT name, setting FROM pg_settings WHERE name = ANY ($1::text[])', [names])
  const settings = Object.fromEntries(rows.map((r) => [r.name, r.setting]))
  const [role] = await sql.query<{ superuser: boolean; rewrites: boolean }>(
    `SELECT r.rolsuper OR r.rolcreaterole OR r.rolbypassrls AS superuser,
            EXISTS (SELECT FROM pg_class c WHERE c.relname LIKE 'ledger\\_%' AND c.relkind IN ('r', 'p') AND has_table_privilege(c.oid, 'UPDATE, DELETE, TRUNCATE')) AS rewrites
     FROM pg_roles r WHERE r.rolname = current_user`,
  )
  // Of this database and of what all databases share.
  const [pages] = await sql.query<{ damaged: number }>('SELECT coalesce(sum(checksum_failures), 0)::int AS damaged FROM pg_stat_database WHERE datname = current_database() OR datname IS NULL')
  return { version: Number(settings['server_version_num']), settings, superuser: role?.superuser ?? false, rewrites: role?.rewrites ?? false, damagedPages: pages?.damaged ?? 0 }
}

/** The database as the restricted role sees it: version, durability, checksums, and that the role is restricted. */
export async function checkDatabase(sql: Sql, embedded: boolean): Promise<Finding[]> {
  const { version, settings, superuser, rewrites, damagedPages } = await factsOf(sql)
  const findings: Finding[] = []
  if (version < LEAST_VERSION) findings.push({ code: 'database-old', level: 'red', what: `PostgreSQL ${Math.floor(version / 10_000)} is too old.`, fix: 'Use PostgreSQL 15 or newer.' })
  for (const name of DURABLE) {
    if (settings[name] === 'off') findings.push({ code: 'database-not-durable', level: 'red', what: `${name} is off: an acknowledged write may be lost in a crash.`, fix: `Set ${name} = on and restart PostgreSQL.` })
  }
  if (settings['data_checksums'] === 'off') findings.push({ code: 'database-checksums-off', level: 'amber', what: 'Data checksums are off: damage on disk may go unnoticed.', fix: 'Stop PostgreSQL and run `pg_checksums --enable`.' })
  if (damagedPages > 0) findings.push({ code: 'database-damaged', level: 'red', what: `${damagedPages} reads of database files met a page whose checksum does not hold.`, fix: 'Keep a copy of this home as it is, look at the disk, and restore the last backup.' })
  if (superuser) findings.push({ code: 'database-role-powerful', level: 'red', what: 'SEALBOOK_DATABASE_URL names a role with rights over others.', fix: 'Give it a role without superuser, createrole and bypassrls.' })
  if (rewrites) findings.push({ code: 'database-ledger-writable', level: 'red', what: 'The role of the application may change or delete ledger rows.', fix: 'Revoke UPDATE, DELETE and TRUNCATE on the ledger tables from it.' })
  if (embedded) {
    findings.push({ code: 'database-embedded', level: 'info', what: 'The built-in PostgreSQL is for trials and small teams; it speaks over a unix socket only.', fix: 'For production set SEALBOOK_DATABASE_URL and SEALBOOK_DATABASE_ADMIN_URL to a maintained PostgreSQL.' })
  }
  return findings
}

/** The schema against the migrations of this version. */
export async function checkSchema(sql: Sql, migrations: readonly { name: string }[]): Promise<Finding[]> {
  const [table] = await sql.query<{ there: boolean }>("SELECT to_regclass('public.schema_migration') IS NOT NULL AS there")
  const applied = table?.there ? (await sql.query<{ name: string }>('SELECT name FROM public.schema_migration')).map((r) => r.name) : []
  const missing = migrations.filter((m) => !applied.includes(m.name))
  const unknown = applied.filter((name) => !migrations.some((m) => m.name === name))
  const findings: Finding[] = []
  if (missing.length > 0) findings.push({ code: 'schema-behind', level: 'amber', what: `${missing.length} migrations are not applied yet.`, fix: 'The next start applies them; back up first.' })
  if (unknown.length > 0) findings.push({ code: 'schema-newer', level: 'red', what: 'The database was migrated by a newer Sealbook.', fix: 'Start that version, or restore the backup made before the upgrade.' })
  return findings
}
