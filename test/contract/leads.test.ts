import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startServer, type Answer, type CallOptions, type Json, type Person, type TestServer } from '../harness/server.ts'

let server: TestServer
let manager: Person
let rep: Person
let other: Person
let sales: string

const as = (p: Person, headers: Record<string, string> = {}): CallOptions => ({ token: p.token, headers })
const outcome = (a: Answer): { status: number; code: string | undefined } => ({ status: a.status, code: a.body?.code })
const match = (r: Json): Record<string, string> => ({ 'If-Match': `"${r.version}"` })

async function make(noun: string, body: object, who: Person): Promise<Json> {
  const made = await server.call('POST', `/${noun}`, body, as(who))
  expect(made.status, made.text).toBe(201)
  return made.body
}

const read = async (path: string, who: Person): Promise<Json> => (await server.call('GET', path, undefined, as(who))).body

beforeAll(async () => {
  server = await startServer()
  sales = (await server.call('POST', '/departments', { name: 'Sales' })).body.id
  manager = await server.addPerson('manager@example.com', 'manager', sales)
  rep = await server.addPerson('rep@example.com', 'rep', sales)
  other = await server.addPerson('other@example.com', 'rep', sales)
}, 240_000)
afterAll(() => server?.close())

describe('status', () => {
  test('only a conversion converts; who gives a lead up says why', async () => {
    const lead = await make('leads', { fullName: 'Status Lead' }, rep)
    const wrong = await server.call('PATCH', `/leads/${lead.id}`, { status: 'converted' }, as(rep, match(lead)))
    expect(wrong.body).toMatchObject({ code: 'invalid', errors: [{ path: 'status', code: 'convert-only' }] })
    const silent = await server.call('PATCH', `/leads/${lead.id}`, { status: 'disqualified' }, as(rep, match(lead)))
    expect(silent.body).toMatchObject({ code: 'invalid', errors: [{ path: 'disqualifiedReason', code: 'required' }] })
    const said = await server.call('PATCH', `/leads/${lead.id}`, { status: 'disqualified', disqualifiedReason: 'no need' }, as(rep, match(lead)))
    expect(said.status, said.text).toBe(200)
    const again = await server.call('PATCH', `/leads/${lead.id}`, { status: 'working' }, as(rep, match(said.body)))
    expect(again.body).toMatchObject({ status: 'working', disqualifiedReason: null })
    const bulk = await server.call('POST', '/leads/bulk', { ids: [lead.id], action: 'patch', patch: { status: 'converted' } }, as(rep))
    expect(bulk.body).toMatchObject({ done: 0, failed: [{ code: 'invalid' }] })
  })
})

