import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { startServer, TestServer, type CallOptions, type Json, type Person } from '../harness/server.ts'
import { expectProblem, expectRecord } from './shapes.ts'

let server: TestServer
let rep: Person
let other: Person
let company: Json
beforeAll(async () => {
  server = await startServer()
  rep = await server.addPerson('rep@example.com', 'rep')
  other = await server.addPerson('other@example.com', 'rep')
  company = (await server.call('POST', '/companies', { name: 'Acme' }, { token: rep.token })).body
})
afterAll(() => server.close())

/** A day so many days from today, where the organisation is. */
const day = (days: number): string => Temporal.Now.plainDateISO('America/New_York').add({ days }).toString()
let n = 0
const make = async (body: object = {}, who: CallOptions = { token: rep.token }): Promise<Json> => {
  const answer = await server.call('POST', '/contracts', { number: `C-${++n}`, ...body }, who)
  expect(answer.text && answer.status).toBe(201)
  return answer.body
}
const version = (c: Json): Record<string, string> => ({ 'If-Match': `"${c.version}"` })
const patch = (c: Json, body: object, who = rep) => server.call('PATCH', `/contracts/${c.id}`, body, { token: who.token, headers: version(c) })
const renew = (c: Json, body: object, who = rep) => server.call('POST', `/contracts/${c.id}/renew`, body, { token: who.token, headers: version(c) })
const read = async (c: Json, at = server): Promise<Json> => (await at.call('GET', `/contracts/${c.id}`, undefined, { token: rep.token })).body

describe('period and status', () => {
  test('it does not end before it begins', async () => {
    expectProblem(await server.call('POST', '/contracts', { number: 'x', startsOn: '2026-02-01', endsOn: '2026-01-31' }, { token: rep.token }), 400, 'invalid')
    const one = await make({ startsOn: '2026-01-31', endsOn: '2026-01-31' })
    expectProblem(await patch(one, { startsOn: '2026-02-01' }), 400, 'invalid')
    expect((await patch(one, { startsOn: '2026-02-01', endsOn: '2026-02-01' })).status).toBe(200)
  })

  test('goes from draft to active, to its end; renewed is made by renewing alone', async () => {
    const draft = await make({ startsOn: day(-10), endsOn: day(10) })
    expect(draft.status).toBe('draft')
    expectProblem(await patch(draft, { status: 'renewed' }), 409, 'contract-status')
    expectProblem(await patch(draft, { status: 'expired' }), 400, 'invalid')
    const active = (await patch(draft, { status: 'active' })).body
    expectProblem(await patch(active, { status: 'draft' }), 409, 'contract-status')
    const over = (await patch(active, { endsOn: day(-1) })).body
    expect(over.status).toBe('expired')
    expectProblem(await patch(over, { status: 'active' }), 400, 'invalid')
    const longer = (await patch(over, { endsOn: day(0) })).body
    expect(longer.status).toBe('active')
    const ended = (await patch(longer, { status: 'terminated' })).body
    expect((await patch(ended, { status: 'active' })).body.status).toBe('active')
    expectProblem(await server.call('POST', '/contracts', { number: 'x', status: 'renewed' }, { token: rep.token }), 409, 'contract-status')
    expectProblem(await server.call('POST', '/contracts', { number: 'x', status: 'active', endsOn: day(-1) }, { token: rep.token }), 400, 'invalid')
    expect((await make({ status: 'expired', endsOn: day(-1) })).status).toBe('expired')
  })

  test('in bulk the same, and back again', async () => {
    const [draft, over] = [await make(), await make({ endsOn: day(-5) })]
    const bulk = await server.call('POST', '/contracts/bulk', { ids: [draft.id, over.id], action: 'patch', patch: { status: 'active' } }, { token: rep.token })
    expect(bulk.body).toMatchObject({ done: 1, failed: [{ id: over.id, code: 'invalid' }] })
    expect((await server.call('POST', '/undo', { undoToken: bulk.body.undoToken }, { token: rep.token })).body).toMatchObject({ done: 1 })
    expect((await read(draft)).status).toBe('draft')
  })
})

