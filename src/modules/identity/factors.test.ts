import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { cookieIn, IdentityLab, type Caller } from '../../../test/harness/identity.ts'

let lab: IdentityLab
beforeAll(async () => {
  lab = await IdentityLab.open()
})
afterAll(() => lab.close())

const HALF_MINUTE = 30_000
let next = 1
const fromElsewhere = (): void => void (lab.ip = `203.0.113.${next++}`)
const signInWith = (email: string, password: string, code?: string) => lab.call(null, 'POST', '/session', { email, password, ...(code ? { code } : {}) })

describe('a second factor', () => {
  it('is asked for once it is confirmed, and only of somebody who knows the password', async () => {
    const rep = await lab.colleague('two', ['rep'])
    const { codeAt, recoveryCodes } = await lab.enrol(rep.session)
    expect(recoveryCodes).toHaveLength(10)
    expect((await signInWith(rep.email, 'not the right one 12')).body.code).toBe('sign-in-refused')
    expect((await signInWith(rep.email, rep.password)).body.code).toBe('code-required')
    lab.wait(2 * HALF_MINUTE)
    expect((await signInWith(rep.email, rep.password, '000000')).body.code).toBe('sign-in-refused')
    expect((await signInWith(rep.email, rep.password, codeAt(lab.now()))).status).toBe(200)
    expect(await lab.events('factor.added')).toBeGreaterThan(0)
  })

  it('a code is good once, also when it is sent twice at the same moment', async () => {
    fromElsewhere()
    const rep = await lab.colleague('replayed', ['rep'])
    const { codeAt } = await lab.enrol(rep.session)
    // The code that confirmed the app is used up by that.
    expect((await signInWith(rep.email, rep.password, codeAt(lab.now()))).status).toBe(401)
    lab.wait(2 * HALF_MINUTE)
    const code = codeAt(lab.now())
    const both = await Promise.all([signInWith(rep.email, rep.password, code), signInWith(rep.email, rep.password, code)])
    expect(both.map((a) => a.status).sort()).toEqual([200, 401])
    expect((await signInWith(rep.email, rep.password, code)).status).toBe(401)
    // The step before it is older than the last one used.
    expect((await signInWith(rep.email, rep.password, codeAt(new Date(lab.now().getTime() - HALF_MINUTE)))).status).toBe(401)
  })

  it('a recovery code stands in for it, once, also in a race', async () => {
    fromElsewhere()
    const rep = await lab.colleague('recovering', ['rep'])
    const { recoveryCodes } = await lab.enrol(rep.session)
    const [first, second] = recoveryCodes as [string, string]
    const typed = ` ${first.toLowerCase().replaceAll('-', ' ')} `
    const both = await Promise.all([signInWith(rep.email, rep.password, typed), signInWith(rep.email, rep.password, first)])
    expect(both.map((a) => a.status).sort()).toEqual([200, 401])
    expect((await signInWith(rep.email, rep.password, first)).status).toBe(401)
    fromElsewhere()
    expect((await signInWith(rep.email, rep.password, second)).status).toBe(200)
  })

  it('guessing codes is slowed from wherever it comes, and a recovery code still gets in', async () => {
    const rep = await lab.colleague('guessed', ['rep'])
    const { codeAt, recoveryCodes } = await lab.enrol(rep.session)
    lab.wait(2 * HALF_MINUTE)
    const right = codeAt(lab.now())
    const wrong = ['000000', '111111', '222222'].find((c) => c !== right)!
    const statuses = []
    for (let i = 0; i < 12; i++) {
      fromElsewhere()
      statuses.push((await signInWith(rep.email, rep.password, wrong)).status)
    }
    expect(statuses.slice(0, 10)).toEqual(Array.from({ length: 10 }, () => 401))
    expect(statuses.slice(10)).toContain(429)
    fromElsewhere()
    expect((await signInWith(rep.email, rep.password, recoveryCodes[0])).status).toBe(200)
  })

  it('one person\'s recovery code is nothing to another', async () => {
    fromElsewhere()
    const [a, b] = [await lab.colleague('alice', ['rep']), await lab.colleague('bob', ['rep'])]
    const { recoveryCodes } = await lab.enrol(a.session)
    await lab.enrol(b.session)
    expect((await signInWith(b.email, b.password, recoveryCodes[0])).status).toBe(401)
  })

  it('step-up takes the code, not the password, of somebody who has an app', async () => {
    fromElsewhere()
    const rep = await lab.colleague('stepping', ['rep'])
    const { codeAt } = await lab.enrol(rep.session)
    expect((await lab.call(rep.session, 'POST', '/session/step-up', { password: rep.password })).body.code).toBe('code-required')
    lab.wait(2 * HALF_MINUTE)
    const code = codeAt(lab.now())
    const up = await lab.call(rep.session, 'POST', '/session/step-up', { code })
    expect(up.status).toBe(200)
    const fresh: Caller = { cookie: cookieIn(up), csrf: String(up.body['csrf']) }
    expect((await lab.call(fresh, 'POST', '/session/step-up', { code })).status).toBe(401)
  })

  it('is not changed by an app that was only offered, nor by a wrong code', async () => {
    fromElsewhere()
    const rep = await lab.colleague('offered', ['rep'])
    expect((await lab.call(rep.session, 'POST', '/me/totp', {})).body['uri']).toMatch(/^otpauth:\/\/totp\/Sealbook/)
    expect((await lab.call(rep.session, 'POST', '/me/totp/confirm', { code: '123456' })).body.errors).toEqual([{ path: 'code', code: 'code-wrong' }])
    expect((await signInWith(rep.email, rep.password)).status).toBe(200)
  })

  it('cannot be enrolled with a token, nor without having signed in freshly', async () => {
    expect((await lab.call(lab.ownerToken, 'POST', '/me/totp', {})).body.code).toBe('step-up-required')
    expect((await lab.call(lab.ownerToken, 'POST', '/me/totp/confirm', { code: '123456' })).body.code).toBe('session-required')
    expect((await lab.call(lab.ownerToken, 'POST', '/session/step-up', { password: 'x' })).body.code).toBe('session-required')
    expect((await lab.call(lab.ownerToken, 'PUT', '/me/password', { current: 'x', password: 'y' })).body.code).toBe('session-required')
    expect((await lab.call(lab.ownerToken, 'DELETE', '/session')).body.code).toBe('session-required')
  })
})

