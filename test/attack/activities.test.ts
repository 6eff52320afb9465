import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Db } from '../../src/kernel/db/index.ts'
import { startServer, type Answer, type CallOptions, type Json, type Person, type TestServer } from '../harness/server.ts'
import { superuser } from './scan.ts'

// How one would steal through notes, tasks, timelines, reminders and notifications: by an id one has heard of, by writing oneself into a record,
// by a task as the key to what it hangs on, by what was seen once, by a narrow token, by counting, and from the database.

let server: TestServer
let db: Db
let rep: Person
let other: Person
let manager: Person

beforeAll(async () => {
  server = await startServer()
  db = superuser(server)
  rep = await server.addPerson('rep@example.com', 'rep')
  other = await server.addPerson('other@example.com', 'rep')
  manager = await server.addPerson('manager@example.com', 'manager')
}, 120_000)
afterAll(async () => {
  await db?.close()
  await server?.close()
})

const as = (p: Person, version?: number): CallOptions => ({ token: p.token, ...(version === undefined ? {} : { headers: { 'If-Match': `"${version}"` } }) })

async function make(noun: string, body: object, options: CallOptions): Promise<Json> {
  const made = await server.call('POST', `/${noun}`, body, options)
  expect(made.status, made.text).toBe(201)
  return made.body
}

const contact = (by: Person, fullName: string, more: object = {}): Promise<Json> => make('contacts', { fullName, ...more }, as(by))
const on = (id: string, body: object, by: Person): Promise<Json> => make('activities', { recordKind: 'contact', recordId: id, ...body }, as(by))
const seen = async (by: CallOptions, where: object): Promise<[number, string[]]> => {
  const { body } = await server.call('POST', '/activities/search', { where, count: true }, by)
  return [body.count, body.items.map((a: Json) => a.id)]
}
const ofRecord = (id: string): object => ({ field: 'recordId', op: 'eq', value: id })

async function give(id: string, to: Person): Promise<void> {
  const { version } = (await server.call('GET', `/contacts/${id}`, undefined, as(manager))).body
  expect((await server.call('PATCH', `/contacts/${id}`, { ownerId: to.id }, as(manager, version))).status).toBe(200)
}

/** Every way to one activity by its id. */
async function byId(id: string, by: CallOptions): Promise<[string, number, string][]> {
  const paths: [string, string, unknown?][] = [
    ['GET', ''], ['PATCH', '', { title: 'stolen' }], ['DELETE', ''], ['POST', '/restore', {}], ['GET', '/timeline'], ['GET', '/relations'], ['GET', `/why?user=${rep.id}`], ['POST', '/snooze', { until: '2027-01-01T00:00:00Z' }],
  ]
  const answers = await Promise.all(paths.map(([method, path, body]) => server.call(method, `/activities/${id}${path}`, body, { ...by, headers: { 'If-Match': '"1"' } })))
  return answers.map((a, i) => [`${paths[i]![0]} ${paths[i]![1].split('?')[0]}`, a.status, a.body?.code])
}

const ABSENT = '0192b1a0-0000-7000-8000-000000000000'

describe('by an id one has heard of', () => {
  test('an activity of a foreign record is like one that is not there, on every path', async () => {
    const { id } = await contact(rep, 'Foreign To You')
    const note = await on(id, { kind: 'task', title: 'Their margin is 40 %', dueAt: '2027-01-01T00:00:00Z' }, rep)
    expect(await byId(note.id, as(other))).toEqual(await byId(ABSENT, as(other)))
    expect((await byId(note.id, as(other))).every(([, status]) => status === 404)).toBe(true)
    expect(await seen(as(other), ofRecord(id))).toEqual([0, []])
    expect(await seen(as(other), { field: 'id', op: 'eq', value: note.id })).toEqual([0, []])
    for (const text of ['margin', 'Their margin']) expect((await server.call('POST', '/activities/search', { text, count: true }, as(other))).body).toMatchObject({ count: 0, items: [] })
    const bulk = await server.call('POST', '/activities/bulk', { ids: [note.id, ABSENT], action: 'patch', patch: { title: 'stolen' } }, as(other))
    expect(bulk.body).toMatchObject({ done: 0, failed: [{ code: 'not-found' }, { code: 'not-found' }] })
    expect((await server.call('GET', `/activities/${note.id}`, undefined, as(rep))).body).toMatchObject({ title: 'Their margin is 40 %', version: 1 })
  })
})

