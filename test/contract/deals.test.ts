import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startServer, type Json, type Person, type TestServer } from '../harness/server.ts'
import { expectProblem } from './shapes.ts'

let server: TestServer
let rep: Person
let other: Person
let pipeline: Json
beforeAll(async () => {
  server = await startServer()
  rep = await server.addPerson('rep@example.com', 'rep')
  other = await server.addPerson('other@example.com', 'rep')
  ;[pipeline] = (await server.call('POST', '/pipelines/search', {})).body.items
})
afterAll(() => server.close())

const stage = (kind: string, at = 0): Json => pipeline.stages.filter((s: Json) => s.kind === kind)[at]
const make = async (body: object = {}, who = rep): Promise<Json> => {
  const answer = await server.call('POST', '/deals', { title: 'A deal', ...body }, { token: who.token })
  expect(answer.text && answer.status).toBe(201)
  return answer.body
}
const patch = (deal: Json, body: object, who: { token: string } = rep) => server.call('PATCH', `/deals/${deal.id}`, body, { token: who.token, headers: { 'If-Match': `"${deal.version}"` } })
const changed = async (deal: Json, body: object): Promise<Json> => {
  const answer = await patch(deal, body)
  expect(answer.text && answer.status).toBe(200)
  return answer.body
}
const errorOf = async (deal: Json, body: object): Promise<string> => {
  const answer = await patch(deal, body)
  expectProblem(answer, 400, 'invalid')
  return answer.body.errors.map((e: Json) => `${e.path} ${e.code}`).join()
}

describe('a deal in its pipeline', () => {
  test('made without a place begins in the first open stage of the standard pipeline', async () => {
    const deal = await make()
    expect(deal).toMatchObject({ pipelineId: pipeline.id, stageId: stage('open').id, status: 'open', probability: 10, closedAt: null, lostReason: null, stageSince: deal.createdAt })
    expect(deal.history).toEqual([{ stageId: stage('open').id, at: deal.createdAt, by: rep.id }])
    expect(deal.reached).toEqual([stage('open').id])
  })

  test('moves: the stage decides status, times and odds; history tells who and when; every stage it was in is kept once', async () => {
    const made = await make()
    const second = await changed(made, { stageId: stage('open', 1).id })
    expect(second).toMatchObject({ status: 'open', probability: 30, closedAt: null })
    const back = await changed(second, { stageId: stage('open').id, probability: 15 })
    expect(back).toMatchObject({ probability: 15 })
    const won = await server.call('PATCH', `/deals/${back.id}`, { stageId: stage('won').id }, { headers: { 'If-Match': `"${back.version}"` } }) // the manager
    expect(won.body).toMatchObject({ status: 'won', probability: 100, closedAt: won.body.updatedAt, stageSince: won.body.updatedAt })
    expect(won.body.history.map((h: Json) => [h.stageId, h.by])).toEqual([[stage('open').id, rep.id], [stage('open', 1).id, rep.id], [stage('open').id, rep.id], [stage('won').id, server.owner.ownerId]])
    expect(won.body.reached).toEqual([stage('open').id, stage('open', 1).id, stage('won').id])
    const renamed = await changed(won.body, { title: 'Another name' })
    const still = { title: 0, version: 0, updatedAt: 0, can: 0 }
    expect({ ...renamed, ...still }).toEqual({ ...won.body, ...still })
  })

  test('lost asks why, and keeps asking; opened again it is as open as before', async () => {
    const deal = await make()
    const lost = { stageId: stage('lost').id }
    expectProblem(await patch(deal, lost), 400, 'lost-reason-required')
    expectProblem(await patch(deal, { ...lost, lostReason: '  ' }), 400, 'lost-reason-required')
    expectProblem(await server.call('POST', '/deals', { title: 'x', ...lost }, { token: rep.token }), 400, 'lost-reason-required')
    expect(await errorOf(deal, { lostReason: 'Price' })).toBe('lostReason not-lost')
    const gone = await changed(deal, { ...lost, lostReason: 'Price' })
    expect(gone).toMatchObject({ status: 'lost', probability: 0, lostReason: 'Price', closedAt: gone.updatedAt })
    expectProblem(await patch(gone, { lostReason: null }), 400, 'lost-reason-required')
    expect(await errorOf(gone, { probability: 50 })).toBe('probability closed')
    const open = await changed(gone, { stageId: stage('open', 1).id })
    expect(open).toMatchObject({ status: 'open', probability: 30, lostReason: null, closedAt: null })
  })

  test('a stage of another pipeline is refused; into another pipeline it goes to the first stage, or the one said', async () => {
    const second = (await server.call('POST', '/pipelines', { name: 'Partners', stages: [{ name: 'In', kind: 'open', probability: 5 }, { name: 'On', kind: 'open', probability: 6 }, { name: 'W', kind: 'won', probability: 100 }, { name: 'L', kind: 'lost', probability: 0 }] })).body
    const deal = await make()
    expect(await errorOf(deal, { stageId: second.stages[0].id })).toBe('stageId stage-of-another')
    expect(await errorOf(deal, { pipelineId: second.id, stageId: stage('won').id })).toBe('stageId stage-of-another')
    expectProblem(await server.call('POST', '/deals', { title: 'x', stageId: second.stages[1].id }, { token: rep.token }), 400, 'invalid')
    const there = await changed(deal, { pipelineId: second.id })
    expect(there).toMatchObject({ pipelineId: second.id, stageId: second.stages[0].id, probability: 5 })
    expect(await changed(there, { pipelineId: pipeline.id, stageId: stage('open', 2).id })).toMatchObject({ probability: 50 })
    expect(await make({ pipelineId: second.id })).toMatchObject({ stageId: second.stages[0].id })
  })

  test('what the rules write nobody else does', async () => {
    const deal = await make()
    for (const field of ['status', 'stageSince', 'closedAt', 'history', 'reached']) expectProblem(await patch(deal, { [field]: deal[field] }), 400, 'invalid')
  })
})

