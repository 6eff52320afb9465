import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startServer, TestServer, type Json } from '../harness/server.ts'

let server: TestServer
const made: string[] = []

/** The same home under a clock that is some days ahead, or behind. */
const under = (days: number): TestServer =>
  new TestServer({ ...server.place, env: { ...server.place.env, TEST_DAYS_AHEAD: String(days), NODE_OPTIONS: `--import=${join(import.meta.dirname, '..', 'harness', 'ahead.mjs')}` } }, server.owner)

async function work(at: TestServer, label: string): Promise<void> {
  for (let n = 0; n < 5; n++) {
    const contact = await at.call('POST', '/contacts', { fullName: `${label} ${n}` })
    expect({ label, status: contact.status, text: contact.status === 201 ? '' : contact.text }).toEqual({ label, status: 201, text: '' })
    made.push(contact.body.id)
    const changed = await at.call('PATCH', `/contacts/${contact.body.id}`, { title: 'Clocked' }, { headers: { 'If-Match': '"1"' } })
    expect(changed.status).toBe(200)
    const note = await at.call('POST', '/activities', { recordKind: 'contact', recordId: contact.body.id, kind: 'note', body: label })
    expect(note.status).toBe(201)
  }
}

/** Every record there is, whatever the clock said when it was made: by list, by search, with its note, and the ledger holds. */
async function whole(at: TestServer): Promise<void> {
  await expect.poll(async () => (await at.call('GET', '/api/health')).body.status, { timeout: 15_000 }).toBe('ready')
  const listed = await at.call('POST', '/contacts/search', { limit: 200 })
  expect(listed.body.items.map((r: Json) => r.id).toSorted()).toEqual(made.toSorted())
  await expect.poll(async () => (await at.call('POST', '/contacts/search', { text: 'Clocked', count: true })).body.count, { timeout: 15_000 }).toBe(made.length)
  const notes = await at.call('POST', '/activities/search', { limit: 200 })
  expect(notes.body.items).toHaveLength(made.length)
  for (const id of made) {
    const { items } = (await at.call('GET', `/contacts/${id}/timeline`)).body
    expect(items.map((i: Json) => i.action)).toEqual(expect.arrayContaining(['contact.created', 'contact.updated']))
  }
  const verified = await at.call('POST', '/ledger/verify', {})
  expect(verified.body).toMatchObject({ ok: true, failures: [] })
}

beforeAll(async () => {
  server = await startServer()
}, 60_000)
afterAll(() => server.close())

describe('a clock that jumps', () => {
  test('three days on, and back again: what was acknowledged is there, in order or not, and nothing is half-written', async () => {
    await work(server, 'today')
    await whole(server)
    expect(await server.end('SIGTERM')).toBe(0)
    const later = under(3)
    await later.start()
    await work(later, 'three days on')
    await whole(later)
    expect(await later.end('SIGTERM')).toBe(0)
    const back = under(0)
    await back.start()
    await work(back, 'back again')
    await whole(back)
    // Every row opens and is the one the ledger knows; that the clock stands behind what was signed is told.
    const red = (await back.cli(['doctor', '--deep', '--json'])).json.findings.filter((f: Json) => f.level === 'red' && f.code !== 'key-file-same-device')
    expect(red.map((f: Json) => f.code)).toEqual(['clock-behind'])
    expect(await back.end('SIGTERM')).toBe(0)
    await server.start()
  }, 180_000)

  test('an idempotency key and an undo outlive the jump back', async () => {
    const headers = { 'Idempotency-Key': 'clock-1' }
    const first = await server.call('POST', '/contacts', { fullName: 'Once' }, { headers })
    expect(first.status).toBe(201)
    expect(await server.end('SIGTERM')).toBe(0)
    const behind = under(-1)
    await behind.start()
    const again = await behind.call('POST', '/contacts', { fullName: 'Once' }, { headers })
    expect([again.status, again.body.id]).toEqual([201, first.body.id])
    expect(await behind.end('SIGTERM')).toBe(0)
    await server.start()
  }, 120_000)
})