describe('by writing oneself into a record', () => {
  test('nothing can be hung on a foreign one, nor moved to it, nor name its people', async () => {
    const theirs = await contact(rep, 'Not To Be Hung On')
    const mine = await contact(other, 'My Own')
    const outcome = (a: Answer): Json => [a.status, a.body.code, a.body.errors]
    const hang = (id: string, more: object = {}): Promise<Answer> => server.call('POST', '/activities', { recordKind: 'contact', recordId: id, kind: 'task', title: 'x', assigneeId: other.id, ...more }, as(other))
    expect(outcome(await hang(theirs.id))).toEqual([400, 'invalid', [{ path: 'recordId', code: 'not-found' }]])
    expect(outcome(await hang(theirs.id))).toEqual(outcome(await hang(ABSENT)))
    expect(outcome(await hang(mine.id, { contactIds: [theirs.id] }))).toEqual([400, 'invalid', [{ path: 'contactIds', code: 'not-found' }]])
    const own = (await hang(mine.id)).body
    expect((await server.call('PATCH', `/activities/${own.id}`, { recordId: theirs.id }, as(other, 1))).status).toBe(400)
    expect((await server.call('PATCH', `/activities/${own.id}`, { nextId: theirs.id }, as(other, 1))).status).toBe(400)
    for (const id of [theirs.id, ABSENT]) expect((await server.call('POST', `/contacts/${id}/follow-up`, { activity: { kind: 'note', body: 'x' } }, as(other))).status).toBe(404)
    expect(await seen(as(rep), ofRecord(theirs.id))).toEqual([0, []])
  })

  test('whose kind does not fit its id is nowhere', async () => {
    const { id } = await contact(other, 'Two Kinds')
    const wrong = await server.call('POST', '/activities', { recordKind: 'company', recordId: id, kind: 'note', body: 'x' }, as(other))
    expect([wrong.status, wrong.body.code]).toEqual([400, 'invalid'])
  })
})

describe('by a task as the key to what it hangs on', () => {
  test('whoever it is given to sees the task, and of the record nothing but its id', async () => {
    const { id } = await contact(rep, 'Behind The Task', { phones: [{ value: '+1 212 555 0177' }] })
    const sibling = await on(id, { kind: 'note', body: 'a sibling nobody gave away' }, rep)
    const task = await on(id, { kind: 'task', title: 'Please send it', assigneeId: other.id }, rep)
    const shown = await server.call('GET', `/activities/${task.id}`, undefined, as(other))
    expect(shown.body).toMatchObject({ title: 'Please send it', recordId: id })
    expect(shown.text).not.toMatch(/Behind|0177/)
    for (const path of ['', '/timeline', '/relations', `/why?user=${other.id}`]) expect((await server.call('GET', `/contacts/${id}${path}`, undefined, as(other))).status).toBe(404)
    expect((await server.call('GET', `/activities/${task.id}/relations`, undefined, as(other))).body.items).toEqual([])
    expect(await seen(as(other), ofRecord(id))).toEqual([1, [task.id]])
    expect((await server.call('GET', `/activities/${sibling.id}`, undefined, as(other))).status).toBe(404)
    // They may not hang another one beside it.
    expect((await server.call('POST', '/activities', { recordKind: 'contact', recordId: id, kind: 'note', body: 'x' }, as(other))).status).toBe(400)
    // Taken back, it is gone.
    expect((await server.call('PATCH', `/activities/${task.id}`, { assigneeId: null }, as(rep, 1))).status).toBe(200)
    expect((await server.call('GET', `/activities/${task.id}`, undefined, as(other))).status).toBe(404)
    const told = (await server.call('GET', '/notifications', undefined, as(other))).body.items
    expect(told.find((n: Json) => n.kind === 'assigned')).toMatchObject({ object: null })
  })

  test('cannot be given to nobody, to a stranger, or to whoever was disabled', async () => {
    const gone = await server.addPerson('gone@example.com', 'rep')
    expect((await server.call('POST', `/users/${gone.id}/disable`, {})).status).toBe(200)
    const { id } = await contact(rep, 'Assigned')
    for (const assigneeId of [ABSENT, gone.id]) expect((await server.call('POST', '/activities', { recordKind: 'contact', recordId: id, kind: 'task', title: 'x', assigneeId }, as(rep))).body).toMatchObject({ code: 'invalid', errors: [{ path: 'assigneeId', code: 'not-found' }] })
  })

  test('does not bring an administrator to a customer', async () => {
    const admin = await server.addPerson('admin@example.com', 'administrator')
    const { id } = await contact(rep, 'Not For Administrators')
    const task = await on(id, { kind: 'task', title: 'For an administrator', assigneeId: admin.id }, rep)
    expect((await server.call('GET', `/activities/${task.id}`, undefined, as(admin))).status).toBe(403)
    expect((await server.call('GET', '/notifications', undefined, as(admin))).body.items).toEqual([expect.objectContaining({ kind: 'assigned', object: null })])
  })
})