describe('scores', () => {
  test('are the sum of the rules that hold, follow the lead and the rules, and say where they come from', async () => {
    const lead = await make('leads', { fullName: 'Score Lead', source: 'Trade fair Hannover', phones: [{ value: '+12025550110' }], tags: ['hot'] }, rep)
    expect(lead.score).toBeNull()
    expect(outcome(await server.call('POST', '/score-rules', { name: 'mine', where: { field: 'source', op: 'contains', value: 'fair' }, points: 5 }, as(rep)))).toEqual({ status: 403, code: 'permission-missing' })
    const fair = await make('score-rules', { name: 'From a fair', where: { field: 'source', op: 'contains', value: 'FAIR' }, points: 30 }, manager)
    await make('score-rules', { name: 'Has a phone', where: { field: 'phones', op: 'isEmpty', value: false }, points: 20 }, manager)
    await make('score-rules', { name: 'Given up', where: { field: 'status', op: 'eq', value: 'disqualified' }, points: -100 }, manager)
    await expect.poll(async () => (await read(`/leads/${lead.id}`, rep)).score, { timeout: 20_000 }).toBe(50)
    const told = await read(`/leads/${lead.id}/score`, rep)
    expect(told.score).toBe(50)
    expect(told.rules.map((r: Json) => [r.name, r.points]).toSorted()).toEqual([['From a fair', 30], ['Has a phone', 20]])
    expect((await server.call('GET', `/leads/${lead.id}/score`, undefined, as(other))).status).toBe(404)
    const now = await read(`/leads/${lead.id}`, rep)
    const changed = await server.call('PATCH', `/leads/${lead.id}`, { phones: [] }, as(rep, match(now)))
    expect(changed.body.score).toBe(30)
    const paused = await server.call('PATCH', `/score-rules/${fair.id}`, { paused: true }, as(manager, match(fair)))
    expect(paused.status, paused.text).toBe(200)
    await expect.poll(async () => (await read(`/leads/${lead.id}`, rep)).score, { timeout: 20_000 }).toBe(0)
    const found = await server.call('POST', '/leads/search', { where: { field: 'score', op: 'gte', value: 0 }, sort: [{ field: 'score', direction: 'desc' }] }, as(rep))
    expect(found.body.items.map((r: Json) => r.id)).toContain(lead.id)
  }, 60_000)

  test('a rule asks only what its writer may ask, and a score is nobody’s to write', async () => {
    for (const where of [{ field: 'nothing', op: 'eq', value: 1 }, { field: 'phones', op: 'matches', value: 'x' }]) expect((await server.call('POST', '/score-rules', { name: 'wrong', where, points: 1 }, as(manager))).status).toBe(400)
    const administrator = await server.addPerson('administrator@example.com', 'administrator')
    expect(outcome(await server.call('POST', '/score-rules', { name: 'guess', where: { field: 'phones', op: 'startsWith', value: '+1' }, points: 1 }, as(administrator))).status).toBe(400)
    expect((await server.call('POST', '/leads', { fullName: 'Own Score', score: 999 }, as(rep))).status).toBe(400)
  })

  test('points do not tell what a pool conceals: the score stands still, and no rule on it is named', async () => {
    const pool = await make('pools', { name: 'Scored', kind: 'lead', departments: [sales] }, manager)
    const lead = await make('leads', { fullName: 'Pooled Score', phones: [{ value: '+12025550144' }] }, rep)
    expect((await server.call('POST', `/leads/${lead.id}/release`, { poolId: pool.id }, as(rep))).status).toBe(200)
    const before = (await read(`/leads/${lead.id}`, manager)).score
    const bound = await make('score-rules', { name: 'Guessing', where: { field: 'phones', op: 'endsWith', value: '0144' }, points: 500 }, manager)
    const probe = await make('leads', { fullName: 'Probe', phones: [{ value: '+12025550144' }] }, rep)
    await expect.poll(async () => (await read(`/leads/${probe.id}`, rep)).score, { timeout: 20_000 }).toBe(520)
    expect((await read(`/leads/${lead.id}`, manager)).score).toBe(before)
    expect((await read(`/leads/${lead.id}/score`, manager)).rules).toEqual([])
    const claimed = await server.call('POST', `/leads/${lead.id}/claim`, undefined, as(other))
    expect(claimed.body.score).toBe(520)
    expect((await server.call('DELETE', `/score-rules/${bound.id}`, undefined, as(manager, match(bound)))).status).toBe(200)
  }, 60_000)
})

