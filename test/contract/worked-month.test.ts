import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { random } from '../../src/modules/demo/plan/random.ts'
import { sight, type Row } from '../build/books.ts'
import { Month, type Worker } from '../build/month.ts'
import { recompute, type NaiveReport, type NaiveRow } from '../build/naive-report.ts'
import { OWNER, startServer, type Json, type TestServer } from '../harness/server.ts'
import { expectProblem } from './shapes.ts'

// Twenty people work for a month, through the API only. What reports and counts then say is what plain SQL says over a plain copy.
const SEED = 20_261_124
const WEEKS = [0, 9, 20, 33]
const DEEDS_A_WEEK = 260
/** Fewer are told to nobody who may not see them. */
const FEW = 5

let server: TestServer
let month: Month
const people: Record<string, Worker> = {}

/** Two teams under Sales, one far away, and those who look on: twenty with the owner. */
async function hire(): Promise<{ staff: Worker[]; departments: Row[] }> {
  const me = (await server.call('GET', '/me')).body
  // The token of set-up is good for a week.
  const session = await server.signIn(OWNER.email, OWNER.password)
  const { token } = (await server.call('POST', '/tokens', { userId: me.id, name: 'month' }, session)).body
  people['owner'] = { id: me.id, token, role: 'owner', departmentId: me.departmentId }
  const departments: Row[] = [{ id: me.departmentId, parent: null }]
  const department = async (name: string, parent: string): Promise<string> => {
    const { id } = (await server.call('POST', '/departments', { name, parentId: parent })).body
    departments.push({ id, parent })
    return id
  }
  const sales = await department('Sales', me.departmentId)
  const [north, south, far] = [await department('North', sales), await department('South', sales), await department('Far', me.departmentId)]
  const reps = (n: number, name: string, id: string): [string, string, string][] => Array.from({ length: n }, (_, i) => [`${name}${i}`, 'rep', id])
  const wanted: [string, string, string][] = [['director', 'manager', sales], ['manager', 'manager', north], ['southern', 'manager', south], ...reps(5, 'north', north), ...reps(5, 'south', south), ...reps(4, 'far', far), ['analyst', 'analyst', sales], ['admin', 'administrator', sales]]
  for (let i = 0; i < wanted.length; i += 3) {
    await Promise.all(wanted.slice(i, i + 3).map(async ([name, role, departmentId]) => {
      const { id, token } = await server.addPerson(`${name}@example.com`, role, departmentId)
      people[name] = { id, token, role: role as Worker['role'], departmentId } // the administrator reaches nobody and is asked for nothing but refusals
    }))
  }
  return { staff: wanted.filter(([, role]) => role === 'rep' || role === 'manager').map(([name]) => people[name]!), departments }
}

beforeAll(async () => {
  server = await startServer({ env: { SEALBOOK_REQUESTS_PER_MINUTE: '1000000' } })
  const { staff, departments } = await hire()
  month = new Month(server, staff, random(SEED))
  for (const d of departments) month.books.insert('department', d)
  await month.addPipeline(people['owner']!, 'New', [['open', 10], ['open', 30], ['open', 60], ['won', 100], ['lost', 0]])
  await month.addPipeline(people['owner']!, 'Again', [['open', 50], ['won', 100], ['lost', 0]])
  for (const days of WEEKS) {
    if (days > 0) {
      await server.end('SIGTERM')
      Object.assign(server.place.env, { CLOCK_AHEAD_DAYS: String(days), NODE_OPTIONS: `--import=${join(import.meta.dirname, '..', 'harness', 'clock-ahead.ts')}` })
      await server.start()
      month.ahead = days
      await ready()
    }
    for (let i = 0; i < DEEDS_A_WEEK; i++) await month.act()
  }
}, 600_000)
afterAll(async () => {
  month?.books.close()
  await server.close()
})

/** Until search is whole again. */
async function ready(): Promise<void> {
  while ((await server.call('GET', '/api/health')).body.status !== 'ready') await sleep(100)
}

test('a month has been worked: every kind of deed was done, a few hundred records came of it, some are gone', () => {
  for (const deed of ['#company', '#contact', '#lead', '#deal', '#activity', '#convert', '#workLead', '#move', '#edit', '#contract', '#finish', '#assign', '#remove']) expect(month.done, deed).toHaveProperty(deed)
  const made = (table: string, and = ''): number => month.books.count(`SELECT count(*) AS n FROM ${table} ${and}`)
  const all = ['company', 'contact', 'lead', 'deal', 'contract', 'activity'].map((t) => made(t))
  expect(all.reduce((a, b) => a + b)).toBeGreaterThan(400)
  expect(made('deal', 'WHERE gone')).toBeGreaterThan(0)
  expect(Object.fromEntries(month.books.all<{ status: string; n: number }>('SELECT status, count(*) AS n FROM deal GROUP BY status').map((r) => [r.status, r.n]))).toEqual({ open: expect.any(Number), won: expect.any(Number), lost: expect.any(Number) })
})