describe('renewing', () => {
  test('makes a draft for as long again with what was agreed, and marks the old one', async () => {
    const old = await make({ status: 'active', title: 'Support', companyId: company.id, startsOn: '2026-01-01', endsOn: '2026-12-31', amount: { minor: 100, currency: 'CNY' }, noticeDays: 60, tags: ['vip'], note: 'of the first year' })
    const answer = await renew(old, { number: 'C-2027', amount: { minor: 120, currency: 'CNY' } })
    expect(answer.status).toBe(201)
    expectRecord(answer.body)
    expect(answer.body).toMatchObject({ number: 'C-2027', status: 'draft', title: 'Support', companyId: company.id, startsOn: '2027-01-01', endsOn: '2027-12-31', amount: { minor: 120, currency: 'CNY' }, noticeDays: 60, tags: ['vip'], note: null, signedOn: null, renewsId: old.id, ownerId: rep.id })
    expect(answer.headers['etag']).toBe('"1"')
    const after = await read(old)
    expect(after.status).toBe('renewed')
    expectProblem(await renew(after, { number: 'again' }), 409, 'contract-status')
    expectProblem(await patch(after, { status: 'active' }), 409, 'contract-status')
    const relations = await server.call('GET', `/contracts/${old.id}/relations`, undefined, { token: rep.token })
    expect(relations.body.items).toContainEqual({ entity: 'contract', id: answer.body.id, field: 'renewsId', direction: 'from' })
  })

  test('is taken back by its maker once the follow-up is gone, and not beside it', async () => {
    const old = await make({ status: 'active', endsOn: day(30) })
    const followUp = (await renew(old, { number: 'back' })).body
    const undo = async () => server.call('POST', `/contracts/${old.id}/undo`, undefined, { token: rep.token, headers: version(await read(old)) })
    expectProblem(await undo(), 409, 'contract-status')
    expect((await server.call('DELETE', `/contracts/${followUp.id}`, undefined, { token: rep.token, headers: version(followUp) })).status).toBe(200)
    const back = await undo()
    expect([back.status, back.body.status]).toEqual([200, 'active'])
  })

  test('of many who renew at once one does, and nothing is left of the others', async () => {
    const old = await make({ status: 'active', endsOn: day(30) })
    const answers = await Promise.all([...Array(6).keys()].map((i) => renew(old, { number: `race ${i}` })))
    expect(answers.map((a) => a.status).sort()).toEqual([201, 412, 412, 412, 412, 412])
    const { body } = await server.call('POST', '/contracts/search', { where: { field: 'renewsId', op: 'eq', value: old.id }, count: true }, { token: rep.token })
    expect(body.count).toBe(1)
  })

  test('not of a draft, not without a version, not by a rep who does not see it; a slip renews nothing', async () => {
    const draft = await make()
    expectProblem(await renew(draft, { number: 'x' }), 409, 'contract-status')
    const active = await make({ status: 'active', endsOn: day(30) })
    expectProblem(await server.call('POST', `/contracts/${active.id}/renew`, { number: 'x' }, { token: rep.token }), 428, 'if-match-required')
    expectProblem(await renew(active, { number: 'x' }, other), 404, 'not-found')
    for (const bad of [{}, { number: '' }, { number: 'x', endsOn: day(0) }, { number: 'x', status: 'active' }, { number: 'x', renewsId: draft.id }, { number: 'x', ownerId: other.id }]) expectProblem(await renew(active, bad), 400, 'invalid')
    expect(await read(active)).toMatchObject({ status: 'active', version: active.version })
    const { body } = await server.call('POST', '/contracts/search', { where: { field: 'renewsId', op: 'eq', value: active.id }, count: true }, { token: rep.token })
    expect(body.count).toBe(0)
  })

  test('nobody writes by hand which contract it renews', async () => {
    const one = await make()
    expectProblem(await patch(one, { renewsId: one.id }), 400, 'invalid')
    expectProblem(await server.call('POST', '/contracts', { number: 'x', renewsId: one.id }, { token: rep.token }), 400, 'invalid')
  })

  test('names no company that whoever renews does not see any more', async () => {
    const gone = (await server.call('POST', '/companies', { name: 'Given away' }, { token: rep.token })).body
    const contact = (await server.call('POST', '/contacts', { fullName: 'Stays' }, { token: rep.token })).body
    const old = await make({ status: 'active', endsOn: day(30), companyId: gone.id, contactIds: [contact.id] })
    expect((await server.call('PATCH', `/companies/${gone.id}`, { ownerId: other.id }, { headers: version(gone) })).status).toBe(200)
    expect((await renew(old, { number: 'G-1' })).body).toMatchObject({ companyId: null, contactIds: [contact.id], renewsId: old.id })
  })

  test('a manager who renews a colleague\'s contract leaves it theirs', async () => {
    const old = await make({ status: 'active', endsOn: day(30) })
    const answer = await server.call('POST', `/contracts/${old.id}/renew`, { number: 'M-1' }, { headers: version(old) })
    expect(answer.body).toMatchObject({ ownerId: rep.id, renewsId: old.id })
    expect((await read(answer.body)).id).toBe(answer.body.id)
  })
})

