import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startServer, type Json, type Person, type TestServer } from '../harness/server.ts'
import { expectProblem } from './shapes.ts'

let server: TestServer
const people: Record<'owner' | 'manager' | 'mine' | 'other' | 'far' | 'analyst' | 'admin', Person | { token?: string }> = {} as never // filled below
let pipeline: Json
const stage = (kind: string): string => pipeline.stages.find((s: Json) => s.kind === kind).id

async function create(who: { token?: string }, path: string, body: object): Promise<Json> {
  const made = await server.call('POST', path, body, who)
  expect({ path, status: made.status, text: made.status === 201 ? '' : made.text }).toEqual({ path, status: 201, text: '' })
  return made.body
}

async function all(who: { token?: string }, noun: string): Promise<Json[]> {
  const items: Json[] = []
  for (let cursor: string | undefined; ; ) {
    const page = await server.call('POST', `/${noun}/search`, { limit: 200, ...(cursor ? { cursor } : {}) }, who)
    expect(page.status).toBe(200)
    items.push(...page.body.items)
    if (!page.body.nextCursor) return items
    cursor = page.body.nextCursor
  }
}

const FROM = '2000-01-01'
const TO = '2100-01-01'

beforeAll(async () => {
  server = await startServer()
  const north = (await create({}, '/departments', { name: 'North' })).id
  const south = (await create({}, '/departments', { name: 'South' })).id
  people.owner = {}
  people.manager = await server.addPerson('manager@example.com', 'manager', north)
  people.mine = await server.addPerson('mine@example.com', 'rep', north)
  people.other = await server.addPerson('other@example.com', 'rep', north)
  people.far = await server.addPerson('far@example.com', 'rep', south)
  people.analyst = await server.addPerson('analyst@example.com', 'analyst')
  people.admin = await server.addPerson('admin@example.com', 'administrator')
  pipeline = await create({}, '/pipelines', {
    name: 'Reported',
    stages: [['open', 20], ['open', 50], ['won', 100], ['lost', 0]].map(([kind, probability], i) => ({ id: `1111111${i}-1111-4111-8111-111111111111`, name: `S${i}`, kind, probability, stuckAfterDays: null })),
  })
  const sources = ['Fair', '展会', null]
  for (const [n, who] of [...Array.from({ length: 7 }, () => people.mine), ...Array.from({ length: 6 }, () => people.other), ...Array.from({ length: 3 }, () => people.far)].entries()) {
    const currency = n % 4 === 0 ? 'USD' : 'CNY'
    const deal = await create(who, '/deals', { title: `Deal ${n}`, pipelineId: pipeline.id, stageId: pipeline.stages[n % 2].id, amount: n === 5 ? null : { minor: 1000 * n + 7, currency }, probability: 10 * (n % 10), expectedCloseOn: `2026-0${1 + (n % 9)}-15`, source: sources[n % 3] })
    if (n % 5 === 0) await server.call('PATCH', `/deals/${deal.id}`, { stageId: stage('won') }, { ...who, headers: { 'If-Match': `"${deal.version}"` } })
    await create(who, '/activities', { kind: n % 2 ? 'call' : 'note', recordKind: 'deal', recordId: deal.id, body: 'x' })
  }
})
afterAll(() => server.close())

/** What the person sees, put together by hand. */
function byHand(deals: readonly Json[], key: (d: Json) => Json): Map<string, { count: number; minor: Map<string, number> }> {
  const groups = new Map<string, { count: number; minor: Map<string, number> }>()
  for (const d of deals) {
    const id = JSON.stringify(key(d))
    const group = groups.get(id) ?? { count: 0, minor: new Map<string, number>() }
    group.count++
    if (d.amount) group.minor.set(d.amount.currency, (group.minor.get(d.amount.currency) ?? 0) + d.amount.minor)
    groups.set(id, group)
  }
  return groups
}

const told = (rows: readonly Json[]): Map<string, { count: number; minor: Map<string, number> }> =>
  new Map(rows.map((r) => [JSON.stringify(r.key), { count: r.count, minor: new Map(r.amounts.amount.map((a: Json) => [a.currency, a.minor])) }]))

