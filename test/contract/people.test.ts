import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { CliResult } from '../harness/cli.ts'
import { startServer, type Json, type Person, type TestServer } from '../harness/server.ts'
import { expectCliProblem, expectProblem, UUID } from './shapes.ts'

let server: TestServer
let passwordFile: string

const done = (result: CliResult): Json => {
  expect({ code: result.code, stderr: result.code === 0 ? '' : `${result.stdout} ${result.stderr}` }).toEqual({ code: 0, stderr: '' })
  return result.json
}
const cli = async (...args: string[]): Promise<Json> => done(await server.cli([...args, '--json']))
const createUser = (email: string, role: string, department?: string): Promise<Json> => cli('user', 'create', '--email', email, '--name', email.split('@')[0] ?? '', '--role', role, '--password-file', passwordFile, ...(department ? ['--department', department] : []))

beforeAll(async () => {
  server = await startServer()
  passwordFile = join(server.place.folder, 'user.password')
  writeFileSync(passwordFile, 'a fine pass phrase for colleagues\n', { mode: 0o600 })
})
afterAll(() => server.close())

describe('departments and users', () => {
  test('department create and list', async () => {
    const north = await cli('department', 'create', '--name', 'North')
    expect(north).toEqual({ id: expect.stringMatching(UUID) })
    const city = await cli('department', 'create', '--name', 'City', '--parent', north.id)
    const { items } = await cli('department', 'list')
    expect(items).toEqual(expect.arrayContaining([expect.objectContaining({ id: north.id, name: 'North' }), expect.objectContaining({ id: city.id, name: 'City', parentId: north.id })]))
  })

  test('user create, list and disable; a disabled user is signed out at once', async () => {
    const user = await createUser('starter@example.com', 'rep')
    expect(user).toEqual({ id: expect.stringMatching(UUID) })
    const leaver = await server.addPerson('leaver@example.com', 'rep')
    const { token } = leaver
    expect((await server.call('GET', '/me', undefined, { token })).status).toBe(200)
    const session = await server.signIn(leaver.email, leaver.password)
    const { items } = await cli('user', 'list')
    expect(items).toEqual(expect.arrayContaining([expect.objectContaining({ id: user.id, email: 'starter@example.com', roles: ['rep'] })]))
    await cli('user', 'disable', leaver.id)
    expectProblem(await server.call('GET', '/me', undefined, { token }), 401, 'signed-out')
    expectProblem(await server.call('GET', '/me', undefined, session), 401, 'signed-out')
    expect((await server.call('POST', '/session', { email: leaver.email, password: leaver.password }, { token: null })).status).toBe(401)
  })

  test('a first password, which two people know, opens nothing but its own change', async () => {
    await createUser('fresh@example.com', 'rep')
    const session = await server.signIn('fresh@example.com', 'a fine pass phrase for colleagues')
    expectProblem(await server.call('POST', '/contacts/search', {}, session), 403, 'password-change-required')
  })

  test('the password file never reaches argv, output or the list', async () => {
    const result = await server.cli(['user', 'list', '--json'])
    expect(result.stdout + result.stderr).not.toContain('pass phrase')
  })

  test('a reset shows the administrator no secret', async () => {
    const user = await createUser('reset@example.com', 'rep')
    const result = await server.cli(['user', 'reset', user.id, '--json'])
    expect(done(result).id).toBe(user.id)
    expect(Object.keys(result.json).toSorted().join()).not.toMatch(/password|secret|token|code/i)
  })

  test('the same address twice, a weak password and an unknown role are refused', async () => {
    await createUser('twice@example.com', 'rep')
    const twice = await server.cli(['user', 'create', '--email', 'Twice@Example.com', '--name', 'X', '--role', 'rep', '--password-file', passwordFile, '--json'])
    expect(twice.code).toBe(1)
    expectCliProblem(twice.json, /^[a-z-]+$/)
    const weak = join(server.place.folder, 'weak.password')
    writeFileSync(weak, 'password123\n')
    const refused = await server.cli(['user', 'create', '--email', 'weak@example.com', '--name', 'X', '--role', 'rep', '--password-file', weak, '--json'])
    expect(refused.code).toBe(1)
    expectCliProblem(refused.json, /^[a-z-]+$/)
  })
})

describe('tokens', () => {
  test('create shows the token once, list never, revoke ends it', async () => {
    const made = await cli('token', 'create', '--user', server.owner.ownerId, '--name', 'reporting', '--expires', '1d')
    expect(made).toEqual({ id: expect.stringMatching(UUID), token: expect.stringMatching(/^sbk_[A-Za-z0-9_-]{20,}$/) })
    const listed = await server.cli(['token', 'list', '--json'])
    expect(done(listed).items).toEqual(expect.arrayContaining([expect.objectContaining({ id: made.id, name: 'reporting', expiresAt: expect.any(String) })]))
    expect(listed.stdout).not.toContain(made.token)
    await cli('token', 'revoke', made.id)
    expectProblem(await server.call('GET', '/me', undefined, { token: made.token }), 401, 'signed-out')
  })

  test('nobody makes a token for a colleague who sees customers', async () => {
    const { id } = await createUser('reader@example.com', 'rep')
    const refused = await server.cli(['token', 'create', '--user', id, '--name', 'theirs', '--json'])
    expect(refused.code).toBe(3)
    expect(refused.json.problem.code).toBe('token-for-another')
  })

  test('a scope narrows: contacts:read reads and does nothing else', async () => {
    const { token } = await cli('token', 'create', '--user', server.owner.ownerId, '--name', 'narrow', '--scope', 'contacts:read')
    expect((await server.call('POST', '/contacts/search', {}, { token })).status).toBe(200)
    expectProblem(await server.call('POST', '/contacts', { fullName: 'X' }, { token }), 403, 'permission-missing')
    expectProblem(await server.call('GET', '/ledger/checkpoint', undefined, { token }), 403, 'permission-missing')
    const file = join(server.place.folder, 'narrow.token')
    writeFileSync(file, `${token}\n`)
    const refused = await server.cli(['user', 'list', '--json'], { tokenFile: file })
    expect(refused.code).toBe(3)
    expect(refused.json.problem).toMatchObject({ code: 'permission-missing', status: 403, requestId: expect.any(String) })
  })
})

