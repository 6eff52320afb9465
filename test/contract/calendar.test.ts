import { readFileSync } from 'node:fs'
import { request } from 'node:https'
import { join } from 'node:path'
import ICAL from 'ical.js'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { superuser } from '../attack/scan.ts'
import { startServer, type Answer, type CallOptions, type Json, type Person, type Session, type TestServer } from '../harness/server.ts'

// One's own meetings and tasks at a secret address, read as a calendar program reads them: without a sign-in, by another library.

let server: TestServer
let rep: Person
let other: Person
let manager: Person
let session: Session

beforeAll(async () => {
  server = await startServer({ env: { SEALBOOK_LOG_LEVEL: 'debug' } })
  rep = await server.addPerson('rep@example.com', 'rep')
  other = await server.addPerson('other@example.com', 'rep')
  manager = await server.addPerson('manager@example.com', 'manager')
  session = await server.signIn(rep.email, rep.password)
}, 120_000)
afterAll(() => server?.close())

const as = (p: Person): CallOptions => ({ token: p.token })
const IN_A_WEEK = new Date(Date.now() + 7 * 86_400_000).toISOString()

async function make(noun: string, body: object, by: Person): Promise<Json> {
  const made = await server.call('POST', `/${noun}`, body, as(by))
  expect(made.status, made.text).toBe(201)
  return made.body
}

async function onContact(by: Person, body: object): Promise<Json> {
  const contact = await make('contacts', { fullName: 'Somebody Confidential' }, by)
  return make('activities', { recordKind: 'contact', recordId: contact.id, ...body }, by)
}

async function feed(words: object = {}, by: Session = session): Promise<Json> {
  const made = await server.call('POST', '/me/calendar', { name: 'phone', ...words }, by)
  expect(made.status, made.text).toBe(201)
  return made.body
}

/** As a calendar program: the address and nothing else. */
function fetchFeed(url: string, method = 'GET'): Promise<{ status: number; headers: NodeJS.Dict<string | string[]>; text: string }> {
  return new Promise((resolve, reject) => {
    const sent = request(new URL(url), { method, ca: readFileSync(server.ready.caFile) }, (answer) => {
      const chunks: Buffer[] = []
      answer.on('data', (c: Buffer) => chunks.push(c))
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, text: Buffer.concat(chunks).toString() }))
    })
    sent.on('error', reject)
    sent.end()
  })
}

async function titles(url: string): Promise<string[]> {
  const { status, text } = await fetchFeed(url)
  expect(status, text).toBe(200)
  return new ICAL.Component(ICAL.parse(text)).getAllSubcomponents('vevent').map((c) => new ICAL.Event(c).summary).toSorted()
}

const code = async (url: string): Promise<[number, string]> => {
  const { status, text } = await fetchFeed(url)
  return [status, status === 200 ? '' : (JSON.parse(text) as { code: string }).code]
}

