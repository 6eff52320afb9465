import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startServer, type CallOptions, type Json, type Person, type TestServer } from '../harness/server.ts'

// Ways in that no single part has: what one leaves behind is asked of another.

let server: TestServer
let manager: Person
let rep: Person
let analyst: Person
let sales: string

const as = (p: Person): CallOptions => ({ token: p.token })

async function make(noun: string, body: object, who: Person): Promise<Json> {
  const made = await server.call('POST', `/${noun}`, body, as(who))
  expect(made.status, made.text).toBe(201)
  return made.body
}

beforeAll(async () => {
  server = await startServer()
  sales = (await server.call('POST', '/departments', { name: 'Sales' })).body.id
  manager = await server.addPerson('manager@example.com', 'manager', sales)
  rep = await server.addPerson('rep@example.com', 'rep', sales)
  analyst = await server.addPerson('analyst@example.com', 'analyst', sales)
}, 240_000)
afterAll(() => server?.close())

describe('a merge that is asked for again', () => {
  test('shows what the credential that repeats it may see now', async () => {
    const [winner, loser] = [await make('contacts', { fullName: 'Canary Winner' }, rep), await make('contacts', { fullName: 'Canary Loser', note: 'canarynote71' }, rep)]
    await make('activities', { recordKind: 'contact', recordId: loser.id, kind: 'note', title: 'canary' }, rep)
    const narrow = await server.call('POST', '/tokens', { name: 'narrow', scopes: ['contacts:delete'] }, as(rep))
    expect(narrow.status, narrow.text).toBe(201)
    const body = { winner: winner.id, losers: [loser.id] }
    const headers = { 'Idempotency-Key': 'merge-71' }
    const merged = await server.call('POST', '/contacts/merge', body, { token: rep.token, headers })
    expect(merged.status, merged.text).toBe(200)
    expect(merged.body.record.note).toBe('canarynote71')
    const again = await server.call('POST', '/contacts/merge', body, { token: narrow.body.token, headers })
    expect(again.status, again.text).toBe(200)
    expect(again.text).not.toMatch(/canary/i)
    expect(again.body).toEqual({ record: { id: winner.id, version: 2, masks: {}, can: { edit: [], reveal: [], delete: false } }, moves: [], undoToken: merged.body.undoToken })
    expect((await server.call('POST', '/contacts/merge', body, { token: rep.token, headers })).body).toEqual(merged.body)
  })
})

describe('taking a merge back', () => {
  test('brings nothing back from a customer who was given to a colleague meanwhile, though the merge changed nothing of them', async () => {
    const [winner, loser] = [await make('contacts', { fullName: 'Given Away' }, rep), await make('contacts', { fullName: 'Given Away' }, rep)]
    const note = await make('activities', { recordKind: 'contact', recordId: loser.id, kind: 'note', title: 'canary72' }, rep)
    const merged = await server.call('POST', '/contacts/merge', { winner: winner.id, losers: [loser.id] }, as(rep))
    expect(merged.body.record.version, merged.text).toBe(1)
    const given = await server.call('PATCH', `/contacts/${winner.id}`, { ownerId: manager.id }, { token: manager.token, headers: { 'If-Match': '"1"' } })
    expect(given.status, given.text).toBe(200)
    expect((await server.call('GET', `/activities/${note.id}`, undefined, as(rep))).status).toBe(404)
    const undone = await server.call('POST', '/contacts/merge/undo', { undoToken: merged.body.undoToken }, as(rep))
    expect([404, 412]).toContain(undone.status)
    expect((await server.call('GET', `/activities/${note.id}`, undefined, as(rep))).status).toBe(404)
    expect((await server.call('GET', `/contacts/${loser.id}`, undefined, as(rep))).status).toBe(404)
  })

  test('goes as before where nothing was changed since', async () => {
    const [winner, loser] = [await make('contacts', { fullName: 'Kept' }, rep), await make('contacts', { fullName: 'Kept' }, rep)]
    const merged = await server.call('POST', '/contacts/merge', { winner: winner.id, losers: [loser.id] }, as(rep))
    const undone = await server.call('POST', '/contacts/merge/undo', { undoToken: merged.body.undoToken }, as(rep))
    expect(undone.body, undone.text).toEqual({ done: 2, failed: [] })
    expect((await server.call('GET', `/contacts/${loser.id}`, undefined, as(rep))).body).toMatchObject({ deletedAt: null, mergedIntoId: null })
  })
})

