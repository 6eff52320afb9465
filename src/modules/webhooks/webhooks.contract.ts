import { z } from 'zod'
import { endpoint } from '../../kernel/http/index.ts'

const uuid = z.uuid().toLowerCase()
const id = z.object({ id: uuid })
const nothing = z.strictObject({}).optional()
const name = z.string().trim().min(1).max(200)
const url = z.string().trim().min(9).max(2_000)
/** `contact.updated`, or `contact.*` for every change of contacts. */
const events = z.array(z.string().regex(/^[a-z-]{1,40}\.(?:\*|[a-z-]{1,40})$/)).min(1).max(100)
/** By noun. Without them a message holds ids only. */
const fields = z.record(z.string().regex(/^[a-z-]{1,40}$/), z.array(z.string().max(80)).min(1).max(100))
const scopes = z.array(z.string().regex(/^[a-z-]+:[a-z-]+$/)).min(1).max(200)
const state = z.enum(['active', 'paused', 'disabled'])

const view = z.object({
  id: z.uuid(),
  version: z.int(),
  createdAt: z.string(),
  updatedAt: z.string(),
  userId: z.uuid(),
  name: z.string(),
  host: z.string(),
  /** Null in somebody else's: an address may hold a secret. */
  url: z.string().nullable(),
  events: z.array(z.string()),
  fields: z.record(z.string(), z.array(z.string())),
  scopes: z.array(z.string()),
  expiresAt: z.string(),
  state,
  /** Why it is disabled: it failed for days, the target said 410, or its rights ended. */
  reason: z.enum(['failing', 'gone', 'ended']).nullable(),
  failingSince: z.string().nullable(),
})
const withSecret = view.extend({ secret: z.string() })
const delivery = z.object({
  id: z.uuid(),
  leaf: z.int(),
  state: z.enum(['waiting', 'delivered', 'withheld', 'failed']),
  attempts: z.int(),
  /** Of the last answer; null when there was none. */
  status: z.int().nullable(),
  createdAt: z.string(),
  nextAt: z.string().nullable(),
})

export const contracts = {
  create: endpoint({
    method: 'POST',
    path: '/webhooks',
    permission: 'webhooks:create',
    summary: 'Have changes sent to an https address, signed (Standard Webhooks). The secret is shown once.',
    body: z.strictObject({ name, url, events, fields: fields.optional(), scopes: scopes.optional(), expiresAt: z.iso.datetime({ offset: true }).optional() }),
    response: withSecret,
    status: 201,
    stepUp: 'session-only',
  }),
  list: endpoint({ method: 'GET', path: '/webhooks', permission: 'signed-in', summary: 'My webhooks; everybody\'s for whoever manages them.', response: z.object({ items: z.array(view) }) }),
  get: endpoint({ method: 'GET', path: '/webhooks/:id', permission: 'signed-in', summary: 'One webhook.', params: id, response: view }),
  patch: endpoint({
    method: 'PATCH',
    path: '/webhooks/:id',
    permission: 'webhooks:create',
    summary: 'Change a webhook of mine, pause it, or let it go on from where it stopped.',
    params: id,
    body: z.strictObject({ name: name.optional(), url: url.optional(), events: events.optional(), fields: fields.optional(), state: z.enum(['active', 'paused']).optional() }).refine((o) => Object.keys(o).length > 0, { message: 'empty' }),
    response: view,
    ifMatch: true,
    stepUp: 'session-only',
  }),
  remove: endpoint({ method: 'DELETE', path: '/webhooks/:id', permission: 'signed-in', summary: 'End a webhook and its rights.', params: id, body: nothing, response: z.object({ id: z.uuid() }), ifMatch: false }),
  rotate: endpoint({ method: 'POST', path: '/webhooks/:id/secret', permission: 'webhooks:create', summary: 'A new secret, shown once; for a day messages are signed with the old one, too.', params: id, body: nothing, response: withSecret, stepUp: 'session-only' }),
  test: endpoint({
    method: 'POST',
    path: '/webhooks/:id/test',
    permission: 'webhooks:create',
    summary: 'Send a message that holds nothing, now.',
    params: id,
    body: nothing,
    response: z.object({ outcome: z.enum(['delivered', 'refused', 'unreachable', 'address-refused']), status: z.int().nullable() }),
  }),
  deliveries: endpoint({
    method: 'GET',
    path: '/webhooks/:id/deliveries',
    permission: 'signed-in',
    summary: 'What was sent by a webhook of mine and how it was answered, newest first; no bodies.',
    params: id,
    query: z.strictObject({ cursor: z.coerce.number().int().min(0).optional() }),
    response: z.object({ items: z.array(delivery), nextCursor: z.int().nullable() }),
  }),
}
