import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import type { Db } from '../../src/kernel/db/index.ts'
import { Targets } from '../../src/modules/webhooks/index.ts'
import { Receiver } from '../harness/receiver.ts'
import { init, makePlace, TestServer, type CallOptions, type Json, type Person } from '../harness/server.ts'
import { superuser } from './scan.ts'

// How I would steal through a webhook: keep it when I am moved or leave; have it tell of the others' records; have it show what I see masked; point
// it into the house; write its row in the database; read the list of deliveries for what is not in the messages.

vi.setConfig({ testTimeout: 120_000, hookTimeout: 180_000 })

let server: TestServer
let receiver: Receiver
let db: Db
let manager: Person
let rep: Person
let foreign: Person
let north: string
beforeAll(async () => {
  const place = makePlace()
  receiver = await Receiver.open(join(place.folder, 'receiver-ca.crt'))
  const env = { ...place.env, NODE_EXTRA_CA_CERTS: receiver.caFile, SEALBOOK_WEBHOOK_NETWORKS: '127.0.0.0/8,::1/128' }
  server = new TestServer({ ...place, env }, await init(place))
  await server.start()
  db = superuser(server)
  const south = (await server.call('POST', '/departments', { name: 'South' })).body.id
  north = (await server.call('POST', '/departments', { name: 'North' })).body.id
  manager = await server.addPerson('manager@example.com', 'manager', south)
  rep = await server.addPerson('rep@example.com', 'rep', south)
  foreign = await server.addPerson('foreign@example.com', 'rep', north)
})
afterAll(async () => {
  await db?.close()
  await server?.close()
  await receiver?.close()
})

const as = (p: Person, headers: Record<string, string> = {}): CallOptions => ({ token: p.token, headers })
let paths = 0
async function hook(by: Person, words: object = {}): Promise<Json> {
  const path = `/attack-${++paths}`
  const made = await server.call('POST', '/webhooks', { name: 'Integration', url: receiver.url(path), events: ['contact.*', 'company.*', 'activity.*'], ...words }, as(by))
  expect(made.status, made.text).toBe(201)
  return { ...made.body, path }
}
async function make(by: Person, noun: string, body: object): Promise<Json> {
  const made = await server.call('POST', `/${noun}`, body, as(by))
  expect(made.status, made.text).toBe(201)
  return made.body
}
const idsAt = (path: string): unknown[] => receiver.received.filter((r) => r.path === path).flatMap((r) => [r.body.data.id, ...(r.body.data.ids ?? [])])
/** Everything written so far has been followed by every webhook. */
async function followed(): Promise<void> {
  await server.call('GET', '/ledger/checkpoint') // everything has a leaf
  const { body } = await server.call('GET', '/api/health')
  for (let i = 0; i < 600; i++) {
    const [row] = await db.query<{ n: number }>("SELECT count(*)::int AS n FROM webhook h JOIN webhook_progress p ON p.webhook_id = h.id WHERE h.state = 'active' AND (p.next_leaf < $1 OR EXISTS (SELECT FROM webhook_delivery d WHERE d.webhook_id = h.id AND d.state = 'waiting'))", [body.ledger.size])
    if (row!.n === 0) return
    await sleep(50)
  }
  throw new Error('a webhook does not follow')
}