describe('a calendar address', () => {
  test('shows my meetings and open tasks, of which I am the owner or the one they are given to, and nothing else', async () => {
    await onContact(rep, { kind: 'meeting', title: '签约；会议, Raum 5', at: IN_A_WEEK, endsAt: new Date(Date.parse(IN_A_WEEK) + 3_600_000).toISOString() })
    await onContact(rep, { kind: 'task', title: 'Send the quote', dueAt: IN_A_WEEK, body: 'with the secret price' })
    await onContact(rep, { kind: 'task', title: 'Done long ago', dueAt: IN_A_WEEK, doneAt: IN_A_WEEK })
    await onContact(rep, { kind: 'task', title: 'Whenever' })
    await onContact(rep, { kind: 'call', title: 'A call', at: IN_A_WEEK })
    await onContact(rep, { kind: 'task', title: 'In ten years', dueAt: '2036-11-24T00:00:00Z' })
    await onContact(other, { kind: 'task', title: 'Given to me', dueAt: IN_A_WEEK, assigneeId: rep.id })
    await onContact(other, { kind: 'meeting', title: 'Theirs', at: IN_A_WEEK })
    const { url, id } = await feed()
    expect(url).toMatch(/^https:\/\/[^/]+\/calendar\/sbc_[A-Za-z0-9_-]{43}\.ics$/)
    expect(await titles(url)).toEqual(['Given to me', 'Send the quote', '签约；会议, Raum 5'])
    const { headers, text } = await fetchFeed(url)
    expect(headers).toMatchObject({ 'content-type': 'text/calendar; charset=utf-8', 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' })
    for (const secret of ['Somebody Confidential', 'secret price', rep.email]) expect(text).not.toContain(secret)
    // It is a look, and is recorded as one.
    const db = superuser(server)
    expect((await db.query("SELECT 1 FROM ledger_event WHERE action = 'calendar.read' AND object_id = $1", [id])).length).toBe(2)
    await db.close()
  })

  test('tells times only when asked to', async () => {
    const { url } = await feed({ detail: 'times' })
    expect(await titles(url)).toEqual(['Meeting', 'Task', 'Task'])
  })

  test('is a secret that is shown once, and is nowhere else', async () => {
    const { url } = await feed({ name: 'once' })
    await titles(url)
    const secret = /sbc_[A-Za-z0-9_-]{43}/.exec(url)![0]
    const list = await server.call('GET', '/me/calendar', undefined, session)
    expect(list.body.items[0]).toMatchObject({ name: 'once', detail: 'titles', active: true })
    const log = readFileSync(join(server.place.home, 'log', 'sealbook.log'), 'utf8')
    expect(log).toContain('/calendar/:file')
    const db = superuser(server)
    const rows = JSON.stringify([await db.query('SELECT c::text FROM calendar_feed c'), await db.query('SELECT t::text FROM api_token t'), await db.query('SELECT e::text FROM ledger_event e')])
    await db.close()
    for (const place of [log, server.said, list.text, rows]) expect(place).not.toContain(secret.slice(4))
    // Nor is it a token of the API.
    expect((await server.call('GET', '/me', undefined, { token: secret })).status).toBe(401)
  })

  test('ends when it is revoked, here or among the tokens, and by its owner only', async () => {
    const first = await feed({ name: 'first' })
    const second = await feed({ name: 'second' })
    const foreign = await server.signIn(other.email, other.password)
    expect((await server.call('DELETE', `/me/calendar/${first.id}`, undefined, foreign)).status).toBe(404)
    expect((await server.call('GET', '/me/calendar', undefined, foreign)).body.items).toEqual([])
    expect((await fetchFeed(first.url)).status).toBe(200)
    expect((await server.call('DELETE', `/me/calendar/${first.id}`, undefined, session)).status).toBe(200)
    expect(await code(first.url)).toEqual([404, 'not-found'])
    const tokens = (await server.call('GET', '/tokens', undefined, session)).body.items
    const token = tokens.find((t: Json) => t.name === 'Calendar: second')
    expect(token.scopes).toEqual(['activities:read', 'companies:read', 'contacts:read', 'contracts:read', 'deals:read', 'leads:read'])
    expect((await server.call('DELETE', `/tokens/${token.id}`, undefined, session)).status).toBe(200)
    expect(await code(second.url)).toEqual([404, 'not-found'])
    expect((await server.call('GET', '/me/calendar', undefined, session)).body.items.find((f: Json) => f.id === second.id)).toMatchObject({ active: false })
  })

  test('that is unknown, malformed or of another kind is like one that was revoked', async () => {
    const { url } = await feed()
    const origin = new URL(url).origin
    for (const file of [`sbc_${'A'.repeat(43)}.ics`, `sbc_${'A'.repeat(43)}`, `${rep.token}.ics`, 'x.ics', encodeURIComponent("' OR 1=1 --.ics"), '.ics']) expect([file, ...(await code(`${origin}/calendar/${file}`))]).toEqual([file, 404, 'not-found'])
  })

  test('is made in a session with a fresh factor, never with a token', async () => {
    const made: Answer = await server.call('POST', '/me/calendar', { name: 'stolen' }, as(rep))
    expect([made.status, made.body.code]).toEqual([403, 'step-up-required'])
    const narrow = await server.call('POST', '/tokens', { name: 'narrow', scopes: ['contacts:read'] }, as(rep))
    expect((await server.call('GET', '/me/calendar', undefined, { token: narrow.body.token })).status).toBe(403)
  })

  test('has a budget', async () => {
    const { url } = await feed({ name: 'greedy' })
    const answers: number[] = []
    for (let i = 0; i < 62; i++) answers.push((await fetchFeed(url)).status)
    expect([answers.filter((s) => s === 200).length, answers.filter((s) => s === 429).length]).toEqual([60, 2])
    expect((await fetchFeed(url)).headers['retry-after']).toMatch(/^\d+$/)
  })
})

describe('whoever made it', () => {
  test('and loses sight of a record loses its meetings there, too', async () => {
    const contact = await make('contacts', { fullName: 'Given Away', ownerId: rep.id }, manager)
    await make('activities', { recordKind: 'contact', recordId: contact.id, kind: 'meeting', title: 'Soon out of sight', at: IN_A_WEEK }, rep)
    const { url } = await feed({ name: 'sight' })
    expect(await titles(url)).toContain('Soon out of sight')
    const moved = await server.call('PATCH', `/contacts/${contact.id}`, { ownerId: other.id }, { token: manager.token, headers: { 'If-Match': '"1"' } })
    expect(moved.status, moved.text).toBe(200)
    expect(await titles(url)).not.toContain('Soon out of sight')
  })

  test('and is disabled shows nothing any more, not even with the old row of the person put back', async () => {
    const gone = await server.addPerson('gone@example.com', 'rep')
    await onContact(gone, { kind: 'task', title: 'Left behind', dueAt: IN_A_WEEK })
    const { url } = await feed({}, await server.signIn(gone.email, gone.password))
    expect(await titles(url)).toEqual(['Left behind'])
    const db = superuser(server)
    const [before] = await db.query<{ row: string }>('SELECT to_json(p)::text AS row FROM person p WHERE id = $1', [gone.id])
    expect((await server.call('POST', `/users/${gone.id}/disable`, {})).status).toBe(200)
    expect(await code(url)).toEqual([404, 'not-found'])
    // Somebody who writes the database puts the person back as they were; the ledger knows better.
    await db.query('UPDATE person p SET (version, disabled_at, token_epoch, session_epoch, sealed, updated_at, mac) = (SELECT version, disabled_at, token_epoch, session_epoch, sealed, updated_at, mac FROM json_populate_record(NULL::person, $2::json)) WHERE id = $1', [gone.id, before!.row])
    await db.close()
    expect((await fetchFeed(url)).status).not.toBe(200)
  })
})

describe('somebody who writes the database', () => {
  test('gives no address to another person, and brings none back', async () => {
    const mine = await feed({ name: 'mine' })
    const db = superuser(server)
    const [row] = await db.query<{ row: string }>('SELECT to_json(c)::text AS row FROM calendar_feed c WHERE id = $1', [mine.id])
    await db.query('UPDATE calendar_feed SET person_id = $2 WHERE id = $1', [mine.id, other.id])
    expect(await code(mine.url)).toEqual([503, 'seal-broken'])
    await db.query('UPDATE calendar_feed SET person_id = $2 WHERE id = $1', [mine.id, rep.id])
    await db.query("UPDATE calendar_feed SET detail = 'times' WHERE id = $1", [mine.id])
    expect(await code(mine.url)).toEqual([503, 'seal-broken'])
    await db.query("UPDATE calendar_feed SET detail = 'titles' WHERE id = $1", [mine.id])
    expect((await server.call('DELETE', `/me/calendar/${mine.id}`, undefined, session)).status).toBe(200)
    await db.query('INSERT INTO calendar_feed SELECT * FROM json_populate_record(NULL::calendar_feed, $1::json)', [row!.row])
    expect(await code(mine.url)).toEqual([404, 'not-found'])
    await db.close()
  })
})
