import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { OWNER, startServer, type Json, type TestServer } from '../harness/server.ts'
import { expectProblem, expectRecord, UUID } from './shapes.ts'

let server: TestServer
beforeAll(async () => {
  server = await startServer()
})
afterAll(() => server.close())

const make = async (body: object): Promise<Json> => {
  const answer = await server.call('POST', '/contacts', body)
  expect({ status: answer.status, text: answer.status === 201 ? '' : answer.text }).toEqual({ status: 201, text: '' })
  return answer.body
}

describe('health and description', () => {
  test('GET /api/health needs no sign-in; signed in it tells sizes', async () => {
    const out = await server.call('GET', '/api/health', undefined, { token: null })
    expect(out.status).toBe(200)
    expect(out.body).toEqual({ status: expect.stringMatching(/^(warming|ready)$/), version: expect.any(String) })
    const signed = await server.call('GET', '/api/health')
    expect(signed.body).toMatchObject({ lens: { rows: expect.any(Number), total: expect.any(Number) }, ledger: { size: expect.any(Number) } })
  })

  test('GET /api/openapi.json is OpenAPI 3.1 and describes the nouns', async () => {
    const { body } = await server.call('GET', '/api/openapi.json')
    expect(body.openapi).toMatch(/^3\.1\./)
    for (const path of ['/api/v1/contacts', '/api/v1/contacts/{id}', '/api/v1/contacts/search', '/api/v1/session', '/api/v1/me', '/api/v1/imports', '/api/v1/ledger/checkpoint']) expect(Object.keys(body.paths)).toContain(path)
  })
})

describe('session', () => {
  test('POST /session answers user and csrf and sets the cookie; the cookie then works, writes need the csrf header', async () => {
    const answer = await server.call('POST', '/session', OWNER, { token: null })
    expect(answer.status).toBe(200)
    expect(answer.body).toMatchObject({ user: { id: server.owner.ownerId }, csrf: expect.any(String) })
    const set = answer.headers['set-cookie'] ?? ''
    expect(set).toMatch(/^__Host-session=/)
    for (const word of [/HttpOnly/i, /Secure/i, /SameSite=(?:Lax|Strict)/i, /Path=\/(?:;|$)/i]) expect(set).toMatch(word)
    const cookie = set.split(';')[0] ?? ''
    const me = await server.call('GET', '/me', undefined, { token: null, headers: { Cookie: cookie } })
    expect(me.body.id).toBe(server.owner.ownerId)
    const bare = await server.call('POST', '/contacts', { fullName: 'No Csrf' }, { token: null, headers: { Cookie: cookie } })
    expect([401, 403]).toContain(bare.status)
    const withCsrf = await server.call('POST', '/contacts', { fullName: 'With Csrf' }, { token: null, headers: { Cookie: cookie, 'X-CSRF-Token': answer.body.csrf } })
    expect(withCsrf.status).toBe(201)
    const out = await server.call('DELETE', '/session', undefined, { token: null, headers: { Cookie: cookie, 'X-CSRF-Token': answer.body.csrf } })
    expect([200, 204]).toContain(out.status)
    expectProblem(await server.call('GET', '/me', undefined, { token: null, headers: { Cookie: cookie } }), 401, 'signed-out')
  })

  test('a wrong password and an unknown address look alike', async () => {
    const wrong = await server.call('POST', '/session', { ...OWNER, password: 'not the pass phrase at all' }, { token: null })
    const unknown = await server.call('POST', '/session', { ...OWNER, email: 'nobody@example.com' }, { token: null })
    for (const answer of [wrong, unknown]) expect(answer.status).toBe(401)
    expect(wrong.body.code).toBe(unknown.body.code)
    expect(wrong.body.detail).toBe(unknown.body.detail)
  })

  test('GET /me tells id, roles, scopes and locale', async () => {
    const { body } = await server.call('GET', '/me')
    expect(body).toMatchObject({ id: server.owner.ownerId, roles: expect.arrayContaining(['administrator', 'manager']), locale: expect.stringMatching(/^(zh-CN|en)$/) })
    expect(body).toHaveProperty('scopes')
  })
})

