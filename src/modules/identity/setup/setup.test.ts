import type { FastifyInstance } from 'fastify'
import { Secret, TOTP } from 'otpauth'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { bareServer, OWNER, type BareServer } from '../../../../test/harness/identity.ts'
import { isSetUp } from '../index.ts'
import { SetUpLink } from './link.ts'

let server: BareServer
let app: FastifyInstance
beforeAll(async () => {
  server = await bareServer()
  app = server.app
})
afterAll(() => server.close())

const get = (url: string) => app.inject({ method: 'GET', url, headers: { host: 'localhost' } })
async function post(path: string, body: object) {
  const answer = await app.inject({ method: 'POST', url: `/api/v1/setup${path}`, headers: { host: 'localhost' }, payload: body })
  return { status: answer.statusCode, body: JSON.parse(answer.body) as Record<string, unknown> & { code?: string; errors?: object[] } }
}
const form = { organisation: 'Acme', country: 'CN', locale: 'zh-CN', ownerName: '王小明', ownerEmail: OWNER.email, ownerPassword: OWNER.password }

describe('the set-up link', () => {
  it('is in the fragment, good for a day and once', () => {
    let now = Date.parse('2026-11-24T00:00:00Z')
    const link = new SetUpLink(() => new Date(now))
    const url = link.url('https://localhost:8443')
    expect(url).toMatch(/^https:\/\/localhost:8443\/setup#[A-Za-z0-9_-]{43}$/)
    const secret = url.split('#')[1]!
    expect(() => link.check(secret)).not.toThrow()
    for (const wrong of ['', 'x', `${secret}x`, secret.slice(1), new SetUpLink(() => new Date(now)).url('').split('#')[1]!]) expect(() => link.check(wrong)).toThrow('setup-link-invalid')
    now += 24 * 3_600_000 + 1
    expect(() => link.check(secret)).toThrow('setup-link-invalid')
    now -= 24 * 3_600_000
    link.use()
    expect(() => link.check(secret)).toThrow('setup-link-invalid')
  })
})

describe('the pages', () => {
  it.each(['/setup', '/setup/setup.js', '/setup/words.js', '/setup/setup.css', '/status', '/setup/status.js'])('%s comes from us, under a policy that allows nothing inline', async (url) => {
    const answer = await get(url)
    expect(answer.statusCode).toBe(200)
    const policy = String(answer.headers['content-security-policy'])
    expect(policy).toContain("script-src 'self'; style-src 'self'")
    expect(policy).not.toContain('unsafe')
    if (url.endsWith('.js') || url.endsWith('.css')) return
    expect(answer.body).not.toMatch(/ on[a-z]+=|<style| style=|<script(?![^>]* src=)|https?:\/\//)
  })

  it('say everything in both languages', async () => {
    const { body } = await get('/setup/words.js')
    const keys = (name: string) => [...body.slice(body.indexOf(`const ${name} = {`)).split('\n}')[0]!.matchAll(/^ {2}'?([\w-]+)'?:/gm)].map((m) => m[1])
    expect(keys('zh')).toEqual(keys('en'))
    for (const url of ['/setup', '/status']) for (const [, word] of (await get(url)).body.matchAll(/data-words="([^"]+)"/g)) expect(keys('en')).toContain(word)
  })

  it('the status says nothing personal', async () => {
    const answer = await get('/api/v1/status/facts')
    expect(JSON.parse(answer.body)).toEqual({ status: 'ready', version: '0.0.0', ledgerSize: expect.any(Number), posture: [] })
  })
})

describe('set-up through the page', () => {
  it('goes from link to owner, and the link is used up', async () => {
    const secret = (await server.page.url('https://localhost'))!.split('#')[1]!
    expect((await post('/open', { secret: 'x' })).body.code).toBe('setup-link-invalid')
    expect((await post('/open', { secret })).body).toEqual({ ok: true })

    const offered = await post('/totp', { secret, email: OWNER.email, organisation: 'Acme' })
    expect(String(offered.body['qrSvg'])).toMatch(/^<svg /)
    expect((await post('/totp/confirm', { secret, code: '000000' })).body.errors).toEqual([{ path: 'code', code: 'code-wrong' }])
    const totp = new TOTP({ secret: Secret.fromBase32(String(offered.body['secret'])) })
    expect((await post('/totp/confirm', { secret, code: totp.generate() })).status).toBe(200)

    const kit = String((await post('/kit', { secret })).body['text'])
    expect((await post('/complete', { secret, ...form, totp: true })).body.errors).toEqual([{ path: 'kit', code: 'kit-not-read' }])
    expect((await post('/kit/verify', { secret, code: 'SB1-AAAA' })).body).toEqual({ ok: false })
    const code = /code\s+(\S.*)/.exec(kit)![1]!
    expect((await post('/kit/verify', { secret, code })).body).toEqual({ ok: true })

    expect((await post('/complete', { secret, ...form, ownerPassword: 'short', totp: true })).body.errors).toEqual([{ path: 'ownerPassword', code: 'password-too-short' }])
    expect(await isSetUp(server.deps.db)).toBe(false)
    const done = await post('/complete', { secret, ...form, totp: true })
    expect(done.status).toBe(200)
    expect(done.body['recoveryCodes']).toHaveLength(10)

    for (const path of ['/open', '/kit', '/complete']) expect((await post(path, path === '/complete' ? { secret, ...form, totp: false } : { secret })).status).toBe(403)
    expect(await server.page.url('https://localhost')).toBeNull()
    const tokens = await server.deps.db.query('SELECT 1 FROM api_token')
    expect(tokens).toHaveLength(0)
    // The code that confirmed the app is used up; a recovery code signs in.
    const signIn = (c: string) => app.inject({ method: 'POST', url: '/api/v1/session', headers: { host: 'localhost' }, payload: { ...OWNER, code: c } })
    expect((await signIn(totp.generate())).statusCode).toBe(401)
    expect((await signIn((done.body['recoveryCodes'] as string[])[0]!)).statusCode).toBe(200)
  })
})
