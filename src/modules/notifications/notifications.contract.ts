import { z } from 'zod'
import { endpoint } from '../../kernel/http/index.ts'

const uuid = z.uuid().toLowerCase()
const item = z.object({ id: z.uuid(), kind: z.enum(['reminder', 'assigned']), object: z.object({ kind: z.string(), id: z.uuid() }).nullable(), at: z.string(), createdAt: z.string(), readAt: z.string().nullable() })
const settings = z.strictObject({ mail: z.boolean() })

export const notificationContracts = {
  list: endpoint({
    method: 'GET',
    path: '/notifications',
    permission: 'notifications:read',
    summary: 'What I am told, newest first: kinds and ids, never a name. What I no longer see is there without its id.',
    query: z.strictObject({ cursor: uuid.optional(), unread: z.enum(['true', 'false']).optional() }),
    response: z.object({ items: z.array(item), nextCursor: z.string().nullable(), unread: z.int() }),
  }),
  read: endpoint({
    method: 'POST',
    path: '/notifications/read',
    permission: 'notifications:read',
    summary: 'Mark some or all of mine as read.',
    body: z.union([z.strictObject({ ids: z.array(uuid).min(1).max(200) }), z.strictObject({ all: z.literal(true) })]),
    response: z.object({ read: z.int() }),
  }),
  settings: endpoint({ method: 'GET', path: '/me/notifications', permission: 'notifications:read', summary: 'How I am told.', response: settings }),
  change: endpoint({ method: 'PATCH', path: '/me/notifications', permission: 'notifications:read', summary: 'Be told by mail as well, or not.', body: settings, response: settings }),
}