describe('headers', () => {
  test('X-Request-Id is echoed when it is a plain token and made otherwise', async () => {
    expect((await server.call('GET', '/me', undefined, { headers: { 'X-Request-Id': 'abc-12345678' } })).headers['x-request-id']).toBe('abc-12345678')
    const odd = await server.call('GET', '/me', undefined, { headers: { 'X-Request-Id': '<script>' } })
    expect(odd.headers['x-request-id']).toMatch(UUID)
  })

  test('RateLimit headers are there', async () => {
    const names = Object.keys((await server.call('GET', '/me')).headers)
    expect(names.some((n) => n.startsWith('ratelimit'))).toBe(true)
  })

  test('Accept-Language decides detail', async () => {
    const path = '/contacts/00000000-0000-7000-8000-000000000000'
    const zh = await server.call('GET', path, undefined, { headers: { 'Accept-Language': 'zh-CN,zh;q=0.9' } })
    const en = await server.call('GET', path, undefined, { headers: { 'Accept-Language': 'en' } })
    expectProblem(zh, 404, 'not-found')
    expect(zh.body.detail).toMatch(/[\u4e00-\u9fff]/)
    expect(en.body.detail).not.toMatch(/[\u4e00-\u9fff]/)
  })

  test('answers are never cached and never framed', async () => {
    const { headers } = await server.call('GET', '/me')
    expect(headers['cache-control']).toContain('no-store')
    expect(headers['x-content-type-options']).toBe('nosniff')
    expect(headers['content-security-policy']).toContain("frame-ancestors 'none'")
    expect(headers['strict-transport-security']).toBeDefined()
  })
})

describe('too many requests', () => {
  test('429 with Retry-After and a problem, for the one who asks too much and nobody else', async () => {
    const small = await startServer({ env: { SEALBOOK_REQUESTS_PER_MINUTE: '20' } })
    let last = await small.call('GET', '/me')
    for (let i = 0; i < 30 && last.status !== 429; i++) last = await small.call('GET', '/me')
    expectProblem(last, 429, 'rate')
    expect(Number(last.headers['retry-after'])).toBeGreaterThan(0)
    expect((await small.call('GET', '/api/health', undefined, { token: null })).status).toBe(200)
    await small.close()
  })
})

describe('problems', () => {
  test('what is not there, not allowed and not signed in', async () => {
    expectProblem(await server.call('GET', '/nowhere'), 404, 'not-found')
    expectProblem(await server.call('GET', '/contacts/not-a-uuid'), 400, 'invalid')
    expectProblem(await server.call('GET', '/me', undefined, { token: null }), 401, 'signed-out')
    expectProblem(await server.call('GET', '/me', undefined, { token: `sbk_${'B'.repeat(43)}` }), 401, 'signed-out')
    expectProblem(await server.call('POST', '/contacts', Buffer.from('{'), { headers: { 'Content-Type': 'application/json' } }), 400, 'invalid')
    expectProblem(await server.call('POST', '/contacts', Buffer.from('<x/>'), { headers: { 'Content-Type': 'text/xml' } }), 415, 'media-type-unsupported')
    expectProblem(await server.call('POST', '/contacts', { note: 'x'.repeat(400_000) }), 413, 'body-too-large')
  })

  test('errors name path and code and never the value', async () => {
    const answer = await server.call('POST', '/contacts', { fullName: 'Canary 4711'.repeat(40), emails: [{ value: 'canary-4711', label: 'x' }], doNotContact: ['canary-4711'], canary4711: 1 })
    expect(answer.status).toBe(400)
    expect(answer.body.errors.length).toBeGreaterThan(0)
    for (const e of answer.body.errors) expect(e).toEqual({ path: expect.any(String), code: expect.stringMatching(/^[a-z-]+$/) })
    expect(JSON.stringify({ ...answer.body, errors: answer.body.errors.filter((e: Json) => e.path !== 'canary4711') })).not.toContain('anary')
  })

  test('a hidden or unknown field is field-unknown, in where and sort alike, and in a write', async () => {
    for (const field of ['secretSauce', 'constructor', '__proto__', 'custom.nothing', 'id; drop table']) {
      expectProblem(await server.call('POST', '/contacts/search', { where: { field, op: 'eq', value: 'x' } }), 400, 'field-unknown')
      expectProblem(await server.call('POST', '/contacts/search', { sort: [{ field }] }), 400, 'field-unknown')
    }
  })

  test('no value travels in a URL: search by GET does not exist', async () => {
    expect((await server.call('GET', '/contacts?fullName=x')).status).toBe(404)
    expect((await server.call('GET', '/contacts/search?text=x')).status).toBeGreaterThanOrEqual(400)
  })
})

