import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { superuser } from '../attack/scan.ts'
import { startServer, type Json, type TestServer } from '../harness/server.ts'

// After a start the threads that fill the lens bring back what live writes had put there, and nothing of a row that does not open.

const PEOPLE = 2_500
let server: TestServer
let victim = ''

const csv = (): Uint8Array => {
  const lines = ['fullName,email,companyName,seat']
  for (let n = 0; n < PEOPLE; n++) lines.push(`Person ${n},p${n}@example.com,${n % 5 === 0 ? '北京星河科技有限公司' : `Firm ${n % 90}`},${n % 7 === 0 ? `row ${n}` : ''}`)
  return Buffer.from(lines.join('\n'))
}

async function importAll(): Promise<void> {
  const boundary = 'warming'
  const head = `--${boundary}\r\nContent-Disposition: form-data; name="source"\r\n\r\ntest\r\n--${boundary}\r\nContent-Disposition: form-data; name="file"; filename="upload"\r\nContent-Type: application/octet-stream\r\n\r\n`
  const asked = await server.call('POST', '/imports', Buffer.concat([Buffer.from(head), csv(), Buffer.from(`\r\n--${boundary}--\r\n`)]), { headers: { 'Content-Type': `multipart/form-data; boundary=${boundary}` } })
  expect(asked.status).toBe(202)
  for (;;) {
    const { body } = await server.call('GET', `/imports/${asked.body.id}`)
    if (body.state === 'done') return expect(body.result).toMatchObject({ rows: PEOPLE, created: PEOPLE })
    if (body.state === 'failed') throw new Error(JSON.stringify(body))
    await sleep(50)
  }
}

async function warm(): Promise<void> {
  while ((await server.call('GET', '/api/health')).body.status !== 'ready') await sleep(20)
}

const ask = async (body: object): Promise<Json> => (await server.call('POST', '/contacts/search', { count: true, limit: 10, ...body })).body
const QUESTIONS = [{ text: 'Person 24' }, { text: '星河' }, { text: 'bjxh' }, { text: 'beijingxinghe' }, { where: { field: 'custom.seat', op: 'eq', value: 'row 2443' } }, { text: 'Persn 2443' }, { sort: [{ field: 'fullName', direction: 'desc' }] }]
const answers = async (): Promise<Json[]> => Promise.all(QUESTIONS.map(async (q) => {
  const { items, count, complete } = await ask(q)
  return { count, complete, names: items.map((i: Json) => i.fullName) }
}))

beforeAll(async () => {
  server = await startServer()
  await importAll()
}, 120_000)
afterAll(() => server.close())

describe('after a start', () => {
  test('search finds what it found before, by the same words and as often', async () => {
    const before = await answers()
    expect(before[1].count).toBe(PEOPLE / 5)
    expect(before[4].names).toEqual(['Person 2443'])
    expect(await server.end('SIGTERM')).toBe(0)
    await server.start()
    await warm()
    expect(await answers()).toEqual(before)
  })

  test('a row that does not open is left out of search, its neighbours are not, and the log names it', async () => {
    victim = (await ask({ text: 'Person 1234' })).items[0].id
    const db = superuser(server)
    await db.query("UPDATE contacts SET stage = 'former' WHERE id = $1", [victim])
    await db.close()
    expect(await server.end('SIGTERM')).toBe(0)
    await server.start()
    await warm()
    expect(await ask({ text: 'Person 1234' })).toMatchObject({ items: [], count: 0, complete: true })
    expect((await ask({ text: 'Person 1235' })).count).toBe(1)
    const log = readFileSync(join(server.place.home, 'log', 'sealbook.log'), 'utf8').split('\n').filter((line) => line.includes('is left out of search'))
    expect(log).toHaveLength(1)
    expect(JSON.parse(log[0]!)).toMatchObject({ component: 'lens', entity: 'contact', id: victim, errorCode: 'seal-broken' })
  })

  test('a stop in the middle of filling ends at once and well', async () => {
    expect(await server.end('SIGTERM')).toBe(0)
    for (const pause of [0, 100, 300]) {
      await server.start()
      await sleep(pause)
      expect(await server.end('SIGTERM')).toBe(0)
    }
    expect(readFileSync(join(server.place.home, 'log', 'sealbook.log'), 'utf8')).not.toContain('broke off')
    await server.start()
  })
})
