import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { debianPostgres, startDebianPostgres, type ExternalServer } from '../../../test/harness/debian-postgres.ts'
import { makeServerCertificate } from '../../../test/harness/certificates.ts'
import { externalDatabase, migrate, openDb, parseDatabaseUrl, SqlError } from './index.ts'

describe('the text of a URL', () => {
  const parse = (text: string): unknown => parseDatabaseUrl('SEALBOOK_DATABASE_URL', text)

  test('gives host, role, database and password, decoded', () => {
    expect(parse('postgresql://app:p%40ss@127.0.0.1:5433/crm')).toEqual({ host: '127.0.0.1', port: 5433, user: 'app', database: 'crm', password: 'p@ss', ssl: false })
    expect(parse('postgres://app@/crm?host=/run/postgresql')).toEqual({ host: '/run/postgresql', port: 5432, user: 'app', database: 'crm', ssl: false })
    expect(parse('postgres://app@[::1]/crm')).toMatchObject({ host: '::1', ssl: false })
  })

  test('means verified TLS for any other machine, and nothing less can be asked for', () => {
    expect(parse('postgres://app@db.example/crm')).toMatchObject({ ssl: { rejectUnauthorized: true, minVersion: 'TLSv1.2' } })
    expect(parse('postgres://app@127.example/crm')).toMatchObject({ ssl: { rejectUnauthorized: true } })
    for (const mode of ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'no-verify']) {
      expect(() => parse(`postgres://app@db.example/crm?sslmode=${mode}`), mode).toThrow(expect.objectContaining({ code: 'database-tls', exitCode: 2 }))
    }
    expect(() => parse('postgres://app@db.example/crm?sslrootcert=/nonexistent')).toThrow('sslrootcert cannot be read')
  })

  test('is refused in one sentence without the password when it is wrong', () => {
    for (const text of ['mysql://a:hunter2@h/d', 'hunter2', 'postgres://a:hunter2@h', 'postgres://:hunter2@h/d', 'postgres://a:hunter2@h/d?ssl=true']) {
      expect(() => parse(text), text).toThrow(expect.objectContaining({ code: 'database-url', exitCode: 2, message: expect.not.stringContaining('hunter2') }))
    }
  })
})

describe.skipIf(!debianPostgres())("Debian's PostgreSQL", () => {
  let server: ExternalServer
  let folder: string
  let base: string
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sealbook-ca-'))
    const { ca, cert, key } = await makeServerCertificate('localhost')
    writeFileSync(join(folder, 'ca.crt'), ca)
    server = await startDebianPostgres({ cert, key })
    base = `127.0.0.1:${server.port}/crm`
    const boss = openDb(server.superConfig)
    for (const sql of [`CREATE ROLE crm_owner LOGIN PASSWORD 'pw'`, `CREATE ROLE crm_app LOGIN PASSWORD 'pw'`, `CREATE ROLE crm_maker LOGIN CREATEDB PASSWORD 'pw'`, `CREATE DATABASE crm OWNER crm_owner ENCODING 'UTF8' TEMPLATE template0`, `CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0`]) await boss.query(sql)
    await boss.close()
  })
  afterAll(async () => {
    await server?.stop()
    rmSync(folder, { recursive: true })
  })

  test('takes migrations as the one role and refuses the other everything they did not grant', async () => {
    const { app, admin, appRole } = await externalDatabase(`postgres://crm_app:pw@${base}`, `postgres://crm_owner:pw@${base}`)
    expect(appRole).toBe('crm_app')
    const sql = 'CREATE TABLE leaf (n int PRIMARY KEY, b bytea); GRANT SELECT, INSERT ON leaf TO {{app}}'
    expect(await migrate(admin, [{ name: '202601010000_leaf', sql }], appRole)).toEqual(['202601010000_leaf'])
    const db = openDb(app)
    const bytes = Buffer.from([0, 92, 255])
    await db.query('INSERT INTO leaf VALUES (1, $1)', [bytes])
    expect(await db.query('SELECT * FROM leaf')).toEqual([{ n: 1, b: bytes }])
    for (const statement of ['UPDATE leaf SET n = 2', 'DELETE FROM leaf', 'TRUNCATE leaf', 'DROP TABLE leaf', 'CREATE TABLE x ()', 'ALTER TABLE leaf ADD y int']) {
      await expect(db.query(statement), statement).rejects.toBeInstanceOf(SqlError)
    }
    await db.close()
  })

  test('is reached over TLS when its certificate verifies, and not otherwise', async () => {
    const url = (role: string, query: string): string => `postgres://${role}:pw@localhost:${server.port}/crm?sslmode=verify-full${query}`
    const ca = `&sslrootcert=${join(folder, 'ca.crt')}`
    const { app } = await externalDatabase(url('crm_app', ca), url('crm_owner', ca))
    const db = openDb(app)
    expect(await db.query('SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()')).toEqual([{ ssl: true }])
    await db.close()
    await expect(externalDatabase(url('crm_app', ''), url('crm_owner', ''))).rejects.toMatchObject({ code: 'database-tls' })
    const byAddress = (role: string): string => url(role, ca).replace('localhost', '127.0.0.1')
    await expect(externalDatabase(byAddress('crm_app'), byAddress('crm_owner'))).rejects.toMatchObject({ code: 'database-tls' })
  })

  test('is refused with a role that may too much, a wrong password, another encoding, no server', async () => {
    const owner = `postgres://crm_owner:pw@${base}`
    const refusal = (url: string, admin = owner): Promise<unknown> => externalDatabase(url, admin).then(() => 'accepted', (e: { code: string }) => e.code)
    expect(await refusal(owner)).toBe('database-role')
    expect(await refusal(`postgres://crm_maker:pw@${base}`)).toBe('database-role')
    expect(await refusal(`postgres://boss:${server.password}@${base}`)).toBe('database-role')
    expect(await refusal(`postgres://crm_app:wrong@${base}`)).toBe('database-not-reached')
    expect(await refusal(`postgres://crm_app:pw@127.0.0.1:1/crm`, `postgres://crm_owner:pw@127.0.0.1:1/crm`)).toBe('database-not-reached')
    const latin = `127.0.0.1:${server.port}/latin`
    expect(await refusal(`postgres://crm_app:pw@${latin}`, `postgres://crm_owner:pw@${latin}`)).toBe('database-url')
  })
})
