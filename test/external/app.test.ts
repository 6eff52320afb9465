import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openDb, type Db } from '../../src/kernel/db/index.ts'
import { debianPostgres, startDebianPostgres, type ExternalServer } from '../harness/debian-postgres.ts'
import { init, makePlace, TestServer } from '../harness/server.ts'

// The whole product on a PostgreSQL that is not ours: Debian's, with a role that migrates and a role that serves.

const LEDGER = ['ledger_event', 'ledger_leaf', 'ledger_block', 'ledger_checkpoint', 'ledger_link']

describe.skipIf(!debianPostgres())('on an external PostgreSQL', { timeout: 120_000 }, () => {
  let postgres: ExternalServer
  let server: TestServer
  let app: Db

  beforeAll(async () => {
    postgres = await startDebianPostgres()
    const boss = openDb(postgres.superConfig, { max: 1 })
    for (const role of ['crm_admin', 'crm_app']) await boss.query(`CREATE ROLE ${role} LOGIN PASSWORD 'pw-${role}'`)
    await boss.query("CREATE DATABASE crm OWNER crm_admin ENCODING 'UTF8' LOCALE 'C' TEMPLATE template0")
    await boss.close()
    const url = (role: string): string => `postgresql://${role}:pw-${role}@127.0.0.1:${postgres.port}/crm`
    const place = makePlace({ SEALBOOK_DATABASE_URL: url('crm_app'), SEALBOOK_DATABASE_ADMIN_URL: url('crm_admin') })
    server = new TestServer(place, await init(place))
    await server.start()
    app = openDb({ host: '127.0.0.1', port: postgres.port, user: 'crm_app', database: 'crm', password: 'pw-crm_app', ssl: false }, { max: 1 })
  }, 120_000)
  afterAll(async () => {
    await app?.close()
    await server?.close()
    await postgres?.stop()
  })

  test('PostgreSQL 15 or newer serves contacts, search, import jobs and the ledger', async () => {
    expect(postgres.major).toBeGreaterThanOrEqual(15)
    const made = await server.call('POST', '/contacts', { fullName: '外部 数据库', emails: [{ value: 'external@example.com' }] })
    expect(made.status).toBe(201)
    expect((await server.call('POST', '/contacts/search', { text: 'shujuku' })).body.items).toHaveLength(1)
    const done = await server.cli(['export', 'contacts', '--reason', 'external test', '--format', 'jsonl', '--out', `${server.place.folder}/out.jsonl`, '--json'])
    expect(done.json.rows).toBe(1)
    expect((await server.cli(['ledger', 'verify', '--json'])).json.ok).toBe(true)
    const doctor = await server.cli(['doctor', '--json'])
    expect(doctor.json.findings.map((f: { code: string }) => f.code)).not.toContain('database-embedded')
  })

  test.each(LEDGER)('the restricted role may add to %s and read it, and nothing else', async (table) => {
    await expect(app.query(`SELECT count(*) FROM ${table}`)).resolves.toBeDefined()
    const [column] = await app.query<{ name: string }>('SELECT column_name AS name FROM information_schema.columns WHERE table_name = $1 LIMIT 1', [table])
    for (const statement of [`UPDATE ${table} SET ${column!.name} = ${column!.name}`, `DELETE FROM ${table}`, `TRUNCATE ${table}`, `DROP TABLE ${table}`, `ALTER TABLE ${table} DISABLE TRIGGER ALL`]) {
      await expect(app.query(statement), statement).rejects.toMatchObject({ sqlState: '42501' })
    }
  })

  test('the restricted role may make nothing, own nothing and become nobody', async () => {
    for (const statement of ['CREATE TABLE mine (a int)', 'CREATE SCHEMA mine', 'CREATE ROLE mine', 'SET ROLE crm_admin', "COPY (SELECT 1) TO PROGRAM 'true'"]) {
      await expect(app.query(statement), statement).rejects.toThrow()
    }
    const owned = await app.query("SELECT relname FROM pg_class WHERE relowner = (SELECT oid FROM pg_roles WHERE rolname = 'crm_app')")
    expect(owned).toEqual([])
  })
})
