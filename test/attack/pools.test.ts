import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Db } from '../../src/kernel/db/index.ts'
import { multipartOf } from '../build/files.ts'
import { startServer, type Answer, type CallOptions, type Json, type Person, type TestServer } from '../harness/server.ts'
import { superuser } from './scan.ts'

// Somebody who may claim from a pool, or may write the database, wants the contact details of what lies in it without a claim in the ledger.

let server: TestServer
let db: Db
let manager: Person
let rep: Person
let thief: Person
let sales: string
let pool: Json
let company: Json
let file: Json
let task: Json
const asked: Answer[] = []

const as = (p: Person): CallOptions => ({ token: p.token })
const CANARY = { phone: '+12025550166', website: 'canary-site.example', address: 'Canary Street 66', note: 'canarynote66', custom: 'canarycustom66', file: 'canaryfile66.pdf', task: 'canarytask66' }

async function make(noun: string, body: object, who: Person): Promise<Json> {
  const made = await server.call('POST', `/${noun}`, body, as(who))
  expect(made.status, made.text).toBe(201)
  return made.body
}

async function ask(method: string, path: string, body: unknown, who: Person, headers: Record<string, string> = {}): Promise<Answer> {
  const answer = await server.call(method, path, body, { token: who.token, headers })
  asked.push(answer)
  return answer
}

beforeAll(async () => {
  server = await startServer()
  db = superuser(server)
  sales = (await server.call('POST', '/departments', { name: 'Sales' })).body.id
  manager = await server.addPerson('manager@example.com', 'manager', sales)
  rep = await server.addPerson('rep@example.com', 'rep', sales)
  thief = await server.addPerson('thief@example.com', 'rep', sales)
  await server.call('POST', '/custom-fields', { entity: 'company', key: 'boss', label: { en: 'Boss', zh: '老板' }, class: 'personal', find: ['text', 'exact'] })
  pool = await make('pools', { name: 'Companies', kind: 'company', departments: [sales] }, manager)
  company = await make('companies', { name: 'Canary Works', registrationNumber: 'REG-66', phones: [{ value: CANARY.phone }], website: CANARY.website, address: CANARY.address, note: CANARY.note, custom: { boss: CANARY.custom } }, rep)
  const { body, headers } = multipartOf({ record: `companies/${company.id}` }, { name: CANARY.file, bytes: Buffer.from('%PDF-1.7\nprice list') })
  const put = await server.call('POST', '/attachments', body, { token: rep.token, headers })
  expect(put.status, put.text).toBe(201)
  file = put.body
  task = await make('activities', { recordKind: 'company', recordId: company.id, kind: 'task', title: CANARY.task, dueAt: '2030-01-01T00:00:00.000Z' }, rep)
  const released = await server.call('POST', `/companies/${company.id}/release`, { poolId: pool.id }, as(rep))
  expect(released.status, released.text).toBe(200)
}, 240_000)
afterAll(async () => {
  await db?.close()
  await server?.close()
})