describe('conversion', () => {
  test('makes company, contact and deal of what the lead says, in one go, and once', async () => {
    const lead = await make('leads', { fullName: 'Ann Convert', companyName: 'Convert Ltd', title: 'Buyer', emails: [{ value: 'ann@convert.example' }], phones: [{ value: '+12025550120' }], source: 'fair', doNotContact: ['sms'], collectedAt: '2026-01-02T03:04:05.000Z', note: 'met at the fair' }, rep)
    await make('activities', { recordKind: 'lead', recordId: lead.id, kind: 'call', title: 'first call' }, rep)
    const done = await server.call('POST', `/leads/${lead.id}/convert`, { deal: { title: 'First order' } }, as(rep))
    expect(done.status, done.text).toBe(200)
    expect(done.body).toMatchObject({ status: 'converted', convertedAt: expect.any(String), contactId: expect.any(String), companyId: expect.any(String), dealId: expect.any(String) })
    const contact = await read(`/contacts/${done.body.contactId}`, rep)
    expect(contact).toMatchObject({ fullName: 'Ann Convert', title: 'Buyer', companyId: done.body.companyId, source: 'fair', doNotContact: ['sms'], collectedAt: '2026-01-02T03:04:05.000Z', note: 'met at the fair', ownerId: rep.id })
    expect(contact.phones[0].value).toBe('+12025550120')
    expect(await read(`/companies/${done.body.companyId}`, rep)).toMatchObject({ name: 'Convert Ltd', source: 'fair' })
    expect(await read(`/deals/${done.body.dealId}`, rep)).toMatchObject({ title: 'First order', companyId: done.body.companyId, contactIds: [done.body.contactId], status: 'open' })
    const again = await server.call('POST', `/leads/${lead.id}/convert`, {}, as(rep))
    expect(outcome(again)).toEqual({ status: 409, code: 'lead-converted' })
    const relations = await read(`/contacts/${done.body.contactId}/relations`, rep)
    expect(relations.items).toContainEqual({ entity: 'lead', id: lead.id, field: 'contactId', direction: 'from' })
    // Its history is told by what it has become, to whoever sees the lead, too.
    for (const path of [`/contacts/${done.body.contactId}`, `/companies/${done.body.companyId}`, `/deals/${done.body.dealId}`]) {
      const { items } = await read(`${path}/timeline`, rep)
      const of = { entity: 'lead', id: lead.id }
      for (const action of ['lead.created', 'lead.converted', 'activity.created']) expect(items.find((i: Json) => i.action === action), `${path} ${action}`).toMatchObject({ of })
      expect(items.find((i: Json) => i.action === 'activity.created').activity).toMatchObject({ title: 'first call' })
      expect(items.some((i: Json) => i.of === undefined)).toBe(true)
    }
    const given = await server.call('POST', '/contacts/bulk', { ids: [done.body.contactId], action: 'assign', patch: { ownerId: other.id } }, as(manager))
    expect(given.body.done).toBe(1)
    expect((await read(`/contacts/${done.body.contactId}/timeline`, other)).items.filter((i: Json) => i.of)).toEqual([])
    const back = await server.call('PATCH', `/leads/${lead.id}`, { status: 'new' }, as(rep, match(done.body)))
    expect(outcome(back)).toEqual({ status: 409, code: 'lead-converted' })
  })

  test('links what is there, finds the company by its name, and makes nothing when one part is refused', async () => {
    const company = await make('companies', { name: 'Known Ltd' }, rep)
    const contact = await make('contacts', { fullName: 'Known Person' }, rep)
    const lead = await make('leads', { fullName: 'Known Person', companyName: 'known ltd' }, rep)
    const foreign = await make('contacts', { fullName: 'Foreign Person' }, other)
    const before = (await server.call('POST', '/companies/search', { count: true }, as(rep))).body.count
    const refused = await server.call('POST', `/leads/${lead.id}/convert`, { company: { name: 'Never Made' }, contact: { id: foreign.id } }, as(rep))
    expect(refused.body).toMatchObject({ code: 'invalid', errors: [{ path: 'contact.id', code: 'not-found' }] })
    expect((await server.call('POST', '/companies/search', { count: true }, as(rep))).body.count).toBe(before)
    expect((await read(`/leads/${lead.id}`, rep)).status).toBe('new')
    const done = await server.call('POST', `/leads/${lead.id}/convert`, { contact: { id: contact.id } }, as(rep))
    expect(done.body).toMatchObject({ companyId: company.id, contactId: contact.id, dealId: null })
  })

  test('of many at once one wins; a foreign lead is not there', async () => {
    const lead = await make('leads', { fullName: 'Raced Convert' }, rep)
    expect((await server.call('POST', `/leads/${lead.id}/convert`, {}, as(other))).status).toBe(404)
    const answers = await Promise.all(Array.from({ length: 5 }, () => server.call('POST', `/leads/${lead.id}/convert`, {}, as(rep))))
    expect(answers.filter((a) => a.status === 200)).toHaveLength(1)
    for (const a of answers.filter((x) => x.status !== 200)) expect([409, 412]).toContain(a.status)
    const made = await server.call('POST', '/contacts/search', { text: 'Raced Convert', count: true }, as(rep))
    expect(made.body.count).toBe(1)
  })

  test('a long history of both is told page by page, nothing twice and nothing left out', async () => {
    const lead = await make('leads', { fullName: 'Long Story' }, rep)
    const titles = Array.from({ length: 70 }, (_, i) => `lead call ${i}`)
    for (const title of titles) await make('activities', { recordKind: 'lead', recordId: lead.id, kind: 'call', title }, rep)
    const { contactId } = (await server.call('POST', `/leads/${lead.id}/convert`, {}, as(rep))).body
    const later = Array.from({ length: 20 }, (_, i) => `contact call ${i}`)
    for (const title of later) await make('activities', { recordKind: 'contact', recordId: contactId, kind: 'call', title }, rep)
    const items: Json[] = []
    let cursor: string | null = ''
    while (cursor !== null) {
      const page: Json = await read(`/contacts/${contactId}/timeline${cursor === '' ? '' : `?cursor=${cursor}`}`, rep)
      items.push(...page.items)
      cursor = page.nextCursor
    }
    expect(items.filter((i) => i.activity).map((i) => i.activity.title).toSorted()).toEqual([...titles, ...later].toSorted())
    expect(new Set(items.map((i) => i.id)).size).toBe(items.length)
    for (const action of ['lead.created', 'lead.converted', 'contact.created']) expect(items.filter((i) => i.action === action)).toHaveLength(1)
  }, 60_000)

  test('with a repeated Idempotency-Key answers the same and makes nothing twice', async () => {
    const lead = await make('leads', { fullName: 'Twice Convert' }, rep)
    const headers = { 'Idempotency-Key': 'convert-once-12345678' }
    const first = await server.call('POST', `/leads/${lead.id}/convert`, {}, as(rep, headers))
    expect(first.status, first.text).toBe(200)
    const second = await server.call('POST', `/leads/${lead.id}/convert`, {}, as(rep, headers))
    expect(second.status, second.text).toBe(200)
    expect(second.body.id).toBe(lead.id)
    expect((await server.call('POST', '/contacts/search', { text: 'Twice Convert', count: true }, as(rep))).body.count).toBe(1)
  })
})
