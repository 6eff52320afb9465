import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startServer, type Answer, type Json, type TestServer } from '../harness/server.ts'
import { expectProblem, INSTANT, UUID } from './shapes.ts'

let server: TestServer
const ids: Record<string, string> = {}

const PEOPLE = [
  { fullName: '王小明', emails: [{ value: 'wang@example.cn', label: '' }], phones: [{ value: '+8613800005678', label: '' }], tags: ['vip'], stage: 'active', title: '采购经理' },
  { fullName: '李雷', emails: [{ value: 'lilei@example.cn', label: '' }], stage: 'dormant' },
  { fullName: 'Ada Lovelace', emails: [{ value: 'Ada@Example.org', label: '' }], phones: [{ value: '+442079460123', label: '' }], stage: 'active' },
  { fullName: 'Charles Babbage', title: 'Engine builder', stage: 'former' },
  { fullName: 'Zoë Ångström', stage: 'active' },
] as const

beforeAll(async () => {
  server = await startServer()
  for (const person of PEOPLE) {
    const { body } = await server.call('POST', '/contacts', person)
    ids[person.fullName] = body.id
  }
})
afterAll(() => server.close())

const search = (body: object): Promise<Answer> => server.call('POST', '/contacts/search', body)
const namesOf = (answer: Answer): string[] => (answer.body.items as Json[]).map((i) => String(i.fullName)).toSorted()

