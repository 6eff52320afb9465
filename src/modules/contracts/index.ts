import './problems.ts'
import { route } from '../../kernel/http/index.ts'
import type { Module } from '../../kernel/module.ts'
import { recordRoutes, sliceOf, type RecordsDeps, type Slice } from '../records/index.ts'
import { renewContract } from './contracts.contract.ts'
import { Contract } from './contracts.entity.ts'
import { deriveContract, renew } from './contracts.service.ts'

export { Contract } from './contracts.entity.ts'
export { contractsDue, type DueDeps } from './contracts.jobs.ts'

/** `today`: the day of an instant where the organisation is. */
export const contractSlice = (today: (at: Date) => string): Slice => sliceOf({ entity: Contract, derive: deriveContract(today) })

export function contractsModule(deps: RecordsDeps, slice: Slice): Module {
  const renewal = route(renewContract, async (desk, { params, body, version }) => {
    const { view, record } = await renew(desk, deps, slice, params.id, version, body)
    return { body: view, version: record.version }
  })
  return { name: 'contracts', entities: [Contract], routes: [...recordRoutes(deps, slice), renewal] }
}
