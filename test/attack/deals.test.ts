import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import type { Db } from '../../src/kernel/db/index.ts'
import { startServer, type Json, type Person, type TestServer } from '../harness/server.ts'
import { superuser } from './scan.ts'

// How one would steal through boards, pipelines, contracts, rates and settings: counts of what is not mine, names of what I may not see, rules bent in the database.

let server: TestServer
let db: Db
let rep: Person
let other: Person
let administrator: Person
let pipeline: Json

beforeAll(async () => {
  vi.setConfig({ testTimeout: 120_000 })
  server = await startServer()
  db = superuser(server)
  rep = await server.addPerson('rep@example.com', 'rep')
  other = await server.addPerson('other@example.com', 'rep')
  administrator = await server.addPerson('admin@example.com', 'administrator')
  ;[pipeline] = (await server.call('POST', '/pipelines/search', {})).body.items
}, 180_000)
afterAll(async () => {
  await db?.close()
  await server?.close()
})

const call = (who: Person, method: string, path: string, body?: unknown, version?: number) => server.call(method, path, body, { token: who.token, headers: version === undefined ? {} : { 'If-Match': `"${version}"` } })
const SECRET = 'Canary-4711'
const ofOther = async (): Promise<{ deal: Json; contract: Json; company: Json }> => {
  const company = (await call(other, 'POST', '/companies', { name: `${SECRET} Ltd` })).body
  const deal = (await call(other, 'POST', '/deals', { title: SECRET, companyId: company.id, amount: { minor: 471_147_11, currency: 'USD' }, note: SECRET })).body
  const contract = (await call(other, 'POST', '/contracts', { number: SECRET, status: 'active', endsOn: '2099-12-31', companyId: company.id, dealId: deal.id })).body
  return { deal, contract, company }
}

describe('a rep, of a colleague\'s deals and contracts', () => {
  test('gets no count, no sum, no title from a board, whatever is asked of it', async () => {
    const { deal } = await ofOther()
    await call(rep, 'POST', '/deals', { title: 'Mine', amount: { minor: 100, currency: 'USD' } })
    const questions: object[] = [
      {},
      { where: { field: 'title', op: 'eq', value: SECRET } },
      { where: { not: { field: 'title', op: 'eq', value: SECRET } } },
      { where: { or: [{ field: 'ownerId', op: 'eq', value: other.id }, { field: 'amount', op: 'gt', value: 1000 }, { field: 'stageId', op: 'eq', value: pipeline.stages[0].id }] } },
      { where: { field: 'id', op: 'eq', value: deal.id } },
      { sort: [{ field: 'amount', direction: 'desc' }] },
    ]
    for (const body of questions) {
      const answer = await call(rep, 'POST', '/deals/board', body)
      expect([200, 400]).toContain(answer.status)
      if (answer.status === 400) continue
      expect(answer.text).not.toContain('4711')
      const counted = answer.body.columns.reduce((n: number, c: Json) => n + c.count, 0)
      const mine = await call(rep, 'POST', '/deals/search', { ...body, count: true })
      expect(counted).toBe(mine.body.count)
      for (const c of answer.body.columns) for (const a of c.amounts) expect(a.minor).toBeLessThan(1_000_000)
    }
    // Where the next cards of a column are is bound to who asked.
    for (const title of ['Second', 'Third']) await call(other, 'POST', '/deals', { title })
    const page = await call(other, 'POST', '/deals/board', { cards: 1 })
    const { stageId, nextCursor } = page.body.columns[0]
    expect(nextCursor).not.toBeNull()
    const next = { cards: 1, stageId, cursor: nextCursor, at: page.body.at }
    expect((await call(other, 'POST', '/deals/board', next)).status).toBe(200)
    expect((await call(rep, 'POST', '/deals/board', next)).status).toBe(400)
  })

  test('names none of them in a deal or contract of their own, and renews none', async () => {
    const { deal, contract, company } = await ofOther()
    for (const body of [{ companyId: company.id }, { dealId: deal.id }]) {
      const refused = await call(rep, 'POST', '/contracts', { number: 'x', ...body })
      expect([refused.status, refused.body.errors[0].code]).toEqual([400, 'not-found'])
    }
    const [renewed, absent] = await Promise.all([contract.id, '0190a1b2-c3d4-7e5f-8a6b-0c1d2e3f4a5b'].map((id) => call(rep, 'POST', `/contracts/${id}/renew`, { number: 'x' }, 1)))
    expect(renewed!.status).toBe(404)
    expect({ ...renewed!.body, requestId: 0 }).toEqual({ ...absent!.body, requestId: 0 })
    // Of a stale version of it, too, nothing is said.
    expect((await call(rep, 'POST', `/contracts/${contract.id}/renew`, { number: 'x' }, 99)).status).toBe(404)
  })

  test('a manager who may count them sees them; an administrator alone neither', async () => {
    for (const [method, path, body] of [['POST', '/deals/board', {}], ['POST', '/deals/search', {}], ['POST', '/contracts/search', {}]] as const) {
      expect((await call(administrator, method, path, body)).status).toBe(403)
      expect((await server.call(method, path, body)).text).toContain(SECRET)
    }
  })

  test('an administrator who takes a stage away learns that there is a deal, and neither how many nor whose', async () => {
    const { stages, version, id } = (await call(administrator, 'GET', `/pipelines/${pipeline.id}`)).body
    const answer = await call(administrator, 'PATCH', `/pipelines/${id}`, { stages: stages.slice(1) }, version)
    expect([answer.status, answer.body.code]).toEqual([409, 'stage-in-use'])
    expect(Object.keys(answer.body).sort()).toEqual(['code', 'detail', 'requestId', 'status', 'title', 'type'])
  })
})

