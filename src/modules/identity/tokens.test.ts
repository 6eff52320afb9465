import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { IdentityLab, OWNER, type Caller, type Colleague } from '../../../test/harness/identity.ts'
import { Problem } from '../../kernel/base/index.ts'
import { explain, isSetUp, placeOf, resetAtHost, setUp } from './index.ts'
import { Client, client } from '../access/fixture.ts'

let lab: IdentityLab
let rep: Colleague
beforeAll(async () => {
  lab = await IdentityLab.open()
  rep = await lab.colleague('rep', ['rep'])
}, 60_000)
afterAll(() => lab.close())

const DAY_MS = 86_400_000
const make = (by: Caller, body: object) => lab.call(by, 'POST', '/tokens', { name: 'integration 张三', ...body })
const bearer = (answer: { body: Record<string, unknown> }): Caller => ({ token: String(answer.body['token']) })

describe('a token', () => {
  it('is shown once and kept as an HMAC, its name sealed', async () => {
    const made = await make(rep.session, {})
    expect(made.status).toBe(201)
    expect(String(made.body['token'])).toMatch(/^sbk_[A-Za-z0-9_-]{43}$/)
    const [row] = await lab.sql<{ all: string }>("SELECT string_agg(t::text, ' ') AS all FROM api_token t")
    expect(row!.all).not.toContain('张三')
    const list = await lab.call(rep.session, 'GET', '/tokens')
    expect(list.body['items']).toMatchObject([{ id: made.body['id'], name: 'integration 张三', userId: rep.id, revokedAt: null }])
    expect(JSON.stringify(list.body)).not.toContain(String(made.body['token']))
    expect(await lab.events('token.created', String(made.body['id']))).toBe(1)
  })

  it('has no more than was asked, nor than its person has', async () => {
    const narrow = await make(rep.session, { scopes: ['contacts:read'] })
    expect((await lab.call(bearer(narrow), 'GET', '/me')).body['scopes']).toEqual(['contacts:read'])
    expect((await lab.call(bearer(narrow), 'POST', '/users/search', {})).body.code).toBe('permission-missing')
    expect((await make(rep.session, { scopes: ['contacts:export'] })).body.errors).toEqual([{ path: 'scopes', code: 'more-than-held' }])
  })

  it('makes tokens of no more than its own scopes, which end with it', async () => {
    const parent = await make(rep.session, { scopes: ['contacts:read', 'tokens:create'] })
    expect((await make(bearer(parent), { scopes: ['contacts:edit'] })).body.errors).toEqual([{ path: 'scopes', code: 'more-than-held' }])
    const child = await make(bearer(parent), {})
    expect(child.body['scopes']).toEqual(['contacts:read', 'tokens:create'])
    const grandchild = await make(bearer(child), { scopes: ['contacts:read'] })
    expect((await lab.call(bearer(grandchild), 'GET', '/me')).status).toBe(200)
    expect((await lab.call(rep.session, 'DELETE', `/tokens/${parent.body['id']}`)).status).toBe(200)
    for (const t of [parent, child, grandchild]) expect((await lab.call(bearer(t), 'GET', '/me')).status).toBe(401)
  })

  it('loses what its person loses, on the next request', async () => {
    const mover = await lab.colleague('mover', ['manager'])
    const token = bearer(await make(mover.session, {}))
    expect((await lab.call(token, 'GET', '/me')).body['scopes']).toContain('contacts:export')
    const { headers } = await lab.call(lab.ownerToken, 'GET', `/users/${mover.id}`)
    await lab.call(lab.ownerToken, 'PATCH', `/users/${mover.id}`, { roles: ['rep'] }, { 'if-match': String(headers['etag']) })
    expect((await lab.call(token, 'GET', '/me')).body['scopes']).not.toContain('contacts:export')
  })

  it('lives a year at most and ends on its day', async () => {
    const at = (ms: number): string => new Date(lab.now().getTime() + ms).toISOString()
    expect((await make(rep.session, { expiresAt: at(400 * DAY_MS) })).body.errors).toEqual([{ path: 'expiresAt', code: 'more-than-a-year' }])
    expect((await make(rep.session, { expiresAt: at(-1) })).body.errors).toEqual([{ path: 'expiresAt', code: 'past' }])
    const short = bearer(await make(lab.ownerToken, { expiresAt: at(120_000) }))
    expect((await lab.call(short, 'GET', '/me')).status).toBe(200)
    lab.wait(130_000)
    expect((await lab.call(short, 'GET', '/me')).status).toBe(401)
  })

  it('is revoked by its person or by who manages tokens, and is nothing to anybody else', async () => {
    const other = await lab.colleague('other', ['rep'])
    const made = await make(rep.session, {})
    expect((await lab.call(other.session, 'DELETE', `/tokens/${made.body['id']}`)).status).toBe(404)
    expect(((await lab.call(other.session, 'POST', '/tokens/search', {})).body['items'] as unknown[]).length).toBe(0)
    expect((await lab.call(lab.ownerToken, 'POST', `/tokens/${made.body['id']}/revoke`, {})).status).toBe(200)
    expect((await lab.call(bearer(made), 'GET', '/me')).status).toBe(401)
  })
})