describe('without a claim', () => {
  test('files, tasks and follow-ups on it are not there, whoever asks', async () => {
    for (const who of [thief, manager]) {
      expect((await ask('GET', `/attachments/${file.id}`, undefined, who)).status).toBe(404)
      expect((await ask('GET', `/attachments/${file.id}/content`, undefined, who)).status).toBe(404)
      expect((await ask('POST', '/attachments/search', { text: 'canaryfile66', count: true }, who)).body).toMatchObject({ items: [], count: 0 })
      expect((await ask('GET', `/activities/${task.id}`, undefined, who)).status).toBe(404)
      expect((await ask('PATCH', `/activities/${task.id}`, { title: 'mine' }, who, { 'If-Match': '"1"' })).status).toBe(404)
      expect((await ask('POST', '/activities/bulk', { ids: [task.id], action: 'assign', patch: { ownerId: who.id } }, who)).body.done).not.toBe(1)
      const { body, headers } = multipartOf({ record: `companies/${company.id}` }, { name: 'probe.pdf', bytes: Buffer.from('%PDF-1.7\nprobe') })
      expect([400, 403]).toContain((await ask('POST', '/attachments', body, who, headers)).status)
      expect([400, 403, 404]).toContain((await ask('POST', `/companies/${company.id}/follow-up`, { activity: { kind: 'note', title: 'looking' } }, who)).status)
    }
  })

  test('neither transfer, merge, export, report nor change feed tells a detail', async () => {
    const probe = await make('companies', { name: 'Probe Works' }, manager)
    for (const dryRun of [true, false]) {
      for (const body of [{ winner: probe.id, losers: [company.id] }, { winner: company.id, losers: [probe.id] }]) expect((await ask('POST', '/companies/merge', { ...body, dryRun }, manager)).status).toBe(403)
    }
    const mine = await make('contacts', { fullName: 'Prober', companyId: company.id }, thief)
    await ask('GET', `/contacts/${mine.id}`, undefined, thief)
    for (const text of [CANARY.note, CANARY.address, '0166', CANARY.website]) expect((await ask('POST', '/contacts/search', { text, count: true }, thief)).body.count).toBe(0)
    await ask('GET', '/changes', undefined, thief)
    await ask('GET', `/companies/${company.id}/relations`, undefined, thief)
    await ask('GET', `/companies/${company.id}/timeline`, undefined, manager)
    const registration = await ask('POST', '/companies/search', { where: { field: 'registrationNumber', op: 'eq', value: 'REG-66' } }, thief)
    expect(registration.body.items).toHaveLength(1) // what is not a contact detail finds it
    for (const where of [{ field: 'phones', op: 'eq', value: CANARY.phone }, { field: 'custom.boss', op: 'eq', value: CANARY.custom }, { not: { field: 'note', op: 'contains', value: 'zzz' } }]) {
      expect((await ask('POST', '/companies/search', { where, count: true }, thief)).body.items, JSON.stringify(where)).toEqual([])
    }
  })

  test('nothing that was answered holds a detail', () => {
    expect(asked.length).toBeGreaterThan(30)
    for (const answer of asked) for (const value of Object.values(CANARY)) expect(answer.text.includes(value), `${answer.text.slice(0, 200)} shows ${value}`).toBe(false)
  })

  test('the blind index holds nothing of it: whoever can hash cannot ask', async () => {
    const [row] = await db.query<{ n: number }>('SELECT count(*)::int AS n FROM blind WHERE row_id = $1', [company.id])
    expect(row!.n).toBe(1) // the registration number
  })
})

describe('with the database', () => {
  test('taking it out of the pool, or giving it to oneself, breaks its seal', async () => {
    const before = (await db.query<{ pool_id: string; owner_id: string }>('SELECT pool_id, owner_id FROM companies WHERE id = $1', [company.id]))[0]!
    for (const [column, value] of [['pool_id', null], ['owner_id', thief.id]] as const) {
      await db.query(`UPDATE companies SET ${column} = $2 WHERE id = $1`, [company.id, value])
      const answer = await server.call('GET', `/companies/${company.id}`, undefined, as(thief))
      expect([404, 503], answer.text).toContain(answer.status)
      expect(answer.text).not.toContain(CANARY.phone)
      await db.query(`UPDATE companies SET ${column} = $2 WHERE id = $1`, [company.id, before[column]])
    }
    expect((await server.call('GET', `/companies/${company.id}`, undefined, as(thief))).status).toBe(200)
  })

  test('a pool that was bent is open to nobody', async () => {
    const lead = await make('leads', { fullName: 'Behind A Bent Pool' }, rep)
    const bent = await make('pools', { name: 'Bent', kind: 'lead', departments: [sales] }, manager)
    expect((await server.call('POST', `/leads/${lead.id}/release`, { poolId: bent.id }, as(rep))).status).toBe(200)
    expect((await server.call('GET', `/leads/${lead.id}`, undefined, as(thief))).status).toBe(200)
    await db.query('UPDATE pools SET main = (SELECT main FROM pools WHERE id = $2) WHERE id = $1', [bent.id, pool.id])
    await server.call('POST', '/departments', { name: 'Moves the epoch' })
    expect((await server.call('GET', `/leads/${lead.id}`, undefined, as(thief))).status).toBe(404)
    expect((await server.call('POST', `/leads/${lead.id}/claim`, undefined, as(thief))).status).toBe(404)
    const [event] = await db.query<{ n: number }>("SELECT count(*)::int AS n FROM ledger_event WHERE action = 'seal.refused' AND object_id = $1", [bent.id])
    expect(event!.n).toBeGreaterThan(0)
  })
})

test('the claim is what tells, and it is in the ledger', async () => {
  const claimed = await server.call('POST', `/companies/${company.id}/claim`, undefined, as(thief))
  expect(claimed.body).toMatchObject({ website: CANARY.website, address: CANARY.address, note: CANARY.note, custom: { boss: CANARY.custom } })
  expect((await server.call('GET', `/attachments/${file.id}/content`, undefined, as(thief))).status).toBe(200)
  const timeline = await server.call('GET', `/companies/${company.id}/timeline`, undefined, as(manager))
  expect(timeline.body.items).toContainEqual(expect.objectContaining({ action: 'company.claimed', actorId: thief.id }))
})
