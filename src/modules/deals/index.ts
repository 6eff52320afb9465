import type { Module } from '../../kernel/module.ts'
import { recordRoutes, sliceOf, type RecordsDeps, type Slice } from '../records/index.ts'
import { Deal } from './deals.entity.ts'

export { Deal, type ProductLine, type StageMove } from './deals.entity.ts'

export const dealSlice = (): Slice => sliceOf({ entity: Deal })

export function dealsModule(deps: RecordsDeps, slice: Slice): Module {
  return { name: 'deals', entities: [Deal], routes: recordRoutes(deps, slice) }
}
