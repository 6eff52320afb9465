import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../test/harness/postgres.ts'
import { collectMigrations, migrate, openDb, SqlError, type Migration } from './index.ts'

const first: Migration = {
  name: '202601010000_first',
  sql: `CREATE TABLE thing (id int PRIMARY KEY);
        CREATE FUNCTION touch() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN 1; END $$;
        GRANT SELECT, INSERT ON thing TO {{app}};`,
}
const second: Migration = { name: '202601020000_second', sql: 'ALTER TABLE thing ADD COLUMN name text; INSERT INTO thing VALUES (1, $$one$$)' }

let t: TestDatabase
beforeAll(async () => {
  t = await createTestDatabase({ empty: true })
})
afterAll(() => t.drop())

const tables = (): Promise<{ n: number }[]> => t.admin.query(`SELECT count(*) AS n FROM pg_tables WHERE schemaname = 'public'`)

test('apply once, in order, and say what they did', async () => {
  expect(await migrate(t.adminConfig, [first], t.appRole)).toEqual([first.name])
  expect(await migrate(t.adminConfig, [first, second], t.appRole)).toEqual([second.name])
  expect(await migrate(t.adminConfig, [first, second], t.appRole)).toEqual([])
  expect(await t.db.query('SELECT * FROM thing')).toEqual([{ id: 1, name: 'one' }])
  const [row] = await t.db.query('SELECT name, length(checksum) AS bytes FROM schema_migration ORDER BY name')
  expect(row).toEqual({ name: first.name, bytes: 32 })
})

test('two processes that start at once apply each migration once', async () => {
  const other = await createTestDatabase({ empty: true })
  const runs = await Promise.all([1, 2, 3].map(() => migrate(other.adminConfig, [first, second], other.appRole)))
  expect(runs.flat().sort()).toEqual([first.name, second.name])
  await other.drop()
})

test('an empty database is refused where there was one before, and stays empty', async () => {
  const other = await createTestDatabase({ empty: true })
  await expect(migrate(other.adminConfig, [first], other.appRole, { fresh: false })).rejects.toMatchObject({ code: 'database-missing' })
  expect(await other.admin.query(`SELECT tablename FROM pg_tables WHERE schemaname = 'public'`)).toEqual([])
  expect(await migrate(other.adminConfig, [first], other.appRole)).toEqual([first.name])
  expect(await migrate(other.adminConfig, [first, second], other.appRole, { fresh: false })).toEqual([second.name])
  await other.drop()
})

test('a database of a newer version is refused and left alone', async () => {
  const before = await tables()
  const newer = { name: '202601030000_other', sql: 'CREATE TABLE other ()' }
  const refused = migrate(t.adminConfig, [first, newer], t.appRole)
  await expect(refused).rejects.toMatchObject({ name: 'Refusal', code: 'schema-newer', exitCode: 4 })
  await expect(refused).rejects.toThrow('202601020000_second')
  expect(await tables()).toEqual(before)
})

test('a changed migration is refused, changed line endings are not', async () => {
  await expect(migrate(t.adminConfig, [{ ...first, sql: `${first.sql} ` }, second], t.appRole)).rejects.toMatchObject({ code: 'schema-changed' })
  expect(await migrate(t.adminConfig, [{ ...first, sql: first.sql.replaceAll('\n', '\r\n') }, second], t.appRole)).toEqual([])
})

test('a migration that sorts before an applied one is refused', async () => {
  const early = { name: '202512310000_early', sql: 'SELECT 1' }
  await expect(migrate(t.adminConfig, [early, first, second], t.appRole)).rejects.toMatchObject({ code: 'schema-changed' })
})

test('a failing migration is rolled back whole', async () => {
  const before = await tables()
  const bad = { name: '202601030000_bad', sql: 'CREATE TABLE half (); SELECT nonsense' }
  await expect(migrate(t.adminConfig, [first, second, bad], t.appRole)).rejects.toMatchObject({ code: 'migration-failed', exitCode: 1 })
  expect(await tables()).toEqual(before)
})

test('the app role can do what migrations grant and nothing to the schema', async () => {
  await t.db.query('INSERT INTO thing VALUES (2)')
  const refused = [
    'CREATE TABLE x ()', 'CREATE TEMP TABLE x ()', 'CREATE SCHEMA x', 'DROP TABLE thing', 'ALTER TABLE thing ADD y int', 'TRUNCATE thing', 'DELETE FROM thing', 'UPDATE thing SET id = 3',
    'CREATE INDEX ON thing (id)', 'CREATE FUNCTION f() RETURNS int LANGUAGE sql RETURN 1', 'DO $$ BEGIN END $$', 'CREATE EXTENSION pg_trgm', 'CREATE ROLE x', 'SET ROLE sealbook_owner',
    'INSERT INTO schema_migration VALUES (1)', 'ALTER SYSTEM SET fsync = off', `COPY thing TO '/tmp/x'`, `COPY thing TO PROGRAM 'cat'`, `SELECT pg_read_file('PG_VERSION')`, 'ALTER ROLE sealbook_app SUPERUSER', 'GRANT SELECT ON thing TO PUBLIC WITH GRANT OPTION',
  ]
  for (const statement of refused) await expect(t.db.query(statement), statement).rejects.toBeInstanceOf(SqlError)
  const elsewhere = openDb({ ...t.appConfig, database: 'postgres' })
  await expect(elsewhere.query('SELECT 1')).rejects.toBeInstanceOf(SqlError)
  await elsewhere.close()
})

test('are collected from every migrations folder by timestamp, and nothing else is', async () => {
  const root = await mkdtemp(join(tmpdir(), 'sealbook-migrations-'))
  await mkdir(join(root, 'b', 'migrations'), { recursive: true })
  await mkdir(join(root, 'a', 'x', 'migrations'), { recursive: true })
  await writeFile(join(root, 'b', 'migrations', '202601010000_early.sql'), 'SELECT 1')
  await writeFile(join(root, 'a', 'x', 'migrations', '202601020000_late.sql'), 'SELECT 2')
  await writeFile(join(root, 'a', 'not_one.sql'), 'SELECT 3')
  expect((await collectMigrations(root)).map((m) => m.name)).toEqual(['202601010000_early', '202601020000_late'])
  await writeFile(join(root, 'b', 'migrations', 'unnamed.sql'), '')
  await expect(collectMigrations(root)).rejects.toThrow('unnamed.sql')
  await rm(root, { recursive: true })
})
