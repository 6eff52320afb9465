import { randomBytes } from 'node:crypto'
import { inject } from 'vitest'
import { createDatabase, openDb, type Db, type DbConfig } from '../../src/kernel/db/index.ts'
import { dedicated } from '../../src/kernel/db/client.ts'
import { TEMPLATE } from './postgres-setup.ts'

export interface TestDatabase {
  /** As the application: role sealbook_app. */
  db: Db
  /** As the owner of the tables: for planting what the application may not do. */
  admin: Db
  appConfig: DbConfig
  adminConfig: DbConfig
  /** A superuser, in this database. */
  superConfig: DbConfig
  appRole: string
  /** Closes the pools; the database goes with the server at the end of the run. */
  drop(): Promise<void>
}

/**
 * A fresh database with all migrations applied; one per test file. Call it in `beforeAll` or at the top, and `drop` in
 * `afterAll`. `empty: true` gives one without tables.
 */
export async function createTestDatabase(options: { empty?: boolean } = {}): Promise<TestDatabase> {
  const server = inject('postgres')
  if (!options.empty && server.broken !== null) throw new Error(`the template database could not be made: ${server.broken}`)
  const database = `test_${randomBytes(6).toString('hex')}`
  await createDatabase(server.superConfig, database, options.empty ? 'template0' : TEMPLATE)
  const [appConfig, adminConfig, superConfig] = [server.appConfig, server.adminConfig, server.superConfig].map((config) => ({ ...config, database })) as [DbConfig, DbConfig, DbConfig]
  const db = openDb(appConfig, { name: 'test', max: 6 })
  const admin = openDb(adminConfig, { name: 'test-admin', max: 2 })
  return {
    db,
    admin,
    appConfig,
    adminConfig,
    superConfig,
    appRole: server.appRole,
    drop: async () => {
      await Promise.all([db.close(), admin.close()])
    },
  }
}

/** Runs statements as the superuser of a test database: the thief or the administrator who went to the tables directly. */
export async function asSuperuser<R extends object>(test: TestDatabase, text: string, params?: readonly unknown[]): Promise<R[]> {
  const connection = await dedicated(test.superConfig, 'test-super')
  try {
    return await connection.query<R>(text, params)
  } finally {
    await connection.end()
  }
}
