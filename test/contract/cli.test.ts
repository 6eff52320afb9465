import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { rootCertificates } from 'node:tls'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { run, runCli } from '../harness/cli.ts'
import { startServer, type TestServer } from '../harness/server.ts'
import { expectCliProblem } from './shapes.ts'

describe('the command line without a server', () => {
  const env = { PATH: process.env['PATH'] ?? '', HOME: '/nonexistent', LANG: 'C.UTF-8', SEALBOOK_HOME: '/nonexistent/home' }

  test.each([
    [['frobnicate']],
    [[]],
    [['user']],
    [['user', 'frobnicate']],
    [['user', 'list', '--frobnicate']],
    [['user', 'list', 'extra']],
    [['user', 'disable']],
    [['user', 'create', '--email', 'a@example.com', '--name', 'A', '--role', 'king', '--password-file', 'x']],
    [['token', 'create', '--user', 'x', '--name', 'y', '--expires', 'tomorrow']],
    [['import', 'contacts']],
    [['import', 'contacts', 'x.csv']],
    [['export', 'contacts', '--reason', 'r', '--format', 'xlsx', '--out', 'x']],
    [['doctor', '--json=yes']],
    [['call', 'GET']],
    [['call', 'GET', 'no-slash']],
    [['call', 'GET', '/me', '--header', 'broken']],
    [['user', 'list', '--home']],
  ])('%j is a usage error: exit 2, one JSON document, how to call it', async (words) => {
    const done = await runCli([...words, '--json'], env)
    expect(done.code).toBe(2)
    expectCliProblem(done.json, 'usage')
    expect(done.json.problem.status).toBe(0)
    expect(done.stderr).toContain('sealbook')
  })

  test('flags never come from nowhere: __proto__ and constructor are not flags', async () => {
    for (const flag of ['--__proto__', '--constructor', '--toString']) {
      const done = await runCli(['user', 'list', flag, '--json'], env)
      expect(done.code).toBe(2)
    }
  })

  test.each([
    [['user', 'list']],
    [['department', 'list']],
    [['token', 'list']],
    [['ledger', 'verify']],
    [['ledger', 'checkpoint']],
    [['ledger', 'key']],
    [['keys', 'status']],
    [['call', 'GET', '/me']],
  ])('%j without a server: exit 4', async (words) => {
    const done = await runCli([...words, '--json'], env)
    expect(done.code).toBe(4)
    expectCliProblem(done.json, 'server-none')
  })

  test('people read the same in their own language', async () => {
    expect((await runCli(['user', 'list'], env)).stderr).toContain('npm start')
    const chinese = await runCli(['user', 'list'], { ...env, LANG: 'zh_CN.UTF-8' })
    expect(chinese.stderr).toContain('没有正在运行的服务器')
    expect(chinese.stdout).toBe('')
  })

  test('--help shows every verb of the contract', async () => {
    const { stdout, code } = await runCli(['--help'], env)
    expect(code).toBe(0)
    for (const verb of ['init', 'user create', 'user list', 'user disable', 'department create', 'department list', 'token create', 'token list', 'token revoke', 'import contacts', 'export contacts', 'ledger verify', 'ledger export', 'ledger checkpoint', 'ledger key', 'keys status', 'keys kit', 'keys recover', 'doctor', 'call']) {
      expect(stdout).toContain(`sealbook ${verb} `)
    }
  })
})

