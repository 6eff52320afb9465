import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startServer, type Answer, type CallOptions, type Json, type Person, type TestServer } from '../harness/server.ts'

// Notes, calls, meetings, mails and tasks from outside; what comes back, who is told, and what is due today.

let server: TestServer
let rep: Person
let other: Person
let manager: Person

beforeAll(async () => {
  server = await startServer()
  rep = await server.addPerson('rep@example.com', 'rep')
  other = await server.addPerson('other@example.com', 'rep')
  manager = await server.addPerson('manager@example.com', 'manager')
}, 120_000)
afterAll(() => server?.close())

const as = (p: Person, version?: number): CallOptions => ({ token: p.token, ...(version === undefined ? {} : { headers: { 'If-Match': `"${version}"` } }) })

async function make(noun: string, body: object, by: Person): Promise<Json> {
  const made = await server.call('POST', `/${noun}`, body, as(by))
  expect(made.status, made.text).toBe(201)
  return made.body
}

const contact = async (by: Person, fullName = 'Ada Lovelace'): Promise<string> => (await make('contacts', { fullName }, by)).id
const about = (id: string): { recordKind: 'contact'; recordId: string } => ({ recordKind: 'contact', recordId: id })
const task = (id: string, body: object, by: Person): Promise<Json> => make('activities', { ...about(id), kind: 'task', title: 'Call back', ...body }, by)

async function patch(a: Json, body: object, by: Person): Promise<Json> {
  const done = await server.call('PATCH', `/activities/${a.id}`, body, as(by, a.version))
  expect(done.status, done.text).toBe(200)
  return done.body
}

const errorsOf = (a: Answer): Json => [a.status, a.body?.code, a.body?.errors]
const found = async (by: Person, body: object): Promise<Json[]> => (await server.call('POST', '/activities/search', body, as(by))).body.items
const tasksOn = (id: string, by: Person): Promise<Json[]> => found(by, { where: { and: [{ field: 'recordId', op: 'eq', value: id }, { field: 'kind', op: 'eq', value: 'task' }] } })

