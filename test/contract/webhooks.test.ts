import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Webhook } from 'standardwebhooks'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Receiver } from '../harness/receiver.ts'
import { makePlace, init, TestServer, type CallOptions, type Json, type Person } from '../harness/server.ts'
import { superuser } from '../attack/scan.ts'
import type { Db } from '../../src/kernel/db/index.ts'
import { expectProblem, UUID } from './shapes.ts'

let server: TestServer
let receiver: Receiver
let db: Db
let manager: Person
let rep: Person
beforeAll(async () => {
  const place = makePlace()
  receiver = await Receiver.open(join(place.folder, 'receiver-ca.crt'))
  const env = { ...place.env, NODE_EXTRA_CA_CERTS: receiver.caFile, SEALBOOK_WEBHOOK_NETWORKS: '127.0.0.0/8,::1/128' }
  server = new TestServer({ ...place, env }, await init(place))
  await server.start()
  db = superuser(server)
  const department = await server.call('POST', '/departments', { name: 'South' })
  manager = await server.addPerson('manager@example.com', 'manager', department.body.id)
  rep = await server.addPerson('rep@example.com', 'rep', department.body.id)
})
afterAll(async () => {
  await db?.close()
  await server?.close()
  await receiver?.close()
})

const as = (p: Person, headers: Record<string, string> = {}): CallOptions => ({ token: p.token, headers })
let paths = 0
async function hook(by: Person, words: object): Promise<Json> {
  const path = `/hook-${++paths}`
  const made = await server.call('POST', '/webhooks', { name: 'Stock system', url: receiver.url(path), ...words }, as(by))
  expect(made.status, made.text).toBe(201)
  return { ...made.body, path }
}
async function contact(by: Person, fullName: string, more: object = {}): Promise<Json> {
  const made = await server.call('POST', '/contacts', { fullName, ...more }, as(by))
  expect(made.status, made.text).toBe(201)
  return made.body
}
const at = (version: number): Record<string, string> => ({ 'If-Match': `"${version}"` })

