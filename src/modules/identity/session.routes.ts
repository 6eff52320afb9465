import type { FastifyRequest } from 'fastify'
import { Problem } from '../../kernel/base/index.ts'
import { publicRoute, route, type Answer, type PublicRoute, type Route } from '../../kernel/http/index.ts'
import { grantsOf, type Context } from './context.ts'
import { cookieOf, cookieSecret, NO_COOKIE } from './cookie.ts'
import { changePassword, confirmTotp, enrolTotp, stepUp } from './credentials.service.ts'
import { contracts } from './identity.contract.ts'
import { changeMe, meView, readMe, signOut } from './me.service.ts'
import { redeemReset } from './reset.service.ts'
import { signIn } from './sign-in.service.ts'
import type { Throttle } from './throttle.ts'

/** Another site's page must not sign this browser in as somebody of its choice. Browsers say where a request comes from; other clients do not. */
function checkSameSite(request: FastifyRequest): void {
  const site = request.headers['sec-fetch-site']
  if (site !== undefined && site !== 'same-origin' && site !== 'none') throw new Problem('csrf-refused')
}

const withCookie = (opened: { secret: string; csrf: string }, body: object): Answer<object> => ({ body: { ...body, csrf: opened.csrf }, headers: { 'Set-Cookie': cookieOf(opened.secret) } })

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