describe('the round that looks after contracts', () => {
  const tasksOf = async (at: TestServer, contract: Json, token: string): Promise<Json[]> => (await at.call('POST', '/activities/search', { where: { field: 'recordId', op: 'eq', value: contract.id } }, { token })).body.items

  test('gives the owner of one that is about to end a task, once, and ends what is over', async () => {
    const soon = await make({ status: 'active', companyId: company.id, startsOn: day(-300), endsOn: day(40), noticeDays: 30 })
    const later = await make({ status: 'active', endsOn: day(400), noticeDays: 30 })
    const silent = await make({ status: 'active', endsOn: day(40) })
    const over = await make({ status: 'active', endsOn: day(5), noticeDays: 3 })
    const theirs = await make({ status: 'active', endsOn: day(20), noticeDays: 30 }, { token: other.token })
    expect(await server.end('SIGTERM')).toBe(0)
    const ahead = new TestServer({ ...server.place, env: { ...server.place.env, TEST_DAYS_AHEAD: '12', NODE_OPTIONS: `--import=${join(import.meta.dirname, '..', 'harness', 'ahead.mjs')}` } }, server.owner)
    for (const start of ['first', 'second']) {
      await ahead.start()
      try {
        await vi.waitFor(async () => expect((await read(over, ahead)).status).toBe('expired'), { timeout: 60_000, interval: 200 })
        await vi.waitFor(async () => expect(await tasksOf(ahead, soon, rep.token)).toHaveLength(1), { timeout: 60_000, interval: 200 })
        await vi.waitFor(async () => expect(await tasksOf(ahead, theirs, other.token)).toHaveLength(1), { timeout: 60_000, interval: 200 })
        const [task] = await tasksOf(ahead, soon, rep.token)
        expect(task).toMatchObject({ kind: 'task', recordKind: 'contract', recordId: soon.id, assigneeId: rep.id, ownerId: rep.id, doneAt: null })
        expect(Temporal.Instant.from(task.dueAt).toZonedDateTimeISO('America/New_York').toPlainDate().toString()).toBe(day(40))
        for (const c of [later, silent, over]) expect(await tasksOf(ahead, c, rep.token)).toEqual([])
        // A foreign contract's task is as foreign as the contract.
        expect(await tasksOf(ahead, theirs, rep.token)).toEqual([])
        // Taken away, it does not come again.
        if (start === 'second') expect((await ahead.call('DELETE', `/activities/${task.id}`, undefined, { token: rep.token, headers: version(task) })).status).toBe(200)
      } finally {
        expect(await ahead.end('SIGTERM')).toBe(0)
      }
    }
    await ahead.start()
    try {
      await vi.waitFor(async () => expect((await ahead.call('GET', '/api/health')).body.status).toBe('ready'), { timeout: 60_000, interval: 200 })
      const marker = await ahead.call('POST', '/contracts', { number: 'marker', status: 'active', endsOn: day(13), noticeDays: 5 }, { token: rep.token })
      expect(await ahead.end('SIGTERM')).toBe(0)
      await ahead.start()
      await vi.waitFor(async () => expect(await tasksOf(ahead, marker.body, rep.token)).toHaveLength(1), { timeout: 60_000, interval: 200 })
      expect(await tasksOf(ahead, soon, rep.token)).toEqual([])
      expect(await read(over, ahead)).toMatchObject({ version: over.version + 1 })
    } finally {
      expect(await ahead.end('SIGTERM')).toBe(0)
    }
  })
})