describe('an activity', () => {
  test('holds the fields that fit its kind, and says when it happened', async () => {
    const id = await contact(rep)
    const wrong: [object, string, string][] = [
      [{ kind: 'note', dueAt: '2027-01-01T00:00:00Z' }, 'dueAt', 'not-of-kind'],
      [{ kind: 'note', assigneeId: rep.id }, 'assigneeId', 'not-of-kind'],
      [{ kind: 'call', doneAt: '2027-01-01T00:00:00Z' }, 'doneAt', 'not-of-kind'],
      [{ kind: 'mail', endsAt: '2027-01-01T00:00:00Z' }, 'endsAt', 'not-of-kind'],
      [{ kind: 'meeting', recurrence: { every: 'day', interval: 1 } }, 'recurrence', 'not-of-kind'],
      [{ kind: 'meeting', at: '2027-01-02T00:00:00Z', endsAt: '2027-01-01T00:00:00Z' }, 'endsAt', 'before-start'],
      [{ kind: 'task', recurrence: { every: 'day', interval: 1 } }, 'dueAt', 'required'],
    ]
    for (const [body, path, code] of wrong) expect(errorsOf(await server.call('POST', '/activities', { ...about(id), title: 'x', ...body }, as(rep)))).toEqual([400, 'invalid', expect.arrayContaining([{ path, code }])])
    const before = Date.now()
    const note = await make('activities', { ...about(id), kind: 'note', body: '电话无人接听' }, rep)
    expect(Date.parse(note.at)).toBeGreaterThanOrEqual(before - 1)
    const meeting = await make('activities', { ...about(id), kind: 'meeting', title: 'Kick-off', at: '2027-01-01T09:00:00Z', endsAt: '2027-01-01T10:00:00Z', assigneeId: rep.id }, rep)
    expect(meeting).toMatchObject({ at: '2027-01-01T09:00:00.000Z', endsAt: '2027-01-01T10:00:00.000Z' })
    // A change passes the same rules, one by one and in bulk.
    expect(errorsOf(await server.call('PATCH', `/activities/${note.id}`, { dueAt: '2027-01-01T00:00:00Z' }, as(rep, note.version)))[0]).toBe(400)
    expect((await server.call('POST', '/activities/bulk', { ids: [note.id], action: 'patch', patch: { dueAt: '2027-01-01T00:00:00Z' } }, as(rep))).body).toMatchObject({ done: 0, failed: [{ id: note.id, code: 'invalid' }] })
  })

  test('is written in one’s own name', async () => {
    const id = await contact(rep)
    const forged = await server.call('POST', '/activities', { ...about(id), kind: 'task', title: 'Not mine', ownerId: other.id, assigneeId: rep.id }, as(rep))
    expect([forged.status, forged.body.code]).toEqual([403, 'permission-missing'])
    expect((await server.call('POST', '/activities', { ...about(await contact(manager)), kind: 'task', title: 'For you', ownerId: rep.id }, as(manager))).status).toBe(201)
  })

  test('is deleted and brought back', async () => {
    const t = await task(await contact(rep), { dueAt: '2027-01-01T00:00:00Z' }, rep)
    expect((await server.call('DELETE', `/activities/${t.id}`, undefined, as(rep, t.version))).status).toBe(200)
    expect((await server.call('GET', `/activities/${t.id}`, undefined, as(rep))).status).toBe(404)
    expect((await server.call('POST', `/activities/${t.id}/restore`, {}, as(rep))).body).toMatchObject({ id: t.id, dueAt: t.dueAt, deletedAt: null })
  })

  test('is done and undone', async () => {
    const t = await task(await contact(rep), { dueAt: '2027-01-01T00:00:00Z' }, rep)
    const done = await patch(t, { doneAt: '2026-12-31T00:00:00Z' }, rep)
    expect(done.doneAt).toBe('2026-12-31T00:00:00.000Z')
    expect((await patch(done, { doneAt: null }, rep)).doneAt).toBeNull()
  })

  test('is snoozed: the reminder moves and nothing else', async () => {
    const t = await task(await contact(rep), { dueAt: '2027-01-01T00:00:00Z', remindAt: '2026-12-31T00:00:00Z' }, rep)
    const snoozed = await server.call('POST', `/activities/${t.id}/snooze`, { until: '2027-01-05T08:00:00+08:00' }, as(rep, t.version))
    expect(snoozed.body).toMatchObject({ remindAt: '2027-01-05T00:00:00.000Z', dueAt: t.dueAt, version: t.version + 1 })
    expect((await server.call('POST', `/activities/${t.id}/snooze`, { until: '2027-01-05T00:00:00Z' }, as(rep, t.version))).status).toBe(412)
    expect((await server.call('POST', `/activities/${t.id}/snooze`, { until: '2027-01-05T00:00:00Z' }, as(other, t.version + 1))).status).toBe(404)
    const done = await patch(snoozed.body, { doneAt: '2027-01-02T00:00:00Z' }, rep)
    expect((await server.call('POST', `/activities/${t.id}/snooze`, { until: '2027-01-06T00:00:00Z' }, as(rep, done.version))).status).toBe(409)
  })
})

