import { Problem } from '../../kernel/base/index.ts'
import type { AnyRecord } from '../../kernel/entity/index.ts'
import { pipelineFor, type PipelineRecord } from '../pipelines/index.ts'
import type { Deriving } from '../records/index.ts'
import { checkOdds, entered, priced, reasoned, stageFor, type DealRecord } from './deals.policy.ts'

/** The pipeline asked for; the standard one where none is, or where a deal comes back whose own is gone. */
async function pipelineOf(next: DealRecord, restored: boolean, at: Deriving): Promise<PipelineRecord> {
  const pipeline = (await pipelineFor(at, next.pipelineId || null)) ?? (restored ? await pipelineFor(at, null) : null)
  if (!pipeline) throw new Problem('invalid', { errors: [{ path: 'pipelineId', code: 'not-found' }] })
  return pipeline
}

/** An undo has put the fields back as they were; the stage must still be there and mean the same. */
function checkUndone(next: DealRecord, pipeline: PipelineRecord): DealRecord {
  if (pipeline.stages.find((s) => s.id === next.stageId)?.kind !== next.status) throw new Problem('conflict')
  return next
}

/** The rules of deals: a stage of its pipeline decides status, times and odds; losing has a reason; product lines make the amount. */
export async function deriveDeal(was: AnyRecord | null, asked: AnyRecord, at: Deriving): Promise<AnyRecord> {
  const before = was as DealRecord | null // both as the entity says
  const next = priced(before, asked as DealRecord)
  const restored = Boolean(before?.deletedAt) && !next.deletedAt
  const stays = before !== null && before.pipelineId === next.pipelineId && before.stageId === next.stageId
  if (before && stays && !at.undo) checkOdds(before, next)
  // A stage is only looked up where it matters: most changes leave it as it is.
  if (stays && !restored && next.probability !== null) return reasoned(before, next)
  const pipeline = await pipelineOf(next, restored, at)
  if (at.undo) return reasoned(before, checkUndone(next, pipeline))
  const stage = stageFor(before, next, pipeline.stages)
  if (stays && stage.id === before.stageId && stage.kind === before.status) return reasoned(before, { ...next, probability: next.probability ?? stage.probability })
  return reasoned(before, entered(before, { ...next, pipelineId: pipeline.id }, stage, at.work.at.toISOString(), at.work.actor.personId))
}