interface Asked {
  path: string
  body: Record<string, unknown>
  naive: NaiveReport
}

const NEW_YORK = 'America/New_York' // where the organisation is, when it says nothing
const money = { amount: 'minor' }
const weighted = { amount: 'minor', weighted: '(minor * probability + 50) / 100' }
const within = (at: string, from: string, to: string, zone: string): string => `local_day(${at}, '${zone}') >= '${from}' AND local_day(${at}, '${zone}') < '${to}'`
const by = (who: string): Record<string, string> => (who === 'owner' ? { ownerId: 'owner' } : {})
const DID = "CASE kind WHEN 'task' THEN made ELSE at END"

/** From the first of a month, so that the analyst may ask, until the first of a later one. */
function stretch(): { from: string; to: string } {
  const first = (monthsLater: number): string => {
    const d = new Date(month.now)
    return new Date(Date.UTC(d.getUTCFullYear(), d.getUTCMonth() + monthsLater, 1)).toISOString().slice(0, 10)
  }
  return { from: first(-2), to: first(2) }
}

/** Parts of the month that do not begin with one. */
function days(): { from: string; to: string } {
  const day = (ahead: number): string => new Date(month.now - (33 - ahead) * 86_400_000).toISOString().slice(0, 10)
  return { from: day(5), to: day(25) }
}

function questions(span: { from: string; to: string }, zone: string | null): Asked[] {
  const { from, to } = span
  const timed = { from, to, ...(zone ? { timeZone: zone } : {}) }
  const z = zone ?? NEW_YORK
  const asked: Asked[] = []
  for (const p of month.pipelines) {
    const numbers = { ...Object.fromEntries(p.stages.map((s) => [s.id, `EXISTS (SELECT 1 FROM reached WHERE reached.deal = deal.id AND reached.stage = '${s.id}')`])), won: "status = 'won'", lost: "status = 'lost'" }
    for (const who of ['owner', 'none']) asked.push({ path: 'conversion', body: { pipelineId: p.id, ...timed, by: who }, naive: { table: 'deal', where: `pipeline = '${p.id}' AND ${within('made', from, to, z)}`, keys: by(who), numbers } })
  }
  asked.push({ path: 'sources', body: { noun: 'leads', ...timed }, naive: { table: 'lead', where: within('made', from, to, z), keys: { source: 'lower(source)' }, numbers: { converted: "status = 'converted'", disqualified: "status = 'disqualified'" } } })
  asked.push({ path: 'sources', body: { noun: 'deals', ...timed }, naive: { table: 'deal', where: within('made', from, to, z), keys: { source: 'lower(source)' }, numbers: { won: "status = 'won'", lost: "status = 'lost'" }, sums: { wonAmount: "CASE status WHEN 'won' THEN minor END" } } })
  for (const who of ['owner', 'none']) {
    for (const bucket of ['month', 'week', 'day']) asked.push({ path: 'activity', body: { ...timed, bucket, by: who }, naive: { table: 'activity', where: within(DID, from, to, z), keys: { ...by(who), period: `period(local_day(${DID}, '${z}'), '${bucket}')`, kind: 'kind' }, numbers: { done: 'done IS NOT NULL' } } })
    asked.push({ path: 'forecast', body: { ...timed, by: who }, naive: { table: 'deal', where: `status = 'open' AND expected >= '${from}' AND expected < '${to}'`, keys: { ...by(who), period: "period(expected, 'month')" }, sums: weighted } })
    asked.push({ path: 'won', body: { ...timed, by: who }, naive: { table: 'deal', where: `status = 'won' AND ${within('closed', from, to, z)}`, keys: { ...by(who), period: `period(local_day(closed, '${z}'), 'month')` }, sums: money } })
  }
  return asked
}

