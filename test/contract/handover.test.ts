import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startServer, type Answer, type CallOptions, type Json, type Person, type TestServer } from '../harness/server.ts'

let server: TestServer
let manager: Person
let leaver: Person
let heir: Person
let second: Person
let foreign: Person
let sales: string

const as = (p: Person): CallOptions => ({ token: p.token })
const outcome = (a: Answer): { status: number; code: string | undefined } => ({ status: a.status, code: a.body?.code })

async function make(noun: string, body: object, who: Person): Promise<Json> {
  const made = await server.call('POST', `/${noun}`, body, as(who))
  expect(made.status, made.text).toBe(201)
  return made.body
}

async function ended(asked: Answer, options: CallOptions): Promise<Json> {
  expect(asked.status, asked.text).toBe(202)
  for (;;) {
    const { body } = await server.call('GET', `/transfers/${asked.body.id}`, undefined, options)
    if (!['queued', 'running'].includes(body.state)) return body
    await sleep(50)
  }
}

const ownerOf = async (noun: string, r: Json, who: CallOptions = {}): Promise<string> => (await server.call('GET', `/${noun}/${r.id}`, undefined, who)).body.ownerId
const idsOf = (list: Answer): string[] => list.body.items.map((r: Json) => r.id)

beforeAll(async () => {
  server = await startServer()
  sales = (await server.call('POST', '/departments', { name: 'Sales' })).body.id
  const away = (await server.call('POST', '/departments', { name: 'Away' })).body.id
  manager = await server.addPerson('manager@example.com', 'manager', sales)
  leaver = await server.addPerson('leaver@example.com', 'rep', sales)
  heir = await server.addPerson('heir@example.com', 'rep', sales)
  second = await server.addPerson('second@example.com', 'rep', sales)
  foreign = await server.addPerson('foreign@example.com', 'rep', away)
}, 240_000)
afterAll(() => server?.close())

describe('a transfer', () => {
  test('gives what a question finds, or what is named, in the background, and can be taken back', async () => {
    const some = await Promise.all(Array.from({ length: 5 }, (_, i) => make('leads', { fullName: `Transfer ${i}`, city: i < 3 ? 'Lyon' : 'Oslo' }, leaver)))
    const where = { field: 'city', op: 'eq', value: 'Lyon' }
    const run = await ended(await server.call('POST', '/leads/transfer', { from: leaver.id, to: heir.id, where }, as(manager)), as(manager))
    expect(run).toMatchObject({ state: 'done', result: { nouns: [{ noun: 'leads', matched: 3, done: 3 }], failedCount: 0, disabled: false, undoToken: expect.any(String) } })
    expect(idsOf(await server.call('POST', '/leads/search', { where }, as(heir))).toSorted()).toEqual(some.slice(0, 3).map((r) => r.id).toSorted())
    expect(await ownerOf('leads', some[4], as(manager))).toBe(leaver.id)
    const named = await ended(await server.call('POST', '/leads/transfer', { from: leaver.id, to: second.id, ids: [some[3].id, some[0].id] }, as(manager)), as(manager))
    // One of them is not the leaver's any more: what is named is given only as far as it is theirs.
    expect(named.result.nouns).toEqual([{ noun: 'leads', matched: 1, done: 1 }])
    const undo = await ended(await server.call('POST', `/transfers/${named.id}/undo`, undefined, as(manager)), as(manager))
    expect(undo.result).toMatchObject({ nouns: [{ matched: 1, done: 1 }], failedCount: 0 })
    expect(await ownerOf('leads', some[3], as(manager))).toBe(leaver.id)
  }, 60_000)

  test('a rep gives nothing away, nobody gives what is out of their reach, a hidden question is refused, and a run is its asker’s', async () => {
    expect(outcome(await server.call('POST', '/leads/transfer', { from: heir.id, to: leaver.id }, as(leaver)))).toEqual({ status: 403, code: 'permission-missing' })
    const theirs = await make('leads', { fullName: 'Out Of Reach' }, foreign)
    const asked = await server.call('POST', '/leads/transfer', { from: foreign.id, to: heir.id }, as(manager))
    const run = await ended(asked, as(manager))
    expect(run.result.nouns).toEqual([{ noun: 'leads', matched: 0, done: 0 }])
    expect(await ownerOf('leads', theirs, as(foreign))).toBe(foreign.id)
    expect((await server.call('GET', `/transfers/${asked.body.id}`, undefined, as(leaver))).status).toBe(404)
    expect((await server.call('POST', `/transfers/${asked.body.id}/undo`, undefined, as(leaver))).status).toBe(404)
    expect(outcome(await server.call('POST', '/leads/transfer', { from: leaver.id, to: heir.id, where: { field: 'nothing', op: 'eq', value: 'x' } }, as(manager)))).toEqual({ status: 400, code: 'field-unknown' })
    expect((await server.call('POST', '/leads/transfer', { from: leaver.id, to: leaver.id }, as(manager))).status).toBe(400)
    expect((await server.call('POST', '/leads/transfer', { from: leaver.id, to: '00000000-0000-4000-8000-000000000001' }, as(manager))).status).toBe(400)
  }, 60_000)

  test('what lies in a pool stays there', async () => {
    const pool = await make('pools', { name: 'Kept', kind: 'lead', departments: [sales] }, manager)
    const lead = await make('leads', { fullName: 'Pool Kept' }, leaver)
    await server.call('POST', `/leads/${lead.id}/release`, { poolId: pool.id }, as(leaver))
    const run = await ended(await server.call('POST', '/leads/transfer', { from: manager.id, to: heir.id }, as(manager)), as(manager))
    expect(run.result.nouns).toEqual([{ noun: 'leads', matched: 0, done: 0 }])
    expect((await server.call('GET', `/leads/${lead.id}`, undefined, as(manager))).body).toMatchObject({ poolId: pool.id, ownerId: manager.id })
  }, 60_000)
})

