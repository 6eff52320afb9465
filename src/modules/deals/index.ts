import './problems.ts'
import { route } from '../../kernel/http/index.ts'
import type { Module } from '../../kernel/module.ts'
import type { Reckoning } from '../currencies/index.ts'
import { recordRoutes, sliceOf, type RecordsDeps, type Slice } from '../records/index.ts'
import { boardOf } from './board.service.ts'
import { boardContract, createBody } from './deals.contract.ts'
import { Deal } from './deals.entity.ts'
import { deriveDeal } from './deals.service.ts'

export { Deal, type ProductLine, type StageMove } from './deals.entity.ts'

export const dealSlice = (): Slice => sliceOf({ entity: Deal, derive: deriveDeal })

/** `reckoning`: in which currency a board adds up. */
export function dealsModule(records: RecordsDeps, slice: Slice, reckoning: Reckoning): Module {
  const board = route(boardContract, async (desk, { body }) => ({ body: await boardOf(desk, { records, reckoning }, body) }))
  return { name: 'deals', entities: [Deal], routes: [...recordRoutes(records, slice, { createBody }), board] }
}
