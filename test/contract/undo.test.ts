import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startServer, type Json, type Person, type TestServer } from '../harness/server.ts'
import { expectProblem } from './shapes.ts'

let server: TestServer
let rep: Person
let other: Person

const match = (who: object, version: number): object => ({ ...who, headers: { 'If-Match': `"${version}"` } })
const undo = (who: object, id: string, version: number): ReturnType<TestServer['call']> => server.call('POST', `/contacts/${id}/undo`, undefined, match(who, version) as never)
const patch = async (who: object, r: Json, change: object): Promise<Json> => {
  const done = await server.call('PATCH', `/contacts/${r.id}`, change, match(who, r.version) as never)
  expect(done.status).toBe(200)
  return done.body
}

beforeAll(async () => {
  server = await startServer()
  rep = await server.addPerson('rep@example.com', 'rep')
  other = await server.addPerson('other@example.com', 'manager')
})
afterAll(() => server.close())

describe('taking back one change', () => {
  test('puts back what a patch changed, and what it did not stays; the history says so', async () => {
    const made = (await server.call('POST', '/contacts', { fullName: '王小明', emails: [{ value: 'ming@example.com' }], stage: 'active' }, rep)).body
    const changed = await patch(rep, made, { fullName: '王大明', emails: [], stage: 'dormant' })
    const undone = await undo(rep, made.id, changed.version)
    expect(undone.body).toMatchObject({ fullName: '王小明', emails: [{ value: 'ming@example.com', label: '' }], stage: 'active', version: 3 })
    const found = await server.call('POST', '/contacts/search', { where: { field: 'emails', op: 'eq', value: 'ming@example.com' } }, rep)
    expect(found.body.items.map((r: Json) => r.id)).toEqual([made.id])
    const { items } = (await server.call('GET', `/contacts/${made.id}/timeline`, undefined, rep)).body
    expect(items.map((i: Json) => i.action)).toContain('contact.undone')
  })

  test('brings back what was deleted, and an undoing can be undone', async () => {
    const made = (await server.call('POST', '/contacts', { fullName: 'Gone' }, rep)).body
    const gone = (await server.call('DELETE', `/contacts/${made.id}`, undefined, match(rep, made.version) as never)).body
    expect((await undo(rep, made.id, gone.version)).body).toMatchObject({ fullName: 'Gone', deletedAt: null, version: 3 })
    expect((await undo(rep, made.id, 3)).status).toBe(200)
    expect((await server.call('GET', `/contacts/${made.id}`, undefined, rep)).status).toBe(404)
  })

  test('is refused where somebody has changed it since, to others than who changed it, and for what was made and not changed', async () => {
    const made = (await server.call('POST', '/contacts', { fullName: 'Once' }, rep)).body
    expectProblem(await undo(rep, made.id, 1), 404, 'not-found')
    const mine = await patch(rep, made, { fullName: 'Twice' })
    expectProblem(await undo(other, made.id, mine.version), 404, 'not-found')
    const theirs = await patch({}, mine, { title: 'Boss' })
    expectProblem(await undo(rep, made.id, mine.version), 412, 'version-stale')
    expectProblem(await undo(rep, made.id, theirs.version), 404, 'not-found')
    expectProblem(await server.call('POST', `/contacts/${made.id}/undo`, undefined, rep), 428, 'if-match-required')
  })

  test('gives back an owner only to whoever could assign, and never a record out of sight', async () => {
    const made = (await server.call('POST', '/contacts', { fullName: 'Given' }, rep)).body
    const given = await patch({}, made, { ownerId: other.id })
    expectProblem(await undo(rep, made.id, given.version), 404, 'not-found')
    expect((await undo({}, made.id, given.version)).body).toMatchObject({ ownerId: rep.id })
  })
})
