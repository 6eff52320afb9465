import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startServer, type Answer, type CallOptions, type Json, type Person, type TestServer } from '../harness/server.ts'
import { asSuperuser } from '../faults/home.ts'
import { expectProblem, UUID } from './shapes.ts'

/*
 * How one would steal through a view: share a filter whose value the reader may not see; have a colleague's view answer for one's own rights; keep a
 * favourite of what one has lost; put a view of somebody else among one's own in the database.
 */

let server: TestServer
let sales: string
let rep: Person
let colleague: Person
let outsider: Person
let manager: Person
let administrator: Person

const as = (p: Person, headers: Record<string, string> = {}): CallOptions => ({ token: p.token, headers })
const post = (path: string, body: object, p: Person): Promise<Answer> => server.call('POST', path, body, as(p))
const get = (path: string, p: Person): Promise<Answer> => server.call('GET', path, undefined, as(p))
const listed = async (p: Person): Promise<string[]> => (await get('/views', p)).body.items.map((v: Json) => v.id)

beforeAll(async () => {
  server = await startServer()
  const department = async (name: string, parentId?: string): Promise<string> => (await server.call('POST', '/departments', { name, ...(parentId ? { parentId } : {}) })).body.id
  sales = await department('Sales')
  const south = await department('South', sales)
  const other = await department('Other')
  rep = await server.addPerson('rep@example.com', 'rep', south)
  colleague = await server.addPerson('colleague@example.com', 'rep', south)
  outsider = await server.addPerson('outsider@example.com', 'rep', other)
  manager = await server.addPerson('manager@example.com', 'manager', sales)
  administrator = await server.addPerson('administrator@example.com', 'administrator', sales)
}, 120_000)
afterAll(() => server.close())

const WORDS = { noun: 'contacts', name: '上海的客户', kind: 'table', where: { field: 'city', op: 'eq', value: '上海' }, sort: [{ field: 'fullName', direction: 'desc' }], columns: ['fullName', 'phones'] } as const

describe('a view', () => {
  test('is kept, changed and removed by whom it is of, and seen by nobody else', async () => {
    const made = await post('/views', WORDS, rep)
    expect(made.status, made.text).toBe(201)
    expect(made.body).toMatchObject({ id: expect.stringMatching(UUID), version: 1, ownerId: rep.id, mine: true, departments: [], ...WORDS, refused: [] })
    const { id } = made.body
    expect((await get(`/views/${id}`, rep)).headers['etag']).toBe('"1"')
    for (const p of [colleague, outsider, manager, administrator]) {
      expectProblem(await get(`/views/${id}`, p), 404, 'not-found')
      expect(await listed(p)).not.toContain(id)
      for (const method of ['PATCH', 'DELETE']) expectProblem(await server.call(method, `/views/${id}`, method === 'PATCH' ? { name: 'x' } : undefined, as(p, { 'If-Match': '"1"' })), 404, 'not-found')
    }
    const patched = await server.call('PATCH', `/views/${id}`, { name: '华东', by: 'stage', kind: 'board' }, as(rep, { 'If-Match': '"1"' }))
    expect(patched.body).toMatchObject({ version: 2, name: '华东', kind: 'board', by: 'stage', where: WORDS.where })
    expectProblem(await server.call('PATCH', `/views/${id}`, { name: 'late' }, as(rep, { 'If-Match': '"1"' })), 412, 'version-stale')
    expectProblem(await server.call('DELETE', `/views/${id}`, undefined, as(rep)), 428, 'if-match-required')
    expect((await server.call('DELETE', `/views/${id}`, undefined, as(rep, { 'If-Match': '"2"' }))).status).toBe(200)
    expectProblem(await get(`/views/${id}`, rep), 404, 'not-found')
  })

  test.each([
    [{ ...WORDS, where: { field: 'secretField', op: 'eq', value: 1 } }, 'field-unknown'],
    [{ ...WORDS, sort: [{ field: 'nothing' }] }, 'field-unknown'],
    [{ ...WORDS, columns: ['nothing'] }, 'field-unknown'],
    [{ ...WORDS, by: 'nothing' }, 'field-unknown'],
    [{ ...WORDS, where: { field: 'city', op: 'nonsense', value: 1 } }, 'invalid'],
    [{ ...WORDS, noun: 'users' }, 'invalid'],
    [{ ...WORDS, kind: 'gallery' }, 'invalid'],
    [{ ...WORDS, where: { field: 'city', op: 'in', value: Array.from({ length: 900 }, () => 'x'.repeat(100)) } }, 'invalid'],
  ])('what cannot be asked is not kept', async (body, code) => expectProblem(await post('/views', body, rep), 400, code))

  test('an administrator, who sees no customers, keeps no view of them', async () => expectProblem(await post('/views', WORDS, administrator), 400, 'invalid'))
})

