import { z } from 'zod'
import { endpoint, route, type Route } from '../../kernel/http/index.ts'
import { viewSchema, type Entity } from '../../kernel/entity/index.ts'
import type { Slice } from '../records/index.ts'
import { claim, release, type PoolDeps } from './pools.service.ts'

const params = z.object({ id: z.uuid().toLowerCase() })
const body = z.strictObject({ poolId: z.uuid().toLowerCase().optional() })

const contractsOf = (entity: Entity) => ({
  claim: endpoint({ method: 'POST', path: `/${entity.plural}/:id/claim`, permission: `${entity.plural}:claim`, summary: `Take one of ${entity.plural} out of its pool for oneself.`, params, response: viewSchema(entity) }),
  release: endpoint({ method: 'POST', path: `/${entity.plural}/:id/release`, permission: `${entity.plural}:claim`, summary: `Put one of ${entity.plural} into a pool; by default the one it was claimed from.`, params, body, response: viewSchema(entity) }),
})

export function poolRoutes(deps: PoolDeps, pooled: readonly Slice[]): Route[] {
  return pooled.flatMap((slice) => {
    const c = contractsOf(slice.entity)
    return [
      route(c.claim, async (desk, input) => {
        const { view, record } = await claim(desk, deps, slice, input.params.id)
        return { body: view, version: record.version }
      }),
      route(c.release, async (desk, input) => {
        const { view, record } = await release(desk, deps, slice, input.params.id, input.body.poolId)
        return { body: view, version: record.version }
      }),
    ]
  })
}
