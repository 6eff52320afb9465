import { z } from 'zod'
import { endpoint } from '../../kernel/http/index.ts'

const uuid = z.uuid().toLowerCase()
const id = z.object({ id: uuid })
const email = z.string().trim().min(3).max(320).regex(/^[^\s@]+@[^\s@]+$/)
const name = z.string().trim().min(1).max(200)
/** Any length up to here is read; the policy says what is long enough. */
const password = z.string().min(1).max(1_000)
const code = z.string().trim().min(6).max(60)
const locale = z.enum(['zh-CN', 'en'])
const roles = z.array(z.string().regex(/^[a-z][a-z0-9-]{0,39}$/)).max(10)
const page = z.strictObject({ limit: z.int().min(1).max(200).default(50), cursor: uuid.nullish() })
const nothing = z.strictObject({}).optional()
const done = z.object({ ok: z.literal(true) })
const pending = z.object({ id: z.uuid(), state: z.literal('pending') })

const me = z.object({
  id: z.uuid(),
  name: z.string(),
  email: z.string(),
  roles: z.array(z.string()),
  scopes: z.array(z.string()),
  locale,
  departmentId: z.uuid(),
  mustChangePassword: z.boolean(),
  secondFactor: z.boolean(),
  csrf: z.string().optional(),
})
const session = z.object({ user: me.omit({ csrf: true }), csrf: z.string() })
const user = z.object({
  id: z.uuid(),
  version: z.int(),
  createdAt: z.string(),
  updatedAt: z.string(),
  name: z.string(),
  email: z.string().nullable(),
  roles: z.array(z.string()),
  departmentId: z.uuid(),
  disabledAt: z.string().nullable(),
  locale,
  /** Set when roles, department or status wait for a second person; the record beside it is as it was. */
  approval: pending.optional(),
})
const users = z.object({ items: z.array(user), nextCursor: z.uuid().nullable(), complete: z.boolean() })
const token = z.object({
  id: z.uuid(),
  version: z.int(),
  userId: z.uuid(),
  name: z.string(),
  scopes: z.array(z.string()),
  createdBy: z.uuid(),
  createdAt: z.string(),
  expiresAt: z.string(),
  revokedAt: z.string().nullable(),
})
const tokens = z.object({ items: z.array(token), nextCursor: z.uuid().nullable(), complete: z.boolean() })
const csrf = z.object({ csrf: z.string() })