describe('product lines', () => {
  const line = (quantity: number, minor: number, discountPercent = 0, currency = 'CNY'): object => ({ name: 'Licence', quantity, unitPrice: { minor, currency }, discountPercent })

  test('make the amount, rounded line by line to the minor unit', async () => {
    const deal = await make({ lines: [line(3, 19_99), line(1, 100, 33.33)] })
    expect(deal.amount).toEqual({ minor: 59_97 + 67, currency: 'CNY' })
    const fewer = await changed(deal, { lines: [line(1.5, 333)] })
    expect(fewer.amount).toEqual({ minor: 500, currency: 'CNY' })
    expect(await errorOf(fewer, { amount: { minor: 1, currency: 'CNY' } })).toBe('amount follows-lines')
    expect(await errorOf(fewer, { lines: [line(1, 1), line(1, 1, 0, 'USD')] })).toBe('lines several-currencies')
    const none = await changed(fewer, { lines: [], amount: { minor: 7, currency: 'USD' } })
    expect(none).toMatchObject({ lines: [], amount: { minor: 7, currency: 'USD' } })
    expectProblem(await server.call('POST', '/deals', { title: 'x', lines: [line(1, 1)], amount: { minor: 2, currency: 'CNY' } }, { token: rep.token }), 400, 'invalid')
    for (const bad of [line(0.1 + 0.2, 1), line(0, 1), line(-1, 1), line(1, 1, 101), line(1, 1, 33.33333), line(1e9, 9e15)]) await errorOf(none, { lines: [bad] })
  })
})

describe('in bulk, and back again', () => {
  test('a move passes the same rules for each, and the undo puts everything back as it was', async () => {
    const deals = [await make(), await make({ stageId: stage('open', 2).id, probability: 66 }), await make({ stageId: stage('won').id })]
    const ids = deals.map((d) => d.id)
    const refused = await server.call('POST', '/deals/bulk', { ids, action: 'patch', patch: { stageId: stage('lost').id } }, { token: rep.token })
    expect(refused.body).toMatchObject({ done: 0, failed: ids.map((id) => ({ id, code: 'lost-reason-required' })) })
    const lost = await server.call('POST', '/deals/bulk', { ids, action: 'patch', patch: { stageId: stage('lost').id, lostReason: 'Closed down' } }, { token: rep.token })
    expect(lost.body).toMatchObject({ done: 3, failed: [] })
    for (const id of ids) expect((await server.call('GET', `/deals/${id}`, undefined, { token: rep.token })).body).toMatchObject({ status: 'lost', lostReason: 'Closed down', probability: 0 })
    const undone = await server.call('POST', '/undo', { undoToken: lost.body.undoToken }, { token: rep.token })
    expect(undone.body).toMatchObject({ done: 3, failed: [] })
    for (const d of deals) expect({ ...(await server.call('GET', `/deals/${d.id}`, undefined, { token: rep.token })).body, version: 0, updatedAt: 0 }).toEqual({ ...d, version: 0, updatedAt: 0 })
  })

  test('a deal that comes back after its stage went begins anew, and an undo into a stage that went is refused', async () => {
    const made = (await server.call('POST', '/pipelines', { name: 'Short-lived', stages: [{ name: 'In', kind: 'open', probability: 5 }, { name: 'On', kind: 'open', probability: 6 }, { name: 'W', kind: 'won', probability: 100 }, { name: 'L', kind: 'lost', probability: 0 }] })).body
    const [first, second, won, lost] = made.stages
    const a = await make({ pipelineId: made.id, stageId: second.id })
    const b = await make({ pipelineId: made.id, stageId: second.id })
    await server.call('DELETE', `/deals/${a.id}`, undefined, { token: rep.token, headers: { 'If-Match': '"1"' } })
    const moved = await server.call('POST', '/deals/bulk', { ids: [b.id], action: 'patch', patch: { stageId: won.id } }, { token: rep.token })
    expect((await server.call('PATCH', `/pipelines/${made.id}`, { stages: [first, won, lost] }, { headers: { 'If-Match': '"1"' } })).status).toBe(200)
    expect((await server.call('POST', '/undo', { undoToken: moved.body.undoToken }, { token: rep.token })).body).toMatchObject({ done: 0, failed: [{ id: b.id, code: 'conflict' }] })
    expect((await server.call('POST', `/deals/${a.id}/restore`, undefined, { token: rep.token })).body).toMatchObject({ pipelineId: made.id, stageId: first.id, status: 'open', probability: 5 })
  })
})

describe('who may', () => {
  test('another rep neither sees nor moves it, and names none of it by a link', async () => {
    const deal = await make()
    expectProblem(await patch(deal, { stageId: stage('won').id }, other), 404, 'not-found')
    const bulk = await server.call('POST', '/deals/bulk', { ids: [deal.id], action: 'patch', patch: { stageId: stage('won').id } }, { token: other.token })
    expect(bulk.body).toMatchObject({ done: 0, failed: [{ id: deal.id, code: 'not-found' }], undoToken: null })
    expect((await server.call('GET', `/deals/${deal.id}`, undefined, { token: rep.token })).body).toEqual(deal)
  })
})
