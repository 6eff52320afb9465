import type { DbConfig } from '../config.ts'
import { dedicated } from '../client.ts'
import { quoteIdentifier as q } from '../migrate.ts'
import { APP, DATABASE, OWNER, SUPER } from './settings.ts'

/**
 * Makes roles and database, and takes away what PostgreSQL gives everybody. Idempotent; runs at every start, so a right
 * handed out by hand does not stay.
 */
export async function ensureRoles(superConfig: DbConfig): Promise<void> {
  const connection = await dedicated(superConfig, 'sealbook:supervisor')
  try {
    for (const role of [OWNER, APP]) {
      const [there] = await connection.query('SELECT FROM pg_roles WHERE rolname = $1', [role])
      if (!there) await connection.query(`CREATE ROLE ${q(role)}`)
      await connection.query(`ALTER ROLE ${q(role)} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD NULL`)
    }
    for (const name of ['postgres', 'template1']) await connection.query(`REVOKE ALL ON DATABASE ${q(name)} FROM PUBLIC`)
  } finally {
    await connection.end()
  }
  await createDatabase(superConfig, DATABASE)
}

/** Makes a database of the owner's when it is not there, and sets its rights. */
export async function createDatabase(superConfig: DbConfig, name: string, template = 'template0'): Promise<void> {
  const connection = await dedicated(superConfig, 'sealbook:supervisor')
  try {
    const [there] = await connection.query('SELECT FROM pg_database WHERE datname = $1', [name])
    if (!there) await connection.query(`CREATE DATABASE ${q(name)} OWNER ${q(OWNER)} TEMPLATE ${q(template)}`)
  } finally {
    await connection.end()
  }
  await shutDatabase(superConfig, name)
}

/** The rights inside one database: the owner makes tables, the app uses what migrations grant it, everybody else gets nothing. */
async function shutDatabase(superConfig: DbConfig, database: string): Promise<void> {
  const connection = await dedicated({ ...superConfig, database }, 'sealbook:supervisor')
  try {
    await connection.query(`REVOKE ALL ON DATABASE ${q(database)} FROM PUBLIC, ${q(APP)}`)
    await connection.query(`GRANT CONNECT ON DATABASE ${q(database)} TO ${q(APP)}`)
    await connection.query(`ALTER SCHEMA public OWNER TO ${q(OWNER)}`)
    await connection.query(`REVOKE ALL ON SCHEMA public FROM PUBLIC, ${q(APP)}`)
    await connection.query(`GRANT USAGE ON SCHEMA public TO ${q(APP)}`)
    await connection.query(`REVOKE ALL ON LANGUAGE plpgsql FROM PUBLIC`)
    await connection.query(`GRANT USAGE ON LANGUAGE plpgsql TO ${q(OWNER)}`)
  } finally {
    await connection.end()
  }
}

export function configFor(role: typeof SUPER | typeof OWNER | typeof APP, sockets: string, port: number, database: string = DATABASE): DbConfig {
  return { host: sockets, port, user: role, database, ssl: false }
}
