import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startServer, TestServer, type Json, type Person } from '../harness/server.ts'
import { expectProblem } from './shapes.ts'

let server: TestServer
let rep: Person
let other: Person
let administrator: Person
let pipeline: Json
const deals: Json[] = []
const at = (n: number): Json => pipeline.stages[n]

beforeAll(async () => {
  server = await startServer()
  rep = await server.addPerson('rep@example.com', 'rep')
  other = await server.addPerson('other@example.com', 'rep')
  administrator = await server.addPerson('admin@example.com', 'administrator')
  ;[pipeline] = (await server.call('POST', '/pipelines/search', {})).body.items
  const rate = await server.call('POST', '/exchange-rates', { currency: 'CNY', rate: '0.1412', day: '2026-01-01' })
  expect(rate.status).toBe(201)
  for (let n = 0; n < 40; n++) {
    const amount = n % 7 === 0 ? null : { minor: 100_003 * n + 1, currency: ['USD', 'CNY', 'EUR'][n % 3] }
    const stage = at(n % 6)
    const made = await server.call('POST', '/deals', { title: `Deal ${n}`, stageId: stage.id, amount, ...(stage.kind === 'lost' ? { lostReason: 'Price' } : {}), ...(n % 5 === 0 && stage.kind === 'open' ? { probability: 33 } : {}), tags: n % 2 ? ['odd'] : [] }, { token: (n % 4 === 0 ? other : rep).token })
    expect(made.text && made.status).toBe(201)
    deals.push(made.body)
  }
})
afterAll(() => server.close())

const boardOf = async (token: string, body: object = {}): Promise<Json> => {
  const answer = await server.call('POST', '/deals/board', body, { token })
  expect(answer.status === 200 ? '' : answer.text).toBe('')
  return answer.body
}

/** The same, put together by hand. Each share is rounded by itself, half up. */
function byHand(list: readonly Json[], stageId: string): { count: number; amounts: Json[]; weighted: Json[] } {
  const here = list.filter((d) => d.stageId === stageId)
  const sums = (of: (d: Json) => number): Json[] => {
    const byCurrency: Record<string, number> = {}
    for (const d of here) if (d.amount) byCurrency[d.amount.currency] = (byCurrency[d.amount.currency] ?? 0) + of(d)
    return Object.entries(byCurrency).map(([currency, minor]) => ({ currency, minor })).sort((a, b) => (a.currency < b.currency ? -1 : 1))
  }
  return { count: here.length, amounts: sums((d) => d.amount.minor), weighted: sums((d) => Math.floor((d.amount.minor * d.probability + 50) / 100)) }
}