describe('search', () => {
  test('answers items, nextCursor, complete, and count when asked; read your writes', async () => {
    const all = await search({ count: true })
    expect(all.status).toBe(200)
    expect(all.body).toMatchObject({ nextCursor: null, count: PEOPLE.length, complete: true })
    expect(all.body.items).toHaveLength(PEOPLE.length)
    expect((await search({})).body).not.toHaveProperty('count')
  })

  test.each([
    ['part of a Chinese name', '小明', ['王小明']],
    ['pinyin', 'wangxiaoming', ['王小明']],
    ['initials', 'wxm', ['王小明']],
    ['part of a Latin name', 'lovel', ['Ada Lovelace']],
    ['a typo', 'lovelase', ['Ada Lovelace']],
    ['the last four digits of a phone', '5678', ['王小明']],
    ['an e-mail in any case', 'ADA@example.ORG', ['Ada Lovelace']],
  ])('text by %s', async (_what, text, names) => {
    expect(namesOf(await search({ text }))).toEqual(names)
  })

  test.each([
    [{ field: 'stage', op: 'eq', value: 'active' }, ['Ada Lovelace', 'Zoë Ångström', '王小明']],
    [{ field: 'stage', op: 'ne', value: 'active' }, ['Charles Babbage', '李雷']],
    [{ field: 'stage', op: 'in', value: ['former', 'dormant'] }, ['Charles Babbage', '李雷']],
    [{ field: 'fullName', op: 'contains', value: 'LOVE' }, ['Ada Lovelace']],
    [{ field: 'fullName', op: 'startsWith', value: '王' }, ['王小明']],
    [{ field: 'fullName', op: 'endsWith', value: 'babbage' }, ['Charles Babbage']],
    [{ field: 'emails', op: 'eq', value: 'ada@EXAMPLE.org' }, ['Ada Lovelace']],
    [{ field: 'phones', op: 'eq', value: '+8613800005678' }, ['王小明']],
    [{ field: 'title', op: 'isEmpty' }, ['Ada Lovelace', 'Zoë Ångström', '李雷']],
    [{ field: 'tags', op: 'eq', value: 'vip' }, ['王小明']],
    [{ field: 'createdAt', op: 'gt', value: '2020-01-01T00:00:00Z' }, PEOPLE.map((p) => p.fullName)],
    [{ field: 'createdAt', op: 'lt', value: '2020-01-01T00:00:00Z' }, []],
    [{ field: 'createdAt', op: 'between', value: ['2020-01-01T00:00:00Z', '2100-01-01T00:00:00Z'] }, PEOPLE.map((p) => p.fullName)],
    [{ and: [{ field: 'stage', op: 'eq', value: 'active' }, { field: 'fullName', op: 'contains', value: 'a' }] }, ['Ada Lovelace']],
    [{ or: [{ field: 'stage', op: 'eq', value: 'former' }, { field: 'fullName', op: 'eq', value: '李雷' }] }, ['Charles Babbage', '李雷']],
    [{ not: { field: 'stage', op: 'eq', value: 'active' } }, ['Charles Babbage', '李雷']],
  ])('where %j', async (where, names) => {
    const answer = await search({ where })
    expect({ status: answer.status, text: answer.status === 200 ? '' : answer.text }).toEqual({ status: 200, text: '' })
    expect(namesOf(answer)).toEqual([...names].toSorted())
  })

  test('sorts by a sealed field, both ways, and pages with a cursor that loses nothing', async () => {
    const seen: string[] = []
    let cursor: string | null = null
    do {
      const page = await search({ sort: [{ field: 'fullName', direction: 'asc' }], limit: 2, ...(cursor ? { cursor } : {}) })
      expect(page.status).toBe(200)
      seen.push(...(page.body.items as Json[]).map((i) => i.fullName))
      cursor = page.body.nextCursor
    } while (cursor)
    expect(seen).toHaveLength(PEOPLE.length)
    const down = await search({ sort: [{ field: 'fullName', direction: 'desc' }] })
    expect((down.body.items as Json[]).map((i) => i.fullName)).toEqual(seen.toReversed())
    expect(seen.indexOf('Ada Lovelace')).toBeLessThan(seen.indexOf('Charles Babbage'))
  })

  test('a cursor of another question is refused', async () => {
    const { body } = await search({ limit: 1 })
    expect(body.nextCursor).toEqual(expect.any(String))
    expectProblem(await search({ limit: 1, where: { field: 'stage', op: 'eq', value: 'active' }, cursor: body.nextCursor }), 400, 'invalid')
    expectProblem(await search({ cursor: 'AAAA' }), 400, 'invalid')
  })

  test('fields narrows what comes back', async () => {
    const { body } = await search({ fields: ['fullName'], limit: 1 })
    expect(body.items[0]).toHaveProperty('fullName')
    expect(body.items[0]).not.toHaveProperty('emails')
  })

  test.each([[{ limit: 0 }], [{ limit: 201 }], [{ where: { field: 'stage', op: 'like', value: 'x' } }], [{ where: { nonsense: 1 } }], [{ where: 'stage' }], [{ unknown: 1 }], [{ text: 5 }]])('%j is refused', async (body) => {
    const answer = await search(body)
    expect(answer.status).toBe(400)
  })

  test('a tower of conditions is refused, not climbed', async () => {
    let where: object = { field: 'stage', op: 'eq', value: 'active' }
    for (let i = 0; i < 200; i++) where = { not: where }
    expect((await search({ where })).status).toBe(400)
  })

  test('a deleted contact is not found and a restored one is', async () => {
    const { body } = await server.call('POST', '/contacts', { fullName: 'Ephemeral Person' })
    expect(namesOf(await search({ text: 'ephemeral' }))).toEqual(['Ephemeral Person'])
    await server.call('DELETE', `/contacts/${body.id}`, undefined, { headers: { 'If-Match': '"1"' } })
    expect(namesOf(await search({ text: 'ephemeral' }))).toEqual([])
    await server.call('POST', `/contacts/${body.id}/restore`, {})
    expect(namesOf(await search({ text: 'ephemeral' }))).toEqual(['Ephemeral Person'])
    await server.call('DELETE', `/contacts/${body.id}`, undefined, { headers: { 'If-Match': '"3"' } })
  })
})

