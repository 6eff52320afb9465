import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { runCli } from '../harness/cli.ts'
import { initArguments, makePlace, startServer, TestServer, type InitDocument, type Json, type Person } from '../harness/server.ts'
import { expectProblem, expectRecord, UUID } from './shapes.ts'

let server: TestServer
let rep: Person
let administrator: Person
beforeAll(async () => {
  server = await startServer()
  rep = await server.addPerson('rep@example.com', 'rep')
  administrator = await server.addPerson('admin@example.com', 'administrator')
})
afterAll(() => server.close())

const all = async (token = administrator.token): Promise<Json[]> => (await server.call('POST', '/pipelines/search', {}, { token })).body.items
const standard = async (): Promise<Json> => {
  const found = (await all()).filter((p) => p.standard)
  expect(found).toHaveLength(1)
  return found[0]
}
const read = async (id: string): Promise<Json> => (await server.call('GET', `/pipelines/${id}`)).body
const patch = (p: Json, body: object, token = administrator.token) => server.call('PATCH', `/pipelines/${p.id}`, body, { token, headers: { 'If-Match': `"${p.version}"` } })
const stages = (...names: string[]): Json[] => [...names.map((name, i) => ({ name, kind: 'open', probability: 10 * i, stuckAfterDays: null })), { name: 'Won', kind: 'won', probability: 5 }, { name: 'Lost', kind: 'lost', probability: 5 }]
const make = async (name: string, more: object = {}): Promise<Json> => {
  const answer = await server.call('POST', '/pipelines', { name, stages: stages('One', 'Two'), ...more }, { token: administrator.token })
  expect(answer.text && answer.status).toBe(201)
  return answer.body
}

describe('the standard pipeline', () => {
  test('is there from the first start on, in the language of the organisation, and everybody reads it', async () => {
    const [pipeline] = await all(rep.token)
    expectRecord(pipeline)
    expect(pipeline).toMatchObject({ name: 'Sales pipeline', standard: true, can: { edit: [], delete: false } })
    expect(pipeline.stages.map((s: Json) => [s.kind, s.probability])).toEqual([['open', 10], ['open', 30], ['open', 50], ['open', 75], ['won', 100], ['lost', 0]])
    for (const s of pipeline.stages) expect(s.id).toMatch(UUID)
  })

  test('is not made again by another start', async () => {
    const before = await all()
    expect(await server.end('SIGTERM')).toBe(0)
    await server.start()
    expect(await all()).toEqual(before)
  })

  test('speaks Chinese to a Chinese organisation', async () => {
    const place = makePlace()
    const done = await runCli([...initArguments(place).map((a) => (a === 'en' ? 'zh-CN' : a)), '--json'], place.env)
    const chinese = new TestServer(place, done.json as InitDocument)
    await chinese.start()
    const [pipeline] = (await chinese.call('POST', '/pipelines/search', {})).body.items
    expect([pipeline.name, ...pipeline.stages.map((s: Json) => s.name)]).toEqual(['标准销售流程', '初步接洽', '需求确认', '方案报价', '商务谈判', '赢单', '输单'])
    await chinese.close()
  })

  test('is there at once for an organisation that is set up in the browser', async () => {
    const fresh = new TestServer(makePlace(), { token: '' } as InitDocument) // nobody has set it up
    const { setupUrl } = await fresh.start()
    const secret = setupUrl?.split('#')[1]
    const post = (path: string, body: object) => fresh.call('POST', `/setup/${path}`, { secret, ...body }, { token: null })
    const kit = (await post('kit', {})).body.text
    expect((await post('kit/verify', { code: /code\s+(\S.*)/.exec(kit)?.[1] })).body).toEqual({ ok: true })
    const owner = { ownerEmail: 'wang@example.com', ownerPassword: 'a long pass phrase of the owner 7' }
    const done = await post('complete', { organisation: '示例公司', country: 'CN', locale: 'zh-CN', ownerName: '王小明', ...owner, totp: false })
    expect(done.text && done.status).toBe(200)
    const session = await fresh.signIn(owner.ownerEmail, owner.ownerPassword)
    const { items } = (await fresh.call('POST', '/pipelines/search', {}, session)).body
    expect(items.map((p: Json) => [p.name, p.standard])).toEqual([['标准销售流程', true]])
    expect((await fresh.call('GET', '/organisation', undefined, session)).body).toMatchObject({ name: '示例公司', timeZone: 'Asia/Shanghai', baseCurrency: 'CNY' })
    expect((await fresh.call('POST', '/deals', { title: '第一单' }, session)).body).toMatchObject({ pipelineId: items[0].id, status: 'open' })
    await fresh.close()
  })

  test('another one takes its place at once; by itself it neither stops nor goes', async () => {
    const old = await standard()
    const made = await make('Partners', { standard: true })
    expect((await standard()).id).toBe(made.id)
    expectProblem(await patch(made, { standard: false }), 409, 'pipeline-standard')
    expectProblem(await server.call('DELETE', `/pipelines/${made.id}`, undefined, { headers: { 'If-Match': `"${made.version}"` } }), 409, 'pipeline-standard')
    expect((await patch(await read(old.id), { standard: true })).status).toBe(200)
    expect((await standard()).id).toBe(old.id)
  })

  test('two that want to be it at the same moment: one is, in the end', async () => {
    const [a, b, c] = await Promise.all([make('A'), make('B'), make('C')])
    for (let i = 0; i < 5; i++) {
      const answers = await Promise.all([a, b, c].map(async (p) => patch(await read(p.id), { standard: true })))
      for (const { status } of answers) expect([200, 412]).toContain(status)
      await standard()
    }
  })
})