describe('a webhook', () => {
  test('hears nothing of foreign records, what hangs on them, and not even how many there are', async () => {
    const h = await hook(manager)
    const theirs = await make(foreign, 'contacts', { fullName: 'Foreign Person' })
    await make(foreign, 'activities', { recordKind: 'contact', recordId: theirs.id, kind: 'note', body: 'foreign note' })
    const mine = await make(rep, 'contacts', { fullName: 'Team Person' })
    await receiver.waitFor(h.path, 1)
    await followed()
    expect(idsAt(h.path)).toEqual([mine.id])
    const { body } = await server.call('GET', `/webhooks/${h.id}/deliveries`, undefined, as(manager))
    expect(body.items).toHaveLength(1)
  })

  test('is asked for its rights when it sends, not when the change was made: what went out of sight meanwhile is withheld', async () => {
    const h = await hook(manager)
    receiver.answer(h.path, { status: 503 })
    const record = await make(rep, 'contacts', { fullName: 'Given Away Meanwhile' })
    await receiver.waitFor(h.path, 1)
    const given = await server.call('PATCH', `/contacts/${record.id}`, { ownerId: foreign.id }, { headers: { 'If-Match': '"1"' } })
    expect(given.status, given.text).toBe(200)
    await followed()
    expect(idsAt(h.path)).toEqual([record.id])
    const { body } = await server.call('GET', `/webhooks/${h.id}/deliveries`, undefined, as(manager))
    expect(body.items.map((d: Json) => d.state)).toEqual(['withheld'])
  })

  test('loses what its person loses, at once: fields with the right to export, everything with the role', async () => {
    const mover = await server.addPerson('mover@example.com', 'manager', north)
    const h = await hook(mover, { events: ['contact.created'], fields: { contact: ['fullName'] } })
    await make(foreign, 'contacts', { fullName: 'Seen With Name' })
    const [first] = await receiver.waitFor(h.path, 1)
    expect(first!.body.data.record.fields).toEqual({ fullName: 'Seen With Name' })
    const change = async (patch: object): Promise<void> => {
      const { headers } = await server.call('GET', `/users/${mover.id}`)
      const done = await server.call('PATCH', `/users/${mover.id}`, patch, { headers: { 'If-Match': headers['etag']! } })
      expect(done.status, done.text).toBe(200)
    }
    await change({ roles: ['rep'] })
    await make(foreign, 'contacts', { fullName: 'Not Seen Any More' })
    const own = await make(mover, 'contacts', { fullName: 'Own But Not To Be Taken Out' })
    const [, second] = await receiver.waitFor(h.path, 2)
    await followed()
    expect(second!.body.data).toEqual({ entity: 'contact', leaf: expect.any(Number), id: own.id })
    await change({ roles: [] })
    await make(mover, 'contacts', { fullName: 'x' }).catch(() => undefined)
    await make(foreign, 'contacts', { fullName: 'Nobody Hears' })
    await followed()
    expect(idsAt(h.path)).toHaveLength(2)
    expect(receiver.received.map((r) => r.text).join()).not.toMatch(/Not Seen|Nobody Hears|Own But/)
  })

  test('ends with its person, with its token, and with the token it was made with', async () => {
    const [leaver, holder, maker] = [await server.addPerson('leaver@example.com', 'manager', north), await server.addPerson('holder@example.com', 'manager', north), await server.addPerson('maker@example.com', 'manager', north)]
    const hooks = [await hook(leaver), await hook(holder), await hook(maker)]
    expect((await server.call('POST', `/users/${leaver.id}/disable`)).status).toBe(200)
    const tokens = await server.call('GET', '/tokens', undefined, as(holder))
    const own = tokens.body.items.find((t: Json) => t.name === 'webhook: Integration')
    expect((await server.call('DELETE', `/tokens/${own.id}`, undefined, as(holder))).status).toBe(200)
    const made = (await server.call('GET', '/tokens', undefined, as(maker))).body.items.find((t: Json) => t.name === 'test')
    expect((await server.call('DELETE', `/tokens/${made.id}`)).status).toBe(200)
    await make(foreign, 'contacts', { fullName: 'After They Left' })
    for (let i = 0; i < 200; i++) {
      const rows = await db.query<{ state: string; reason: string }>('SELECT state, reason FROM webhook WHERE id = ANY ($1::uuid[])', [hooks.map((h) => h.id)])
      if (rows.every((r) => r.state === 'disabled' && r.reason === 'ended')) break
      await sleep(50)
    }
    expect(await db.query('SELECT state, reason FROM webhook WHERE id = ANY ($1::uuid[])', [hooks.map((h) => h.id)])).toEqual(hooks.map(() => ({ state: 'disabled', reason: 'ended' })))
    for (const h of hooks) expect(idsAt(h.path)).toEqual([])
  })

  test('whose row was written in the database sends nothing, and is told of', async () => {
    const [victim, thief] = [await hook(manager), await hook(foreignManager())]
    await db.query('UPDATE webhook t SET sealed = v.sealed, person_id = v.person_id, principal_id = v.principal_id FROM webhook v WHERE t.id = $1 AND v.id = $2', [thief.id, victim.id])
    await make(rep, 'contacts', { fullName: 'For The Victim Only' })
    await receiver.waitFor(victim.path, 1)
    await sleep(1_500)
    expect(idsAt(thief.path)).toEqual([])
    const [told] = await db.query<{ n: number }>("SELECT count(*)::int AS n FROM ledger_event WHERE action = 'authority.tampered' AND object_id = $1", [thief.id])
    expect(told!.n).toBeGreaterThan(0)
    await db.query('DELETE FROM webhook WHERE id = $1', [thief.id])
    // A delivery that is planted is read from the ledger again, by the rights of its person.
    const theirs = await make(foreign, 'contacts', { fullName: 'Planted Delivery' })
    await followed()
    const [event] = await db.query<{ n: number }>("SELECT l.n FROM ledger_leaf l JOIN ledger_event e ON e.id = l.event_id WHERE e.object_id = $1 AND e.action = 'contact.created'", [theirs.id])
    await db.query("INSERT INTO webhook_delivery (id, webhook_id, leaf, state, created_at, next_at) VALUES (gen_random_uuid(), $1, $2, 'waiting', now(), now())", [victim.id, event!.n])
    await followed()
    expect(idsAt(victim.path)).toHaveLength(1)
    // Moved on past an event, the leaf carries no MAC of ours.
    await db.query('UPDATE webhook_progress SET next_leaf = next_leaf + 1000 WHERE webhook_id = $1', [victim.id])
    await make(rep, 'contacts', { fullName: 'Passed Over' })
    await sleep(1_500)
    const [progress] = await db.query<{ n: number }>("SELECT count(*)::int AS n FROM ledger_event WHERE action = 'authority.tampered' AND object_kind = 'webhook-progress'", [])
    expect(progress!.n).toBeGreaterThan(0)
  })

  test('keeps address, secret, events and fields sealed', async () => {
    const h = await hook(manager, { name: 'A telling name', fields: { contact: ['fullName'] } })
    const [row] = await db.query<{ all: string }>("SELECT string_agg(t::text, ' ') AS all FROM webhook t")
    const [more] = await db.query<{ all: string }>("SELECT string_agg(t::text, ' ') AS all FROM webhook_delivery t")
    for (const value of [h.secret, h.path, 'localhost', 'fullName', 'A telling name', 'contact.']) expect(`${row!.all} ${more!.all}`.includes(value), value).toBe(false)
  })
})

