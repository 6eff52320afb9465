import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { setTimeout as sleep } from 'node:timers/promises'
import { startServer, type Answer, type CallOptions, type Json, type Person, type TestServer } from '../harness/server.ts'
import { expectProblem, INSTANT } from './shapes.ts'

let server: TestServer
let rep: Person
let colleague: Person
let foreign: Person
let manager: Person
beforeAll(async () => {
  server = await startServer()
  const [south, north] = [await server.call('POST', '/departments', { name: 'South' }), await server.call('POST', '/departments', { name: 'North' })]
  rep = await server.addPerson('rep@example.com', 'rep', south.body.id)
  colleague = await server.addPerson('colleague@example.com', 'rep', south.body.id)
  manager = await server.addPerson('manager@example.com', 'manager', south.body.id)
  foreign = await server.addPerson('foreign@example.com', 'rep', north.body.id)
})
afterAll(() => server.close())

const as = (p: Person, headers: Record<string, string> = {}): CallOptions => ({ token: p.token, headers })
const at = (version: number): Record<string, string> => ({ 'If-Match': `"${version}"` })
const now = async (p: Person): Promise<string> => (await server.call('GET', '/changes', undefined, as(p))).body.nextCursor
const read = (p: Person, cursor: string, limit = 500): Promise<Answer> => server.call('GET', `/changes?limit=${limit}&cursor=${encodeURIComponent(cursor)}`, undefined, as(p))
async function make(p: Person, noun: string, body: object): Promise<Json> {
  const made = await server.call('POST', `/${noun}`, body, as(p))
  expect(made.status, made.text).toBe(201)
  return made.body
}
/** Every event so far has a leaf. */
const sequenced = (): Promise<Answer> => server.call('GET', '/ledger/checkpoint')
async function since(p: Person, cursor: string): Promise<Json[]> {
  await sequenced()
  const items: Json[] = []
  for (let next = cursor; ;) {
    const { status, body, text } = await read(p, next)
    expect(status, text).toBe(200)
    items.push(...body.items)
    if (!body.more) return items
    next = body.nextCursor
  }
}
const said = (items: Json[]): string[] => items.map((i) => `${i.action} ${i.id}${i.gone ? ' gone' : ''}`)