describe('contacts', () => {
  test('create, get, patch, delete, restore', async () => {
    const made = await server.call('POST', '/contacts', {
      fullName: 'Grace Hopper',
      emails: [{ value: 'Grace.Hopper@Example.com', label: 'work' }],
      phones: [{ value: '+1 (212) 555-0123', label: 'work' }, { value: 'call the office', label: 'odd' }],
      title: 'Rear admiral',
      tags: ['navy'],
      doNotContact: ['sms'],
    })
    expect(made.status).toBe(201)
    expect(made.headers['etag']).toBe('"1"')
    expectRecord(made.body)
    expect(made.body).toMatchObject({
      fullName: 'Grace Hopper',
      emails: [{ value: expect.stringMatching(/^grace\.hopper@example\.com$/i), label: 'work' }],
      phones: [
        { value: '+12125550123', typed: '+1 (212) 555-0123', extension: null, label: 'work', valid: true },
        { value: null, typed: 'call the office', valid: false },
      ],
      stage: 'active', tags: ['navy'], doNotContact: ['sms'], custom: {}, version: 1, ownerId: server.owner.ownerId,
    })
    const path = `/contacts/${made.body.id}`
    const got = await server.call('GET', path)
    expect(got.headers['etag']).toBe('"1"')
    expect(got.body).toEqual(made.body)

    const patched = await server.call('PATCH', path, { title: null, stage: 'dormant' }, { headers: { 'If-Match': '"1"' } })
    expect(patched.status).toBe(200)
    expect(patched.headers['etag']).toBe('"2"')
    expect(patched.body).toMatchObject({ version: 2, title: null, stage: 'dormant', fullName: 'Grace Hopper' })

    const deleted = await server.call('DELETE', path, undefined, { headers: { 'If-Match': '"2"' } })
    expect([200, 204]).toContain(deleted.status)
    expectProblem(await server.call('GET', path), 404, 'not-found')
    const restored = await server.call('POST', `${path}/restore`, {})
    expect(restored.status).toBe(200)
    expect(restored.body).toMatchObject({ deletedAt: null, fullName: 'Grace Hopper' })
    expect((await server.call('GET', path)).status).toBe(200)
  })

  test('PATCH and DELETE need If-Match: 428 without, 412 with a stale one and the current version beside', async () => {
    const { id } = await make({ fullName: 'Versioned' })
    const path = `/contacts/${id}`
    for (const method of ['PATCH', 'DELETE']) {
      const body = method === 'PATCH' ? { title: 'x' } : undefined
      expectProblem(await server.call(method, path, body), 428, 'if-match-required')
      const stale = await server.call(method, path, body, { headers: { 'If-Match': '"9"' } })
      expectProblem(stale, 412, 'version-stale')
      expect(stale.body.version).toBe(1)
      expect(stale.headers['etag']).toBe('"1"')
      expectProblem(await server.call(method, path, body, { headers: { 'If-Match': 'nonsense' } }), 400, 'invalid')
    }
  })

  test('of two changes to one version at once, one is made and the other is told', async () => {
    const { id } = await make({ fullName: 'Raced' })
    const answers = await Promise.all(['a', 'b', 'c'].map((title) => server.call('PATCH', `/contacts/${id}`, { title }, { headers: { 'If-Match': '"1"' } })))
    expect(answers.map((a) => a.status).toSorted()).toEqual([200, 412, 412])
    expect((await server.call('GET', `/contacts/${id}`)).body.version).toBe(2)
  })

  test('Idempotency-Key: the same request once, another body 422', async () => {
    const headers = { 'Idempotency-Key': 'once-4711' }
    const first = await server.call('POST', '/contacts', { fullName: 'Only Once' }, { headers })
    const again = await server.call('POST', '/contacts', { fullName: 'Only Once' }, { headers })
    expect(first.status).toBe(201)
    expect(again.status).toBe(201)
    expect(again.body).toEqual(first.body)
    expectProblem(await server.call('POST', '/contacts', { fullName: 'Somebody Else' }, { headers }), 422, 'idempotency-key-reused')
    const [a, b] = await Promise.all([1, 2].map(() => server.call('POST', '/contacts', { fullName: 'At Once' }, { headers: { 'Idempotency-Key': 'race-4711' } })))
    expect(a?.body.id).toBe(b?.body.id)
  })

  test('an empty contact and an empty patch are refused', async () => {
    expectProblem(await server.call('POST', '/contacts', {}), 400, 'invalid')
    const { id } = await make({ fullName: 'Patch Me' })
    expectProblem(await server.call('PATCH', `/contacts/${id}`, {}, { headers: { 'If-Match': '"1"' } }), 400, 'invalid')
  })

  test('base fields, masks and can are never written', async () => {
    for (const body of [{ id: 'x' }, { version: 7 }, { createdAt: '2020-01-01T00:00:00Z' }, { masks: {} }, { can: {} }, { departmentId: server.owner.ownerId }]) {
      const answer = await server.call('POST', '/contacts', { fullName: 'X', ...body })
      expect(answer.status).toBe(400)
    }
  })

  test('a company is linked by id; relations show it both ways', async () => {
    const company = await server.call('POST', '/companies', { name: 'Navy Ltd' })
    expect(company.status).toBe(201)
    const contact = await make({ fullName: 'Linked', companyId: company.body.id })
    const forth = await server.call('GET', `/contacts/${contact.id}/relations`)
    expect(JSON.stringify(forth.body)).toContain(company.body.id)
    const back = await server.call('GET', `/companies/${company.body.id}/relations`)
    expect(JSON.stringify(back.body)).toContain(contact.id)
  })

  test('an invented id is not found wherever it stands', async () => {
    const id = '0192b1a0-0000-7000-8000-000000000001'
    for (const [method, path] of [['GET', ''], ['GET', '/timeline'], ['GET', '/relations'], ['GET', `/why?user=${server.owner.ownerId}`], ['POST', '/restore']] as const) {
      expectProblem(await server.call(method, `/contacts/${id}${path}`, method === 'POST' ? {} : undefined), 404, 'not-found')
    }
    expectProblem(await server.call('PATCH', `/contacts/${id}`, { title: 'x' }, { headers: { 'If-Match': '"1"' } }), 404, 'not-found')
    expectProblem(await server.call('DELETE', `/contacts/${id}`, undefined, { headers: { 'If-Match': '"1"' } }), 404, 'not-found')
  })
})