let added: Person | undefined
const foreignManager = (): Person => added!
beforeAll(async () => {
  added = await server.addPerson('north-manager@example.com', 'manager', north)
})

describe('an address', () => {
  const targets = new Targets([])

  test('of a special-purpose network is refused in whatever form it is written, and a name as soon as one of its addresses is', async () => {
    const inside = ['127.0.0.1', '10.1.2.3', '172.31.0.1', '192.168.0.1', '169.254.169.254', '100.64.0.1', '0.0.0.0', '224.0.0.1', '255.255.255.255', '198.18.0.1', '192.0.2.1', '::', '::1', 'fe80::1', 'fc00::1', 'fd12::1', '::ffff:127.0.0.1', '::ffff:8.8.8.8', '64:ff9b::7f00:1', '2002:7f00:1::', '2001:0:1::1', '2001:db8::1', 'ff02::1', '100::1', '3fff::1', '5f00::1']
    expect(inside.filter((a) => targets.isAllowed(a))).toEqual([])
    const outside = ['8.8.8.8', '1.1.1.1', '172.32.0.1', '100.128.0.1', '2606:4700:4700::1111', '2a00:1450::1']
    expect(outside.filter((a) => !targets.isAllowed(a))).toEqual([])
    expect(await targets.resolve('localhost')).toBeNull()
    for (const form of ['https://127.1/', 'https://0x7f000001/', 'https://2130706433/', 'https://0177.0.0.1/', 'https://[::1]/', 'https://[0:0:0:0:0:ffff:7f00:1]/', 'https://１２７.0.0.1/']) expect(await targets.resolve(new URL(form).hostname), form).toBeNull()
  })

  test('of a network the operator named is taken, and no other', () => {
    const named = new Targets(['10.1.0.0/16', 'fd00::/8'])
    expect(['10.1.2.3', 'fd00::1', '8.8.8.8'].every((a) => named.isAllowed(a))).toBe(true)
    expect(['10.2.0.1', '127.0.0.1', 'fe80::1'].some((a) => named.isAllowed(a))).toBe(false)
    for (const wrong of ['10.1.0.0', '10.1.0.0/33', 'house', '::1/129', '10.1.0.0/x']) expect(() => new Targets([wrong])).toThrow('SEALBOOK_WEBHOOK_NETWORKS')
  })
})
