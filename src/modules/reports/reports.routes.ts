import { route, type Route } from '../../kernel/http/index.ts'
import * as contract from './reports.contract.ts'
import type { Reports } from './reports.service.ts'

export function reportRoutes(reports: Reports): Route[] {
  return [
    route(contract.funnel, async (desk, { body }) => ({ body: await reports.funnel(desk, body) })),
    route(contract.conversion, async (desk, { body }) => ({ body: await reports.conversion(desk, body) })),
    route(contract.sources, async (desk, { body }) => ({ body: await reports.sources(desk, body) })),
    route(contract.activity, async (desk, { body }) => ({ body: await reports.activity(desk, body) })),
    route(contract.forecast, async (desk, { body }) => ({ body: await reports.forecast(desk, body) })),
    route(contract.won, async (desk, { body }) => ({ body: await reports.won(desk, body) })),
    route(contract.ageing, async (desk, { body }) => ({ body: await reports.ageing(desk, body) })),
  ]
}
