import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startServer, type Json, type Person, type TestServer } from '../harness/server.ts'
import { expectProblem, expectRecord } from './shapes.ts'

let server: TestServer
let rep: Person
let administrator: Person
beforeAll(async () => {
  server = await startServer()
  rep = await server.addPerson('rep@example.com', 'rep')
  administrator = await server.addPerson('admin@example.com', 'administrator')
})
afterAll(() => server.close())

const give = async (body: object): Promise<Json> => {
  const answer = await server.call('POST', '/exchange-rates', body, { token: administrator.token })
  expect(answer.text && answer.status).toBe(201)
  return answer.body
}

describe('exchange rates', () => {
  test('are given by an administrator in the base currency of the organisation, from today where no day is named, and read by everybody', async () => {
    const rate = await give({ currency: 'CNY', rate: '0.14' })
    expectRecord(rate)
    const here = new Intl.DateTimeFormat('en-CA', { timeZone: 'America/New_York' }).format(new Date(rate.createdAt))
    expect(rate).toMatchObject({ currency: 'CNY', base: 'USD', day: here, rate: '0.14' })
    expect((await server.call('GET', `/exchange-rates/${rate.id}`, undefined, { token: rep.token })).body).toMatchObject({ rate: '0.14', can: { edit: [], delete: false } })
    expectProblem(await server.call('POST', '/exchange-rates', { currency: 'CNY', rate: '7' }, { token: rep.token }), 403, 'permission-missing')
    expectProblem(await server.call('PATCH', `/exchange-rates/${rate.id}`, { rate: '7' }, { token: rep.token, headers: { 'If-Match': '"1"' } }), 403, 'permission-missing')
  })

  test('a slip in the number is mended; currency, base and day stand for good', async () => {
    const rate = await give({ currency: 'EUR', rate: '1.1', day: '2026-01-31' })
    const patch = (body: object) => server.call('PATCH', `/exchange-rates/${rate.id}`, body, { headers: { 'If-Match': `"${rate.version}"` } })
    for (const body of [{ currency: 'GBP' }, { base: 'GBP' }, { day: '2026-02-01' }]) expectProblem(await patch(body), 400, 'invalid')
    expect((await patch({ rate: '1.123456789012' })).body.rate).toBe('1.123456789012')
  })

  test.each(['0', '0.000', '-1', '1,2', '1.', '.5', '1e3', '', 'NaN', '1.1234567890123', '1234567890123', '１.５'])('%j is no rate', async (rate) => {
    expectProblem(await server.call('POST', '/exchange-rates', { currency: 'CNY', rate }), 400, 'invalid')
  })

  test('the base currency has none, nor what is no currency, nor a day that is none', async () => {
    for (const body of [{ currency: 'USD', rate: '1' }, { currency: 'XXY', rate: '1' }, { currency: 'CNY', rate: '1', day: '2026-02-30' }, { currency: 'CNY', rate: '1', base: 'EUR' }, { currency: 'CNY' }]) {
      expectProblem(await server.call('POST', '/exchange-rates', body), 400, 'invalid')
    }
  })

  test('are found by currency and day', async () => {
    await give({ currency: 'CHF', rate: '1.2345678', day: '2019-08-07' })
    const found = await server.call('POST', '/exchange-rates/search', { where: { and: [{ field: 'currency', op: 'eq', value: 'CHF' }, { field: 'day', op: 'lte', value: '2019-08-07' }] }, count: true })
    expect(found.body).toMatchObject({ count: 1, items: [{ rate: '1.2345678' }] })
  })
})
