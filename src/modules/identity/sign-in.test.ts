import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { cookieIn, IdentityLab, OWNER, type Caller } from '../../../test/harness/identity.ts'

let lab: IdentityLab
beforeAll(async () => {
  lab = await IdentityLab.open()
})
afterAll(() => lab.close())

const MINUTE = 60_000
let next = 1
/** Another network, so that one test's wrong passwords do not slow the next. */
const fromElsewhere = (): void => void (lab.ip = `198.51.100.${next++}`)

describe('signing in', () => {
  it('gives a cookie no script can read, a CSRF token, and who I am', async () => {
    const { answer, ...session } = await lab.signIn(OWNER.email, OWNER.password)
    expect(String(answer.headers['set-cookie'])).toMatch(/^__Host-session=[A-Za-z0-9_-]{43}; Path=\/; Secure; HttpOnly; SameSite=Strict; Max-Age=43200$/)
    expect(answer.body['user']).toMatchObject({ id: lab.owner.ownerId, roles: ['administrator', 'manager'], email: OWNER.email, mustChangePassword: false })
    const me = await lab.call(session, 'GET', '/me')
    expect(me.body).toMatchObject({ id: lab.owner.ownerId, locale: 'en', csrf: session.csrf })
    expect(me.body['scopes']).toEqual(expect.arrayContaining(['users:manage', 'contacts:export']))
  })

  it('finds the person by e-mail in any case', async () => {
    await expect(lab.signIn('  OWNER@Acme.Test ', OWNER.password)).resolves.toBeTruthy()
  })

  it('answers an unknown e-mail, a wrong password and a disabled account alike', async () => {
    const gone = await lab.colleague('gone', ['rep'])
    await lab.call(lab.ownerToken, 'POST', `/users/${gone.id}/disable`, {})
    const answers = []
    for (const [email, password] of [['nobody@acme.test', 'whatever it may be 1'], [OWNER.email, 'not the right one 12'], [gone.email, gone.password]]) {
      fromElsewhere()
      const { status, body, headers } = await lab.call(null, 'POST', '/session', { email, password })
      answers.push({ status, body: { ...body, requestId: '' }, cookie: headers['set-cookie'] })
    }
    expect(answers[0]).toMatchObject({ status: 401, body: { code: 'sign-in-refused' } })
    expect(answers[1]).toEqual(answers[0])
    expect(answers[2]).toEqual(answers[0])
    expect(await lab.events('session.refused')).toBeGreaterThanOrEqual(3)
  })

  it('stores neither the secret, the password nor the e-mail', async () => {
    fromElsewhere()
    const session = await lab.signIn(OWNER.email, OWNER.password)
    const tables = ['person', 'factor', 'session', 'api_token', 'organisation', 'department', 'ledger_event']
    for (const table of tables) {
      const rows = await lab.sql<{ all: string }>(`SELECT string_agg(t::text, ' ') AS all FROM ${table} t`)
      for (const secret of [OWNER.email, OWNER.password, 'Acme', session.cookie!, lab.owner.token]) {
        expect(rows[0]!.all, table).not.toContain(secret)
        expect(rows[0]!.all, table).not.toContain(Buffer.from(secret).toString('hex'))
      }
    }
  })

  it('refuses a page of another site that signs the browser in', async () => {
    for (const site of ['cross-site', 'same-site']) {
      expect((await lab.call(null, 'POST', '/session', OWNER, { 'sec-fetch-site': site })).body.code).toBe('csrf-refused')
    }
    expect((await lab.call(null, 'POST', '/session', OWNER, { 'sec-fetch-site': 'same-origin' })).status).toBe(200)
  })

  it('ends the session the browser had before (no fixation)', async () => {
    const first = await lab.signIn(OWNER.email, OWNER.password)
    const answer = await lab.call({ cookie: first.cookie! }, 'POST', '/session', OWNER)
    expect(cookieIn(answer)).not.toBe(first.cookie)
    expect((await lab.call(first, 'GET', '/me')).status).toBe(401)
  })
})

describe('guessing', () => {
  it('slows one network down for one account, and nobody else', async () => {
    const target = await lab.colleague('target', ['rep'])
    fromElsewhere()
    const statuses = []
    for (let i = 0; i < 7; i++) statuses.push((await lab.call(null, 'POST', '/session', { email: target.email, password: `wrong guess number ${i}` })).status)
    expect(statuses.slice(0, 5)).toEqual([401, 401, 401, 401, 401])
    expect(statuses.slice(5)).toEqual([429, 429])
    // Even with the right password, from there.
    expect((await lab.call(null, 'POST', '/session', { email: target.email, password: target.password })).status).toBe(429)
    fromElsewhere()
    await expect(lab.signIn(target.email, target.password)).resolves.toBeTruthy()
  })
})