describe('stages', () => {
  test('keep their id when they are renamed and moved; a new one gets its own; winning is certain and losing, too', async () => {
    const made = await make('Renamed')
    const [one, two, won, lost] = made.stages
    expect([won.probability, lost.probability]).toEqual([100, 0])
    const changed = await patch(made, { stages: [{ ...two, name: 'Second' }, { name: 'New', kind: 'open', probability: 40, stuckAfterDays: 7 }, { ...one, name: 'First' }, won, lost] })
    expect(changed.body.stages.map((s: Json) => [s.id, s.name])).toEqual([[two.id, 'Second'], [expect.stringMatching(UUID), 'New'], [one.id, 'First'], [won.id, 'Won'], [lost.id, 'Lost']])
    expect(changed.body.stages.map((s: Json) => s.id)).not.toContain(undefined)
  })

  test('with deals are not removed and do not change their meaning, as long as there is one, whosoever it is', async () => {
    const made = await make('Busy')
    const [one, two, won, lost] = made.stages
    const deal = await server.call('POST', '/deals', { title: 'Mine', pipelineId: made.id, stageId: two.id }, { token: rep.token })
    expect(deal.status).toBe(201)
    expectProblem(await patch(made, { stages: [one, won, lost] }), 409, 'stage-in-use')
    expectProblem(await patch(made, { stages: [one, { ...two, kind: 'won' }, won, lost] }), 409, 'stage-in-use')
    expectProblem(await server.call('DELETE', `/pipelines/${made.id}`, undefined, { headers: { 'If-Match': `"${made.version}"` } }), 409, 'pipeline-in-use')
    const fewer = await patch(made, { stages: [two, won, lost] })
    expect(fewer.status).toBe(200)
    const moved = await server.call('PATCH', `/deals/${deal.body.id}`, { stageId: lost.id, lostReason: 'Price' }, { token: rep.token, headers: { 'If-Match': '"1"' } })
    expect(moved.status).toBe(200)
    expectProblem(await patch(fewer.body, { stages: [two, won, { ...stages()[1], name: 'Other' }] }), 409, 'stage-in-use')
    await server.call('DELETE', `/deals/${deal.body.id}`, undefined, { token: rep.token, headers: { 'If-Match': `"${moved.body.version}"` } })
    expect((await server.call('DELETE', `/pipelines/${made.id}`, undefined, { headers: { 'If-Match': `"${fewer.body.version}"` } })).status).toBe(200)
  })

  test('a deal moving in and the stage being taken away at the same moment: one of the two is refused', async () => {
    for (let i = 0; i < 8; i++) {
      const made = await make(`Race ${i}`)
      const [one, two, won, lost] = made.stages
      const deal = (await server.call('POST', '/deals', { title: 'Racer', pipelineId: made.id }, { token: rep.token })).body
      expect(deal.stageId).toBe(one.id)
      const [moved, removed] = await Promise.all([server.call('PATCH', `/deals/${deal.id}`, { stageId: two.id }, { token: rep.token, headers: { 'If-Match': '"1"' } }), patch(made, { stages: [one, won, lost] })])
      expect([[200, 409], [400, 200]]).toContainEqual([moved.status, removed.status])
    }
  })

  test.each([
    ['no open one', [{ name: 'Won', kind: 'won', probability: 100 }, { name: 'Lost', kind: 'lost', probability: 0 }]],
    ['none to win', stages('One').filter((s) => s.kind !== 'won')],
    ['none to lose', stages('One').filter((s) => s.kind !== 'lost')],
    ['none', []],
    ['one twice', [...stages('One'), ...['a', 'b'].map((name) => ({ id: '0190a1b2-c3d4-7e5f-8a6b-0c1d2e3f4a5b', name, kind: 'open', probability: 1 }))]],
    ['odds over a hundred', [{ name: 'x', kind: 'open', probability: 101 }, ...stages()]],
    ['thirty-one', [...Array(29).keys()].map((i) => ({ name: `s${i}`, kind: 'open', probability: 1 })).concat(stages() as never)],
  ])('%s: refused', async (_name, list) => {
    expectProblem(await server.call('POST', '/pipelines', { name: 'Bad', stages: list }, { token: administrator.token }), 400, 'invalid')
  })

  test('a stage of another pipeline is refused', async () => {
    const { stages: theirs } = await standard()
    expectProblem(await server.call('POST', '/pipelines', { name: 'Thief', stages: theirs }, { token: administrator.token }), 400, 'invalid')
  })
})