describe.each(['owner', 'manager', 'mine', 'far'] as const)('reports of %s are what their own rows add up to', (name) => {
  let deals: Json[]
  beforeAll(async () => {
    deals = await all(people[name], 'deals')
    expect(deals.length).toBe({ owner: 16, manager: 13, mine: 7, far: 3 }[name])
  })
  const ask = async (path: string, body: object): Promise<Json> => {
    const answer = await server.call('POST', `/reports/${path}`, body, people[name])
    expect({ path, status: answer.status, text: answer.status === 200 ? '' : answer.text }).toEqual({ path, status: 200, text: '' })
    expect(answer.body.withheld).toBe(0)
    return answer.body
  }

  test('the funnel', async () => {
    const open = deals.filter((d) => d.status === 'open')
    const table = await ask('funnel', { pipelineId: pipeline.id })
    expect(told(table.rows)).toEqual(byHand(open, (d) => ({ pipelineId: d.pipelineId, stageId: d.stageId })))
    expect(table.total.count).toBe(open.length)
    const weighted = open.filter((d) => d.amount?.currency === 'CNY').reduce((n, d) => n + Math.floor((d.amount.minor * (d.probability ?? 0) + 50) / 100), 0)
    expect(table.total.amounts.weighted.find((a: Json) => a.currency === 'CNY')?.minor ?? 0).toBe(weighted)
  })

  test('forecast by month and ageing', async () => {
    const open = deals.filter((d) => d.status === 'open')
    expect(told((await ask('forecast', { from: '2026-01-01', to: '2027-01-01' })).rows)).toEqual(byHand(open, (d) => ({ period: `${d.expectedCloseOn.slice(0, 7)}-01` })))
    const ageing = await ask('ageing', {})
    expect(ageing.total.count).toBe(open.length)
  })

  test('sources, and activity by person and kind', async () => {
    const sources = await ask('sources', { noun: 'deals', from: FROM, to: TO })
    expect(new Map(sources.rows.map((r: Json) => [r.key.source, r.count]))).toEqual(new Map([...byHand(deals, (d) => d.source?.toLowerCase() ?? null)].map(([k, g]) => [JSON.parse(k), g.count])))
    const activities = await all(people[name], 'activities')
    const table = await ask('activity', { from: '2020-01-01', to: '2030-01-01', bucket: 'year' })
    expect(table.total.count).toBe(activities.length)
    for (const row of table.rows) expect(row.count).toBe(activities.filter((a) => a.ownerId === row.key.ownerId && a.kind === row.key.kind && (a.kind === 'task' ? a.createdAt : a.at).startsWith(row.key.period.slice(0, 4))).length)
  })

  test('conversion counts each stage that was reached', async () => {
    const table = await ask('conversion', { pipelineId: pipeline.id, from: FROM, to: TO })
    expect(table.total.count).toBe(deals.length)
    expect(table.total.numbers.won).toBe(deals.filter((d) => d.status === 'won').length)
    for (const s of pipeline.stages) expect(table.total.numbers[s.id]).toBe(deals.filter((d) => d.reached.includes(s.id)).length)
  })
})

describe('whoever may count rows they may not see', () => {
  test('is told of no group of fewer than five, and sees no record', async () => {
    expectProblem(await server.call('POST', '/deals/search', {}, people.analyst), 403, 'permission-missing')
    const funnel = await server.call('POST', '/reports/funnel', {}, people.analyst)
    expect(funnel.status).toBe(200)
    for (const row of funnel.body.rows) expect(row.count).toBeGreaterThanOrEqual(5)
    const byOwner = await server.call('POST', '/reports/activity', { from: '2020-01-01', to: '2030-01-01', bucket: 'year' }, people.analyst)
    // Far has three activities in two kinds: neither they nor the rest that would tell them is there.
    expect(byOwner.body.rows.every((r: Json) => r.count >= 5)).toBe(true)
    expect(byOwner.body.withheld).toBeGreaterThan(0)
  })

  test('asks for whole months, so that no day can be taken from another', async () => {
    expectProblem(await server.call('POST', '/reports/won', { from: '2026-01-02', to: '2026-02-01' }, people.analyst), 400, 'invalid')
  })
})

describe('reports are refused', () => {
  test('to an administrator without customers, for an unknown pipeline, and for a stretch without end', async () => {
    expectProblem(await server.call('POST', '/reports/funnel', {}, people.admin), 403, 'permission-missing')
    expectProblem(await server.call('POST', '/reports/conversion', { pipelineId: '99999999-9999-4999-8999-999999999999', from: FROM, to: TO }, people.mine), 404, 'not-found')
    expectProblem(await server.call('POST', '/reports/activity', { from: '1000-01-01', to: '9000-01-01', bucket: 'day' }, people.mine), 400, 'invalid')
    expectProblem(await server.call('POST', '/reports/activity', { from: '2026-01-01', to: '2026-01-01' }, people.mine), 400, 'invalid')
    expectProblem(await server.call('POST', '/reports/funnel', { timeZone: 'Mars/Base' }, people.mine), 400, 'invalid')
  })
})
