import './problems.ts'
import type { Module } from '../../kernel/module.ts'
import { recordRoutes, sliceOf, type RecordsDeps, type Slice } from '../records/index.ts'
import { Pipeline } from './pipelines.entity.ts'
import { withStageIds } from './pipelines.policy.ts'
import { derivePipeline } from './pipelines.service.ts'

export { Pipeline, type Stage } from './pipelines.entity.ts'
export { firstStage, stuckSince } from './pipelines.policy.ts'
export { ensureStandardPipeline, pipelineFor, type PipelineRecord } from './pipelines.service.ts'

export const pipelineSlice = (): Slice => sliceOf({ entity: Pipeline, normalise: withStageIds, derive: derivePipeline })

export function pipelinesModule(deps: RecordsDeps, slice: Slice): Module {
  return { name: 'pipelines', entities: [Pipeline], routes: recordRoutes(deps, slice) }
}