export const contracts = {
  signIn: endpoint({ method: 'POST', path: '/session', permission: 'public', summary: 'Sign in.', body: z.strictObject({ email: z.string().max(320), password, code: code.optional() }), response: session }),
  signOut: endpoint({ method: 'DELETE', path: '/session', permission: 'signed-in', summary: 'Sign out.', body: nothing, response: done }),
  stepUp: endpoint({ method: 'POST', path: '/session/step-up', permission: 'signed-in', summary: 'Prove a factor again.', body: z.strictObject({ password: password.optional(), code: code.optional() }), response: csrf }),
  redeem: endpoint({ method: 'POST', path: '/session/reset', permission: 'public', summary: 'Choose a new password with a reset code.', body: z.strictObject({ email: z.string().max(320), code, password }), response: done }),
  me: endpoint({ method: 'GET', path: '/me', permission: 'signed-in', summary: 'Who I am and what I may.', response: me }),
  changeMe: endpoint({ method: 'PATCH', path: '/me', permission: 'signed-in', summary: 'Change my language.', body: z.strictObject({ locale }), response: me }),
  password: endpoint({ method: 'PUT', path: '/me/password', permission: 'signed-in', summary: 'Change my password; every other session ends.', body: z.strictObject({ current: password, password }), response: csrf }),
  totp: endpoint({
    method: 'POST',
    path: '/me/totp',
    permission: 'signed-in',
    summary: 'Start enrolling an authenticator app.',
    body: nothing,
    response: z.object({ secret: z.string(), uri: z.string(), qrSvg: z.string() }),
    stepUp: 'always',
  }),
  confirmTotp: endpoint({ method: 'POST', path: '/me/totp/confirm', permission: 'signed-in', summary: 'Confirm the app with a code; gives recovery codes once.', body: z.strictObject({ code }), response: z.object({ recoveryCodes: z.array(z.string()) }) }),
  createUser: endpoint({
    method: 'POST',
    path: '/users',
    permission: 'users:manage',
    summary: 'Make an account. Its password must be changed at first sign-in; a role that shows more customers than the maker sees waits for a second person.',
    body: z.strictObject({ email, name, roles, departmentId: uuid.optional(), password, locale: locale.optional() }),
    response: user,
    status: 201,
    stepUp: 'session-only',
    idempotent: true,
  }),
  searchUsers: endpoint({ method: 'POST', path: '/users/search', permission: 'users:read', summary: 'Colleagues, page by page.', body: page, response: users }),
  readUser: endpoint({ method: 'GET', path: '/users/:id', permission: 'users:read', summary: 'One colleague.', params: id, response: user }),
  changeUser: endpoint({
    method: 'PATCH',
    path: '/users/:id',
    permission: 'users:manage',
    summary: 'Change a colleague. 202: roles or department show more customers, and wait for a second person.',
    params: id,
    body: z.strictObject({ email: email.optional(), name: name.optional(), locale: locale.optional(), roles: roles.optional(), departmentId: uuid.optional() }).refine((o) => Object.keys(o).length > 0, { message: 'empty' }),
    response: user,
    ifMatch: true,
    stepUp: 'session-only',
  }),
  disableUser: endpoint({ method: 'POST', path: '/users/:id/disable', permission: 'users:manage', summary: 'End every session and token of a colleague and keep them out.', params: id, body: nothing, response: user, stepUp: 'session-only' }),
  enableUser: endpoint({ method: 'POST', path: '/users/:id/enable', permission: 'users:manage', summary: 'Let a disabled colleague back in.', params: id, body: nothing, response: user, stepUp: 'session-only' }),
  resetUser: endpoint({
    method: 'POST',
    path: '/users/:id/reset',
    permission: 'users:manage',
    summary: 'End what signs a colleague in. A second person draws the code; whoever asks sees no secret.',
    params: id,
    body: z.strictObject({ secondFactor: z.boolean().default(false) }).optional(),
    response: z.object({ id: z.uuid(), state: z.literal('waits-for-second-person') }),
    stepUp: 'session-only',
  }),
  drawResetCode: endpoint({ method: 'POST', path: '/users/:id/reset/code', permission: 'users:read', summary: 'As the second person, draw the code of a reset and hand it over.', params: id, body: nothing, response: z.object({ code: z.string(), expiresAt: z.string() }), stepUp: 'always' }),
  createToken: endpoint({
    method: 'POST',
    path: '/tokens',
    permission: 'tokens:create',
    summary: 'Make an API token; its text is shown once.',
    body: z.strictObject({ userId: uuid.optional(), name, scopes: z.array(z.string().regex(/^[a-z-]+:[a-z-]+$/)).min(1).max(200).optional(), expiresAt: z.iso.datetime({ offset: true }).optional() }),
    response: z.object({ id: z.uuid(), token: z.string(), expiresAt: z.string(), scopes: z.array(z.string()) }),
    status: 201,
    stepUp: 'session-only',
  }),
  listTokens: endpoint({ method: 'GET', path: '/tokens', permission: 'tokens:create', summary: 'My tokens; everybody\'s for whoever manages them.', response: tokens }),
  searchTokens: endpoint({ method: 'POST', path: '/tokens/search', permission: 'tokens:create', summary: 'The same, page by page.', body: page, response: tokens }),
  deleteToken: endpoint({ method: 'DELETE', path: '/tokens/:id', permission: 'tokens:create', summary: 'Revoke a token and every token made with it.', params: id, body: nothing, response: z.object({ id: z.uuid() }), ifMatch: false }),
  revokeToken: endpoint({ method: 'POST', path: '/tokens/:id/revoke', permission: 'tokens:create', summary: 'The same.', params: id, body: nothing, response: z.object({ id: z.uuid() }) }),
}