describe('somebody who writes the database', () => {
  test('moves no deal, ends no contract, bends no rate and no stage: what was changed does not open', async () => {
    const deal = (await call(rep, 'POST', '/deals', { title: 'Bent' })).body
    const contract = (await call(rep, 'POST', '/contracts', { number: 'Bent', status: 'active', endsOn: '2099-12-31' })).body
    const rate = (await server.call('POST', '/exchange-rates', { currency: 'CNY', rate: '0.14' })).body
    const bends: [string, string, string, string][] = [
      ['deals', deal.id, "status = 'won'", "status = 'open'"],
      ['deals', deal.id, `stage_id = '${pipeline.stages[4].id}'`, `stage_id = '${deal.stageId}'`],
      ['deals', deal.id, "stage_since = stage_since - interval '90 days'", "stage_since = stage_since + interval '90 days'"],
      ['contracts', contract.id, "status = 'terminated'", "status = 'active'"],
      ['exchange_rates', rate.id, "currency = 'JPY'", "currency = 'CNY'"],
      ['exchange_rates', rate.id, "base = 'EUR'", "base = 'USD'"],
      ['pipelines', pipeline.id, 'standard = false', 'standard = true'],
    ]
    for (const [table, id, bend, mend] of bends) {
      const path = `/${table.replace('_', '-')}/${id}`
      await db.query(`UPDATE ${table} SET ${bend} WHERE id = '${id}'`)
      const bent = await server.call('GET', path)
      expect([bend, bent.status, bent.body.code]).toEqual([bend, 503, 'seal-broken'])
      await db.query(`UPDATE ${table} SET ${mend} WHERE id = '${id}'`)
      expect([mend, (await server.call('GET', path)).status]).toEqual([mend, 200])
    }
    // A deal is not made in a pipeline that was bent.
    await db.query(`UPDATE pipelines SET version = version + 7 WHERE id = '${pipeline.id}'`)
    expect((await call(rep, 'POST', '/deals', { title: 'x' })).body.code).toBe('seal-broken')
    expect((await call(rep, 'POST', '/deals/board', {})).body.code).toBe('seal-broken')
    await db.query(`UPDATE pipelines SET version = version - 7 WHERE id = '${pipeline.id}'`)
  })

  test('puts no older settings of the organisation back: the next start is refused, and nothing is served', async () => {
    const [old] = await db.query<{ version: number; sealed: Buffer; mac: Buffer; locale: string }>('SELECT version, sealed, mac, locale FROM organisation')
    const changed = await server.call('PATCH', '/organisation', { baseCurrency: 'EUR' }, { headers: { 'If-Match': '"1"' } })
    expect(changed.status).toBe(200)
    const [now] = await db.query<{ version: number; sealed: Buffer; mac: Buffer }>('SELECT version, sealed, mac FROM organisation')
    const put = (row: { version: number; sealed: Buffer; mac: Buffer }): Promise<unknown> => db.query('UPDATE organisation SET version = $1, sealed = $2, mac = $3', [row.version, row.sealed, row.mac])
    await put(old!)
    const refused = await server.call('PATCH', '/organisation', { locale: 'zh-CN' }, { headers: { 'If-Match': '"1"' } })
    expect([refused.status, refused.body.code]).toEqual([503, 'seal-broken'])
    const told = (): Promise<{ n: number }[]> => db.query("SELECT count(*)::int AS n FROM ledger_event WHERE action = 'authority.tampered' AND object_kind = 'organisation'")
    await vi.waitFor(async () => expect((await told())[0]?.n).toBe(1), { timeout: 30_000 }) // the refusal does not wait for it
    await db.close()
    expect(await server.end('SIGTERM')).toBe(0)
    await expect(server.start()).rejects.toThrow('organisation-tampered')
    expect(now!.version).toBe(2)
  })
})