describe('a task that comes back', () => {
  test('makes the next one when it is finished, once, where the organisation is', async () => {
    const organisation = (await server.call('GET', '/organisation')).body
    const moved = await server.call('PATCH', '/organisation', { timeZone: 'Asia/Shanghai' }, { headers: { 'If-Match': `"${organisation.version}"` } })
    expect(moved.status, moved.text).toBe(200)
    const id = await contact(rep)
    // The 31st of January 2099, 07:30 in Shanghai; in UTC it is still the 30th.
    const t = await task(id, { dueAt: '2099-01-30T23:30:00Z', remindAt: '2099-01-30T22:30:00Z', recurrence: { every: 'month', interval: 1 }, assigneeId: rep.id }, rep)
    expect(t.recurrence).toEqual({ every: 'month', interval: 1, until: null, day: 31 })
    const done = await patch(t, { doneAt: '2099-01-31T00:00:00Z' }, rep)
    const open = (await tasksOn(id, rep)).filter((a) => a.doneAt === null)
    expect(open).toEqual([expect.objectContaining({ id: done.nextId, title: 'Call back', dueAt: '2099-02-27T23:30:00.000Z', remindAt: '2099-02-27T22:30:00.000Z', assigneeId: rep.id, ownerId: rep.id, version: 1 })])
    // Undone and finished again: still one.
    await patch(await patch(done, { doneAt: null }, rep), { doneAt: '2099-02-01T00:00:00Z' }, rep)
    expect((await tasksOn(id, rep)).length).toBe(2)
    const third = await patch(open[0], { doneAt: '2099-03-01T00:00:00Z' }, rep)
    expect((await tasksOn(id, rep)).find((a) => a.id === third.nextId)).toMatchObject({ dueAt: '2099-03-30T23:30:00.000Z' })
    // The next one is found at once, as text too: lens and ledger know it.
    expect((await found(rep, { text: 'call back', where: { field: 'id', op: 'eq', value: third.nextId } })).length).toBe(1)
    expect((await server.call('GET', `/activities/${third.nextId}/timeline`, undefined, as(rep))).body.items.map((i: Json) => i.action)).toContain('activity.created')
  })

  test('is finished by bulk and undone with it, and makes one next all the same', async () => {
    const id = await contact(rep)
    const t = await task(id, { dueAt: '2099-01-01T00:00:00Z', recurrence: { every: 'week', interval: 2, until: '2099-01-20' } }, rep)
    const bulk = (at: string): Promise<Answer> => server.call('POST', '/activities/bulk', { ids: [t.id], action: 'patch', patch: { doneAt: at } }, as(rep))
    const first = (await bulk('2099-01-02T00:00:00Z')).body
    expect(first).toMatchObject({ done: 1, failed: [] })
    expect((await server.call('POST', '/undo', { undoToken: first.undoToken }, as(rep))).body).toMatchObject({ done: 1, failed: [] })
    expect((await server.call('GET', `/activities/${t.id}`, undefined, as(rep))).body.doneAt).toBeNull()
    expect((await bulk('2099-01-03T00:00:00Z')).body.done).toBe(1)
    const all = await tasksOn(id, rep)
    expect(all.length).toBe(2)
    // Its last day comes before the one after it.
    await patch(all.find((a) => a.id !== t.id), { doneAt: '2099-01-16T00:00:00Z' }, rep)
    expect((await tasksOn(id, rep)).length).toBe(2)
  })

  test('is finished by whoever it was given to, who does not see the record', async () => {
    const id = await contact(rep)
    const t = await task(id, { dueAt: '2099-01-01T00:00:00Z', recurrence: { every: 'day', interval: 1 }, assigneeId: other.id }, rep)
    const done = await patch(t, { doneAt: '2098-12-31T00:00:00Z' }, other)
    expect((await server.call('GET', `/activities/${done.nextId}`, undefined, as(other))).body).toMatchObject({ dueAt: '2099-01-02T00:00:00.000Z', ownerId: rep.id, assigneeId: other.id })
    expect((await server.call('GET', `/contacts/${id}`, undefined, as(other))).status).toBe(404)
  })
})

