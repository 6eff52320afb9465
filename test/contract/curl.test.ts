import { afterAll, beforeAll, expect, test } from 'vitest'
import { run, type CliResult } from '../harness/cli.ts'
import { startServer, type TestServer } from '../harness/server.ts'
import { UUID } from './shapes.ts'

// What README shows: nothing but curl and the certificate in the home.
let server: TestServer
const curl = (...args: string[]): Promise<CliResult> => run('curl', ['--silent', '--show-error', '--cacert', server.ready.caFile, ...args], { PATH: process.env['PATH'] ?? '' })
const bearer = (): string[] => ['--header', `Authorization: Bearer ${server.token}`]
const json = ['--header', 'Content-Type: application/json']

beforeAll(async () => {
  server = await startServer()
})
afterAll(() => server.close())

test('curl trusts ca.crt and speaks TLS 1.3 only', async () => {
  const health = await curl(`${server.url}/api/health`)
  expect(health.stderr).toBe('')
  expect(health.json.status).toMatch(/^(warming|ready)$/)
  const old = await curl('--tls-max', '1.2', `${server.url}/api/health`)
  expect(old.code).not.toBe(0)
  const strange = await run('curl', ['--silent', `${server.url}/api/health`], { PATH: process.env['PATH'] ?? '' })
  expect(strange.code).toBe(60) // not a certificate of a public authority
})

test('a contact goes in, is found by part of its name, and comes out changed', async () => {
  const made = await curl(...bearer(), ...json, '--data', '{"fullName":"Curly Contact"}', `${server.url}/api/v1/contacts`)
  expect(made.json.version).toBe(1)
  const found = await curl(...bearer(), ...json, '--data', '{"text":"curly"}', `${server.url}/api/v1/contacts/search`)
  expect(found.json.items).toHaveLength(1)
  const patched = await curl(...bearer(), ...json, '--header', 'If-Match: "1"', '--request', 'PATCH', '--data', '{"title":"Baker"}', `${server.url}/api/v1/contacts/${made.json.id}`)
  expect(patched.json).toMatchObject({ version: 2, title: 'Baker' })
})

test('a file is uploaded with --form', async () => {
  const answer = await run('curl', ['--silent', '--cacert', server.ready.caFile, ...bearer(), '--form', 'source=curl', '--form', 'file=@-;filename=upload', `${server.url}/api/v1/imports`], { PATH: process.env['PATH'] ?? '' }, { input: 'Name,Email\nForm Upload,form@example.com\n' })
  expect(answer.json.id).toMatch(UUID)
})
