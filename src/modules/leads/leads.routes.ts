import type { Entity } from '../../kernel/entity/index.ts'
import { route, type Route } from '../../kernel/http/index.ts'
import type { RecordsDeps, Slice } from '../records/index.ts'
import { convertLead, type ConvertBody } from './convert.service.ts'
import { convertContract, scoreContract } from './leads.contract.ts'
import { scoreFor } from './leads.service.ts'

export function leadRoutes(deps: RecordsDeps, slice: Slice, targets: { company: Entity; contact: Entity; deal: Entity }): Route[] {
  return [
    route(scoreContract, async (desk, { params }) => ({ body: await scoreFor(desk, deps, slice, params.id) })),
    route(convertContract(targets), async (desk, { params, body }) => {
      const { view, record } = await convertLead(desk, deps, slice, params.id, body as ConvertBody)
      return { body: view, version: record.version }
    }),
  ]
}
