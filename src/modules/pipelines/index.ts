import type { Module } from '../../kernel/module.ts'
import { recordRoutes, sliceOf, type RecordsDeps, type Slice } from '../records/index.ts'
import { Pipeline } from './pipelines.entity.ts'

export { Pipeline, type Stage } from './pipelines.entity.ts'

export const pipelineSlice = (): Slice => sliceOf({ entity: Pipeline })

export function pipelinesModule(deps: RecordsDeps, slice: Slice): Module {
  return { name: 'pipelines', entities: [Pipeline], routes: recordRoutes(deps, slice) }
}