describe('by what was seen once', () => {
  test('whoever loses sight of a record loses its activities, their timeline and what they were told of them', async () => {
    const { id } = await contact(manager, 'Taken Away', { ownerId: rep.id })
    const note = await on(id, { kind: 'note', body: 'written by the one who loses it' }, rep)
    const remindAt = new Date(Date.now() + 4_000).toISOString()
    const task = await on(id, { kind: 'task', title: 'and a reminder', remindAt }, rep)
    expect((await seen(as(rep), ofRecord(id)))[0]).toBe(2)
    await give(id, other)
    expect((await byId(note.id, as(rep))).every(([, status]) => status === 404)).toBe(true)
    expect(await seen(as(rep), ofRecord(id))).toEqual([0, []])
    expect((await server.call('POST', '/activities/search', { text: 'loses it', count: true }, as(rep))).body.count).toBe(0)
    expect((await seen(as(other), ofRecord(id)))[0]).toBe(2)
    // Two rounds later nobody has been reminded of what they no longer see.
    await sleep(36_000)
    const told = (await server.call('GET', '/notifications', undefined, as(rep))).body
    expect(told.items.filter((n: Json) => n.object?.id === task.id || n.at === remindAt)).toEqual([])
  }, 90_000)

  test('a reminder that was told before shows no id any more', async () => {
    const { id } = await contact(manager, 'Reminded Before', { ownerId: other.id })
    const task = await on(id, { kind: 'task', title: 'x', remindAt: new Date(Date.now() - 1_000).toISOString() }, other)
    const reminders = async (): Promise<Json[]> => (await server.call('GET', '/notifications', undefined, as(other))).body.items.filter((n: Json) => n.kind === 'reminder' && n.at === task.remindAt)
    for (let i = 0; i < 60 && (await reminders()).length === 0; i++) await sleep(500)
    expect(await reminders()).toEqual([expect.objectContaining({ object: { kind: 'activity', id: task.id } })])
    await give(id, rep)
    expect(await reminders()).toEqual([expect.objectContaining({ object: null })])
  }, 90_000)
})

