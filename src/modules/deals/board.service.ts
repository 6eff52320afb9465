import { Problem } from '../../kernel/base/index.ts'
import type { MoneyValue } from '../../kernel/entity/index.ts'
import type { Condition, LensGroup, Measure } from '../../kernel/lens/index.ts'
import type { Desk } from '../../kernel/work/types.ts'
import { checkFields, checkWhereCounting, rightsOf, rowCondition } from '../access/index.ts'
import { converterFor, sumInBase, type Converter, type Reckoning } from '../currencies/index.ts'
import { Pipeline, stuckSince, type PipelineRecord, type Stage } from '../pipelines/index.ts'
import { openOne, searchRecords, sliceFor, type RecordsDeps } from '../records/index.ts'
import type { BoardBody } from './deals.contract.ts'
import { Deal } from './deals.entity.ts'

export interface BoardDeps {
  records: RecordsDeps
  reckoning: Reckoning
}

/** What of a deal the actor sees in figures. Masked is not enough: a sum would tell what the mask hides. */
interface Sight {
  amounts: boolean
  odds: boolean
  since: boolean
}

interface Figures {
  count: number
  stuck: number
  amounts: MoneyValue[]
  weighted: MoneyValue[]
}

const eq = (field: string, value: unknown): Condition => ({ field, op: 'eq', value })
const all = (parts: readonly unknown[]): unknown => (parts.length === 1 ? parts[0] : { and: parts })

function sightOf(desk: Desk, deps: RecordsDeps): Sight {
  const custom = deps.customFields(Deal.name)
  checkFields(Deal, ['pipelineId', 'stageId'], desk.actor, custom)
  checkFields(Pipeline, ['name', 'stages'], desk.actor)
  const { fields } = rightsOf(Deal, desk.actor, custom)
  const reads = (name: string): boolean => ['read', 'edit'].includes(fields.get(name)?.right ?? 'hidden')
  return { amounts: reads('amount'), odds: reads('amount') && reads('probability'), since: reads('stageSince') }
}

/** The pipeline through the gate, the standard one by default. Throws Problem not-found. */
async function pipelineOf(desk: Desk, deps: RecordsDeps, id: string | undefined): Promise<PipelineRecord> {
  const slice = sliceFor(deps, Pipeline.name)
  const scope = rowCondition(desk.actor, Pipeline, 'read')
  const wanted = id ?? (await slice.store.page(desk.sql, { scope, where: eq('standard', true), limit: 1 }))[0]?.id
  if (!wanted) throw new Problem('not-found')
  const { record, key } = await openOne(desk, slice, wanted, scope)
  desk.record({ action: 'deal.board-read', object: { kind: Pipeline.name, id: wanted }, subjects: [key], purpose: 'list' })
  return record as PipelineRecord // opened as the entity says
}

/** Deals that are stuck in a stage, as any list may ask for them. */
function stuckIn(stage: Stage, now: Date): Condition | null {
  const since = stuckSince(stage, now)
  return since ? { and: [eq('stageId', stage.id), { field: 'stageSince', op: 'lt', value: since }] } : null
}

/** One question to the lens inside the rows the actor sees, so a count holds no other. Throws Problem lens-warming. */
async function figuresOf(desk: Desk, pipeline: PipelineRecord, sight: Sight, stuck: Condition, asked: Condition[]): Promise<Map<string, Figures>> {
  const measures: Measure[] = [{ count: sight.since ? stuck : { or: [] } }]
  if (sight.amounts) measures.push({ sum: 'amount' })
  if (sight.odds) measures.push({ sum: 'amount', percent: 'probability' })
  const by = [{ field: 'stageId' }, ...(sight.amounts ? [{ field: 'amount.currency' }] : [])]
  const where: Condition = { and: [eq('pipelineId', pipeline.id), ...asked] }
  const groups = await desk.lens.aggregate({ entity: Deal.name, scope: rowCondition(desk.actor, Deal, 'read'), where, by, measures })
  const figures = new Map<string, Figures>()
  for (const group of groups) addTo(figures, group)
  return figures
}

function addTo(figures: Map<string, Figures>, { keys: [stageId, currency], count, measures: [stuck, amount, weighted] }: LensGroup): void {
  const of = figures.get(String(stageId)) ?? { count: 0, stuck: 0, amounts: [], weighted: [] }
  of.count += count
  of.stuck += stuck ?? 0
  if (typeof currency === 'string' && amount !== undefined) of.amounts.push({ currency, minor: amount })
  if (typeof currency === 'string' && weighted !== undefined) of.weighted.push({ currency, minor: weighted })
  figures.set(String(stageId), of)
}