describe('a shared view', () => {
  test('is seen by the people of its departments and of those below, and by no others', async () => {
    const { id } = (await post('/views', { ...WORDS, departments: [sales] }, manager)).body
    for (const p of [rep, colleague]) {
      const { body } = await get(`/views/${id}`, p)
      expect(body).toMatchObject({ id, mine: false, ownerId: manager.id, where: WORDS.where, columns: WORDS.columns, refused: [] })
      expect(body).not.toHaveProperty('departments')
      expect(await listed(p)).toContain(id)
      expectProblem(await server.call('PATCH', `/views/${id}`, { name: 'x' }, as(p, { 'If-Match': '"1"' })), 404, 'not-found')
    }
    for (const p of [outsider, administrator]) {
      expectProblem(await get(`/views/${id}`, p), 404, 'not-found')
      expect(await listed(p)).not.toContain(id)
    }
    expect((await server.call('PATCH', `/views/${id}`, { departments: [] }, as(manager, { 'If-Match': '"1"' }))).status).toBe(200)
    expectProblem(await get(`/views/${id}`, rep), 404, 'not-found')
  })

  test('is shared downwards only', async () => {
    expectProblem(await post('/views', { ...WORDS, departments: [sales] }, rep), 400, 'invalid')
    expectProblem(await post('/views', { ...WORDS, departments: ['019f0000-0000-7000-8000-000000000000'] }, manager), 400, 'invalid')
  })

  test('does not widen what its reader sees: the same filter finds each their own', async () => {
    for (const p of [rep, colleague]) await post('/contacts', { fullName: `Of ${p.email}`, city: '上海' }, p)
    const { id } = (await post('/views', { ...WORDS, departments: [sales] }, manager)).body
    const found = async (p: Person): Promise<string[]> => {
      const { where, sort } = (await get(`/views/${id}`, p)).body
      return (await post('/contacts/search', { where, sort }, p)).body.items.map((c: Json) => c.fullName)
    }
    expect(await found(rep)).toEqual(['Of rep@example.com'])
    expect(await found(colleague)).toEqual(['Of colleague@example.com'])
    expect(await found(manager)).toHaveLength(2)
  })

  test('a value its reader sees only masked is not told by the filter that names it', async () => {
    const NUMBER = '110101199003071234'
    const where = { or: [{ field: 'city', op: 'eq', value: '上海' }, { field: 'nationalId', op: 'eq', value: NUMBER }] }
    const { id } = (await post('/views', { ...WORDS, where, departments: [sales] }, manager)).body
    expect((await get(`/views/${id}`, manager)).body.where).toEqual(where)
    const read = await get(`/views/${id}`, rep)
    expect(read.body).toMatchObject({ refused: [{ part: 'where', code: 'field-unknown' }], columns: WORDS.columns })
    expect(read.body).not.toHaveProperty('where')
    const list = await get('/views', rep)
    for (const answer of [read, list]) expect(answer.text).not.toContain(NUMBER)
  })

  test('a field that is gone for its reader takes its part along, and that part alone', async () => {
    const field = await server.call('POST', '/custom-fields', { entity: 'contact', key: 'budget', label: { en: 'Budget', zh: '预算' }, type: 'text', class: 'confidential', find: ['text'] })
    expect(field.status, field.text).toBe(201)
    const where = { field: 'custom.budget', op: 'contains', value: 'Geheimwert' }
    const { id } = (await post('/views', { ...WORDS, where, departments: [sales] }, manager)).body
    expect((await get(`/views/${id}`, rep)).body.where).toEqual(where)
    expect((await server.call('DELETE', `/custom-fields/${field.body.id}`, undefined, { headers: { 'If-Match': '"1"' } })).status).toBe(200)
    const { body, text } = await get(`/views/${id}`, rep)
    expect(body.refused).toEqual([{ part: 'where', code: 'field-unknown' }])
    expect(body).toMatchObject({ columns: WORDS.columns, sort: WORDS.sort })
    expect(text).not.toContain('Geheimwert')
  })
})

