import { publicRoute, route, type Answer, type PublicRoute, type Route } from '../../kernel/http/index.ts'
import type { FastifyRequest } from 'fastify'
import { Problem } from '../../kernel/base/index.ts'
import type { Desk } from '../../kernel/work/types.ts'
import { mustChangePassword } from './authenticator.ts'
import { grantsOf, type Context } from './context.ts'
import { changePassword, confirmTotp, enrolTotp, sessionOnly, stepUp } from './credentials.service.ts'
import { contracts } from './identity.contract.ts'
import { lockPerson, personById, personFacts, savePerson } from './people.store.ts'
import type { LoadedPerson } from './person.rows.ts'
import { redeemReset } from './reset.service.ts'
import { cookieOf, cookieSecret, csrfOf, deleteSession, loadSession, NO_COOKIE, type OpenedSession } from './sessions.store.ts'
import { activeFactor, signIn } from './sign-in.service.ts'
import type { Throttle } from './throttle.ts'

function meView(c: Context, person: LoadedPerson, scopes: Iterable<string>): Record<string, unknown> {
  return {
    ...{ id: person.id, ...personFacts(c.vault, person), roles: person.roles.map((r) => r.role).sort(), scopes: [...scopes].sort(), locale: person.locale },
    ...{ departmentId: person.departmentId, mustChangePassword: mustChangePassword(person), secondFactor: activeFactor(person, 'totp') !== undefined },
  }
}

/** Another site's page must not sign this browser in as somebody of its choice. Browsers say where a request comes from; other clients do not. */
function checkSameSite(request: FastifyRequest): void {
  const site = request.headers['sec-fetch-site']
  if (site !== undefined && site !== 'same-origin' && site !== 'none') throw new Problem('csrf-refused')
}

const withCookie = (opened: OpenedSession, body: object): Answer<object> => ({ body: { ...body, csrf: opened.csrf }, headers: { 'Set-Cookie': cookieOf(opened.secret) } })

async function readMe(desk: Desk, c: Context): Promise<object> {
  const person = await personById(desk.sql, c, desk.actor.personId)
  if (!person) throw new Problem('signed-out')
  const session = desk.actor.via === 'session' ? await loadSession(desk.sql, c, { id: desk.actor.credentialId }) : null
  return { ...meView(c, person, desk.actor.grants.permissions), ...(session ? { csrf: csrfOf(c.vault, session.session) } : {}) }
}

async function signOut(desk: Desk): Promise<void> {
  sessionOnly(desk)
  await desk.write(async (work) => {
    await deleteSession(work.sql, work.actor.credentialId)
    work.record({ action: 'session.ended', object: { kind: 'session', id: work.actor.credentialId }, subjects: [work.actor.key] })
    await work.bumpAuthority()
  })
}

async function changeMe(desk: Desk, c: Context, locale: 'zh-CN' | 'en'): Promise<void> {
  await desk.write(async (work) => {
    const person = await lockPerson(work.sql, c, work.actor.personId)
    await savePerson(work.sql, c, person, { locale }, work.at.toISOString())
    work.record({ action: 'user.updated', object: { kind: 'person', id: person.id }, subjects: [work.actor.key], detail: { changed: ['locale'] } })
    await work.bumpAuthority()
  })
}

export function publicSessionRoutes(c: Context, throttle: Throttle): PublicRoute[] {
  return [
    publicRoute(contracts.signIn, async ({ body, request }) => {
      checkSameSite(request)
      const signed = await signIn(c, throttle, { ...body, ip: request.ip, oldSecret: cookieSecret(request.headers.cookie) })
      return withCookie(signed, { user: meView(c, signed.person, grantsOf(c, signed.person).permissions) })
    }),
    publicRoute(contracts.redeem, async ({ body, request }) => {
      checkSameSite(request)
      await redeemReset(c, throttle, { ...body, ip: request.ip })
      return { body: { ok: true } }
    }),
  ]
}

/** Routes about oneself. */
export function sessionRoutes(c: Context, throttle: Throttle): Route[] {
  return [
    route(contracts.signOut, async (desk) => {
      await signOut(desk)
      return { body: { ok: true }, headers: { 'Set-Cookie': NO_COOKIE } }
    }),
    route(contracts.stepUp, async (desk, { body, request }) => withCookie(await stepUp(desk, c, throttle, { ...body, ip: request.ip }), {})),
    route(contracts.me, async (desk) => ({ body: await readMe(desk, c) })),
    route(contracts.changeMe, async (desk, { body }) => {
      await changeMe(desk, c, body.locale)
      return { body: await readMe(desk, c) }
    }),
    route(contracts.password, async (desk, { body, request }) => withCookie(await changePassword(desk, c, throttle, { ...body, ip: request.ip }), {})),
    route(contracts.totp, async (desk) => ({ body: await enrolTotp(desk, c) })),
    route(contracts.confirmTotp, async (desk, { body, request }) => ({ body: { recoveryCodes: await confirmTotp(desk, c, throttle, { code: body.code, ip: request.ip }) } })),
  ]
}