/** Reports of what is open now. */
function standing(): Asked[] {
  const age = `(julianday('${new Date(month.now).toISOString()}') - julianday(since))`
  const sinceDays = `CASE WHEN ${age} <= 7 THEN 7 WHEN ${age} <= 14 THEN 14 WHEN ${age} <= 30 THEN 30 WHEN ${age} <= 60 THEN 60 WHEN ${age} <= 90 THEN 90 ELSE -1 END`
  const asked: Asked[] = []
  for (const [body, where] of [[{}, "status = 'open'"], ...month.pipelines.map((p) => [{ pipelineId: p.id }, `status = 'open' AND pipeline = '${p.id}'`] as const)] as const) {
    asked.push({ path: 'funnel', body, naive: { table: 'deal', where, keys: { pipelineId: 'pipeline', stageId: 'stage' }, sums: weighted } })
    asked.push({ path: 'ageing', body, naive: { table: 'deal', where, keys: { stageId: 'stage', sinceDays }, sums: money } })
  }
  const owner = people['north0']!.id
  asked.push({ path: 'funnel', body: { ownerId: owner }, naive: { table: 'deal', where: `status = 'open' AND owner = '${owner}'`, keys: { pipelineId: 'pipeline', stageId: 'stage' }, sums: weighted } })
  return asked
}

const everything = (): Asked[] => [...standing(), ...questions(stretch(), null), ...questions(stretch(), 'Asia/Shanghai'), ...questions(days(), null), ...questions(days(), 'Asia/Shanghai')]
const wholeMonths = (): Asked[] => [...standing(), ...questions(stretch(), null), ...questions(stretch(), 'Asia/Shanghai')]

const plain = (row: Pick<NaiveRow, 'count' | 'numbers' | 'amounts'>): object => ({ count: row.count, numbers: row.numbers, amounts: Object.fromEntries(Object.entries(row.amounts).map(([name, sums]) => [name, Object.fromEntries(Object.entries(sums).map(([currency, { minor }]) => [currency, minor]))])) })
const told = (row: Json): object => ({ count: row.count, numbers: row.numbers, amounts: Object.fromEntries(Object.entries(row.amounts as Record<string, Json[]>).map(([name, sums]) => [name, Object.fromEntries(sums.map((s) => [s.currency, s.minor]))])) })
/** As text with its keys in order, so that both sides name a group alike. */
const nameOf = (key: Record<string, unknown>): string => JSON.stringify(Object.entries(key).sort(([a], [b]) => (a < b ? -1 : 1)))

async function answerTo(who: Worker, { path, body }: Asked): Promise<Json> {
  const answer = await server.call('POST', `/reports/${path}`, body, { token: who.token })
  expect({ path, body, status: answer.status, text: answer.status === 200 ? '' : answer.text }).toEqual({ path, body, status: 200, text: '' })
  return answer.body
}

describe.each(['owner', 'director', 'manager', 'southern', 'north0', 'north3', 'south2', 'far1'])('to %s', (name) => {
  test('every report is what plain SQL says of the rows they see', async () => {
    const who = people[name]!
    let rows = 0
    for (const asked of everything()) {
      const naive = recompute(month.books, who, asked.naive)
      const table = await answerTo(who, asked)
      const at = `${asked.path} ${JSON.stringify(asked.body)}`
      expect(new Map(table.rows.map((r: Json) => [nameOf(r.key), told(r)])), at).toEqual(new Map(naive.rows.map((r) => [nameOf(r.key), plain(r)])))
      expect(table.withheld, at).toBe(0)
      expect(table.total.count, at).toBe(naive.total?.count ?? 0)
      if (naive.total) expect(told(table.total), at).toEqual(plain(naive.total))
      rows += table.rows.length
    }
    expect(rows).toBeGreaterThan(50)
  }, 120_000)

  test('every search counts what plain SQL counts', async () => {
    const who = people[name]!
    const eq = (field: string, value: unknown): object => ({ field, op: 'eq', value })
    const asked: [noun: string, table: string, where: object | undefined, sql: string][] = [
      ['companies', 'company', undefined, 'TRUE'], ['companies', 'company', eq('source', 'Website'), "source = 'Website'"], ['companies', 'company', eq('industry', 'food'), "industry = 'Food'"],
      ['contacts', 'contact', undefined, 'TRUE'], ['contacts', 'contact', eq('stage', 'dormant'), "stage = 'dormant'"], ['contacts', 'contact', { field: 'companyId', op: 'isEmpty' }, 'company IS NULL'],
      ['leads', 'lead', undefined, 'TRUE'], ['leads', 'lead', { and: [eq('status', 'new'), eq('source', '展会')] }, "status = 'new' AND source = '展会'"], ['leads', 'lead', { not: eq('source', '转介绍') }, "coalesce(source, '') <> '转介绍'"],
      ['deals', 'deal', undefined, 'TRUE'], ['deals', 'deal', eq('status', 'won'), "status = 'won'"], ['deals', 'deal', { field: 'probability', op: 'gte', value: 50 }, 'probability >= 50'], ['deals', 'deal', { or: [eq('status', 'lost'), eq('source', 'Website')] }, "status = 'lost' OR source = 'Website'"],
      ['contracts', 'contract', undefined, 'TRUE'], ['contracts', 'contract', eq('status', 'active'), "status = 'active'"],
      ['activities', 'activity', undefined, 'TRUE'], ['activities', 'activity', eq('kind', 'call'), "kind = 'call'"], ['activities', 'activity', { and: [eq('kind', 'task'), { field: 'doneAt', op: 'isEmpty' }] }, "kind = 'task' AND done IS NULL"], ['activities', 'activity', eq('assigneeId', who.id), `assignee = '${who.id}'`],
    ]
    for (const [noun, table, where, sql] of asked) {
      const answer = await server.call('POST', `/${noun}/search`, { limit: 1, count: true, ...(where ? { where } : {}) }, { token: who.token })
      expect({ noun, where, count: answer.body.count, complete: answer.body.complete }).toEqual({ noun, where, count: month.books.count(`SELECT count(*) AS n FROM ${table} WHERE (${sight(who, table)}) AND (${sql})`), complete: true })
    }
  })
})