describe('a follow-up', () => {
  test('writes note, next task and new state at once', async () => {
    const row = await make('contacts', { fullName: 'Followed Up' }, rep)
    const answer = await server.call('POST', `/contacts/${row.id}/follow-up`, { activity: { kind: 'call', body: '电话无人接听', outcome: 'no answer' }, task: { title: '再打', dueAt: '2027-02-01T01:00:00Z' }, patch: { stage: 'dormant' }, version: row.version }, { token: rep.token, headers: { 'Idempotency-Key': 'follow-1' } })
    expect(answer.status, answer.text).toBe(201)
    expect(answer.body).toMatchObject({ activity: { kind: 'call', recordId: row.id }, task: { kind: 'task', title: '再打' }, record: { stage: 'dormant', version: 2 } })
    expect((await server.call('GET', `/contacts/${row.id}/timeline`, undefined, as(rep))).body.items.flatMap((i: Json) => i.activity?.kind ?? []).toSorted()).toEqual(['call', 'task'])
    const again = await server.call('POST', `/contacts/${row.id}/follow-up`, { activity: { kind: 'call', body: '电话无人接听', outcome: 'no answer' }, task: { title: '再打', dueAt: '2027-02-01T01:00:00Z' }, patch: { stage: 'dormant' }, version: row.version }, { token: rep.token, headers: { 'Idempotency-Key': 'follow-1' } })
    expect([again.status, again.headers['idempotent-replayed'], again.body.activity.id]).toEqual([201, 'true', answer.body.activity.id])
  })

  test('writes nothing when one of the three is refused', async () => {
    const row = await make('contacts', { fullName: 'All Or Nothing' }, rep)
    const ask = (body: object, by = rep): Promise<Answer> => server.call('POST', `/contacts/${row.id}/follow-up`, body, as(by))
    const note = { kind: 'note', body: 'must not stay' }
    expect((await ask({ activity: note, patch: { stage: 'dormant' }, version: 7 })).status).toBe(412)
    expect((await ask({ activity: note, task: { title: 'x', endsAt: '2027-01-01T00:00:00Z' } })).status).toBe(400)
    expect((await ask({ activity: note, patch: { companyId: '0192b1a0-0000-7000-8000-000000000000' } })).status).toBe(400)
    expect((await ask({ activity: { ...note, ownerId: other.id } })).status).toBe(403)
    expect((await ask({ activity: note, patch: { stage: 'dormant' } }, other)).status).toBe(404)
    expect((await ask({ activity: { ...note, recordId: row.id } })).status).toBe(400)
    expect(await found(rep, { where: { field: 'recordId', op: 'eq', value: row.id } })).toEqual([])
    expect((await server.call('GET', `/contacts/${row.id}`, undefined, as(rep))).body).toMatchObject({ stage: 'active', version: 1 })
  })

  test('is there for every noun something can hang on', async () => {
    for (const noun of ['contacts', 'companies', 'leads', 'deals', 'contracts']) {
      const answer = await server.call('POST', `/${noun}/0192b1a0-0000-7000-8000-000000000000/follow-up`, { activity: { kind: 'note', body: 'x' } }, as(rep))
      expect([noun, answer.status, answer.body.code]).toEqual([noun, 404, 'not-found'])
    }
  })
})

describe('what is due today', () => {
  test('is one search, in either language', async () => {
    const by = await server.addPerson('today@example.com', 'rep')
    const id = await contact(by, '李雷')
    const mine = { assigneeId: by.id }
    await task(id, { ...mine, title: '回访李雷', dueAt: '2026-11-24T01:00:00Z' }, by)
    await task(id, { ...mine, title: 'Send the quote', dueAt: '2026-11-23T01:00:00Z' }, by)
    await task(id, { ...mine, title: 'Done already', dueAt: '2026-11-24T02:00:00Z', doneAt: '2026-11-24T00:00:00Z' }, by)
    await task(id, { ...mine, title: 'Next week', dueAt: '2026-12-01T01:00:00Z' }, by)
    await task(id, { title: 'Nobody’s', dueAt: '2026-11-24T01:00:00Z' }, by)
    const today = { and: [{ field: 'assigneeId', op: 'eq', value: by.id }, { field: 'doneAt', op: 'isEmpty' }, { field: 'dueAt', op: 'lt', value: '2026-11-24T16:00:00Z' }] }
    const list = await server.call('POST', '/activities/search', { where: today, sort: [{ field: 'dueAt' }], count: true }, as(by))
    expect([list.body.count, list.body.items.map((a: Json) => a.title)]).toEqual([2, ['Send the quote', '回访李雷']])
    const titles = async (text: string): Promise<string[]> => (await found(by, { text, where: today })).map((a) => a.title)
    expect(await titles('回访')).toEqual(['回访李雷'])
    expect(await titles('huifang')).toEqual(['回访李雷'])
    expect(await titles('quote')).toEqual(['Send the quote'])
  })
})

