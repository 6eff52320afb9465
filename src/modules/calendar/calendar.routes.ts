import { publicRoute, route, type PublicRoute, type Route } from '../../kernel/http/index.ts'
import { calendarContracts as c } from './calendar.contract.ts'
import type { Calendar } from './calendar.service.ts'

export function calendarRoutes(calendar: Calendar): Route[] {
  return [
    route(c.create, async (desk, { body, request }) => ({ body: await calendar.create(desk, body, request.headers.host ?? 'localhost') })),
    route(c.list, async (desk) => ({ body: await calendar.list(desk) })),
    route(c.revoke, async (desk, { params }) => {
      await calendar.revoke(desk, params.id)
      return { body: { id: params.id } }
    }),
  ]
}

export function calendarPages(calendar: Calendar): PublicRoute[] {
  const headers = { 'Content-Type': 'text/calendar; charset=utf-8', 'Content-Disposition': 'attachment; filename="sealbook.ics"' }
  return [publicRoute(c.read, async ({ params }) => ({ body: undefined, headers, stream: await calendar.read(params.file) }))]
}
