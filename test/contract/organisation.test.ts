import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startServer, type Person, type TestServer } from '../harness/server.ts'
import { expectProblem } from './shapes.ts'

let server: TestServer
let rep: Person
beforeAll(async () => {
  server = await startServer()
  rep = await server.addPerson('rep@example.com', 'rep')
})
afterAll(() => server.close())

const version = (v: number): Record<string, string> => ({ 'If-Match': `"${v}"` })

describe('settings of the organisation', () => {
  test('stand by the country until they are changed, and everybody reads them', async () => {
    for (const token of [server.token, rep.token]) {
      const answer = await server.call('GET', '/organisation', undefined, { token })
      expect(answer.body).toEqual({ id: server.owner.organisationId, version: 1, name: 'Example Ltd', country: 'US', locale: 'en', timeZone: 'America/New_York', workingDays: [1, 2, 3, 4, 5], fiscalYearStart: '01-01', baseCurrency: 'USD' })
      expect(answer.headers['etag']).toBe('"1"')
    }
    expectProblem(await server.call('GET', '/organisation', undefined, { token: null }), 401, 'signed-out')
  })

  test('are changed by an administrator, for the version that was read, and stay so after a restart', async () => {
    const change = { name: '示例公司', locale: 'zh-CN', timeZone: 'Asia/Shanghai', workingDays: [7, 1, 2, 3, 4], fiscalYearStart: '04-01', baseCurrency: 'CNY' }
    expectProblem(await server.call('PATCH', '/organisation', change, { token: rep.token, headers: version(1) }), 403, 'permission-missing')
    expectProblem(await server.call('PATCH', '/organisation', change), 428, 'if-match-required')
    const changed = await server.call('PATCH', '/organisation', change, { headers: version(1) })
    expect(changed.body).toMatchObject({ ...change, workingDays: [1, 2, 3, 4, 7], version: 2 })
    expectProblem(await server.call('PATCH', '/organisation', { locale: 'en' }, { headers: version(1) }), 412, 'version-stale')
    expect(await server.end('SIGTERM')).toBe(0)
    await server.start()
    expect((await server.call('GET', '/organisation', undefined, { token: rep.token })).body).toEqual(changed.body)
  })

  test.each([
    ['an unknown zone', { timeZone: 'Mars/Olympus' }],
    ['an offset', { timeZone: '+08:00' }],
    ['an unknown currency', { baseCurrency: 'XXY' }],
    ['no working day', { workingDays: [] }],
    ['a working day twice', { workingDays: [1, 1] }],
    ['an eighth day', { workingDays: [8] }],
    ['a day that most years lack', { fiscalYearStart: '02-29' }],
    ['no day', { fiscalYearStart: '13-01' }],
    ['nothing', {}],
    ['the country', { country: 'CN' }],
  ])('%s is refused', async (_name, change) => {
    const { body } = await server.call('GET', '/organisation')
    expectProblem(await server.call('PATCH', '/organisation', change, { headers: version(body.version) }), 400, 'invalid')
  })
})