describe('to an analyst, who counts everything and sees nothing', () => {
  test('every group that is told is what plain SQL says of the whole firm, and none is small', async () => {
    const who = people['analyst']!
    let [shown, withheld] = [0, 0]
    for (const asked of wholeMonths()) {
      const naive = recompute(month.books, who, asked.naive)
      const groups = new Map(naive.rows.map((r) => [nameOf(r.key), r]))
      const table = await answerTo(who, asked)
      const at = `${asked.path} ${JSON.stringify(asked.body)}`
      for (const row of table.rows) {
        expect(row.count, at).toBeGreaterThanOrEqual(FEW)
        if (row.key === null) continue
        const group = groups.get(nameOf(row.key))
        expect(row.count, at).toBe(group?.count)
        for (const [of, n] of Object.entries(row.numbers)) expect({ at, of, n }).toEqual({ at, of, n: toldNumber(group!.numbers[of]!, group!.count) })
        for (const [of, sums] of Object.entries(row.amounts as Record<string, Json[]>)) expect({ at, of, sums: Object.fromEntries(sums.map((s) => [s.currency, s.minor])) }).toEqual({ at, of, sums: toldSums(group!.amounts[of]!) })
      }
      // Nothing is left out but what is small, and what must stand before it.
      const sum = table.rows.reduce((n: number, r: Json) => n + r.count, 0)
      if (table.total) expect({ at, sum, total: table.total.count }).toEqual({ at, sum: naive.total?.count ?? 0, total: naive.total?.count ?? 0 })
      const names = new Set(table.rows.map((r: Json) => r.key && nameOf(r.key)))
      const hidden = naive.rows.filter((r) => !names.has(nameOf(r.key)))
      expect(hidden.length, at).toBe(table.withheld)
      if (hidden.length > 0) expect(hidden.some((r) => r.count < FEW), at).toBe(true)
      for (const r of naive.rows) if (r.count < FEW) expect(hidden, at).toContain(r)
      shown += table.rows.length
      withheld += table.withheld
    }
    expect(shown).toBeGreaterThan(50)
    expect(withheld).toBeGreaterThan(10)
  }, 120_000)

  const toldNumber = (n: number, of: number): number | null => ((n > 0 && n < FEW) || (of - n > 0 && of - n < FEW) ? null : n)
  const toldSums = (sums: NaiveRow['amounts'][string]): Record<string, number> => Object.fromEntries(Object.entries(sums).filter(([, s]) => s.rows === 0 || s.rows >= FEW).map(([currency, s]) => [currency, s.minor]))

  test('part of a month is not to be had, nor any row', async () => {
    const { token } = people['analyst']!
    for (const { path, body } of questions(days(), null)) expectProblem(await server.call('POST', `/reports/${path}`, body, { token }), 400, 'invalid')
    for (const noun of ['companies', 'contacts', 'leads', 'deals', 'contracts', 'activities']) expectProblem(await server.call('POST', `/${noun}/search`, {}, { token }), 403, 'permission-missing')
  })
})

test('an administrator is told nothing of it', async () => {
  const { token } = people['admin']!
  for (const { path, body } of wholeMonths()) expectProblem(await server.call('POST', `/reports/${path}`, body, { token }), 403, 'permission-missing')
  for (const noun of ['leads', 'deals', 'activities']) expectProblem(await server.call('POST', `/${noun}/search`, { count: true }, { token }), 403, 'permission-missing')
})
