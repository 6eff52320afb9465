import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import type { ConnectionOptions } from 'node:tls'
import { Problem, Refusal } from '../base/index.ts'
import { dedicated } from './client.ts'
import type { DbConfig } from './config.ts'
import { SqlError } from './errors.ts'

const OLDEST_MAJOR = 15
const PARAMETERS = new Set(['sslmode', 'sslrootcert', 'sslcert', 'sslkey', 'host'])

export interface ExternalDatabase {
  app: DbConfig
  admin: DbConfig
  /** The role of SEALBOOK_DATABASE_URL; migrations grant to it. */
  appRole: string
}

/**
 * Reads and tries both URLs. Throws Refusal database-url (exit 2: the text of a URL), database-tls, database-old, database-role,
 * database-not-reached. No sentence holds a password.
 */
export async function externalDatabase(url: string, adminUrl: string): Promise<ExternalDatabase> {
  const app = parseDatabaseUrl('SEALBOOK_DATABASE_URL', url)
  const admin = parseDatabaseUrl('SEALBOOK_DATABASE_ADMIN_URL', adminUrl)
  if (app.user === admin.user) throw new Refusal('database-role', 'SEALBOOK_DATABASE_URL and SEALBOOK_DATABASE_ADMIN_URL name the same role; the first must be a restricted one that owns nothing.', 2)
  if (app.database !== admin.database) throw new Refusal('database-url', 'SEALBOOK_DATABASE_URL and SEALBOOK_DATABASE_ADMIN_URL name different databases.', 2)
  await check('SEALBOOK_DATABASE_ADMIN_URL', admin, false)
  await check('SEALBOOK_DATABASE_URL', app, true)
  return { app, admin, appRole: app.user }
}

/** `postgresql://user:password@host:port/database?sslmode=verify-full&sslrootcert=FILE`; `?host=/directory` for a unix socket. */
export function parseDatabaseUrl(name: string, text: string): DbConfig {
  const refuse = (why: string): Refusal => new Refusal('database-url', `${name} ${why}; write postgresql://role:password@host:5432/database?sslrootcert=FILE.`, 2)
  // URL knows no user without a host, which is how a socket is written: postgresql://role@/database?host=/run/postgresql
  const whole = text.replace(/^(postgres(?:ql)?:\/\/[^/@]*@)\//, '$1localhost/')
  const url = URL.canParse(whole) ? new URL(whole) : undefined
  if (!url || !/^postgres(ql)?:$/.test(url.protocol)) throw refuse('is not a PostgreSQL URL')
  const unknown = [...url.searchParams.keys()].filter((key) => !PARAMETERS.has(key))
  if (unknown.length > 0) throw refuse(`has unknown parameters (${unknown.join(', ')})`)
  const host = url.searchParams.get('host') ?? decodeURIComponent(url.hostname).replace(/^\[(.*)\]$/, '$1')
  const database = decodeURIComponent(url.pathname.slice(1))
  const user = decodeURIComponent(url.username)
  if (!host || !database || !user) throw refuse('lacks the host, role or database')
  const password = decodeURIComponent(url.password)
  return { host, port: Number(url.port || 5432), user, database, ...(password && { password }), ssl: tlsFor(name, host, url.searchParams) }
}

/** TLS with verification everywhere but on this machine. Encryption without verification protects from nobody who can answer in the server's place. */
function tlsFor(name: string, host: string, parameters: URLSearchParams): ConnectionOptions | false {
  const mode = parameters.get('sslmode')
  const local = host.startsWith('/') || host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'))
  if (mode !== null && !['verify-full', 'disable'].includes(mode)) throw new Refusal('database-tls', `${name}: sslmode must be verify-full (or disable on this machine); ${mode} would accept any server.`, 2)
  if (mode === 'disable' && !local) throw new Refusal('database-tls', `${name}: sslmode=disable is only for a server on this machine; use verify-full.`, 2)
  if (local && mode !== 'verify-full') return false
  const file = (key: string): Buffer | undefined => {
    const path = parameters.get(key)
    if (path === null) return undefined
    try {
      return readFileSync(path)
    } catch (cause) {
      throw new Refusal('database-tls', `${name}: the file of ${key} cannot be read.`, 2, cause)
    }
  }
  const [ca, cert, key] = ['sslrootcert', 'sslcert', 'sslkey'].map(file)
  return { rejectUnauthorized: true, minVersion: 'TLSv1.2', ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) }
}

interface ServerFacts {
  version: number
  superuser: boolean
  bypass: boolean
  creates: boolean
  encoding: string
  owns: number
}

async function check(name: string, config: DbConfig, restricted: boolean): Promise<void> {
  const facts = await ask(name, config)
  const major = Math.floor(facts.version / 10_000)
  if (major < OLDEST_MAJOR) throw new Refusal('database-old', `${name} is PostgreSQL ${major}; Sealbook needs ${OLDEST_MAJOR} or newer.`)
  if (facts.encoding !== 'UTF8') throw new Refusal('database-url', `The database of ${name} has encoding ${facts.encoding}; create one with ENCODING 'UTF8'.`)
  if (restricted && (facts.superuser || facts.bypass || facts.creates || facts.owns > 0)) {
    throw new Refusal('database-role', `The role of ${name} may do too much (superuser, CREATEROLE, CREATEDB, REPLICATION, BYPASSRLS, the right to create in this database, or tables of its own); give it LOGIN only. Nothing was changed.`)
  }
}

async function ask(name: string, config: DbConfig): Promise<ServerFacts> {
  try {
    const connection = await dedicated(config, 'sealbook:check')
    try {
      const [facts] = await connection.query<ServerFacts>(
        `SELECT current_setting('server_version_num')::int AS version, current_setting('server_encoding') AS encoding, r.rolsuper AS superuser,
                (r.rolbypassrls OR r.rolreplication) AS bypass,
                (r.rolcreaterole OR r.rolcreatedb OR has_database_privilege(current_database(), 'CREATE') OR has_schema_privilege('public', 'CREATE')) AS creates,
                (SELECT count(*) FROM pg_class WHERE relowner = r.oid) AS owns
           FROM pg_roles r WHERE r.rolname = current_user`,
      )
      return facts!
    } finally {
      await connection.end()
    }
  } catch (error) {
    throw notReached(name, error)
  }
}

function notReached(name: string, error: unknown): Refusal {
  const state = error instanceof SqlError ? error.sqlState : error instanceof Problem && error.cause instanceof Error ? error.cause.message : 'unknown'
  if (state.startsWith('28')) return new Refusal('database-not-reached', `The server of ${name} refuses this role or its password (${state}); correct the URL or pg_hba.conf.`, 4, error)
  if (/CERT|SELF_SIGNED|ALTNAME|VERIFY/.test(state)) return new Refusal('database-tls', `The certificate of the server of ${name} does not verify (${state}); give its CA in sslrootcert and use the name the certificate has.`, 4, error)
  return new Refusal('database-not-reached', `The server of ${name} cannot be reached (${state}); start it, or correct the URL.`, 4, error)
}
