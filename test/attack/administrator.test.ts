import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { describeApp } from '../../src/app.ts'
import { startServer, type Answer, type Json, type Person, type TestServer } from '../harness/server.ts'
import { CUSTOMERS } from './matrix/model.ts'
import { plantOne, type World } from './matrix/world.ts'
import { Scanner } from './scan.ts'

// Somebody who administers and sells nothing: every route of the product is tried with their token, and no answer may hold
// a customer. The doors beside (roles, new accounts, resets, moves, tokens) have their own tests in src/modules/identity.

const SECRETS = [
  { name: 'name', value: 'Customer Unseen-Kowalska' },
  { name: 'e-mail', value: 'unseen@customer.example' },
  { name: 'company', value: 'Unseen Holdings 不可见' },
  { name: 'custom', value: 'custom value unseen' },
  { name: 'sensitive', value: 'UNSEEN-ID-4711' },
]

let server: TestServer
let admin: Person
let contact: Json
let exported: string
let customers: World['records']
let words: { name: string; value: string }[]

beforeAll(async () => {
  server = await startServer()
  await server.call('POST', '/custom-fields', { entity: 'contact', key: 'secret', label: { en: 'Secret', zh: '秘密' }, class: 'sensitive' })
  const made = await server.call('POST', '/contacts', { fullName: SECRETS[0]!.value, emails: [{ value: SECRETS[1]!.value }], companyName: SECRETS[2]!.value, nationalId: SECRETS[4]!.value, custom: { secret: SECRETS[3]!.value } })
  expect(made.status).toBe(201)
  contact = made.body
  const asked = await server.call('POST', '/exports', { noun: 'contacts', format: 'jsonl', reason: 'for the test' })
  exported = asked.body.id
  const planted = await plantOne(server, describeApp())
  // Pipelines and the like are the organisation's own; all else is of customers.
  customers = planted.records.filter((r) => r.entity.about !== 'organisation')
  words = [...planted.canaries.planted].flatMap(([value, at]) => (value.startsWith('cnry') && customers.some((r) => r.id === at.recordId) ? [{ name: `${at.noun}.${at.field}`, value }] : []))
  admin = await server.addPerson('admin@example.com', 'administrator')
}, 120_000)
afterAll(() => server?.close())

