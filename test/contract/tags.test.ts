import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startServer, type Answer, type CallOptions, type Json, type Person, type TestServer } from '../harness/server.ts'
import { expectProblem, UUID } from './shapes.ts'

let server: TestServer
let south: Person
let north: Person
let manager: Person
let head: Person

const as = (p: Person): CallOptions => ({ token: p.token })
const post = (path: string, body: object, p: Person): Promise<Answer> => server.call('POST', path, body, as(p))

beforeAll(async () => {
  server = await startServer()
  const department = async (name: string, parentId?: string): Promise<string> => (await server.call('POST', '/departments', { name, ...(parentId ? { parentId } : {}) })).body.id
  const sales = await department('Sales')
  const [n, s] = [await department('North', sales), await department('South', sales)]
  north = await server.addPerson('north@example.com', 'rep', n)
  south = await server.addPerson('south@example.com', 'rep', s)
  manager = await server.addPerson('manager@example.com', 'manager', s)
  head = await server.addPerson('head@example.com', 'manager', sales)
}, 120_000)
afterAll(() => server.close())

async function renamed(id: string, name: string, p: Person): Promise<Json> {
  const asked = await post(`/tags/${id}/rename`, { name }, p)
  expect(asked.status, asked.text).toBe(202)
  const end = Date.now() + 30_000
  for (;;) {
    const run = await server.call('GET', `/tag-renames/${asked.body.id}`, undefined, as(p))
    if (['done', 'failed'].includes(run.body.state)) return run.body
    if (Date.now() > end) throw new Error('the renaming did not end')
    await new Promise((r) => setTimeout(r, 50))
  }
}
const tagsOf = async (noun: string, id: string, p: Person): Promise<string[]> => (await server.call('GET', `/${noun}/${id}`, undefined, as(p))).body.tags

describe('tags', () => {
  test('are set up by those who set up, and used by all', async () => {
    const made = await post('/tags', { name: '大客户', colour: 'gold' }, manager)
    expect(made.status, made.text).toBe(201)
    expect(made.body).toMatchObject({ id: expect.stringMatching(UUID), name: '大客户', colour: 'gold', formerly: [], version: 1 })
    expectProblem(await post('/tags', { name: 'mine' }, south), 403, 'permission-missing')
    expect((await post('/tags/search', { text: '客户' }, south)).body.items.map((t: Json) => t.name)).toEqual(['大客户'])
    const patch = (body: object): Promise<Answer> => server.call('PATCH', `/tags/${made.body.id}`, body, { ...as(manager), headers: { 'If-Match': '"1"' } })
    expectProblem(await patch({ name: '小客户' }), 400, 'invalid')
    expect((await patch({ colour: 'red' })).body.colour).toBe('red')
  })

  test('are counted inside my scope: two see two numbers, and nobody the sum', async () => {
    const { id } = (await post('/tags', { name: 'VIP' }, manager)).body
    for (const p of [south, south, north]) await post('/contacts', { fullName: 'A Contact', tags: ['VIP', 'other'] }, p)
    await post('/companies', { name: 'A Company', tags: ['vip'] }, south)
    await post('/leads', { fullName: 'A Lead', tags: ['VIP'] }, north)
    await post('/contacts', { fullName: 'Another', tags: ['VIP-not'] }, south)
    const usage = async (p: Person): Promise<Json> => (await post('/tags/usage', { ids: [id] }, p)).body
    expect(await usage(south)).toEqual({ items: [{ id, counts: { contacts: 2, companies: 1, leads: 0, deals: 0, contracts: 0 } }] })
    expect(await usage(north)).toEqual({ items: [{ id, counts: { contacts: 1, companies: 0, leads: 1, deals: 0, contracts: 0 } }] })
    expect(await usage(manager)).toEqual({ items: [{ id, counts: { contacts: 2, companies: 1, leads: 0, deals: 0, contracts: 0 } }] })
    expect(await usage(head)).toEqual({ items: [{ id, counts: { contacts: 3, companies: 1, leads: 1, deals: 0, contracts: 0 } }] })
    // Whoever sees no customers counts none, and is not told that there are any.
    const administrator = await server.addPerson('administrator@example.com', 'administrator')
    expect(await usage(administrator)).toEqual({ items: [{ id, counts: {} }] })
    const narrow = (await post('/tokens', { name: 'narrow', scopes: ['tags:read', 'leads:read'] }, head)).body
    expect((await server.call('POST', '/tags/usage', { ids: [id] }, { token: narrow.token })).body).toEqual({ items: [{ id, counts: { leads: 1 } }] })
  })

  test('a new name is carried to every record that may be changed, to others by whoever may', async () => {
    const { id } = (await post('/tags', { name: 'Old Name' }, manager)).body
    const mine = (await post('/contacts', { fullName: 'Of South', tags: ['first', 'old name', 'last'] }, south)).body.id
    const both = (await post('/companies', { name: 'Of South Too', tags: ['Old Name', 'New Name'] }, south)).body.id
    const foreign = (await post('/leads', { fullName: 'Of North', tags: ['Old Name'] }, north)).body.id
    expect((await renamed(id, 'New Name', manager)).result).toEqual({ done: 2, failed: [], failedCount: 0 })
    expect(await tagsOf('contacts', mine, south)).toEqual(['first', 'New Name', 'last'])
    expect(await tagsOf('companies', both, south)).toEqual(['New Name'])
    expect(await tagsOf('leads', foreign, north)).toEqual(['Old Name'])
    expect((await server.call('GET', `/tags/${id}`, undefined, as(south))).body).toMatchObject({ name: 'New Name', formerly: ['Old Name'] })
    // What still bears the old name is counted with the new one, for whoever sees it.
    expect((await post('/tags/usage', { ids: [id] }, north)).body.items[0].counts.leads).toBe(1)
    expect((await post('/contacts/search', { where: { field: 'tags', op: 'eq', value: 'New Name' } }, south)).body.items.map((c: Json) => c.id)).toEqual([mine])
    expect((await renamed(id, 'New Name', head)).result).toMatchObject({ done: 1 })
    expect(await tagsOf('leads', foreign, north)).toEqual(['New Name'])
    const timeline = (await server.call('GET', `/contacts/${mine}/timeline`, undefined, as(south))).body.items
    expect(timeline.some((i: Json) => i.actorId === manager.id && i.changes?.tags)).toBe(true)
  })

  test('are renamed by nobody who may not, and a renaming is shown to nobody else', async () => {
    const { id } = (await post('/tags', { name: 'Fixed' }, manager)).body
    expectProblem(await post(`/tags/${id}/rename`, { name: 'Mine' }, south), 403, 'permission-missing')
    expectProblem(await post('/tags/019f0000-0000-7000-8000-000000000000/rename', { name: 'x' }, manager), 404, 'not-found')
    expectProblem(await post(`/tags/${id}/rename`, { name: '' }, manager), 400, 'invalid')
    const run = (await post(`/tags/${id}/rename`, { name: 'Again' }, manager)).body.id
    expectProblem(await server.call('GET', `/tag-renames/${run}`, undefined, as(head)), 404, 'not-found')
  })
})
