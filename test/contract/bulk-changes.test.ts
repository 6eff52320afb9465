import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startServer, type Json, type Person, type TestServer } from '../harness/server.ts'
import { expectProblem } from './shapes.ts'

let server: TestServer
let rep: Person
let manager: Person
let north: string

async function finished(who: object, id: string): Promise<Json> {
  let view: Json
  await expect.poll(async () => {
    view = (await server.call('GET', `/bulk-changes/${id}`, undefined, who)).body
    return view.state
  }, { timeout: 30_000, interval: 50 }).toMatch(/done|failed/)
  return view!
}

const ask = (who: object, body: object): ReturnType<TestServer['call']> => server.call('POST', '/bulk-changes', body, who)
const search = async (who: object, where: object): Promise<Json[]> => (await server.call('POST', '/contacts/search', { where, limit: 200, count: true }, who)).body

beforeAll(async () => {
  server = await startServer()
  north = (await server.call('POST', '/departments', { name: 'North' })).body.id
  rep = await server.addPerson('rep@example.com', 'rep', north)
  manager = await server.addPerson('manager@example.com', 'manager', north)
  // More than one page of them, so that the change goes on over several steps.
  const mine = Array.from({ length: 230 }, (_, n) => ({ fullName: `Mine ${n}`, source: n % 2 ? 'Fair' : 'Web' }))
  for (let at = 0; at < mine.length; at += 10) await Promise.all(mine.slice(at, at + 10).map((c) => server.call('POST', '/contacts', c, rep)))
  for (let n = 0; n < 5; n++) await server.call('POST', '/contacts', { fullName: `Owner's ${n}`, source: 'Fair' })
})
afterAll(() => server.close())

describe('a bulk change in the background', () => {
  test('changes what the question finds, all of it and nothing else, and is taken back as one', async () => {
    const made = await ask(rep, { noun: 'contacts', where: { field: 'source', op: 'contains', value: 'fair' }, action: 'patch', patch: { stage: 'dormant', source: 'Trade fair' } })
    expect(made.status).toBe(202)
    const view = await finished(rep, made.body.id)
    expect(view).toMatchObject({ state: 'done', progress: { done: 115, total: 115 }, result: { matched: 115, done: 115, failed: [], failedCount: 0 } })
    expect(await search(rep, { field: 'stage', op: 'eq', value: 'dormant' })).toMatchObject({ count: 115 })
    expect(await search({}, { field: 'source', op: 'contains', value: 'trade' })).toMatchObject({ count: 115 })

    const back = await server.call('POST', `/bulk-changes/${made.body.id}/undo`, undefined, rep)
    expect(back.status).toBe(202)
    expect((await finished(rep, back.body.id)).result).toMatchObject({ done: 115, failedCount: 0 })
    expect(await search(rep, { field: 'stage', op: 'eq', value: 'dormant' })).toMatchObject({ count: 0 })
    expect(await search(rep, { field: 'source', op: 'contains', value: 'fair' })).toMatchObject({ count: 115 })
  })

  test('gives, tags and deletes by the rights of each record', async () => {
    const given = await finished(manager, (await ask(manager, { noun: 'contacts', where: { field: 'source', op: 'contains', value: 'web' }, action: 'assign', patch: { ownerId: manager.id } })).body.id)
    expect(given.result).toMatchObject({ matched: 115, done: 115 })
    // The rep sees none of these any more, and so a question of theirs finds none.
    expect((await finished(rep, (await ask(rep, { noun: 'contacts', where: { field: 'source', op: 'contains', value: 'web' }, action: 'delete' })).body.id)).result).toMatchObject({ matched: 0, done: 0, undoToken: null })
    const tagged = await finished(rep, (await ask(rep, { noun: 'contacts', text: 'Mine', action: 'tag', patch: { tags: ['vip'] } })).body.id)
    expect(tagged.result.matched).toBe(115)
    expect(await search(rep, { field: 'tags', op: 'eq', value: 'vip' })).toMatchObject({ count: 115 })
  })

  test('is refused before it begins where no record could be changed, and to others who ask how it goes', async () => {
    expectProblem(await ask(rep, { noun: 'contacts', action: 'patch', patch: { nothing: 1 } }), 400, 'invalid')
    expectProblem(await ask(rep, { noun: 'contacts', where: { field: 'nothing', op: 'eq', value: 'x' }, action: 'delete' }), 400, 'field-unknown')
    expectProblem(await ask(rep, { noun: 'nothings', action: 'delete' }), 400, 'invalid')
    expectProblem(await ask(rep, { noun: 'pipelines', action: 'delete' }), 403, 'permission-missing')
    const mine = await ask(rep, { noun: 'contacts', where: { field: 'stage', op: 'eq', value: 'former' }, action: 'delete' })
    await finished(rep, mine.body.id)
    expectProblem(await server.call('GET', `/bulk-changes/${mine.body.id}`, undefined, manager), 404, 'not-found')
    expectProblem(await server.call('POST', `/bulk-changes/${mine.body.id}/undo`, undefined, manager), 404, 'not-found')
  })
})