describe('masks and reveal', () => {
  test('a sensitive value is null with a mask beside it; bullets are never saved', async () => {
    const made = await make({ fullName: 'Masked', nationalId: '110101199003074514' })
    expect(made.nationalId).toBeNull()
    expect(made.masks.nationalId).toEqual([expect.stringMatching(/^\*+4514$/)])
    const bullets = await server.call('PATCH', `/contacts/${made.id}`, { nationalId: '****4514' }, { headers: { 'If-Match': '"1"' } })
    expect([400, 403]).toContain(bullets.status)
    expect((await server.call('GET', `/contacts/${made.id}`)).body.version).toBe(1)
  })

  test('reveal asks for a fresh factor: a token never has one', async () => {
    const { id } = await make({ fullName: 'Revealed', nationalId: '110101199003074514' })
    const answer = await server.call('POST', `/contacts/${id}/reveal`, { fields: ['nationalId'], reason: 'contract test' })
    expectProblem(answer, 403, 'step-up-required')
    expect(answer.text).not.toContain('4514')
  })
})

describe('reveal with a fresh factor', () => {
  test('shows the values for a reason, which the timeline keeps, and needs both', async () => {
    const { id } = await make({ fullName: 'Shown Once', nationalId: '110101199003074514' })
    const session = await server.signIn(OWNER.email, OWNER.password)
    expectProblem(await server.call('POST', `/contacts/${id}/reveal`, { fields: ['nationalId'], reason: '' }, session), 400, 'invalid')
    expectProblem(await server.call('POST', `/contacts/${id}/reveal`, { fields: ['nothing'], reason: 'contract test' }, session), 400, 'field-unknown')
    const shown = await server.call('POST', `/contacts/${id}/reveal`, { fields: ['nationalId'], reason: 'contract test' }, session)
    expect(shown.status).toBe(200)
    expect(shown.body).toEqual({ values: { nationalId: '110101199003074514' } })
    const { body } = await server.call('GET', `/contacts/${id}/timeline`)
    expect(body.items.map((i: Json) => i.action)).toContain('contact.revealed')
    expect(JSON.stringify(body)).not.toContain('4514')
  })
})

describe('custom fields', () => {
  test('are declared at run time and then belong to the record, the filter and the description', async () => {
    const declared = await server.call('POST', '/custom-fields', { entity: 'contact', key: 'favouriteTea', label: { en: 'Favourite tea', zh: '最爱的茶' }, type: 'text', class: 'personal', find: ['text'] })
    expect({ status: declared.status, text: declared.status === 201 ? '' : declared.text }).toEqual({ status: 201, text: '' })
    const made = await make({ fullName: 'Tea Drinker', custom: { favouriteTea: '龙井' } })
    expect(made.custom).toEqual({ favouriteTea: '龙井' })
    const found = await server.call('POST', '/contacts/search', { where: { field: 'custom.favouriteTea', op: 'contains', value: '龙' } })
    expect(found.body.items.map((i: Json) => i.id)).toEqual([made.id])
    expectProblem(await server.call('POST', '/contacts', { fullName: 'X', custom: { undeclared: 1 } }), 400, 'field-unknown')
  })
})
