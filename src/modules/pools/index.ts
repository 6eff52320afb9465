import './problems.ts'
import type { Module } from '../../kernel/module.ts'
import { recordRoutes, sliceOf, type Slice } from '../records/index.ts'
import { Pool } from './pools.entity.ts'
import { poolRoutes } from './pools.routes.ts'
import { poolRules, type PoolDeps } from './pools.service.ts'

export { Pool, POOLED } from './pools.entity.ts'
export { poolingRules } from './pools.policy.ts'
export { OpenPools, type PoolDeps } from './pools.service.ts'
export { returnDue } from './pools.jobs.ts'

export const poolSlice = (): Slice => sliceOf({ entity: Pool, derive: poolRules })

/** `pooled`: the nouns that can lie in a pool. */
export function poolsModule(deps: PoolDeps, slice: Slice, pooled: readonly Slice[]): Module {
  return {
    name: 'pools',
    entities: [Pool],
    permissions: Object.fromEntries(pooled.map(({ entity: { plural } }) => [`${plural}:claim`, `${plural}: take them out of a pool open to one's department, and put them back`])),
    routes: [...recordRoutes(deps.records, slice), ...poolRoutes(deps, pooled)],
  }
}