describe('a session', () => {
  let session: Caller
  beforeAll(async () => {
    fromElsewhere()
    session = await lab.signIn(OWNER.email, OWNER.password)
  })

  it('needs its own CSRF token for everything but reading', async () => {
    const other = await lab.signIn(OWNER.email, OWNER.password)
    for (const csrf of [undefined, '', 'x', other.csrf]) {
      const caller = { cookie: session.cookie!, ...(csrf === undefined ? {} : { csrf }) }
      expect((await lab.call(caller, 'POST', '/users/search', {})).body.code).toBe('csrf-refused')
      expect((await lab.call(caller, 'DELETE', '/session')).body.code).toBe('csrf-refused')
    }
    expect((await lab.call({ cookie: session.cookie! }, 'GET', '/me')).status).toBe(200)
    expect((await lab.call(session, 'POST', '/users/search', {})).status).toBe(200)
  })

  it('a wrong token never falls back to the cookie', async () => {
    expect((await lab.call({ ...session, token: `sbk_${'A'.repeat(43)}` }, 'GET', '/me')).status).toBe(401)
    expect((await lab.call({ ...session, token: 'garbage' }, 'GET', '/me')).status).toBe(401)
  })

  it('ends when it is idle for thirty minutes, and not while it is used', async () => {
    const used = await lab.signIn(OWNER.email, OWNER.password)
    for (let i = 0; i < 3; i++) {
      lab.wait(20 * MINUTE)
      expect((await lab.call(used, 'GET', '/me')).status).toBe(200)
    }
    lab.wait(31 * MINUTE)
    expect((await lab.call(used, 'GET', '/me')).status).toBe(401)
  })

  it('ends after twelve hours, used or not', async () => {
    const used = await lab.signIn(OWNER.email, OWNER.password)
    for (let i = 0; i < 35; i++) {
      lab.wait(20 * MINUTE)
      expect((await lab.call(used, 'GET', '/me')).status, `after ${(i + 1) * 20} minutes`).toBe(200)
    }
    lab.wait(21 * MINUTE)
    expect((await lab.call(used, 'GET', '/me')).status).toBe(401)
  })

  it('signs out, and the cookie is worth nothing after', async () => {
    const mine = await lab.signIn(OWNER.email, OWNER.password)
    const out = await lab.call(mine, 'DELETE', '/session')
    expect(out.status).toBe(200)
    expect(String(out.headers['set-cookie'])).toContain('Max-Age=0')
    expect((await lab.call(mine, 'GET', '/me')).status).toBe(401)
  })

  it('a fresh factor gives it a new secret', async () => {
    const mine = await lab.signIn(OWNER.email, OWNER.password)
    expect((await lab.call(mine, 'POST', '/session/step-up', { password: 'not the right one 12' })).status).toBe(401)
    const up = await lab.call(mine, 'POST', '/session/step-up', { password: OWNER.password })
    expect(up.status).toBe(200)
    const fresh = { cookie: cookieIn(up), csrf: String(up.body['csrf']) }
    expect((await lab.call(mine, 'GET', '/me')).status).toBe(401)
    expect((await lab.call(fresh, 'GET', '/me')).status).toBe(200)
  })
})

describe('a change of rights', () => {
  it('counts from the next request on', async () => {
    const rep = await lab.colleague('changing', ['rep'])
    expect((await lab.call(rep.session, 'GET', '/me')).body['roles']).toEqual(['rep'])
    const { headers } = await lab.call(lab.ownerToken, 'GET', `/users/${rep.id}`)
    await lab.call(lab.ownerToken, 'PATCH', `/users/${rep.id}`, { roles: ['manager'] }, { 'if-match': String(headers['etag']) })
    const me = await lab.call(rep.session, 'GET', '/me')
    expect(me.body['roles']).toEqual(['manager'])
    expect(me.body['scopes']).toContain('contacts:export')
  })

  it('a disabled person is out at once, by session and by token', async () => {
    const rep = await lab.colleague('leaver', ['rep'])
    const token = { token: String((await lab.call(rep.session, 'POST', '/tokens', { name: 'mine' })).body['token']) }
    expect((await lab.call(token, 'GET', '/me')).status).toBe(200)
    await lab.call(lab.ownerToken, 'POST', `/users/${rep.id}/disable`, {})
    expect((await lab.call(rep.session, 'GET', '/me')).status).toBe(401)
    expect((await lab.call(token, 'GET', '/me')).status).toBe(401)
    // Enabled again, neither comes back.
    expect((await lab.call(lab.ownerToken, 'POST', `/users/${rep.id}/enable`, {})).status).toBe(200)
    expect((await lab.call(rep.session, 'GET', '/me')).status).toBe(401)
    expect((await lab.call(token, 'GET', '/me')).status).toBe(401)
    expect(await lab.events('user.disabled', rep.id)).toBe(1)
  })
})
