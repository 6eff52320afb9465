import { route, type Route } from '../../kernel/http/index.ts'
import type { RecordsDeps } from '../records/index.ts'
import { notificationContracts as c } from './notifications.contract.ts'
import { changeSettings, listNotifications, readNotifications, readSettings } from './notifications.service.ts'

export function notificationRoutes(deps: RecordsDeps): Route[] {
  return [
    route(c.list, async (desk, { query }) => ({ body: await listNotifications(desk, deps, { cursor: query.cursor ?? null, unread: query.unread === 'true' }) })),
    route(c.read, async (desk, { body }) => ({ body: await readNotifications(desk, 'ids' in body ? body.ids : null) })),
    route(c.settings, async (desk) => ({ body: await readSettings(desk) })),
    route(c.change, async (desk, { body }) => ({ body: await changeSettings(desk, body.mail) })),
  ]
}
