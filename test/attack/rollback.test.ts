import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Db } from '../../src/kernel/db/index.ts'
import { startServer, type Person, type TestServer } from '../harness/server.ts'
import { superuser } from './scan.ts'

// Rows put back whole, as they once were, carry MACs that are right. The ledger knows what happened since.

let server: TestServer
let db: Db
let rep: Person

beforeAll(async () => {
  server = await startServer()
  db = superuser(server)
  rep = await server.addPerson('rollback@example.com', 'rep')
}, 120_000)
afterAll(async () => {
  await db?.close()
  await server?.close()
})

const moved = (): Promise<unknown> => db.query('UPDATE authority_epoch SET epoch = epoch + 1')
const status = async (token: string): Promise<number> => (await server.call('POST', '/contacts/search', {}, { token })).status

describe('a row of authority that was rolled back whole', { timeout: 60_000 }, () => {
  test('a revoked token stays dead', async () => {
    const made = await server.call('POST', '/tokens', { userId: server.owner.ownerId, name: 'short' })
    await db.query('CREATE TABLE stolen AS SELECT * FROM api_token WHERE id = $1', [made.body.id])
    expect(await status(made.body.token)).toBe(200)
    expect((await server.call('POST', `/tokens/${made.body.id}/revoke`, {})).status).toBeLessThan(300)
    expect(await status(made.body.token)).toBe(401)
    await db.query('DELETE FROM api_token WHERE id = $1', [made.body.id])
    await db.query('INSERT INTO api_token SELECT * FROM stolen')
    await moved()
    expect(await status(made.body.token)).toBe(503)
    await db.query('DROP TABLE stolen')
  })

  test('a disabled colleague stays out, and the attempt is in the ledger', async () => {
    await db.query('CREATE TABLE person_before AS SELECT * FROM person WHERE id = $1', [rep.id])
    expect((await server.call('POST', `/users/${rep.id}/disable`, {})).status).toBe(200)
    expect(await status(rep.token)).toBe(401)
    await db.query('UPDATE person p SET version = b.version, disabled_at = b.disabled_at, session_epoch = b.session_epoch, token_epoch = b.token_epoch, updated_at = b.updated_at, factor_digest = b.factor_digest, sealed = b.sealed, mac = b.mac FROM person_before b WHERE p.id = b.id')
    await moved()
    expect(await status(rep.token)).toBe(503)
    // The refusal does not wait for the ledger.
    const told = async (): Promise<number> => (await db.query<{ n: number }>("SELECT count(*)::int AS n FROM ledger_event WHERE action = 'authority.tampered' AND object_id = $1", [rep.id]))[0]!.n
    await expect.poll(told, { timeout: 10_000 }).toBeGreaterThan(0)
    await db.query('DROP TABLE person_before')
  })

  const putBack = async (table: string): Promise<void> => {
    const columns = (await db.query<{ c: string }>("SELECT column_name AS c FROM information_schema.columns WHERE table_name = 'person' AND column_name <> 'id'")).map((r) => `"${r.c}" = b."${r.c}"`).join(', ')
    await db.query(`UPDATE person p SET ${columns} FROM ${table} b WHERE p.id = b.id`)
  }

  test('an event planted to excuse it does not count', async () => {
    const leaver = await server.addPerson('excused@example.com', 'rep')
    await db.query('CREATE TABLE excused AS SELECT * FROM person WHERE id = $1', [leaver.id])
    expect((await server.call('POST', `/users/${leaver.id}/disable`, {})).status).toBe(200)
    await putBack('excused')
    const columns = (await db.query<{ c: string }>("SELECT column_name AS c FROM information_schema.columns WHERE table_name = 'ledger_event' AND column_name NOT IN ('id', 'action') ORDER BY 1")).map((r) => `"${r.c}"`).join(', ')
    await db.query(`INSERT INTO ledger_event (id, action, ${columns}) SELECT 'ffffffff-ffff-7fff-bfff-000000000001', 'user.enabled', ${columns} FROM ledger_event WHERE object_id = $1 AND action = 'user.disabled'`, [leaver.id])
    await moved()
    expect(await status(leaver.token)).toBe(503)
  })

  test('a role exchanged for another does not come back', async () => {
    const person = await server.addPerson('exchanged@example.com', 'rep')
    const team = (await server.call('GET', '/departments')).body.items[0].id
    const patch = async (roles: string[]): Promise<void> => {
      const { version } = (await server.call('GET', `/users/${person.id}`)).body
      expect((await server.call('PATCH', `/users/${person.id}`, { roles, departmentId: team }, { headers: { 'If-Match': `"${version}"` } })).status).toBe(200)
    }
    await patch(['manager'])
    await db.query('CREATE TABLE exchanged AS SELECT * FROM person WHERE id = $1', [person.id])
    await db.query('CREATE TABLE exchanged_role AS SELECT * FROM person_role WHERE person_id = $1', [person.id])
    await patch(['rep'])
    expect(await status(person.token)).toBe(200)
    await putBack('exchanged')
    await db.query('DELETE FROM person_role WHERE person_id = $1', [person.id])
    await db.query('INSERT INTO person_role SELECT * FROM exchanged_role')
    await moved()
    expect(await status(person.token)).toBe(503)
  })

  test('an older password does not come back with the row of its person', async () => {
    const person = await server.addPerson('password@example.com', 'rep')
    await db.query('CREATE TABLE old_person AS SELECT * FROM person WHERE id = $1', [person.id])
    await db.query('CREATE TABLE old_factor AS SELECT * FROM factor WHERE person_id = $1', [person.id])
    const session = await server.signIn(person.email, person.password)
    expect((await server.call('PUT', '/me/password', { current: person.password, password: 'a phrase nobody has stolen yet' }, session)).status).toBe(200)
    await putBack('old_person')
    await db.query('DELETE FROM factor WHERE person_id = $1', [person.id])
    await db.query('INSERT INTO factor SELECT * FROM old_factor')
    const stolen = await server.signIn(person.email, person.password)
    expect((await server.call('POST', '/contacts/search', {}, stolen)).status).toBe(503)
  })

  test('a colleague moved to another department does not see the old one again', async () => {
    const person = await server.addPerson('moved@example.com', 'manager')
    const north = await server.call('POST', '/departments', { name: 'North' })
    await db.query('CREATE TABLE moved_person AS SELECT * FROM person WHERE id = $1', [person.id])
    const { version } = (await server.call('GET', `/users/${person.id}`)).body
    expect((await server.call('PATCH', `/users/${person.id}`, { departmentId: north.body.id }, { headers: { 'If-Match': `"${version}"` } })).status).toBe(200)
    expect(await status(person.token)).toBe(200)
    await putBack('moved_person')
    await moved()
    expect(await status(person.token)).toBe(503)
  })

  test('the class a custom field had before it was protected more stops the next start', async () => {
    const declared = await server.call('POST', '/custom-fields', { entity: 'contact', key: 'diagnosis', label: { en: 'Diagnosis', zh: '诊断' }, class: 'personal' })
    await db.query('CREATE TABLE loose AS SELECT * FROM custom_field WHERE id = $1', [declared.body.id])
    expect((await server.call('PATCH', `/custom-fields/${declared.body.id}`, { class: 'sensitive' }, { headers: { 'If-Match': '"1"' } })).status).toBe(200)
    await server.end('SIGTERM')
    await server.start()
    await db.query('UPDATE custom_field f SET version = l.version, words = l.words FROM loose l WHERE f.id = l.id')
    await server.end('SIGTERM')
    await expect(server.start()).rejects.toThrow(/The custom field \S+ was changed in the database/)
  })
})