describe('a webhook', () => {
  test('tells what its person sees, signed as Standard Webhooks asks, with ids only', async () => {
    const h = await hook(manager, { events: ['contact.*'] })
    expect(h).toMatchObject({ id: expect.stringMatching(UUID), version: 1, userId: manager.id, state: 'active', reason: null, events: ['contact.*'], fields: {}, secret: expect.stringMatching(/^whsec_[A-Za-z0-9+/]{43}=$/) })
    const made = await contact(rep, 'Wen Xiaoming', { emails: [{ value: 'wen@example.com' }] })
    await receiver.waitFor(h.path, 1)
    await server.call('PATCH', `/contacts/${made.id}`, { title: 'Buyer' }, as(rep, at(1)))
    await receiver.waitFor(h.path, 2)
    await server.call('DELETE', `/contacts/${made.id}`, undefined, as(rep, at(2)))
    const [created, updated, deleted] = await receiver.waitFor(h.path, 3)
    expect(created!.body).toEqual({ type: 'contact.created', timestamp: expect.any(String), data: { entity: 'contact', leaf: expect.any(Number), id: made.id } })
    expect(updated!.body).toMatchObject({ type: 'contact.updated', data: { id: made.id } })
    expect(deleted!.body).toMatchObject({ type: 'contact.deleted', data: { id: made.id, deleted: true } })
    const verifier = new Webhook(h.secret)
    for (const r of [created!, updated!, deleted!]) expect(verifier.verify(r.text, r.headers as Record<string, string>)).toEqual(r.body)
    expect(() => verifier.verify(created!.text.replace('created', 'creates'), created!.headers as Record<string, string>)).toThrow()
    expect(() => new Webhook(`whsec_${Buffer.alloc(32).toString('base64')}`).verify(created!.text, created!.headers as Record<string, string>)).toThrow()
    expect(new Set([created!, updated!, deleted!].map((r) => r.headers['webhook-id'])).size).toBe(3)
    expect(receiver.received.map((r) => r.text).join()).not.toMatch(/Wen|Buyer|wen@/)
    const deliveries = await server.call('GET', `/webhooks/${h.id}/deliveries`, undefined, as(manager))
    expect(deliveries.body.items).toHaveLength(3)
    expect(deliveries.body.items[0]).toEqual({ id: expect.stringMatching(UUID), leaf: deleted!.body.data.leaf, state: 'delivered', attempts: 1, status: 200, createdAt: expect.any(String), nextAt: null })
  })

  test('shows the fields that are listed, masked where its person sees them masked, and only of rows they may take out', async () => {
    const h = await hook(manager, { events: ['contact.created'], fields: { contact: ['fullName', 'nationalId', 'emails'] } })
    const made = await contact(rep, 'Field Lister', { nationalId: '110101199003074321', title: 'Secret title' })
    const [message] = await receiver.waitFor(h.path, 1)
    expect(message!.body.data).toEqual({ entity: 'contact', leaf: expect.any(Number), id: made.id, record: { version: 1, fields: { fullName: 'Field Lister', emails: [], nationalId: null }, masks: { nationalId: ['****4321'] } } })
    expect(message!.text).not.toContain('Secret title')
  })

  test('is refused for what its person does not hold', async () => {
    const url = receiver.url()
    expectProblem(await server.call('POST', '/webhooks', { name: 'x', url, events: ['contact.created'] }, as(rep)), 403, 'permission-missing')
    const refused = async (words: object): Promise<Json> => {
      const answer = await server.call('POST', '/webhooks', { name: 'x', url, events: ['contact.*'], ...words }, as(manager))
      return { status: answer.status, code: answer.body.code, error: answer.body.errors?.[0] ?? null }
    }
    expect(await refused({ fields: { contact: ['noSuchField'] } })).toMatchObject({ status: 400, code: 'field-unknown' })
    expect(await refused({ events: ['user.created'] })).toEqual({ status: 400, code: 'invalid', error: { path: 'events.0', code: 'more-than-held' } })
    expect(await refused({ scopes: ['users:manage'] })).toEqual({ status: 400, code: 'invalid', error: { path: 'scopes', code: 'more-than-held' } })
    expect(await refused({ scopes: ['deals:read'] })).toEqual({ status: 400, code: 'invalid', error: { path: 'events.0', code: 'more-than-held' } })
    expect(await refused({ scopes: ['contacts:read'], fields: { contact: ['fullName'] } })).toEqual({ status: 403, code: 'permission-missing', error: null })
  })

  test('goes to https addresses of the public internet only', async () => {
    const codes: Record<string, string> = {}
    for (const url of ['http://example.com/', 'https://user:pass@example.com/', 'https://10.0.0.7/', 'https://169.254.169.254/latest', 'https://[fd00::1]/', 'https://[::ffff:10.0.0.1]/', 'https://0x0a000001/', 'https://192.168.1.1.:8443/', 'file:///etc/passwd', 'https://[64:ff9b::a00:1]/']) {
      const answer = await server.call('POST', '/webhooks', { name: 'x', url, events: ['contact.*'] }, as(manager))
      codes[url] = answer.body.errors?.[0]?.code
    }
    expect(codes).toEqual({
      'http://example.com/': 'https-only', 'https://user:pass@example.com/': 'url-credentials', 'https://10.0.0.7/': 'address-refused', 'https://169.254.169.254/latest': 'address-refused',
      'https://[fd00::1]/': 'address-refused', 'https://[::ffff:10.0.0.1]/': 'address-refused', 'https://0x0a000001/': 'address-refused', 'https://192.168.1.1.:8443/': 'address-refused', 'file:///etc/passwd': 'url-invalid', 'https://[64:ff9b::a00:1]/': 'address-refused',
    })
  })

  test('follows no redirect and tries again until it is taken, with the same id', async () => {
    const h = await hook(manager, { events: ['contact.created'] })
    receiver.answer(h.path, { status: 302, headers: { Location: receiver.url('/elsewhere') } }, { status: 500 })
    await contact(rep, 'Again And Again')
    const tries = await receiver.waitFor(h.path, 3)
    expect(new Set(tries.map((t) => t.headers['webhook-id'])).size).toBe(1)
    for (const t of tries) new Webhook(h.secret).verify(t.text, t.headers as Record<string, string>)
    expect(receiver.received.some((r) => r.path === '/elsewhere')).toBe(false)
    await settled(h.id)
    const { body } = await server.call('GET', `/webhooks/${h.id}/deliveries`, undefined, as(manager))
    expect(body.items).toMatchObject([{ state: 'delivered', attempts: 3, status: 200 }])
  })

  test('misses nothing while the server is down, and sends what was not taken after a kill', async () => {
    const h = await hook(manager, { events: ['contact.created'] })
    await server.call('PATCH', `/webhooks/${h.id}`, { state: 'paused' }, as(manager, at(1)))
    const names = await Promise.all(Array.from({ length: 12 }, (_, i) => contact(rep, `Kept ${i}`)))
    await server.call('PATCH', `/webhooks/${h.id}`, { state: 'active' }, as(manager, at(2)))
    await receiver.waitFor(h.path, 1)
    await db.close()
    await server.end('SIGKILL')
    await server.start()
    db = superuser(server)
    await db.query('UPDATE webhook_progress SET claimed_until = NULL')
    for (let i = 0; i < 400 && new Set(receiver.received.filter((r) => r.path === h.path).map((r) => r.body.data.id)).size < 12; i++) await sleep(50)
    expect(new Set(receiver.received.filter((r) => r.path === h.path).map((r) => r.body.data.id))).toEqual(new Set(names.map((n) => n.id)))
  })

  test('an import is told in one message with the ids of its rows', async () => {
    const h = await hook(manager, { events: ['contact.imported'] })
    const file = 'Name,Email\nImported One,one@example.com\nImported Two,two@example.com\n'
    const part = (name: string, value: string): string => `--xx\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`
    const body = Buffer.from(`${part('source', 'test')}--xx\r\nContent-Disposition: form-data; name="file"; filename="u.csv"\r\nContent-Type: text/csv\r\n\r\n${file}\r\n--xx--\r\n`)
    expect((await server.call('POST', '/imports', body, as(rep, { 'Content-Type': 'multipart/form-data; boundary=xx' }))).status).toBe(202)
    const [message] = await receiver.waitFor(h.path, 1)
    expect(message!.body).toMatchObject({ type: 'contact.imported', data: { entity: 'contact', ids: [expect.stringMatching(UUID), expect.stringMatching(UUID)] } })
  })

  test('the test message holds nothing; a new secret signs beside the old one for a day', async () => {
    const h = await hook(manager, { events: ['deal.*'] })
    expect((await server.call('POST', `/webhooks/${h.id}/test`, {}, as(manager))).body).toEqual({ outcome: 'delivered', status: 200 })
    const rotated = await server.call('POST', `/webhooks/${h.id}/secret`, {}, as(manager))
    expect(rotated.body.secret).not.toBe(h.secret)
    receiver.answer(h.path, { status: 404 })
    expect((await server.call('POST', `/webhooks/${h.id}/test`, {}, as(manager))).body).toEqual({ outcome: 'refused', status: 404 })
    const [, second] = await receiver.waitFor(h.path, 2)
    expect(second!.body).toEqual({ type: 'webhook.test', timestamp: expect.any(String), data: { webhookId: h.id } })
    for (const secret of [h.secret, rotated.body.secret]) new Webhook(secret).verify(second!.text, second!.headers as Record<string, string>)
    expect((await server.call('GET', `/webhooks/${h.id}`, undefined, as(manager))).text).not.toContain('whsec_')
  })

  test('is disabled when the target says 410, and after days of failure; its person lets it go on', async () => {
    const h = await hook(manager, { events: ['contact.created'] })
    receiver.answer(h.path, { status: 410 })
    const first = await contact(rep, 'Gone Away')
    const disabled = await waitForState(h.id, 'disabled')
    expect(disabled).toMatchObject({ reason: 'gone' })
    await server.call('PATCH', `/webhooks/${h.id}`, { state: 'active' }, as(manager, at(disabled.version)))
    const again = await receiver.waitFor(h.path, 2)
    expect(again.map((r) => r.body.data.id)).toEqual([first.id, first.id])
    await settled(h.id)
    receiver.answer(h.path, { status: 500 }, { status: 500 })
    await contact(rep, 'Fails For Days')
    await receiver.waitFor(h.path, 3)
    await db.query("UPDATE webhook_progress SET failing_since = now() - interval '6 days' WHERE webhook_id = $1", [h.id])
    expect(await waitForState(h.id, 'disabled')).toMatchObject({ reason: 'failing', failingSince: expect.any(String) })
    const events = await db.query<{ n: number }>("SELECT count(*)::int AS n FROM ledger_event WHERE action = 'webhook.disabled' AND object_id = $1", [h.id])
    expect(events[0]!.n).toBe(2)
  })

  test('is seen by its person, ended by an administrator, and nobody else’s; ended, nothing comes any more', async () => {
    const h = await hook(manager, { events: ['contact.created'] })
    for (const [method, path, body] of [['GET', '', undefined], ['DELETE', '', undefined], ['GET', '/deliveries', undefined]] as const) expectProblem(await server.call(method, `/webhooks/${h.id}${path}`, body, as(rep)), 404, 'not-found')
    const seen = await server.call('GET', `/webhooks/${h.id}`)
    expect(seen.body).toMatchObject({ url: null, host: expect.stringMatching(/^localhost:/), userId: manager.id })
    for (const [method, path, body] of [['PATCH', '', { state: 'paused' }], ['POST', '/secret', {}], ['POST', '/test', {}], ['GET', '/deliveries', undefined]] as const) expectProblem(await server.call(method, `/webhooks/${h.id}${path}`, body, { headers: at(1) }), 404, 'not-found')
    expectProblem(await server.call('GET', `/webhooks/${randomUUID()}`, undefined, as(manager)), 404, 'not-found')
    expect((await server.call('DELETE', `/webhooks/${h.id}`)).status).toBe(200)
    const other = await hook(manager, { events: ['contact.created'] })
    await contact(rep, 'After The End')
    await receiver.waitFor(other.path, 1)
    expect(receiver.received.filter((r) => r.path === h.path)).toEqual([])
  })
})

/** Until nothing of it waits. */
async function settled(id: string): Promise<void> {
  for (let i = 0; i < 400; i++) {
    const [row] = await db.query<{ n: number }>("SELECT count(*)::int AS n FROM webhook_delivery WHERE webhook_id = $1 AND state = 'waiting'", [id])
    if (row!.n === 0) return
    await sleep(50)
  }
  throw new Error('deliveries wait for ever')
}

async function waitForState(id: string, state: string): Promise<Json> {
  for (let i = 0; i < 400; i++) {
    const { body } = await server.call('GET', `/webhooks/${id}`, undefined, as(manager))
    if (body.state === state) return body
    await sleep(50)
  }
  throw new Error(`never ${state}`)
}