describe('a view that is handed over', () => {
  test('tells its new owner no value that they see masked', async () => {
    const id = '110101199003078515'
    const view = await make('views', { noun: 'contacts', kind: 'table', name: 'One', where: { field: 'nationalId', op: 'eq', value: id }, departments: [sales] }, manager)
    expect((await server.call('GET', `/views/${view.id}`, undefined, as(rep))).text).not.toContain(id)
    const run = await server.call('POST', '/handovers', { from: manager.id, to: [rep.id] }, as(manager))
    expect(run.status, run.text).toBe(202)
    while (['queued', 'running'].includes((await server.call('GET', `/transfers/${run.body.id}`, undefined, as(manager))).body.state)) await sleep(50)
    const given = await server.call('GET', `/views/${view.id}`, undefined, as(rep))
    expect(given.body).toMatchObject({ mine: true, name: 'One', refused: [{ part: 'where', code: 'field-unknown' }] })
    const renamed = await server.call('PATCH', `/views/${view.id}`, { name: 'Mine' }, { token: rep.token, headers: { 'If-Match': `"${given.body.version}"` } })
    expect(renamed.status, renamed.text).toBe(200)
    for (const told of [given, renamed, await server.call('GET', '/views', undefined, as(rep))]) expect(told.text).not.toContain(id)
    const where = { field: 'fullName', op: 'eq', value: 'x' }
    const own = await server.call('PATCH', `/views/${view.id}`, { where }, { token: rep.token, headers: { 'If-Match': `"${renamed.body.version}"` } })
    expect(own.body).toMatchObject({ where, refused: [] })
  })
})

describe('taking a bulk change back', () => {
  test('does not write a field that was closed meanwhile', async () => {
    const field = await server.call('POST', '/custom-fields', { entity: 'contact', key: 'bank', label: { en: 'Bank', zh: '银行' }, class: 'confidential', find: [] })
    expect(field.status, field.text).toBe(201)
    const contact = await make('contacts', { fullName: 'Bank Holder', custom: { bank: 'first' } }, rep)
    const bulk = await server.call('POST', '/contacts/bulk', { ids: [contact.id], action: 'patch', patch: { custom: { bank: 'second' } } }, as(rep))
    expect(bulk.body.done, bulk.text).toBe(1)
    const stricter = await server.call('PATCH', `/custom-fields/${field.body.id}`, { class: 'sensitive' }, { headers: { 'If-Match': `"${field.body.version}"` } })
    expect(stricter.status, stricter.text).toBe(200)
    const undone = await server.call('POST', '/undo', { undoToken: bulk.body.undoToken }, as(rep))
    expect(undone.body).toMatchObject({ done: 0, failed: [{ id: contact.id, code: 'permission-missing' }] })
  })
})

describe('a report of rows nobody shows', () => {
  test('does not tell the amount of the one deal that was won of many', async () => {
    const pipeline = (await server.call('POST', '/pipelines/search', {}, as(rep))).body.items.find((p: Json) => p.standard)
    const won = pipeline.stages.find((s: Json) => s.kind === 'won').id
    for (let i = 0; i < 6; i++) {
      const deal = await make('deals', { title: `Fair ${i}`, source: 'fair', amount: { minor: i === 0 ? 7_654_321 : 100, currency: 'CNY' } }, rep)
      if (i > 0) continue
      const closed = await server.call('PATCH', `/deals/${deal.id}`, { stageId: won }, { token: rep.token, headers: { 'If-Match': `"${deal.version}"` } })
      expect(closed.status, closed.text).toBe(200)
    }
    const months = { from: '2020-01-01', to: '2040-01-01', noun: 'deals' }
    expect((await server.call('POST', '/reports/sources', months, as(rep))).text).toContain('7654321')
    const told = await server.call('POST', '/reports/sources', months, as(analyst))
    expect(told.body.rows).toMatchObject([{ key: { source: 'fair' }, count: 6, numbers: { won: null }, amounts: { wonAmount: [] } }])
    expect(told.text).not.toContain('7654321')
  })
})

describe('a rule for scores', () => {
  test('is no longer than somebody writes one: each is asked of every lead', async () => {
    const long = Array.from({ length: 8 }, (_, l) => ({ field: 'city', op: 'in', value: Array.from({ length: 1_000 }, (_v, i) => `c${l}-${i}`) }))
    const refused = await server.call('POST', '/score-rules', { name: 'Slow', where: { or: long }, points: 1 }, as(manager))
    expect(refused.status).toBe(400)
    expect(refused.body.errors).toEqual([{ path: 'where', code: 'too-big' }])
    const rule = await make('score-rules', { name: 'Short', where: { field: 'city', op: 'eq', value: 'Lyon' }, points: 1 }, manager)
    const patched = await server.call('PATCH', `/score-rules/${rule.id}`, { where: { or: long } }, { token: manager.token, headers: { 'If-Match': '"1"' } })
    expect(patched.body.errors).toEqual([{ path: 'where', code: 'too-big' }])
  })
})
