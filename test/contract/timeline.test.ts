import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { TIMELINE_PAGE } from '../../src/kernel/ledger/reading.ts'
import type { Db } from '../../src/kernel/db/index.ts'
import { superuser } from '../attack/scan.ts'
import { startServer, type CallOptions, type Json, type Person, type TestServer } from '../harness/server.ts'

// One timeline per record: the ledger and what hangs on it, inside the rights of whoever asks.

let server: TestServer
let db: Db
let rep: Person
let other: Person
let manager: Person

beforeAll(async () => {
  server = await startServer({ env: { SEALBOOK_REQUESTS_PER_MINUTE: '1000000' } })
  db = superuser(server)
  rep = await server.addPerson('rep@example.com', 'rep')
  other = await server.addPerson('other@example.com', 'rep')
  manager = await server.addPerson('manager@example.com', 'manager')
}, 120_000)
afterAll(async () => {
  await db?.close()
  await server?.close()
})

const as = (p: Person): CallOptions => ({ token: p.token })

async function make(noun: string, body: object, options: CallOptions): Promise<Json> {
  const made = await server.call('POST', `/${noun}`, body, options)
  expect(made.status, made.text).toBe(201)
  return made.body
}

const note = (contactId: string, title: string, at: string, options: CallOptions): Promise<Json> => make('activities', { recordKind: 'contact', recordId: contactId, kind: 'note', title, at }, options)

async function page(path: string, options: CallOptions, cursor?: string | null): Promise<Json> {
  const answer = await server.call('GET', `${path}/timeline${cursor ? `?cursor=${cursor}` : ''}`, undefined, options)
  expect(answer.status, answer.text).toBe(200)
  return answer.body
}

async function whole(path: string, options: CallOptions): Promise<{ items: Json[]; pages: number }> {
  const items: Json[] = []
  for (let cursor: string | null = null, pages = 1; ; pages++) {
    const body: Json = await page(path, options, cursor)
    items.push(...body.items)
    if (!body.nextCursor) return { items, pages }
    cursor = body.nextCursor
  }
}

const stage = (n: number, name: string, kind: string, probability: number): object => ({ id: `0192b1a0-0000-7000-8000-00000000000${n}`, name, kind, probability, stuckAfterDays: null })
const WATCHED = { name: 'Watched', stages: [stage(1, 'New', 'open', 10), stage(2, 'Won', 'won', 100), stage(3, 'Lost', 'lost', 0)] }