describe('set-up', () => {
  it('runs once, also when two ask at the same moment', async () => {
    expect(await isSetUp(lab.deps.db)).toBe(true)
    const again = setUp(lab.deps, { organisation: 'Other', ownerEmail: 'x@y.test', ownerPassword: 'another long pass phrase 1', locale: 'en', country: 'CN' })
    await expect(again).rejects.toMatchObject({ code: 'already-set-up' })
    const [row] = await lab.sql<{ n: number }>('SELECT count(*)::int AS n FROM organisation')
    expect(row!.n).toBe(1)
  })

  it.each([
    [{ ownerPassword: 'short' }, 'password-too-short'],
    [{ ownerEmail: 'nobody' }, 'email-invalid'],
    [{ country: 'China' }, 'country-invalid'],
    [{ organisation: ' ' }, 'empty'],
  ])('refuses %o and changes nothing', async (change, code) => {
    const words = { organisation: 'Other', ownerEmail: 'x@y.test', ownerPassword: 'another long pass phrase 1', locale: 'en' as const, country: 'CN', ...change }
    const error = await setUp(lab.deps, words).catch((e: unknown) => e)
    expect(error).toBeInstanceOf(Problem)
    expect((error as Problem).errors?.[0]?.code).toBe(code)
  })

  it('gives a token for seven days with all the owner may, and a ledger entry', async () => {
    const me = await lab.call(lab.ownerToken, 'GET', '/me')
    expect(me.body).toMatchObject({ id: lab.owner.ownerId, roles: ['administrator', 'manager'] })
    expect(me.body['scopes']).toEqual(expect.arrayContaining(['contacts:reveal', 'users:manage', 'tokens:create']))
    expect(Date.parse(lab.owner.tokenExpiresAt) - Date.now()).toBeGreaterThan(6.9 * DAY_MS)
    expect(await lab.events('organisation.created', lab.owner.organisationId)).toBe(1)
  })
})

describe('what other modules ask of people', () => {
  it('where a person stands, and why they see a record', async () => {
    const { db } = lab.deps
    expect(await placeOf(lab.deps)(db, rep.id)).toEqual({ id: rep.id, departmentId: lab.owner.departmentId, active: true })
    expect(await placeOf(lab.deps)(db, lab.owner.organisationId)).toBeNull()
    const why = await explain(lab.deps)(db, rep.id, Client, client({ ownerId: rep.id }))
    expect(why).toMatchObject({ may: { read: true, export: false }, rules: expect.arrayContaining([{ role: 'rep', action: 'read', scope: 'own', holds: true, because: 'owner' }]) })
  })

  it('users page by page', async () => {
    const seen: string[] = []
    let cursor: string | null = null
    do {
      const page = await lab.call(lab.ownerToken, 'POST', '/users/search', { limit: 2, cursor })
      seen.push(...(page.body['items'] as { id: string }[]).map((u) => u.id))
      cursor = page.body['nextCursor'] as string | null
    } while (cursor)
    const [row] = await lab.sql<{ n: number }>('SELECT count(*)::int AS n FROM person')
    expect(new Set(seen).size).toBe(row!.n)
    expect(seen.length).toBe(row!.n)
  })

  it('an e-mail is one account\'s', async () => {
    const answer = await lab.call(lab.ownerToken, 'POST', '/users', { email: ' REP@acme.test ', name: 'x', roles: ['rep'], password: 'a long enough phrase 12' })
    expect(answer.body.code).toBe('email-taken')
  })

  it('a change needs the version it was read at', async () => {
    const path = `/users/${rep.id}`
    expect((await lab.call(lab.ownerToken, 'PATCH', path, { name: 'x' })).status).toBe(428)
    const stale = await lab.call(lab.ownerToken, 'PATCH', path, { name: 'x' }, { 'if-match': '"1"' })
    expect(stale.status).toBe(412)
    expect(stale.headers['etag']).toMatch(/^"\d+"$/)
  })
})

describe('departments', () => {
  it('form a tree without circles', async () => {
    const a = await lab.department('A')
    const b = await lab.department('B', a)
    const c = await lab.department('C', b)
    const move = async (id: string, parentId: string) => {
      const { headers } = await lab.call(lab.ownerToken, 'GET', `/departments/${id}`)
      return lab.call(lab.ownerToken, 'PATCH', `/departments/${id}`, { parentId }, { 'if-match': String(headers['etag']) })
    }
    for (const [id, parent] of [[a, c], [a, a], [lab.owner.departmentId, a]]) expect((await move(id!, parent!)).body.code).toBe('department-circle')
    expect((await move(c, a)).body).toMatchObject({ parentId: a })
    // Two moves that are each harmless and together a circle: one comes after the other and is refused.
    const both = await Promise.all([move(b, c), move(c, b)])
    expect(both.map((r) => r.status).sort()).toEqual([200, 409])
    expect((await lab.call(rep.session, 'GET', '/departments')).body['items']).toHaveLength(4)
    expect((await lab.call(lab.ownerToken, 'POST', '/departments', { name: 'x', parentId: rep.id })).body.errors).toEqual([{ path: 'parentId', code: 'not-found' }])
  })
})

describe('at the host', () => {
  it('a reset is possible when nobody is fit to draw the code, and is loud', async () => {
    const { code, personId } = await resetAtHost(lab.deps, OWNER.email, true)
    expect(personId).toBe(lab.owner.ownerId)
    expect((await lab.call(lab.ownerToken, 'GET', '/me')).status).toBe(401)
    expect((await lab.call(null, 'POST', '/session/reset', { email: OWNER.email, code, password: 'an owner again with this 9' })).status).toBe(200)
    await expect(lab.signIn(OWNER.email, 'an owner again with this 9')).resolves.toBeTruthy()
    expect(await lab.events('user.reset-at-host', personId)).toBe(1)
  })
})