const NOTHING: Figures = { count: 0, stuck: 0, amounts: [], weighted: [] }

interface Asked extends BoardDeps {
  body: BoardBody
  at: Date
  sight: Sight
  converter: Converter
}

type Card = Record<string, unknown>

async function cardsOf(desk: Desk, { records, body }: Asked, where: unknown, count: number): Promise<{ items: Card[]; nextCursor: string | null }> {
  if (count === 0 || body.cards === 0) return { items: [], nextCursor: null }
  return JSON.parse(await searchRecords(desk, records, sliceFor(records, Deal.name), { where, sort: body.sort, limit: body.cards, cursor: body.cursor })) as { items: Card[]; nextCursor: string | null } // our own answer
}

async function columnOf(desk: Desk, asked: Asked, stage: Stage, figures: Figures): Promise<object> {
  const { body, sight, converter, at } = asked
  const since = sight.since ? stuckSince(stage, at) : null
  const stuck = body.stuck ? [stuckIn(stage, at)].filter((c) => c !== null) : []
  const where = all([eq('stageId', stage.id), ...stuck, ...(body.where === undefined ? [] : [body.where])])
  const { items, nextCursor } = await cardsOf(desk, asked, where, figures.count)
  const cards = since ? items.map((card) => ({ ...card, stuck: typeof card['stageSince'] === 'string' && card['stageSince'] < since })) : items
  return {
    stageId: stage.id, name: stage.name, kind: stage.kind, count: figures.count,
    stuck: since ? figures.stuck : null, stuckSince: since,
    amounts: sight.amounts ? figures.amounts : null,
    weighted: sight.odds ? figures.weighted : null,
    amountInBase: sight.amounts ? sumInBase(converter, figures.amounts) : null,
    weightedInBase: sight.odds ? sumInBase(converter, figures.weighted) : null,
    items: cards, nextCursor,
  }
}

/** Columns that are asked for. A cursor belongs to one of them. Throws Problem invalid. */
function stagesAsked(pipeline: PipelineRecord, body: BoardBody): Stage[] {
  if (body.cursor !== undefined && body.stageId === undefined) throw new Problem('invalid', { errors: [{ path: 'cursor', code: 'needs-stage' }] })
  const stages = pipeline.stages.filter((s) => body.stageId === undefined || s.id === body.stageId)
  if (stages.length === 0) throw new Problem('invalid', { errors: [{ path: 'stageId', code: 'stage-of-another' }] })
  return stages
}

/** A pipeline as a board. Throws Problem field-unknown, invalid, not-found, lens-warming. */
export async function boardOf(desk: Desk, deps: BoardDeps, body: BoardBody): Promise<object> {
  const { records, reckoning } = deps
  const at = body.at === undefined ? desk.at : new Date(body.at)
  const pipeline = await pipelineOf(desk, records, body.pipelineId)
  const stages = stagesAsked(pipeline, body)
  const sight = sightOf(desk, records)
  if (body.stuck && !sight.since) throw new Problem('field-unknown', { errors: [{ path: 'stuck', code: 'field-unknown' }] })
  const checked = body.where === undefined ? null : checkWhereCounting(Deal, body.where, desk.actor, records.customFields(Deal.name))
  records.matches.spend(desk.actor.personId, checked?.maskedMatches ?? 0)
  const stuck: Condition = { or: pipeline.stages.flatMap((s) => stuckIn(s, at) ?? []) }
  const figures = await figuresOf(desk, pipeline, sight, stuck, [...(checked?.where ? [checked.where] : []), ...(body.stuck ? [stuck] : [])])
  const currencies = [...figures.values()].flatMap((f) => f.amounts.map((a) => a.currency))
  const converter = await converterFor(desk, records, currencies, reckoning.baseCurrency(), reckoning.today(desk.at))
  const asked = { ...deps, body, sight, converter, at }
  const columns = await Promise.all(stages.map((s) => columnOf(desk, asked, s, figures.get(s.id) ?? NOTHING)))
  return { pipelineId: pipeline.id, name: pipeline.name, baseCurrency: converter.base, at: at.toISOString(), columns }
}