describe('who may', () => {
  test('a rep neither makes nor changes nor deletes one, one by one or in bulk', async () => {
    const made = await make('Not yours')
    expectProblem(await server.call('POST', '/pipelines', { name: 'x', stages: stages('One') }, { token: rep.token }), 403, 'permission-missing')
    expectProblem(await patch(made, { name: 'x' }, rep.token), 403, 'permission-missing')
    expectProblem(await server.call('DELETE', `/pipelines/${made.id}`, undefined, { token: rep.token, headers: { 'If-Match': `"${made.version}"` } }), 403, 'permission-missing')
    const bulk = await server.call('POST', '/pipelines/bulk', { ids: [made.id], action: 'patch', patch: { name: 'x' } }, { token: rep.token })
    expect(bulk.status === 403 || bulk.body.done === 0).toBe(true)
    expect((await read(made.id)).name).toBe('Not yours')
  })

  test('in bulk the same rules hold, and an undo brings back what they allow', async () => {
    const made = await make('Bulk')
    const plain = await standard()
    const bulk = await server.call('POST', '/pipelines/bulk', { ids: [made.id, plain.id], action: 'delete' }, { token: administrator.token })
    expect(bulk.body).toMatchObject({ done: 1, failed: [{ id: plain.id, code: 'pipeline-standard' }] })
    const undone = await server.call('POST', '/undo', { undoToken: bulk.body.undoToken }, { token: administrator.token })
    expect(undone.body).toMatchObject({ done: 1, failed: [] })
    const again = await server.call('POST', '/pipelines/bulk', { ids: [made.id], action: 'patch', patch: { stages: [...made.stages.slice(1), { name: 'Extra', kind: 'open', probability: 3 }] } }, { token: administrator.token })
    expect(again.body.done).toBe(1)
    expect((await server.call('POST', '/undo', { undoToken: again.body.undoToken }, { token: administrator.token })).body.done).toBe(1)
    expect((await read(made.id)).stages).toEqual(made.stages)
  })
})