describe('the change feed', () => {
  test('begins now, and gives changes of what one sees in the order of the ledger, with ids only', async () => {
    const first = await server.call('GET', '/changes', undefined, as(rep))
    expect(first.body).toEqual({ items: [], nextCursor: expect.any(String), more: false })
    const contact = await make(rep, 'contacts', { fullName: 'Feed Follower' })
    await server.call('PATCH', `/contacts/${contact.id}`, { title: 'Buyer' }, as(rep, at(1)))
    const company = await make(rep, 'companies', { name: 'Feed Ltd' })
    const note = await make(rep, 'activities', { recordKind: 'contact', recordId: contact.id, kind: 'note', body: 'called' })
    await server.call('GET', `/contacts/${contact.id}`, undefined, as(rep))
    const items = await since(rep, first.body.nextCursor)
    expect(said(items)).toEqual([`contact.created ${contact.id}`, `contact.updated ${contact.id}`, `company.created ${company.id}`, `activity.created ${note.id}`])
    expect(items[0]).toEqual({ leaf: expect.any(Number), entity: 'contact', id: contact.id, action: 'contact.created', at: expect.stringMatching(INSTANT) })
    expect(items.map((i) => i.leaf)).toEqual(items.map((i) => i.leaf).toSorted((a, b) => a - b))
  })

  test('pages without losing or repeating one', async () => {
    const cursor = await now(rep)
    const made = []
    for (let i = 0; i < 7; i++) made.push((await make(rep, 'contacts', { fullName: `Page ${i}` })).id)
    await sequenced()
    const seen: string[] = []
    for (let next = cursor, more = true; more;) {
      const { body } = await read(rep, next, 2)
      expect(body.items.length).toBeLessThanOrEqual(2)
      seen.push(...body.items.map((i: Json) => i.id))
      next = body.nextCursor
      more = body.more
    }
    expect(seen).toEqual(made)
  })

  test('is silent about the records of others; a manager hears of the team’s', async () => {
    const cursors = { rep: await now(rep), foreign: await now(foreign), manager: await now(manager) }
    const mine = await make(rep, 'contacts', { fullName: 'Mine' })
    const theirs = await make(foreign, 'contacts', { fullName: 'Theirs' })
    expect(said(await since(rep, cursors.rep))).toEqual([`contact.created ${mine.id}`])
    expect(said(await since(foreign, cursors.foreign))).toEqual([`contact.created ${theirs.id}`])
    expect(said(await since(manager, cursors.manager))).toEqual([`contact.created ${mine.id}`])
  })

  test('tells of a deleted record that it is gone, and of one given away only whoever saw it until then', async () => {
    const deleted = await make(rep, 'contacts', { fullName: 'To Be Deleted' })
    const given = await make(rep, 'contacts', { fullName: 'To Be Given' })
    await sequenced()
    const cursors = { rep: await now(rep), colleague: await now(colleague), foreign: await now(foreign) }
    await server.call('DELETE', `/contacts/${deleted.id}`, undefined, as(rep, at(1)))
    const moved = await server.call('PATCH', `/contacts/${given.id}`, { ownerId: colleague.id }, as(manager, at(1)))
    expect(moved.status, moved.text).toBe(200)
    await server.call('PATCH', `/contacts/${given.id}`, { title: 'Changed later' }, as(colleague, at(2)))
    expect(said(await since(rep, cursors.rep))).toEqual([`contact.deleted ${deleted.id} gone`, `contact.updated ${given.id} gone`])
    expect(said(await since(colleague, cursors.colleague))).toEqual([`contact.updated ${given.id}`, `contact.updated ${given.id}`])
    expect(await since(foreign, cursors.foreign)).toEqual([])
    // With an older cursor of somebody who has never seen it: of the way it went there is nothing.
    const late = await server.addPerson('late@example.com', 'rep')
    const start = await now(late)
    expect(await since(late, start)).toEqual([])
  })

  test('does not tell what left a scope that its reader did not have when they came by last', async () => {
    const [east, west] = [(await server.call('POST', '/departments', { name: 'East' })).body.id, (await server.call('POST', '/departments', { name: 'West' })).body.id]
    const seller = await server.addPerson('seller@example.com', 'rep', east)
    const [stays, mover] = [await server.addPerson('stays@example.com', 'manager', east), await server.addPerson('mover@example.com', 'manager', west)]
    const record = await make(seller, 'contacts', { fullName: 'East To West And On' })
    await sequenced()
    const cursors = { stays: await now(stays), mover: await now(mover) }
    const north = await server.call('PATCH', `/contacts/${record.id}`, { ownerId: foreign.id }, { headers: at(1) })
    expect(north.status, north.text).toBe(200)
    expect(said(await since(stays, cursors.stays))).toEqual([`contact.updated ${record.id} gone`])
    // The manager of West comes to East after the record has left it: it was never theirs to see.
    const user = await server.call('GET', `/users/${mover.id}`)
    const moved = await server.call('PATCH', `/users/${mover.id}`, { departmentId: east }, { headers: { 'If-Match': user.headers['etag']! } })
    expect(moved.status, moved.text).toBe(200)
    expect(await since(mover, cursors.mover)).toEqual([])
  })

  test('takes no cursor of another person, and no id that somebody made up', async () => {
    const mine = await now(rep)
    expectProblem(await read(foreign, mine), 400, 'invalid')
    expectProblem(await read(rep, `${mine.slice(0, -4)}AAAA`), 400, 'invalid')
    expectProblem(await server.call('GET', '/changes', undefined, { token: null }), 401, 'signed-out')
  })

  test('gives a token without the noun nothing of it', async () => {
    const narrow = (await server.call('POST', '/tokens', { name: 'deals only', scopes: ['deals:read'] }, as(rep))).body.token
    const { nextCursor } = (await server.call('GET', '/changes', undefined, { token: narrow })).body
    await make(rep, 'contacts', { fullName: 'Not For A Narrow Token' })
    await sequenced()
    const answer = await server.call('GET', `/changes?cursor=${encodeURIComponent(nextCursor)}`, undefined, { token: narrow })
    expect(answer.body.items).toEqual([])
  })

  test('has the rows of an import, one by one', async () => {
    const cursor = await now(rep)
    const part = (name: string, value: string): string => `--xx\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`
    const rows = Array.from({ length: 30 }, (_, i) => `Row ${i},row${i}@example.com`).join('\n')
    const body = Buffer.from(`${part('source', 'test')}--xx\r\nContent-Disposition: form-data; name="file"; filename="u.csv"\r\nContent-Type: text/csv\r\n\r\nName,Email\n${rows}\r\n--xx--\r\n`)
    const asked = await server.call('POST', '/imports', body, as(rep, { 'Content-Type': 'multipart/form-data; boundary=xx' }))
    for (let state = 'queued'; state === 'queued' || state === 'running'; await sleep(100)) state = (await server.call('GET', `/imports/${asked.body.id}`, undefined, as(rep))).body.state
    await sequenced()
    const seen = new Set<string>()
    for (let next = cursor, more = true; more;) {
      const { body: page } = await read(rep, next, 7)
      for (const i of page.items) if (i.action === 'contact.imported') expect(seen.has(i.id) ? 'twice' : seen.add(i.id)).not.toBe('twice')
      next = page.nextCursor
      more = page.more
    }
    expect(seen.size).toBe(30)
  })
})
