import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startServer, type Json, type TestServer } from '../harness/server.ts'

// What stands on the wire around the contract: framing, methods, types, names of files.

let server: TestServer
beforeAll(async () => {
  server = await startServer({ env: { SEALBOOK_REQUESTS_PER_MINUTE: '60' } })
}, 60_000)
afterAll(() => server?.close())

const port = (): number => Number(new URL(server.url).port)

function answerOf(socket: Socket, bytes: string): Promise<string> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = []
    socket.on('data', (d: Buffer) => chunks.push(d))
    socket.on('error', () => resolve(Buffer.concat(chunks).toString()))
    socket.on('close', () => resolve(Buffer.concat(chunks).toString()))
    socket.setTimeout(5_000, () => socket.destroy())
    socket.write(bytes)
  })
}

const overTls = (bytes: string): Promise<string> => answerOf(connectTls({ port: port(), host: '127.0.0.1', servername: 'localhost', ca: readFileSync(server.ready.caFile) }), bytes)
const head = (line: string, ...headers: string[]): string => [line, 'Host: localhost', `Authorization: Bearer ${server.token}`, 'Connection: close', ...headers, '', ''].join('\r\n')

describe('a request', () => {
  test('that says its length in two ways, or twice, is refused', async () => {
    const body = '{"fullName":"Smuggled"}'
    const type = 'Content-Type: application/json'
    const both = await overTls(head('POST /api/v1/contacts HTTP/1.1', type, `Content-Length: ${body.length}`, 'Transfer-Encoding: chunked') + `17\r\n${body}\r\n0\r\n\r\n`)
    const twice = await overTls(head('POST /api/v1/contacts HTTP/1.1', type, 'Content-Length: 3', `Content-Length: ${body.length}`) + body)
    for (const answer of [both, twice]) expect(answer.split('\r\n')[0]).toMatch(/^HTTP\/1\.1 400/)
    expect((await server.call('POST', '/contacts/search', { text: 'Smuggled' })).body.items).toEqual([])
  })

  test('with a line end inside a header is refused', async () => {
    expect((await overTls(head('GET /api/v1/me HTTP/1.1', 'X-Request-Id: abcdefgh\nX-Injected: 1'))).split('\r\n')[0]).toMatch(/^HTTP\/1\.1 400/)
  })

  test('without TLS gets no answer of ours, and no redirect', async () => {
    const answer = await answerOf(connect(port(), '127.0.0.1'), 'GET /api/health HTTP/1.1\r\nHost: localhost\r\n\r\n')
    expect(answer).not.toMatch(/HTTP\/1\.1 (200|30\d)/)
  })

  test('by a method a path does not have is refused', async () => {
    for (const method of ['PUT', 'TRACE', 'OPTIONS', 'QUERY']) expect([400, 404, 405], method).toContain((await server.call(method, '/contacts')).status)
  })

  test('for another host is refused', async () => {
    const answer = await overTls(head('GET /api/v1/me HTTP/1.1').replace('Host: localhost', 'Host: evil.example'))
    expect(answer.split('\r\n')[0]).toMatch(/^HTTP\/1\.1 400/)
    expect(answer).toContain('unknown-host')
  })

  test('cannot choose the network it is counted under by X-Forwarded-For', async () => {
    const left = async (from: string): Promise<number> => Number((await server.call('GET', '/api/health', undefined, { token: null, headers: { 'X-Forwarded-For': from } })).headers['ratelimit-remaining'])
    const first = await left('203.0.113.1')
    expect(await left('203.0.113.2')).toBe(first - 1)
  })
})

describe('an answer', () => {
  test('has a type with its charset, and exactly the length it says', async () => {
    const answers = await Promise.all([server.call('GET', '/me'), server.call('GET', '/nothing'), server.call('GET', '/ledger/key'), server.call('GET', '/api/openapi.json')])
    expect(answers.map((a) => a.headers['content-type'])).toEqual(['application/json; charset=utf-8', 'application/problem+json; charset=utf-8', 'text/plain; charset=utf-8', 'application/json; charset=utf-8'])
    for (const a of answers) if (a.headers['content-length']) expect(Number(a.headers['content-length'])).toBe(Buffer.byteLength(a.text))
  })

  test('that is a file has a name of ours, whatever was asked', async () => {
    const { body } = await server.call('POST', '/exports', { noun: 'contacts', format: 'csv', reason: 'to look at "its"; name=x' })
    let run: Json = null
    for (let i = 0; i < 100 && run?.state !== 'done'; i++) {
      await new Promise((resolve) => setTimeout(resolve, 100))
      run = (await server.call('GET', `/exports/${body.id}`)).body
    }
    const file = await server.call('GET', `/exports/${body.id}/content`)
    expect({ type: file.headers['content-type'], name: file.headers['content-disposition'] }).toEqual({ type: 'text/csv; charset=utf-8', name: 'attachment; filename="export.csv"' })
  })
})

// Last: it uses up the minute.
test('more requests than the setting allows are 429 rate, with the seconds to wait', async () => {
  let answer = await server.call('GET', '/me', undefined, { token: null })
  for (let i = 0; i < 70 && answer.status !== 429; i++) answer = await server.call('GET', '/me', undefined, { token: null })
  expect({ status: answer.status, code: answer.body.code }).toEqual({ status: 429, code: 'rate' })
  expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0)
})
