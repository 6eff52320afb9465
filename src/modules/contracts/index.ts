import type { Module } from '../../kernel/module.ts'
import { recordRoutes, sliceOf, type RecordsDeps, type Slice } from '../records/index.ts'
import { Contract } from './contracts.entity.ts'

export { Contract } from './contracts.entity.ts'

export const contractSlice = (): Slice => sliceOf({ entity: Contract })

export function contractsModule(deps: RecordsDeps, slice: Slice): Module {
  return { name: 'contracts', entities: [Contract], routes: recordRoutes(deps, slice) }
}
