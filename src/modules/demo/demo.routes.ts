import { route, type Route } from '../../kernel/http/index.ts'
import * as contract from './demo.contract.ts'
import type { Demo } from './demo.service.ts'

export function demoRoutes(demo: Demo): Route[] {
  return [
    route(contract.readDemo, async (desk) => {
      desk.record({ action: 'demo.read', purpose: 'view' })
      return { body: (await demo.made()) ?? { state: 'none' as const, records: {} } }
    }),
    route(contract.removeDemo, async (desk, { body }) => ({ body: await demo.remove(desk, body.force) })),
  ]
}