describe('in the database', () => {
  test('a filter is not readable, and a view that other hands shared or moved does not open', async () => {
    const { id } = (await post('/views', { ...WORDS, name: 'Kanarienvogel' }, manager)).body
    const rows = await asSuperuser<{ row: string }>(server.place.home, 'SELECT t::text AS row FROM saved_view t')
    expect(rows.map((r) => r.row).join()).not.toMatch(/Kanarienvogel|上海|fullName/)
    await asSuperuser(server.place.home, 'UPDATE saved_view SET departments = $2::uuid[] WHERE id = $1', [id, [sales]])
    expectProblem(await get(`/views/${id}`, rep), 503, 'seal-broken')
    expect(await listed(rep)).not.toContain(id)
    expect((await get('/views', rep)).body.refused).toBe(1)
    await asSuperuser(server.place.home, "UPDATE saved_view SET departments = '{}', person_id = $2 WHERE id = $1", [id, rep.id])
    expectProblem(await get(`/views/${id}`, rep), 503, 'seal-broken')
    await asSuperuser(server.place.home, 'UPDATE saved_view SET person_id = $2 WHERE id = $1', [id, manager.id])
    expect((await get(`/views/${id}`, manager)).body.name).toBe('Kanarienvogel')
    expect(await asSuperuser(server.place.home, "SELECT id FROM ledger_event WHERE action = 'seal.refused' AND object_id = $1", [id])).not.toEqual([])
  })
})

describe('favourites', () => {
  const favourites = async (p: Person): Promise<string[]> => (await get('/favourites', p)).body.items.map((f: Json) => `${f.kind}/${f.id}`)

  test('are one\'s own: records and views, the newest first', async () => {
    const contact = (await post('/contacts', { fullName: 'Kept At Hand' }, rep)).body.id
    const view = (await post('/views', WORDS, rep)).body.id
    for (const path of [`contacts/${contact}`, `views/${view}`, `contacts/${contact}`]) expect((await server.call('PUT', `/favourites/${path}`, undefined, as(rep))).status).toBe(200)
    expect(await favourites(rep)).toEqual([`views/${view}`, `contacts/${contact}`])
    expect(await favourites(manager)).toEqual([])
    expect((await server.call('DELETE', `/favourites/views/${view}`, undefined, as(rep))).status).toBe(200)
    expect(await favourites(rep)).toEqual([`contacts/${contact}`])
  })

  test('what one does not see cannot be kept, and what one has lost is not shown', async () => {
    const foreign = (await post('/contacts', { fullName: 'Of Others' }, outsider)).body.id
    const absent = await server.call('PUT', '/favourites/contacts/019f0000-0000-7000-8000-000000000000', undefined, as(rep))
    const forbidden = await server.call('PUT', `/favourites/contacts/${foreign}`, undefined, as(rep))
    for (const answer of [absent, forbidden, await server.call('PUT', `/favourites/users/${rep.id}`, undefined, as(rep)), await server.call('PUT', `/favourites/contact/${foreign}`, undefined, as(outsider))]) expectProblem(answer, 404, 'not-found')
    const given = (await post('/contacts', { fullName: 'Given Away' }, manager)).body.id
    const assign = (ownerId: string, version: number): Promise<Answer> => server.call('PATCH', `/contacts/${given}`, { ownerId }, as(manager, { 'If-Match': `"${version}"` }))
    expect((await assign(rep.id, 1)).status).toBe(200)
    expect((await server.call('PUT', `/favourites/contacts/${given}`, undefined, as(rep))).status).toBe(200)
    expect((await assign(colleague.id, 2)).status).toBe(200)
    expect(await favourites(rep)).not.toContain(`contacts/${given}`)
    expect((await assign(rep.id, 3)).status).toBe(200)
    expect(await favourites(rep)).toContain(`contacts/${given}`)
  })
})