describe('a hand-over', () => {
  test('counts first, gives everything of the leaver to others by company, open tasks too, and shuts them out', async () => {
    const companies = await Promise.all(['A', 'B', 'C'].map((n) => make('companies', { name: `Handover ${n}` }, leaver)))
    const contacts = await Promise.all(companies.flatMap((c) => [1, 2].map((n) => make('contacts', { fullName: `Handover ${c.name} ${n}`, companyId: c.id }, leaver))))
    const task = await make('activities', { recordKind: 'company', recordId: companies[0].id, kind: 'task', title: 'open task', dueAt: '2030-01-01T09:00:00.000Z' }, leaver)
    const note = await make('activities', { recordKind: 'company', recordId: companies[0].id, kind: 'note', title: 'old note' }, leaver)
    const shared = await server.call('POST', '/views', { noun: 'contacts', name: 'Shared view', kind: 'table', departments: [sales] }, as(leaver))
    expect(shared.status, shared.text).toBe(201)
    const secret = await server.call('POST', '/views', { noun: 'contacts', name: 'Private view', kind: 'table' }, as(leaver))
    expect(secret.status, secret.text).toBe(201)
    const counted = await server.call('POST', '/handovers/preview', { from: leaver.id }, as(manager))
    expect(counted.status, counted.text).toBe(200)
    const of = (noun: string): number | undefined => counted.body.nouns.find((n: Json) => n.noun === noun)?.count
    expect([of('companies'), of('contacts'), of('tasks'), of('views')]).toEqual([3, 6, 1, 1])
    expect(of('leads')).toBeGreaterThan(0)
    const nothing = await server.call('POST', '/handovers/preview', { from: foreign.id }, as(manager))
    expect(nothing.body.total).toBe(0)
    expect((await server.call('POST', '/handovers/preview', { from: leaver.id }, as(heir))).body).toEqual({ nouns: [{ noun: 'tasks', count: 0 }], total: 0 })

    expect(outcome(await server.call('POST', '/handovers', { from: leaver.id, to: [heir.id], disable: true }, as(manager)))).toEqual({ status: 403, code: 'permission-missing' })
    expect(outcome(await server.call('POST', '/handovers', { from: leaver.id, to: [heir.id] }, as(heir)))).toEqual({ status: 403, code: 'permission-missing' })
    // The owner is manager and administrator of the whole firm.
    const run = await ended(await server.call('POST', '/handovers', { from: leaver.id, to: [heir.id, second.id], disable: true }), {})
    expect(run).toMatchObject({ state: 'done', result: { failedCount: 0, disabled: true } })
    for (const [noun, count] of [['companies', 3], ['contacts', 6], ['tasks', 1]] as const) expect(run.result.nouns).toContainEqual({ noun, matched: count, done: count })
    for (const contact of contacts) expect(await ownerOf('contacts', contact)).toBe(await ownerOf('companies', { id: contact.companyId }))
    const given = await server.call('GET', `/activities/${task.id}`)
    expect(given.body.assigneeId).toBe(await ownerOf('companies', companies[0]))
    expect((await server.call('GET', `/activities/${note.id}`)).body.ownerId).toBe(leaver.id)
    expect((await server.call('GET', `/views/${shared.body.id}`, undefined, as(heir))).body).toMatchObject({ mine: true, name: 'Shared view' })
    expect((await server.call('GET', `/views/${secret.body.id}`, undefined, as(heir))).status).toBe(404)
    expect((await server.call('GET', '/me', undefined, as(leaver))).status).toBe(401)
    expect((await server.call('POST', '/handovers/preview', { from: leaver.id })).body.total).toBe(0)
  }, 120_000)

  test('pools of the leaver get another keeper, and what lies in them stays in them, concealed', async () => {
    const pool = await make('pools', { name: 'Handed', kind: 'lead', departments: [sales] }, manager)
    const lead = await make('leads', { fullName: 'Pool Handed', phones: [{ value: '+12025550190' }] }, heir)
    await server.call('POST', `/leads/${lead.id}/release`, { poolId: pool.id }, as(heir))
    const run = await ended(await server.call('POST', '/handovers', { from: manager.id, to: [server.owner.ownerId] }), {})
    expect(run.result.failedCount, JSON.stringify(run)).toBe(0)
    const now = (await server.call('GET', `/leads/${lead.id}`)).body
    expect(now).toMatchObject({ poolId: pool.id, ownerId: server.owner.ownerId })
    expect(now).not.toHaveProperty('phones')
    expect(await ownerOf('pools', pool)).toBe(server.owner.ownerId)
    expect((await server.call('POST', `/leads/${lead.id}/claim`, undefined, as(second))).status).toBe(200)
    const undone = await ended(await server.call('POST', `/transfers/${run.id}/undo`), {})
    expect(undone.state).toBe('done')
    expect(await ownerOf('pools', pool)).toBe(manager.id)
    // It was claimed since and stays with whoever claimed it.
    expect(await ownerOf('leads', lead, as(second))).toBe(second.id)
  }, 120_000)
})