describe('the board', () => {
  test('counts and adds up, stage by stage, what each person sees and nothing else', async () => {
    const seenBy: [string, (d: Json) => boolean][] = [[rep.token, (d) => d.ownerId === rep.id], [other.token, (d) => d.ownerId === other.id], [server.token, () => true]]
    for (const [token, sees] of seenBy) {
      const board = await boardOf(token, { cards: 100 })
      expect(board).toMatchObject({ pipelineId: pipeline.id, name: pipeline.name, baseCurrency: 'USD' })
      expect(board.columns.map((c: Json) => [c.stageId, c.name, c.kind])).toEqual(pipeline.stages.map((s: Json) => [s.id, s.name, s.kind]))
      for (const column of board.columns) {
        const mine = deals.filter(sees)
        const { count, amounts, weighted } = byHand(mine, column.stageId)
        expect({ count: column.count, amounts: column.amounts, weighted: column.weighted }).toEqual({ count, amounts, weighted })
        expect(column.items.map((d: Json) => d.id)).toEqual(mine.filter((d) => d.stageId === column.stageId).map((d) => d.id).reverse())
      }
    }
  })

  test('tells sums in the base currency, and what has no rate and is not in them', async () => {
    const [column] = (await boardOf(rep.token)).columns
    const sum = (list: Json[]): number => list.reduce((n, a) => n + (a.currency === 'USD' ? a.minor : a.currency === 'CNY' ? Math.round((a.minor * 1412) / 10_000) : 0), 0)
    expect(column.amounts.map((a: Json) => a.currency)).toEqual(['CNY', 'EUR', 'USD'].filter((c) => column.amounts.some((a: Json) => a.currency === c)))
    expect(column.amountInBase).toEqual({ amount: { currency: 'USD', minor: sum(column.amounts) }, unconverted: column.amounts.some((a: Json) => a.currency === 'EUR') ? ['EUR'] : [] })
    expect(column.weightedInBase.amount.minor).toBe(sum(column.weighted))
  })

  test('shows the first cards of each column, and of one the next, until there are no more', async () => {
    for (const more of [{}, { where: { field: 'tags', op: 'eq', value: 'odd' } }, { stuck: true, at: '2099-01-01T00:00:00Z' }]) {
      const question = { cards: 2, sort: [{ field: 'title' }], ...more }
      const board = await boardOf(rep.token, question)
      const [column] = board.columns
      const all = deals.filter((d) => d.ownerId === rep.id && d.stageId === column.stageId && (!('where' in more) || d.tags.includes('odd'))).map((d) => d.title).sort()
      const titles: string[] = column.items.map((d: Json) => d.title)
      for (let cursor = column.nextCursor; cursor !== null; ) {
        const page = await boardOf(rep.token, { ...question, stageId: column.stageId, at: board.at, cursor })
        expect(page.columns).toHaveLength(1)
        titles.push(...page.columns[0].items.map((d: Json) => d.title))
        cursor = page.columns[0].nextCursor
      }
      expect(titles).toEqual(all)
    }
    const none = await boardOf(rep.token, { cards: 0 })
    for (const c of none.columns) expect(c.items).toEqual([])
    expect(none.columns[0].count).toBeGreaterThan(0)
    for (const bad of [{ cursor: 'x' }, { stageId: at(0).id, cursor: 'x' }, { stageId: '0190a1b2-c3d4-7e5f-8a6b-0c1d2e3f4a5b' }]) expectProblem(await server.call('POST', '/deals/board', bad, { token: rep.token }), 400, 'invalid')
  })

  test('takes any filter a list takes, and refuses what a list refuses', async () => {
    const where = { field: 'tags', op: 'eq', value: 'odd' }
    for (const column of (await boardOf(rep.token, { where })).columns) {
      const { count } = byHand(deals.filter((d) => d.ownerId === rep.id && d.tags.includes('odd')), column.stageId)
      expect([column.count, column.items.length]).toEqual([count, count])
    }
    expectProblem(await server.call('POST', '/deals/board', { where: { field: 'nothing', op: 'eq', value: 'x' } }, { token: rep.token }), 400, 'field-unknown')
    expectProblem(await server.call('POST', '/deals/board', { where: { linked: 'ownerId' } }, { token: rep.token }), 400, 'invalid')
    expectProblem(await server.call('POST', '/deals/board', { pipelineId: '0190a1b2-c3d4-7e5f-8a6b-0c1d2e3f4a5b' }, { token: rep.token }), 404, 'not-found')
  })

  test('an administrator, who sees no deals, gets none of it; a question about a stage in another person\'s hands finds nothing', async () => {
    expectProblem(await server.call('POST', '/deals/board', {}, { token: administrator.token }), 403, 'permission-missing')
    const theirs = { field: 'ownerId', op: 'eq', value: other.id }
    for (const column of (await boardOf(rep.token, { where: theirs })).columns) expect([column.count, column.amounts, column.items, column.amountInBase.amount.minor]).toEqual([0, [], [], 0])
    for (const column of (await boardOf(rep.token, { where: { or: [theirs, { field: 'tags', op: 'eq', value: 'odd' }] } })).columns) for (const d of column.items) expect(d.ownerId).toBe(rep.id)
  })

  test('a token that may not read pipelines gets none, and one that may not read rates gets no sum they would tell', async () => {
    const session = await server.signIn(rep.email, rep.password)
    const tokenFor = async (scopes: string[]): Promise<string> => (await server.call('POST', '/tokens', { userId: rep.id, name: scopes.join(), scopes }, session)).body.token
    const blind = await server.call('POST', '/deals/board', {}, { token: await tokenFor(['deals:read']) })
    expect([blind.status, JSON.stringify(blind.body).includes(pipeline.name)]).toEqual([404, false])
    const [column] = (await boardOf(await tokenFor(['deals:read', 'pipelines:read']))).columns
    const usd = column.amounts.find((a: Json) => a.currency === 'USD')?.minor ?? 0
    expect(column.amountInBase).toEqual({ amount: { currency: 'USD', minor: usd }, unconverted: column.amounts.map((a: Json) => a.currency).filter((c: string) => c !== 'USD') })
  })

  test('a move leaves one column and comes into another at once', async () => {
    const deal = deals.find((d) => d.ownerId === rep.id && d.stageId === at(0).id)
    const before = await boardOf(rep.token)
    const moved = await server.call('PATCH', `/deals/${deal.id}`, { stageId: at(1).id }, { token: rep.token, headers: { 'If-Match': '"1"' } })
    expect(moved.status).toBe(200)
    deals[deals.indexOf(deal)] = moved.body
    const after = await boardOf(rep.token)
    expect(after.columns.map((c: Json, i: number) => c.count - before.columns[i].count)).toEqual([-1, 1, 0, 0, 0, 0])
  })
})

describe('stuck', () => {
  test('is who has been in a stage longer than the stage allows: counted, marked and asked for; nobody else and nothing closed', async () => {
    for (const c of (await boardOf(rep.token)).columns) expect(c.stuck).toBe(c.kind === 'open' ? 0 : null)
    expect(await server.end('SIGTERM')).toBe(0)
    // Seventeen days later: more than the fourteen of the first two stages, fewer than the twenty-one of the next two.
    const ahead = new TestServer({ ...server.place, env: { ...server.place.env, TEST_DAYS_AHEAD: '17', NODE_OPTIONS: `--import=${join(import.meta.dirname, '..', 'harness', 'ahead.mjs')}` } }, server.owner)
    await ahead.start()
    try {
      const fresh = await ahead.call('POST', '/deals', { title: 'New today' }, { token: rep.token })
      expect(fresh.status).toBe(201)
      const ask = async (body: object): Promise<Json> => (await ahead.call('POST', '/deals/board', body, { token: rep.token })).body
      const mine = (stageId: string): number => deals.filter((d) => d.ownerId === rep.id && d.stageId === stageId).length
      const whole = await ask({ cards: 100 })
      expect(whole.columns.map((c: Json) => c.stuck)).toEqual([mine(at(0).id), mine(at(1).id), 0, 0, null, null])
      for (const c of whole.columns) for (const d of c.items) expect(d.stuck ?? false).toBe(c.stuck > 0 && d.id !== fresh.body.id)
      const only = await ask({ cards: 100, stuck: true })
      expect(only.columns.map((c: Json) => [c.count, c.items.length])).toEqual([...[0, 1].map((n) => [mine(at(n).id), mine(at(n).id)]), ...Array<number[]>(4).fill([0, 0])])
    } finally {
      expect(await ahead.end('SIGTERM')).toBe(0)
    }
  })
})
