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
})