describe('the command line with a server', () => {
  let server: TestServer
  beforeAll(async () => {
    server = await startServer()
  })
  afterAll(() => server.close())

  test('npx --no-install sealbook runs in the clone', async () => {
    const env = { ...server.place.env, SEALBOOK_TOKEN_FILE: server.place.tokenFile }
    const done = await run('npx', ['--no-install', 'sealbook', 'call', 'GET', '/me', '--json'], env)
    expect({ code: done.code, stderr: done.code === 0 ? '' : done.stderr }).toEqual({ code: 0, stderr: '' })
    expect(done.json.id).toBe(server.owner.ownerId)
  })

  test('without a token: exit 3 and how to make one', async () => {
    const done = await runCli(['user', 'list', '--json'], server.place.env)
    expect(done.code).toBe(3)
    expectCliProblem(done.json, 'signed-out')
    expect(done.json.problem.detail).toContain('SEALBOOK_TOKEN_FILE')
  })

  test('a wrong token: exit 3 with the problem of the server', async () => {
    const file = join(server.place.folder, 'wrong.token')
    writeFileSync(file, `sbk_${'A'.repeat(43)}\n`)
    const done = await server.cli(['user', 'list', '--json'], { tokenFile: file })
    expect(done.code).toBe(3)
    expect(done.json.problem).toMatchObject({ code: 'signed-out', status: 401, requestId: expect.any(String) })
  })

  test('a token file that is no token, or not there: exit 3', async () => {
    const file = join(server.place.folder, 'no.token')
    writeFileSync(file, 'hello\n')
    expect((await server.cli(['user', 'list', '--json'], { tokenFile: file })).code).toBe(3)
    expect((await server.cli(['user', 'list', '--json'], { tokenFile: `${file}.nowhere` })).code).toBe(3)
  })

  test('another authority than the one that signed: nothing is sent, exit 4', async () => {
    const other = join(server.place.folder, 'other-ca.crt')
    writeFileSync(other, rootCertificates[0] ?? '')
    const done = await server.cli(['user', 'list', '--json'], { env: { SEALBOOK_CA_FILE: other } })
    expect(done.code).toBe(4)
    expectCliProblem(done.json, 'server-untrusted')
  })

  test('SEALBOOK_URL and SEALBOOK_CA_FILE work without a home', async () => {
    const done = await server.cli(['call', 'GET', '/me', '--json'], { env: { SEALBOOK_HOME: '/nonexistent', SEALBOOK_URL: server.url, SEALBOOK_CA_FILE: server.ready.caFile } })
    expect(done.code).toBe(0)
    expect(done.json.id).toBe(server.owner.ownerId)
  })

  test('--home stands for SEALBOOK_HOME, before or after the verb', async () => {
    const env = { SEALBOOK_HOME: '/nonexistent' }
    expect((await server.cli(['call', 'GET', '/me', '--home', server.place.home, '--json'], { env })).json.id).toBe(server.owner.ownerId)
    expect((await server.cli(['--home', server.place.home, '--json', 'call', 'GET', '/me'], { env })).json.id).toBe(server.owner.ownerId)
  })

  describe('call', () => {
    test('prints the answer and passes bodies and headers', async () => {
      const body = join(server.place.folder, 'contact.json')
      writeFileSync(body, JSON.stringify({ fullName: 'Called From Outside' }))
      const made = await server.cli(['call', 'POST', '/contacts', '--body', body, '--header', 'Idempotency-Key: call-1', '--json'])
      expect(made.code).toBe(0)
      expect(made.json).toMatchObject({ fullName: 'Called From Outside', version: 1 })
      const deleted = await server.cli(['call', 'DELETE', `/api/v1/contacts/${made.json.id}`, '--header', 'If-Match: "1"', '--json'])
      expect(deleted.code).toBe(0)
      const gone = await server.cli(['call', 'GET', `/contacts/${made.json.id}`, '--json'])
      expect(gone.code).toBe(1)
      expect(gone.json.problem).toMatchObject({ code: 'not-found', status: 404, requestId: expect.any(String) })
    })

    test('text becomes {"text"} with --json and itself without', async () => {
      const json = await server.cli(['call', 'GET', '/ledger/checkpoint', '--json'])
      expect(json.json.text).toContain('\n\n— ')
      expect((await server.cli(['call', 'GET', '/ledger/checkpoint'])).stdout).toContain('\n\n— ')
    })

    test('health needs no token', async () => {
      const done = await runCli(['call', 'GET', '/api/health', '--json'], server.place.env)
      expect(done.code).toBe(0)
      expect(done.json.status).toMatch(/^(warming|ready)$/)
    })

    test('a refusal of the server: exit 1, 3 for 401 and 403, the problem on stdout', async () => {
      const bad = await server.cli(['call', 'POST', '/contacts', '--json'])
      expect(bad.code).toBe(1)
      expect(bad.json.problem.code).toBe('invalid')
      const out = await runCli(['call', 'GET', '/me', '--json'], server.place.env)
      expect(out.code).toBe(3)
      expect(out.json.problem.code).toBe('signed-out')
    })
  })
})