describe('a notification', () => {
  const list = async (by: Person, query = ''): Promise<Json> => (await server.call('GET', `/notifications${query}`, undefined, as(by))).body

  test('tells whoever is given a task, with its id and no word of it', async () => {
    const by = await server.addPerson('given@example.com', 'rep')
    const t = await task(await contact(rep), { title: 'Very secret title', assigneeId: by.id }, rep)
    expect(await list(by)).toEqual({ items: [{ id: expect.any(String), kind: 'assigned', object: { kind: 'activity', id: t.id }, at: expect.any(String), createdAt: expect.any(String), readAt: null }], nextCursor: null, unread: 1 })
    expect((await list(rep)).items.filter((n: Json) => n.object?.id === t.id)).toEqual([])
    // Changed in another way: nobody is told again.
    await patch(t, { title: 'Another' }, rep)
    expect((await list(by)).unread).toBe(1)
  })

  test('comes once when a reminder is due, and again after a snooze', async () => {
    const by = await server.addPerson('reminded@example.com', 'rep')
    const id = await contact(by)
    const soon = new Date(Date.now() - 1_000).toISOString()
    const t = await task(id, { remindAt: soon }, by)
    const done = await task(id, { remindAt: soon, doneAt: soon }, by)
    const wait = async (n: number): Promise<Json[]> => {
      for (let i = 0; i < 100; i++) {
        const { items } = await list(by)
        if (items.length >= n) return items
        await sleep(500)
      }
      throw new Error('nobody was reminded')
    }
    const [first] = await wait(1)
    expect(first).toMatchObject({ kind: 'reminder', object: { kind: 'activity', id: t.id }, at: soon, readAt: null })
    const snoozed = await server.call('POST', `/activities/${t.id}/snooze`, { until: new Date(Date.now() - 500).toISOString() }, as(by, t.version))
    expect(snoozed.status, snoozed.text).toBe(200)
    const both = await wait(2)
    expect(both.map((n) => n.object.id)).toEqual([t.id, t.id])
    expect(both.map((n) => n.object.id)).not.toContain(done.id)
  }, 120_000)

  test('is marked as read by whose it is, some or all', async () => {
    const by = await server.addPerson('reader@example.com', 'rep')
    for (let i = 0; i < 3; i++) await task(await contact(rep), { assigneeId: by.id }, rep)
    const { items } = await list(by)
    expect((await server.call('POST', '/notifications/read', { ids: [items[0].id] }, as(other))).body).toEqual({ read: 0 })
    expect((await server.call('POST', '/notifications/read', { ids: [items[0].id] }, as(by))).body).toEqual({ read: 1 })
    expect((await list(by, '?unread=true')).items.map((n: Json) => n.id)).toEqual(items.slice(1).map((n: Json) => n.id))
    expect((await server.call('POST', '/notifications/read', { all: true }, as(by))).body).toEqual({ read: 2 })
    expect(await list(by)).toMatchObject({ unread: 0, items: [{ readAt: expect.any(String) }, {}, {}] })
  })

  test('keeps its mail switch per person', async () => {
    const settings = (by: Person): Promise<Answer> => server.call('GET', '/me/notifications', undefined, as(by))
    expect((await server.call('PATCH', '/me/notifications', { mail: false }, as(rep))).body).toEqual({ mail: false })
    expect([(await settings(rep)).body, (await settings(other)).body]).toEqual([{ mail: false }, { mail: true }])
  })
})
