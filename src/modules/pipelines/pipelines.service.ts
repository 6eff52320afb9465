import { Problem, uuidv7 } from '../../kernel/base/index.ts'
import type { Sql, Tx } from '../../kernel/db/types.ts'
import type { AnyRecord, RecordOf } from '../../kernel/entity/index.ts'
import type { Condition } from '../../kernel/lens/types.ts'
import type { Desk, Work } from '../../kernel/work/types.ts'
import { ALL } from '../access/index.ts'
import { changeRecord, checkedNew, insertRecord, openRow, sliceFor, type Deriving, type RecordsDeps } from '../records/index.ts'
import { Pipeline, type Stage } from './pipelines.entity.ts'
import { checkedStages, stagesGone, standardWords } from './pipelines.policy.ts'

export type PipelineRecord = RecordOf<typeof Pipeline>

/** More than anybody sets up. */
const MOST_PIPELINES = 200

/**
 * A pipeline for a deal to stand in, or null; the standard one where `id` is null. It stays as it is until the transaction ends: a stage is
 * not taken away under a deal that moves into it. No gate: that a link is one the writer sees is asked where links are checked.
 */
export async function pipelineFor({ work, deps }: Pick<Deriving, 'work' | 'deps'>, id: string | null): Promise<PipelineRecord | null> {
  const slice = sliceFor(deps, Pipeline.name)
  // Locked first and read second, so that what is read is what is locked.
  const [locked] = await work.sql.query<{ id: string }>(`SELECT id FROM ${Pipeline.table} WHERE deleted_at IS NULL AND ${id === null ? 'standard' : 'id = $1'} FOR SHARE`, id === null ? [] : [id])
  if (!locked) return null
  const [row] = await slice.store.full(work.sql, [locked.id])
  return row ? (openRow(work.vault, slice, row, work.vault.ownerKey(row.key_id)) as PipelineRecord) : null // opened as the entity says
}

async function others(work: Work, deps: RecordsDeps, id: string): Promise<PipelineRecord[]> {
  const slice = sliceFor(deps, Pipeline.name)
  const page = await slice.store.page(work.sql, { scope: ALL, limit: MOST_PIPELINES })
  const rows = await slice.store.full(work.sql, page.map((r) => r.id).filter((other) => other !== id))
  return rows.map((row) => openRow(work.vault, slice, row, work.vault.ownerKey(row.key_id)) as PipelineRecord) // as above
}

async function anyDeal(work: Work, deps: RecordsDeps, where: Condition): Promise<boolean> {
  return (await sliceFor(deps, 'deal').store.page(work.sql, { scope: ALL, where, limit: 1 })).length > 0
}

/** Pipelines being changed because another one takes their place, per transaction: the only way to stop being the standard one. */
const handingOver = new WeakSet<Work>()

async function takeOver(at: Deriving, id: string): Promise<void> {
  // Two that become the standard one at once do so one after the other; the index `pipelines_standard` would refuse the second.
  await lockStandard(at.work.sql)
  const [old] = await at.work.sql.query<{ id: string }>(`SELECT id FROM ${Pipeline.table} WHERE standard AND deleted_at IS NULL AND id <> $1`, [id])
  if (!old) return
  handingOver.add(at.work)
  await changeRecord(at.work, at.deps, sliceFor(at.deps, Pipeline.name), { id: old.id, version: null, action: 'edit', next: () => ({ standard: false }) })
  handingOver.delete(at.work)
}

const lockStandard = (sql: Tx): Promise<unknown> => sql.query("SELECT pg_advisory_xact_lock(hashtext('pipelines.standard'))")

async function checkDelete(before: PipelineRecord, { work, deps }: Deriving): Promise<void> {
  if (before.standard) throw new Problem('pipeline-standard')
  if (await anyDeal(work, deps, { field: 'pipelineId', op: 'eq', value: before.id })) throw new Problem('pipeline-in-use')
}

async function checkStages(before: PipelineRecord | null, next: PipelineRecord, { work, deps }: Deriving): Promise<void> {
  const gone = stagesGone(before?.stages ?? [], next.stages)
  if (gone.length > 0 && (await anyDeal(work, deps, { field: 'stageId', op: 'in', value: gone }))) throw new Problem('stage-in-use')
  const known = new Set((before?.stages ?? []).map((s) => s.id))
  const fresh = next.stages.filter((s) => !known.has(s.id))
  if (fresh.length === 0) return
  const taken = new Set((await others(work, deps, next.id)).flatMap((p) => p.stages.map((s) => s.id)))
  if (fresh.some((s) => taken.has(s.id))) throw new Problem('invalid', { errors: [{ path: 'stages', code: 'stage-of-another' }] })
}

async function isFirst(at: Deriving): Promise<boolean> {
  await lockStandard(at.work.sql)
  return (await at.work.sql.query(`SELECT 1 FROM ${Pipeline.table} WHERE standard AND deleted_at IS NULL`)).length === 0
}

/** The rules of pipelines: stages that lead somewhere, none taken away from its deals, and always exactly one standard pipeline. */
export async function derivePipeline(was: AnyRecord | null, asked: AnyRecord, at: Deriving): Promise<AnyRecord> {
  const before = was as PipelineRecord | null // both as the entity says
  const next = { ...(asked as PipelineRecord), stages: checkedStages(asked['stages'] as Stage[]) }
  if (before && !before.deletedAt && next.deletedAt) await checkDelete(before, at)
  if (JSON.stringify(before?.stages) !== JSON.stringify(next.stages)) await checkStages(before, next, at)
  if (before?.standard && !next.standard && !handingOver.has(at.work)) throw new Problem('pipeline-standard')
  if (next.standard && !before?.standard) await takeOver(at, next.id)
  if (!before && !next.standard && (await isFirst(at))) next.standard = true
  return next
}

/** Makes the pipeline an instance begins with, where there is none; of two nodes that start at once one does. `ownerId`: a colleague, whose it is. */
export async function ensureStandardPipeline(desk: Desk, deps: RecordsDeps, ownerId: string, locale: 'zh-CN' | 'en'): Promise<void> {
  const slice = sliceFor(deps, Pipeline.name)
  const any = async (sql: Sql): Promise<boolean> => (await slice.store.page(sql, { scope: ALL, limit: 1 })).length > 0
  if (await any(desk.sql)) return
  const input = { ...checkedNew(desk.actor, deps, slice, standardWords(locale)), ownerId }
  const id = uuidv7()
  await desk.vault.createOwnerKeys([id])
  await desk
    .write(async (work) => {
      await lockStandard(work.sql)
      if (await any(work.sql)) throw new Problem('conflict')
      await insertRecord(work, deps, slice, { id, input })
    })
    .catch((error: unknown) => {
      if (!(error instanceof Problem) || error.code !== 'conflict') throw error
    })
}