const as = (method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> => server.call(method, path, body, { token: admin.token, headers })

/** Bodies that are well-formed where a route asks for one, so that it is the gate that refuses and not the parser. */
function bodyFor(path: string): unknown {
  if (path.endsWith('/search')) return { limit: 200 }
  if (path.endsWith('/bulk')) return { ids: [contact.id], action: 'tag', patch: { tags: ['x'] } }
  if (path.endsWith('/reveal')) return { fields: ['nationalId'], reason: 'curiosity' }
  if (path === '/exports') return { noun: 'contacts', format: 'csv', reason: 'curiosity' }
  if (path === '/contacts') return { fullName: 'Made by an administrator' }
  if (path === '/companies') return { name: 'Made by an administrator' }
  if (path === '/doctor') return { deep: true }
  return {}
}

describe('an administrator without customers', { timeout: 120_000 }, () => {
  test('gets no customer out of any route there is', async () => {
    const { routes } = describeApp()
    expect(new Set(customers.map((r) => r.noun))).toEqual(new Set(CUSTOMERS))
    const scanner = new Scanner([...SECRETS, ...words])
    const ids = { ...Object.fromEntries(customers.map((r) => [r.noun, r.id])), contact: contact.id as string, company: contact.companyId as string, person: server.owner.ownerId, run: exported }
    let asked = 0
    const leaks: string[] = []
    for (const { contract } of routes) {
      if (contract.path.includes('/session') || contract.path === '/me/password' || /disable|\/reset|\/revoke|set-?up/.test(contract.path) || (contract.path.startsWith('/tokens/') && contract.method === 'DELETE')) continue
      for (const id of contract.path.includes(':id') ? [...Object.values(ids), randomUUID()] : ['']) {
        const path = (contract.root ? '' : '/api/v1') + contract.path.replace(':id', id)
        const query = path.endsWith('/why') ? `?user=${server.owner.ownerId}` : path.endsWith('/proof') ? '?leaf=0' : ''
        const answer = await as(contract.method, path + query, contract.method === 'GET' || contract.method === 'DELETE' ? undefined : bodyFor(contract.path), contract.ifMatch ? { 'If-Match': '"1"' } : {})
        asked++
        for (const hit of scanner.bytes(`${contract.method} ${path}`, Buffer.from(answer.text + JSON.stringify(answer.headers)))) leaks.push(`${hit.where}: ${hit.canary}`)
        if (customers.some((r) => contract.path.split('/')[1] === r.entity.plural)) expect([400, 403, 404, 428], `${contract.method} ${path}: ${answer.text}`).toContain(answer.status)
      }
    }
    process.stdout.write(`administrator: ${asked} requests over ${routes.length} routes, ${leaks.length} leaks\n`)
    expect(leaks).toEqual([])
    expect(asked).toBeGreaterThan(60)
    const still = await server.call('GET', `/contacts/${contact.id}`)
    expect(still.body).toMatchObject({ fullName: SECRETS[0]!.value, version: 1 })
  })

  test('cannot probe by importing: no import, and so no "unchanged" that tells who exists', async () => {
    const boundary = 'xx'
    const body = Buffer.from([`--${boundary}`, 'Content-Disposition: form-data; name="source"', '', 'probe', `--${boundary}`, 'Content-Disposition: form-data; name="file"; filename="upload"', 'Content-Type: text/csv', '', `Name,Email\n${SECRETS[0]!.value},${SECRETS[1]!.value}`, `--${boundary}--`, ''].join('\r\n'))
    const answer = await as('POST', '/imports', body, { 'Content-Type': `multipart/form-data; boundary=${boundary}` })
    expect({ status: answer.status, code: answer.body.code }).toEqual({ status: 403, code: 'permission-missing' })
  })

  test('a rep who imports learns nothing of others: a known person of theirs is created anew, not "unchanged"', async () => {
    const rep = await server.addPerson('rep-probe@example.com', 'rep')
    const made = await server.call('POST', '/contacts', { fullName: SECRETS[0]!.value, emails: [{ value: SECRETS[1]!.value }] }, { token: rep.token })
    expect(made.status).toBe(201)
    const own = await server.call('POST', '/contacts/search', { where: { field: 'emails', op: 'eq', value: SECRETS[1]!.value }, count: true }, { token: rep.token })
    expect({ count: own.body.count, ids: own.body.items.map((i: Json) => i.id) }).toEqual({ count: 1, ids: [made.body.id] })
  })

  test('cannot open a sensitive custom field by declaring it less sensitive, nor reuse its name', async () => {
    const list = await as('GET', '/custom-fields')
    const field = list.body.items.find((f: Json) => f.key === 'secret')
    for (const cls of ['personal', 'confidential']) {
      const answer = await as('PATCH', `/custom-fields/${field.id}`, { class: cls }, { 'If-Match': `"${field.version}"` })
      expect(answer.status).toBe(403)
    }
    expect((await as('DELETE', `/custom-fields/${field.id}`, undefined, { 'If-Match': `"${field.version}"` })).status).toBe(200)
    expect((await as('POST', '/custom-fields', { entity: 'contact', key: 'secret', label: { en: 'Again', zh: '再来' }, class: 'personal', find: ['text'] })).status).toBe(400)
    const seen = await server.call('GET', `/contacts/${contact.id}`)
    expect(seen.text).not.toContain(SECRETS[3]!.value)
  })

  test('is written down: each refusal names who tried what', async () => {
    const [bundle] = [await server.call('POST', '/ledger/export', {})]
    const denied = bundle.text.split('\n').filter((l) => l.includes('access.denied'))
    expect(denied.length).toBeGreaterThan(10)
  })
})
