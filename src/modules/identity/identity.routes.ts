import { route, type Route } from '../../kernel/http/index.ts'
import type { Context } from './context.ts'
import { contracts } from './identity.contract.ts'
import { createUser, disableUser, enableUser, patchUser, readUser, searchUsers, userView, type Changed } from './people.service.ts'
import { drawResetCode, requestReset } from './reset.service.ts'
import { endToken, makeToken, searchTokens } from './tokens.service.ts'

const changed = (c: Context, { person, approval }: Changed, done: number) => ({ body: userView(c, person, true, approval), version: person.version, status: approval ? 202 : done })

/** Routes about colleagues and tokens. */
export function identityRoutes(c: Context): Route[] {
  return [
    // 201 also when the role waits: the account is made.
    route(contracts.createUser, async (desk, { body }) => ({ ...changed(c, await createUser(desk, c, body), 201), status: 201 })),
    route(contracts.searchUsers, async (desk, { body }) => ({ body: await searchUsers(desk, c, body.cursor ?? null, body.limit) })),
    route(contracts.readUser, async (desk, { params }) => {
      const person = await readUser(desk, c, params.id)
      return { body: userView(c, person, desk.actor.grants.permissions.has('users:manage') || person.id === desk.actor.personId), version: person.version }
    }),
    route(contracts.changeUser, async (desk, { params, version, body }) => changed(c, await patchUser(desk, c, params.id, version, body), 200)),
    route(contracts.disableUser, async (desk, { params }) => {
      await disableUser(desk, c, params.id)
      const person = await readUser(desk, c, params.id)
      return { body: userView(c, person, true), version: person.version }
    }),
    route(contracts.enableUser, async (desk, { params }) => changed(c, await enableUser(desk, c, params.id), 200)),
    route(contracts.resetUser, async (desk, { params, body }) => {
      await requestReset(desk, c, params.id, body?.secondFactor ?? false)
      return { body: { id: params.id, state: 'waits-for-second-person' }, status: 202 }
    }),
    route(contracts.drawResetCode, async (desk, { params }) => ({ body: await drawResetCode(desk, c, params.id) })),
    route(contracts.createToken, async (desk, { body }) => {
      const { token, text } = await makeToken(desk, c, { ...body, userId: body.userId ?? desk.actor.personId })
      return { body: { id: token.id, token: text, expiresAt: token.expiresAt, scopes: token.scopes } }
    }),
    route(contracts.listTokens, async (desk) => ({ body: await searchTokens(desk, c, null, 1_000) })),
    route(contracts.searchTokens, async (desk, { body }) => ({ body: await searchTokens(desk, c, body.cursor ?? null, body.limit) })),
    route(contracts.deleteToken, async (desk, { params }) => {
      await endToken(desk, c, params.id)
      return { body: { id: params.id } }
    }),
    route(contracts.revokeToken, async (desk, { params }) => {
      await endToken(desk, c, params.id)
      return { body: { id: params.id } }
    }),
  ]
}