describe('scopes over departments', () => {
  let rep: Person
  let other: Person
  let manager: Person
  let contact: Json

  beforeAll(async () => {
    const south = await cli('department', 'create', '--name', 'South')
    const shore = await cli('department', 'create', '--name', 'Shore', '--parent', south.id)
    const west = await cli('department', 'create', '--name', 'West')
    rep = await server.addPerson('rep@example.com', 'rep', shore.id)
    other = await server.addPerson('other@example.com', 'rep', west.id)
    manager = await server.addPerson('manager@example.com', 'manager', south.id)
    contact = (await server.call('POST', '/contacts', { fullName: 'Shore Customer', phones: [{ value: '+8613800001111' }], nationalId: '110101199003074514' }, { token: rep.token })).body
  })

  test('a rep sees their own; a colleague of another department finds nothing by any path', async () => {
    expect((await server.call('GET', `/contacts/${contact.id}`, undefined, { token: rep.token })).status).toBe(200)
    const paths: [string, string, unknown][] = [
      ['GET', `/contacts/${contact.id}`, undefined],
      ['GET', `/contacts/${contact.id}/timeline`, undefined],
      ['GET', `/contacts/${contact.id}/relations`, undefined],
      ['GET', `/contacts/${contact.id}/why?user=${other.id}`, undefined],
    ]
    for (const [method, path, body] of paths) expectProblem(await server.call(method, path, body, { token: other.token }), 404, 'not-found')
    const headers = { 'If-Match': '"1"' }
    expectProblem(await server.call('PATCH', `/contacts/${contact.id}`, { title: 'x' }, { token: other.token, headers }), 404, 'not-found')
    expectProblem(await server.call('DELETE', `/contacts/${contact.id}`, undefined, { token: other.token, headers }), 404, 'not-found')
    for (const body of [{}, { text: 'shore' }, { where: { field: 'phones', op: 'eq', value: '+8613800001111' } }, { count: true }]) {
      const { body: found } = await server.call('POST', '/contacts/search', body, { token: other.token })
      expect(found.items).toEqual([])
      expect(found.count ?? 0).toBe(0)
    }
    const bulk = await server.call('POST', '/contacts/bulk', { ids: [contact.id], action: 'delete' }, { token: other.token })
    expect(bulk.body).toMatchObject({ done: 0, failed: [{ id: contact.id, code: 'not-found' }] })
  })

  test('a manager above sees it, an administrator alone does not', async () => {
    expect((await server.call('GET', `/contacts/${contact.id}`, undefined, { token: manager.token })).status).toBe(200)
    const { token } = await server.addPerson('admin@example.com', 'administrator')
    const answer = await server.call('GET', `/contacts/${contact.id}`, undefined, { token })
    expect([403, 404]).toContain(answer.status)
    expect(answer.text).not.toContain('Shore')
  })

  test('a record that is given to somebody else is theirs to see and no longer the giver\'s', async () => {
    const { body } = await server.call('POST', '/contacts', { fullName: 'Handed Over' }, { token: rep.token })
    const given = await server.call('POST', '/contacts/bulk', { ids: [body.id], action: 'assign', patch: { ownerId: other.id } })
    expect(given.body).toMatchObject({ done: 1, failed: [] })
    expect((await server.call('GET', `/contacts/${body.id}`, undefined, { token: other.token })).body.fullName).toBe('Handed Over')
    expectProblem(await server.call('GET', `/contacts/${body.id}`, undefined, { token: rep.token }), 404, 'not-found')
    const why = await server.call('GET', `/contacts/${body.id}/why?user=${rep.id}`)
    expect(why.body.rules.some((r: Json) => r.holds)).toBe(false)
    const undone = await server.call('POST', '/undo', { undoToken: given.body.undoToken })
    expect(undone.body.done).toBe(1)
    expect((await server.call('GET', `/contacts/${body.id}`, undefined, { token: rep.token })).status).toBe(200)
  })

  test('a rep reaches no administration', async () => {
    for (const [method, path, body] of [['POST', '/users', { email: 'x@example.com', name: 'x', roles: ['administrator'], password: 'a fine pass phrase for colleagues' }], ['POST', '/departments', { name: 'x' }], ['GET', '/ledger/checkpoint', undefined], ['GET', '/keys', undefined], ['POST', '/doctor', {}]] as const) {
      expectProblem(await server.call(method, path, body, { token: rep.token }), 403, 'permission-missing')
    }
  })

  test('a sensitive value stays masked for a rep, and a rep may not export', async () => {
    const { body } = await server.call('GET', `/contacts/${contact.id}`, undefined, { token: rep.token })
    expect(body.nationalId).toBeNull()
    expect(body.masks.nationalId).toEqual([expect.stringContaining('4514')])
    expectProblem(await server.call('PATCH', `/contacts/${contact.id}`, { nationalId: '110101199003071234' }, { token: rep.token, headers: { 'If-Match': '"1"' } }), 403, 'permission-missing')
    expectProblem(await server.call('POST', '/exports', { noun: 'contacts', reason: 'curious', format: 'csv' }, { token: rep.token }), 403, 'permission-missing')
  })
})
