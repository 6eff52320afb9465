import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openHome } from '../../src/kernel/base/index.ts'
import { dedicated } from '../../src/kernel/db/client.ts'
import { startEmbedded, type DedicatedConnection } from '../../src/kernel/db/index.ts'
import { runCli } from '../harness/cli.ts'
import { startServer, type Json, type TestServer } from '../harness/server.ts'
import { FINDING } from './shapes.ts'

// Somebody who can write the database puts things there; doctor says what, without a server and from the command line.
let server: TestServer
let id: string
let before: Record<string, unknown>

/** Runs statements as a superuser on the database of the stopped home. */
async function asSuperuser<T>(work: (sql: DedicatedConnection) => Promise<T>): Promise<T> {
  const home = openHome(server.place.home)
  const postgres = await startEmbedded({ home: server.place.home, create: false })
  const sql = await dedicated({ ...postgres.superConfig, database: postgres.appConfig.database }, 'thief')
  try {
    return await work(sql)
  } finally {
    await sql.end()
    await postgres.stop()
    home.release()
  }
}

const redCodes = async (...more: string[]): Promise<string[]> => {
  const done = await runCli(['doctor', ...more, '--json'], server.place.env)
  expect(done.code).toBe(1)
  for (const f of done.json.findings) expect(f).toEqual(FINDING)
  return done.json.findings.filter((f: Json) => f.level === 'red' && f.code !== 'key-file-same-device').map((f: Json) => f.code)
}

beforeAll(async () => {
  server = await startServer()
  id = (await server.call('POST', '/contacts', { fullName: 'Rolled Back', title: 'first' })).body.id
  await server.end('SIGTERM')
  before = (await asSuperuser((sql) => sql.query('SELECT * FROM contacts WHERE id = $1', [id])))[0] ?? {}
  await server.start()
  await server.call('PATCH', `/contacts/${id}`, { title: 'second' }, { headers: { 'If-Match': '"1"' } })
  await server.end('SIGTERM')
})
afterAll(() => rmSync(server.place.folder, { recursive: true, force: true }))

test('an untouched home is fine, deep too', async () => {
  expect(await redCodes('--deep')).toEqual([])
})

test('a whole old row put back opens, and is told as rolled back', async () => {
  const columns = Object.keys(before).filter((c) => c !== 'id')
  await asSuperuser(async (sql) => {
    await sql.query('CREATE TABLE kept AS SELECT * FROM contacts WHERE id = $1', [id])
    await sql.query(`UPDATE contacts SET ${columns.map((c, i) => `${c} = $${i + 2}`).join(', ')} WHERE id = $1`, [id, ...columns.map((c) => before[c])])
  })
  expect(await redCodes('--deep')).toEqual(['row-rolled-back'])
})

test('a copied row, and one whose owner was changed, are told by their ids and nothing else', async () => {
  const copy = '0192b1a0-0000-7000-8000-000000000009'
  await asSuperuser(async (sql) => {
    await sql.query('SET session_replication_role = replica')
    await sql.query('DELETE FROM contacts WHERE id = $1', [id])
    await sql.query('INSERT INTO contacts SELECT * FROM kept')
    await sql.query('UPDATE contacts SET owner_id = gen_random_uuid() WHERE id = $1', [id])
    await sql.query('UPDATE kept SET id = $1', [copy])
    await sql.query('INSERT INTO contacts SELECT * FROM kept')
  })
  const done = await runCli(['doctor', '--deep', '--json'], server.place.env)
  const broken = done.json.findings.find((f: Json) => f.code === 'row-broken')
  for (const told of ['2 contacts', id, copy]) expect(broken.what).toContain(told)
  expect(JSON.stringify(done.json)).not.toContain('Rolled')
})

test('a changed ledger event is told without deep', async () => {
  await asSuperuser(async (sql) => {
    await sql.query('SET session_replication_role = replica')
    await sql.query("UPDATE ledger_event SET action = 'contact.read' WHERE action = 'contact.created'")
  })
  expect(await redCodes()).toContain('ledger-broken')
})

test('a database that is gone, or damaged, is one finding', async () => {
  rmSync(join(server.place.home, 'postgres', 'data', 'PG_VERSION'))
  const codes = await redCodes()
  expect(codes).toHaveLength(1)
  expect(codes[0]).toMatch(/^database-/)
})
