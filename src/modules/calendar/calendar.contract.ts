import { z } from 'zod'
import { endpoint } from '../../kernel/http/index.ts'

const uuid = z.uuid().toLowerCase()
const detail = z.enum(['titles', 'times'])
const feed = z.object({ id: z.uuid(), name: z.string(), detail, createdAt: z.string(), expiresAt: z.string(), active: z.boolean() })

export const calendarContracts = {
  create: endpoint({
    method: 'POST',
    path: '/me/calendar',
    permission: 'calendar:use',
    summary: 'Make an address at which a calendar program reads my meetings and tasks. It is shown once, and is a secret.',
    body: z.strictObject({ name: z.string().trim().min(1).max(100), detail: detail.default('titles'), expiresAt: z.iso.datetime({ offset: true }).optional() }),
    response: feed.extend({ url: z.string() }),
    status: 201,
    stepUp: 'always',
  }),
  list: endpoint({ method: 'GET', path: '/me/calendar', permission: 'calendar:use', summary: 'My calendar addresses, without their secrets.', response: z.object({ items: z.array(feed) }) }),
  revoke: endpoint({ method: 'DELETE', path: '/me/calendar/:id', permission: 'calendar:use', summary: 'End a calendar address at once.', params: z.object({ id: uuid }), response: z.object({ id: z.uuid() }), ifMatch: false }),
  /** The secret stands in the path, because calendar programs send nothing else. Paths are logged as their pattern only. */
  read: endpoint({
    method: 'GET',
    path: '/calendar/:file',
    permission: 'public',
    summary: 'Meetings and open tasks of whoever made the address, as iCalendar (RFC 5545). FILE is the secret and .ics.',
    params: z.object({ file: z.string().max(100) }),
    response: z.string(),
    root: true,
    produces: 'text/calendar; charset=utf-8',
  }),
}