describe('bulk and undo', () => {
  const fresh = async (names: string[]): Promise<string[]> => Promise.all(names.map(async (fullName) => (await server.call('POST', '/contacts', { fullName })).body.id as string))
  const stageOf = async (id: string): Promise<string> => (await server.call('GET', `/contacts/${id}`)).body.stage

  test('patches, tells who failed, and is undone by its token', async () => {
    const [a = '', b = ''] = await fresh(['Bulk A', 'Bulk B'])
    const ghost = '0192b1a0-0000-7000-8000-000000000002'
    const done = await server.call('POST', '/contacts/bulk', { ids: [a, b, ghost], action: 'patch', patch: { stage: 'former' } })
    expect(done.status).toBe(200)
    expect(done.body).toEqual({ done: 2, failed: [{ id: ghost, code: 'not-found' }], undoToken: expect.any(String) })
    expect(await stageOf(a)).toBe('former')
    const undone = await server.call('POST', '/undo', { undoToken: done.body.undoToken })
    expect(undone.body).toMatchObject({ done: 2, failed: [] })
    expect([await stageOf(a), await stageOf(b)]).toEqual(['active', 'active'])
    expectProblem(await server.call('POST', '/undo', { undoToken: done.body.undoToken }), 404, 'not-found')
  })

  test('tags, deletes and restores', async () => {
    const [a = ''] = await fresh(['Bulk C'])
    expect((await server.call('POST', '/contacts/bulk', { ids: [a], action: 'tag', patch: { tags: ['fair'] } })).body.done).toBe(1)
    expect((await server.call('GET', `/contacts/${a}`)).body.tags).toEqual(['fair'])
    expect((await server.call('POST', '/contacts/bulk', { ids: [a], action: 'delete' })).body.done).toBe(1)
    expectProblem(await server.call('GET', `/contacts/${a}`), 404, 'not-found')
    expect((await server.call('POST', '/contacts/bulk', { ids: [a], action: 'restore' })).body.done).toBe(1)
    expect((await server.call('GET', `/contacts/${a}`)).status).toBe(200)
    await server.call('POST', '/contacts/bulk', { ids: [a], action: 'delete' })
  })

  test('too many ids, no ids and unknown actions are refused', async () => {
    const many = Array.from({ length: 1001 }, (_, i) => `0192b1a0-0000-7000-8000-${String(i).padStart(12, '0')}`)
    for (const body of [{ ids: many, action: 'delete' }, { ids: [], action: 'delete' }, { ids: [many[0]], action: 'explode' }]) {
      expectProblem(await server.call('POST', '/contacts/bulk', body), 400, 'invalid')
    }
  })
})

describe('history', () => {
  test('the timeline tells changes newest first, and who looked', async () => {
    const id = ids['Ada Lovelace'] ?? ''
    await server.call('PATCH', `/contacts/${id}`, { title: 'Countess' }, { headers: { 'If-Match': '"1"' } })
    await server.call('GET', `/contacts/${id}`)
    const { body } = await server.call('GET', `/contacts/${id}/timeline`)
    expect(body).toMatchObject({ items: expect.any(Array), nextCursor: null })
    for (const item of body.items) expect(item).toMatchObject({ id: expect.stringMatching(UUID), at: expect.stringMatching(INSTANT), actorId: server.owner.ownerId, action: expect.stringMatching(/^[a-z-]+\.[a-z-]+$/) })
    const updated = body.items.find((i: Json) => i.action === 'contact.updated')
    expect(updated.changes).toMatchObject({ title: { from: null, to: 'Countess' } })
    expect(body.items.map((i: Json) => i.action)).toEqual(expect.arrayContaining(['contact.created', 'contact.read']))
    expect(body.items.map((i: Json) => i.at)).toEqual(body.items.map((i: Json) => i.at).toSorted().toReversed())
  })

  test('why tells the rules', async () => {
    const { status, body } = await server.call('GET', `/contacts/${ids['李雷'] ?? ''}/why?user=${server.owner.ownerId}`)
    expect(status).toBe(200)
    expect(body.rules.length).toBeGreaterThan(0)
    expect(JSON.stringify(body)).not.toContain('李雷')
  })
})