describe('a timeline', () => {
  test('holds events and activities in one order of time, newest first, whatever was written down when', async () => {
    const { id } = await make('contacts', { fullName: 'Tina Line' }, as(rep))
    await note(id, 'long ago', '2020-01-01T00:00:00Z', as(rep))
    await note(id, 'yet to come', '2099-01-01T00:00:00Z', as(rep))
    await server.call('PATCH', `/contacts/${id}`, { title: 'CFO' }, { ...as(rep), headers: { 'If-Match': '"1"' } })
    const { items } = await page(`/contacts/${id}`, as(rep))
    expect(items.map((i: Json) => i.at)).toEqual(items.map((i: Json) => i.at).toSorted().toReversed())
    expect(items[0]).toMatchObject({ action: 'activity.created', actorId: rep.id, at: '2099-01-01T00:00:00.000Z', activity: { kind: 'note', title: 'yet to come' } })
    expect(items.at(-1)).toMatchObject({ activity: { title: 'long ago' } })
    expect(items.find((i: Json) => i.action === 'contact.updated').changes).toEqual({ title: { from: null, to: 'CFO' } })
  })

  test('names who wrote it down, whoever it belongs to', async () => {
    const { id } = await make('contacts', { fullName: 'Written By', ownerId: rep.id }, as(manager))
    const written = await make('activities', { recordKind: 'contact', recordId: id, kind: 'task', title: 'by the manager, for the rep', ownerId: rep.id }, as(manager))
    const { items } = await page(`/contacts/${id}`, as(rep))
    expect(items.find((i: Json) => i.activity?.id === written.id)).toMatchObject({ actorId: manager.id, activity: { kind: 'task' } })
  })

  test('tells who looked to the owner and to whoever may give the record away, and to nobody else', async () => {
    const { id } = await make('companies', { name: 'Looked At Ltd' }, as(manager))
    const contact = await make('contacts', { fullName: 'Seen Once', ownerId: rep.id }, as(manager))
    for (const [path, by] of [[`/companies/${id}`, manager], [`/contacts/${contact.id}`, manager], [`/contacts/${contact.id}`, rep]] as const) expect((await server.call('GET', path, undefined, as(by))).status).toBe(200)
    const looks = async (path: string, by: Person): Promise<Json[]> => (await whole(path, as(by))).items.filter((i) => i.purpose !== undefined)
    expect(await looks(`/contacts/${contact.id}`, rep)).toEqual(expect.arrayContaining([expect.objectContaining({ action: 'contact.read', actorId: manager.id, purpose: 'view' })]))
    expect(await looks(`/contacts/${contact.id}`, manager)).toEqual(expect.arrayContaining([expect.objectContaining({ action: 'contact.read', actorId: rep.id })]))
    // A pipeline is read by every rep, and is given away by managers only.
    const pipeline = await make('pipelines', WATCHED, as(manager))
    expect((await server.call('GET', `/pipelines/${pipeline.id}`, undefined, as(other))).status).toBe(200)
    expect((await looks(`/pipelines/${pipeline.id}`, manager)).map((i) => i.actorId)).toContain(other.id)
    expect(await looks(`/pipelines/${pipeline.id}`, other)).toEqual([])
  })

  test('of five thousand events and a thousand notes is read page by page, each once, none left out', async () => {
    const { id } = await make('contacts', { fullName: 'Busy Person' }, as(rep))
    const row = (await server.call('GET', `/contacts/${id}`, undefined, as(rep))).body
    let version: number = row.version
    for (let i = 0; i < 100; i++) {
      const patched = await server.call('PATCH', `/contacts/${id}`, { title: `T${i}` }, { ...as(rep), headers: { 'If-Match': `"${version}"` } })
      version = patched.body.version
    }
    const some = (n: number, act: (i: number) => Promise<unknown>): Promise<unknown> => Promise.all(Array.from({ length: 20 }, async (_, lane) => { for (let i = lane; i < n; i += 20) await act(i) }))
    await some(4_900, () => server.call('GET', `/contacts/${id}`, undefined, as(rep)))
    // Many at one and the same moment: a cursor that knew the time only would lose or repeat them.
    await some(1_000, (i) => note(id, `n${i}`, `2024-0${1 + (i % 3)}-01T00:00:00Z`, as(rep)))
    const { items } = await whole(`/contacts/${id}`, as(rep))
    expect(new Set(items.map((i) => i.id)).size).toBe(items.length)
    expect(items.map((i) => i.at)).toEqual(items.map((i) => i.at).toSorted().toReversed())
    expect(items.filter((i) => i.action === 'contact.read').length).toBeGreaterThanOrEqual(4_901)
    expect(items.filter((i) => i.action === 'contact.updated').length).toBe(100)
    expect(new Set(items.flatMap((i) => i.activity?.title ?? [])).size).toBe(1_000)
  }, 240_000)

  test('reads no table through: a page deep in it begins in the index', async () => {
    await db.query('ANALYZE')
    const plan = async (text: string, params: unknown[]): Promise<string> => JSON.stringify(await db.query(`EXPLAIN (FORMAT JSON) ${text}`, params))
    const [last] = await db.query<{ id: string; object_id: string }>("SELECT id, object_id FROM ledger_event WHERE action = 'contact.updated' ORDER BY id LIMIT 1")
    const events = await plan(TIMELINE_PAGE, [last!.object_id, 'contact', last!.id, null, 'ffffffff-ffff-ffff-ffff-ffffffffffff', true, 51])
    expect(events).toMatch(/"ledger_event_\d{6}_object_id_id_idx"/)
    // Months without an event have nothing to index.
    for (const [, table] of events.matchAll(/"Seq Scan".*?"Relation Name":"(\w+)"/g)) expect(await db.query(`SELECT 1 FROM ${table} LIMIT 1`)).toEqual([])
    const rows = await plan(
      `SELECT id FROM activities WHERE record_id = $1::uuid AND record_kind = $2 AND deleted_at IS NULL AND (coalesce(at, created_at), id) < ($3::timestamptz, $4::uuid) ORDER BY coalesce(at, created_at) DESC, id DESC LIMIT 51`,
      [last!.object_id, 'contact', '2024-02-01T00:00:00Z', last!.id],
    )
    expect(rows).toContain('activities_timeline')
    expect(rows).not.toContain('"Sort"')
  })

  test('is nothing to whoever does not see the record, and a made-up cursor is refused', async () => {
    const { id } = await make('contacts', { fullName: 'Not Yours' }, as(rep))
    await note(id, 'secret of the record', '2024-01-01T00:00:00Z', as(rep))
    const foreign = await server.call('GET', `/contacts/${id}/timeline`, undefined, as(other))
    const absent = await server.call('GET', '/contacts/0192b1a0-0000-7000-8000-000000000000/timeline', undefined, as(other))
    expect([foreign.status, foreign.body.code]).toEqual([absent.status, absent.body.code])
    expect(foreign.status).toBe(404)
    for (const cursor of ['x', Buffer.from('{"rows":{"activity":["\' OR 1=1","a"]}}').toString('base64url'), Buffer.from('[]').toString('base64url')]) {
      expect((await server.call('GET', `/contacts/${id}/timeline?cursor=${cursor}`, undefined, as(rep))).body.code).toBe('invalid')
    }
  })
})