describe('by a narrow token', () => {
  test('one for contacts reads a timeline without activities, one for activities none of a record it does not see', async () => {
    const { id } = await contact(rep, 'Narrow')
    const note = await on(id, { kind: 'note', title: 'not for this token' }, rep)
    const given = await on(id, { kind: 'task', title: 'given', assigneeId: rep.id }, rep)
    const token = async (scopes: string[]): Promise<CallOptions> => ({ token: (await server.call('POST', '/tokens', { name: 'narrow', scopes }, as(rep))).body.token })
    const contacts = await token(['contacts:read'])
    const timeline = await server.call('GET', `/contacts/${id}/timeline`, undefined, contacts)
    expect(timeline.text).not.toContain('not for this token')
    expect(timeline.body.items.filter((i: Json) => i.activity)).toEqual([])
    expect((await server.call('GET', '/notifications', undefined, contacts)).status).toBe(403)
    const activities = await token(['activities:read', 'activities:create', 'activities:edit'])
    expect(await seen(activities, ofRecord(id))).toEqual([1, [given.id]])
    expect((await server.call('GET', `/activities/${note.id}`, undefined, activities)).status).toBe(404)
    expect((await server.call('POST', `/contacts/${id}/follow-up`, { activity: { kind: 'note', body: 'x' }, patch: { stage: 'dormant' } }, activities)).status).toBe(404)
    // A follow-up is no way round the right to change the record.
    const reader = await token(['contacts:read', 'activities:create', 'activities:read'])
    expect((await server.call('POST', `/contacts/${id}/follow-up`, { activity: { kind: 'note', body: 'x' }, patch: { stage: 'dormant' } }, reader)).status).toBe(403)
    expect((await server.call('GET', `/contacts/${id}`, undefined, as(rep))).body).toMatchObject({ stage: 'active', version: 1 })
  })
})

describe('from the database', () => {
  test('whoever writes it gives themselves no task, moves none to their record, and is reminded of none', async () => {
    const { id } = await contact(rep, 'Written Over')
    const mine = await contact(other, 'The Thief’s Own')
    const task = await on(id, { kind: 'task', title: 'A title worth stealing', remindAt: '2099-01-01T00:00:00Z' }, rep)
    const attempt = async (set: string, value: string): Promise<void> => {
      const [before] = await db.query<{ v: string | null }>(`SELECT ${set}::text AS v FROM activities WHERE id = $1`, [task.id])
      await db.query(`UPDATE activities SET ${set} = $2 WHERE id = $1`, [task.id, value])
      const answer = await server.call('GET', `/activities/${task.id}`, undefined, as(other))
      expect([set, answer.status]).not.toEqual([set, 200])
      expect(answer.text).not.toContain('worth stealing')
      const list = await server.call('POST', '/activities/search', { where: { field: 'id', op: 'eq', value: task.id } }, as(other))
      expect(list.text).not.toContain('worth stealing')
      await db.query(`UPDATE activities SET ${set} = $2 WHERE id = $1`, [task.id, before!.v])
    }
    await attempt('assignee_id', other.id)
    await attempt('owner_id', other.id)
    await attempt('record_id', mine.id)
    // A reminder brought forward by hand reminds nobody.
    await db.query("UPDATE activities SET remind_at = now() - interval '1 minute', assignee_id = $2 WHERE id = $1", [task.id, other.id])
    await sleep(20_000)
    expect((await server.call('GET', '/notifications', undefined, as(other))).body.items.filter((n: Json) => n.object?.id === task.id)).toEqual([])
    await db.query("UPDATE activities SET remind_at = '2099-01-01T00:00:00Z', assignee_id = NULL WHERE id = $1", [task.id])
    expect((await server.call('GET', `/activities/${task.id}`, undefined, as(rep))).status).toBe(200)
  }, 90_000)

  test('a notification says nothing, and cannot be given to somebody else', async () => {
    const { id } = await contact(rep, 'Told')
    const task = await on(id, { kind: 'task', title: 'Title in no notification', assigneeId: other.id }, rep)
    const rows = await db.query<{ row: string }>('SELECT n::text AS row FROM notification n')
    expect(rows.length).toBeGreaterThan(0)
    for (const { row } of rows) expect(row).not.toContain(task.id.replaceAll('-', ''))
    for (const { row } of rows) expect(row).not.toContain(task.id)
    const [newest] = await db.query<{ id: string }>('SELECT id FROM notification WHERE person_id = $1 ORDER BY id DESC LIMIT 1', [other.id])
    await db.query('UPDATE notification SET person_id = $2 WHERE id = $1', [newest!.id, manager.id])
    const list = await server.call('GET', '/notifications', undefined, as(manager))
    expect([list.status, list.body.items.filter((n: Json) => n.id === newest!.id)]).toEqual([200, []])
    expect((await db.query("SELECT 1 FROM ledger_event WHERE action = 'seal.refused' AND object_id = $1", [newest!.id])).length).toBe(1)
  })
})