describe('a password', () => {
  it('chosen by somebody else opens nothing but its own change', async () => {
    fromElsewhere()
    const email = 'fresh@acme.test'
    const first = 'first pass phrase for fresh 1'
    const { body: made } = await lab.call(lab.ownerToken, 'POST', '/users', { email, name: 'Fresh', roles: ['rep'], password: first })
    const session = await lab.signIn(email, first)
    expect(session.answer.body['user']).toMatchObject({ mustChangePassword: true })
    expect((await lab.call(session, 'GET', '/me')).body['mustChangePassword']).toBe(true)
    for (const [method, path, body] of [['POST', '/users/search', {}], ['POST', '/tokens', { name: 'x' }], ['GET', '/departments', undefined], ['POST', '/me/totp', {}], ['GET', `/users/${made['id']}`, undefined]] as const) {
      expect((await lab.call(session, method, path, body)).body.code, path).toBe('password-change-required')
    }
    expect((await lab.call(session, 'PUT', '/me/password', { current: first, password: first })).body.errors).toEqual([{ path: 'password', code: 'password-used-before' }])
    const changed = await lab.call(session, 'PUT', '/me/password', { current: first, password: 'a pass phrase of my own 1' })
    const own = { cookie: cookieIn(changed), csrf: String(changed.body['csrf']) }
    expect((await lab.call(own, 'POST', '/users/search', {})).status).toBe(200)
    expect((await signInWith(email, first)).status).toBe(401)
  })

  it('changed ends every other session and keeps tokens', async () => {
    fromElsewhere()
    const rep = await lab.colleague('changer', ['rep'])
    const other = await lab.signIn(rep.email, rep.password)
    const token = { token: String((await lab.call(rep.session, 'POST', '/tokens', { name: 'mine' })).body['token']) }
    expect((await lab.call(rep.session, 'PUT', '/me/password', { current: 'not the right one 12', password: 'another pass phrase 2' })).body.code).toBe('sign-in-refused')
    const changed = await lab.call(rep.session, 'PUT', '/me/password', { current: rep.password, password: 'another pass phrase 2' })
    expect(changed.status).toBe(200)
    expect((await lab.call(other, 'GET', '/me')).status).toBe(401)
    expect((await lab.call(rep.session, 'GET', '/me')).status).toBe(401)
    expect((await lab.call({ cookie: cookieIn(changed) }, 'GET', '/me')).status).toBe(200)
    expect((await lab.call(token, 'GET', '/me')).status).toBe(200)
    expect(await lab.events('password.changed', rep.id)).toBe(1)
  })

  it('of one\'s own last five is refused, an older one is not kept', async () => {
    fromElsewhere()
    const rep = await lab.colleague('historian', ['rep'])
    let session = rep.session
    let current = rep.password
    for (let i = 0; i < 6; i++) {
      const password = `pass phrase of history number ${i}`
      const changed = await lab.call(session, 'PUT', '/me/password', { current, password })
      expect(changed.status).toBe(200)
      session = { cookie: cookieIn(changed), csrf: String(changed.body['csrf']) }
      current = password
    }
    expect((await lab.call(session, 'PUT', '/me/password', { current, password: 'pass phrase of history number 1' })).body.errors).toEqual([{ path: 'password', code: 'password-used-before' }])
    const [row] = await lab.sql<{ n: number }>("SELECT count(*)::int AS n FROM factor WHERE person_id = $1 AND kind = 'password'", [rep.id])
    expect(row!.n).toBe(6)
    expect((await lab.call(session, 'PUT', '/me/password', { current, password: rep.password })).status).toBe(200)
  })

  it('is judged where it is set', async () => {
    const make = async (password: string) => (await lab.call(lab.ownerToken, 'POST', '/users', { email: 'weak@acme.test', name: 'Weak', roles: ['rep'], password })).body.errors
    expect(await make('short')).toEqual([{ path: 'password', code: 'password-too-short' }])
    expect(await make('password123456789')).toEqual([{ path: 'password', code: 'password-common' }])
    expect(await make('Acme-Trading-2026')).toEqual([{ path: 'password', code: 'password-context-word' }])
  })
})
