import type { Entity } from '../../kernel/entity/index.ts'
import type { Condition, GroupTerm, Measure } from '../../kernel/lens/index.ts'
import type { Desk } from '../../kernel/work/types.ts'
import { rowCondition } from '../access/index.ts'
import { converterFor, sumInBase, type Converter, type Reckoning } from '../currencies/index.ts'
import type { Stage } from '../pipelines/index.ts'
import { openOne, sliceFor, type RecordsDeps } from '../records/index.ts'
import { tableOf, type ReportRow, type ReportTable } from './groups.ts'
import { instantOf, lastDayOf, periodsOf, type Bucket } from './periods.ts'
import { checkAggregated, checkStretch, sightOf } from './reports.policy.ts'

interface Stretch {
  from: string
  to: string
  timeZone?: string | undefined
}

/** One column of figures: a number of rows, or a sum of money in each currency. */
interface Figure {
  name: string
  measure: Measure
  money: boolean
  /** Of a sum over some of the rows: the figure that counts these. */
  rows?: string
}

interface Question {
  report: string
  entity: Entity
  where: Condition[]
  by: { name: string; term: GroupTerm; label?: (key: string | number | null) => string | number | null }[]
  figures: Figure[]
  /** Other rows of the same noun that belong into the same table. */
  and?: Pick<Question, 'where' | 'by'>
  stretch?: Stretch
  /** Amounts of the past: each period by the rate of its own end. */
  rateOfPeriod?: true
}

const eq = (field: string, value: unknown): Condition => ({ field, op: 'eq', value })
const sum = (name: string, field: string, percent?: string, where?: Condition): Figure => ({ name, money: true, measure: { sum: field, ...(percent ? { percent } : {}), ...(where ? { where } : {}) } })
const number = (name: string, count: Condition): Figure => ({ name, money: false, measure: { count } })
const fieldsOf = (m: Measure): string[] => ('sum' in m ? [m.sum, ...(m.percent ? [m.percent] : []), ...(m.where ? namesIn(m.where) : [])] : namesIn(m.count))
const namesIn = (c: Condition): string[] => ('field' in c ? [c.field] : 'and' in c ? c.and.flatMap(namesIn) : 'or' in c ? c.or.flatMap(namesIn) : 'not' in c ? namesIn(c.not) : [])

/** Asks the lens inside the person's sight, and tells only what they may be told. Throws Problem permission-missing, field-unknown, invalid, lens-warming. */
async function asked(desk: Desk, q: Question): Promise<ReportTable> {
  const sight = sightOf(desk.actor, q.entity)
  checkAggregated(desk.actor, q.entity, [...q.by.map((b) => b.term.field), ...q.figures.flatMap((f) => fieldsOf(f.measure)), ...q.where.flatMap(namesIn)])
  if (q.stretch) checkStretch(sight, q.stretch)
  const currency = q.figures.some((f) => f.money)
  const parts = [q, ...(q.and ? [{ ...q, ...q.and }] : [])]
  desk.record({ action: 'report.read', detail: { report: q.report, by: q.by.map((b) => b.name) }, purpose: 'report', sealTo: desk.actor.key })
  const groups = await Promise.all(parts.map(({ where, by }) => desk.lens.aggregate({ entity: q.entity.name, scope: sight.counted, seen: sight.seen, where: { and: where }, by: [...by.map((b) => b.term), ...(currency ? [{ field: 'amount.currency' }] : [])], measures: q.figures.map((f) => f.measure) })))
  const table = tableOf(groups.flat(), { keys: q.by.map((b) => b.name), currency, measures: q.figures })
  for (const row of table.rows) for (const b of q.by) if (row.key && b.label) row.key[b.name] = b.label(row.key[b.name] ?? null)
  return table
}

type Zoned = Stretch & { timeZone: string }
const within = (field: string, s: Zoned): Condition[] => [{ field, op: 'gte', value: instantOf(s.from, s.timeZone) }, { field, op: 'lt', value: instantOf(s.to, s.timeZone) }]
const owner = { name: 'ownerId', term: { field: 'ownerId' } }

/** By the first day of the period. */
function period(field: string, bucket: Bucket, s: Zoned, days: 'instants' | 'days'): Question['by'][number] {
  const starts = periodsOf(bucket, s.from, s.to)
  return { name: 'period', term: { field, bounds: days === 'days' ? starts : starts.map((d) => instantOf(d, s.timeZone)) }, label: (at) => (typeof at === 'number' ? (starts[at] ?? null) : null) }
}

/** What a report takes from the organisation. */
export interface House extends Reckoning {
  timeZone(): string
}

/** The reports, each one question to the lens through the same gate as any list. */
export class Reports {
  readonly #deps: RecordsDeps
  readonly #house: House

  constructor(deps: RecordsDeps, house: House) {
    this.#deps = deps
    this.#house = house
  }

  #zoned<S extends Stretch>(q: S): S & { timeZone: string } {
    return { ...q, timeZone: q.timeZone ?? this.#house.timeZone() }
  }

  /** Adds the base currency: what is over by the rate of its period's last day, everything else by today's. */
  async #answer(desk: Desk, q: Question): Promise<ReportTable> {
    const table = await asked(desk, q)
    if (!q.figures.some((f) => f.money)) return table
    const today = this.#house.today(desk.at)
    const converters = new Map<string, Converter>()
    for (const row of [...table.rows, ...(table.total ? [table.total] : [])]) {
      const first = q.rateOfPeriod ? (row as Partial<ReportRow>).key?.['period'] : null
      const last = typeof first === 'string' ? lastDayOf('month', first) : today
      const day = last < today ? last : today
      const currencies = table.rows.flatMap((r) => Object.values(r.amounts).flat().map((a) => a.currency))
      const converter = converters.get(day) ?? (await converterFor(desk, this.#deps, currencies, this.#house.baseCurrency(), day))
      converters.set(day, converter)
      row.base = Object.fromEntries(Object.entries(row.amounts).map(([name, amounts]) => [name, sumInBase(converter, amounts)]))
    }
    return table
  }

  #entity(name: string): Entity {
    return sliceFor(this.#deps, name).entity
  }

  funnel(desk: Desk, q: { pipelineId?: string | undefined; ownerId?: string | undefined }): Promise<ReportTable> {
    const where = [eq('status', 'open'), ...(q.pipelineId ? [eq('pipelineId', q.pipelineId)] : []), ...(q.ownerId ? [eq('ownerId', q.ownerId)] : [])]
    const by = [{ name: 'pipelineId', term: { field: 'pipelineId' } }, { name: 'stageId', term: { field: 'stageId' } }]
    return this.#answer(desk, { report: 'funnel', entity: this.#entity('deal'), where, by, figures: [sum('amount', 'amount'), sum('weighted', 'amount', 'probability')] })
  }

  async conversion(desk: Desk, asked: Stretch & { pipelineId: string; by: 'owner' | 'none' }): Promise<ReportTable> {
    const q = this.#zoned(asked)
    const pipelines = sliceFor(this.#deps, 'pipeline')
    const { record, key } = await openOne(desk, pipelines, q.pipelineId, rowCondition(desk.actor, pipelines.entity, 'read'))
    desk.record({ action: 'pipeline.read', object: { kind: 'pipeline', id: q.pipelineId }, subjects: [key], purpose: 'report' })
    const reached = (record['stages'] as Stage[]).map((s) => number(s.id, eq('reached', s.id))) // the entity says what stages are
    const figures = [...reached, number('won', eq('status', 'won')), number('lost', eq('status', 'lost'))]
    return this.#answer(desk, { report: 'conversion', entity: this.#entity('deal'), where: [eq('pipelineId', q.pipelineId), ...within('createdAt', q)], by: q.by === 'owner' ? [owner] : [], figures, stretch: q })
  }

  sources(desk: Desk, asked: Stretch & { noun: 'leads' | 'deals' }): Promise<ReportTable> {
    const q = this.#zoned(asked)
    const by = [{ name: 'source', term: { field: 'source' } }]
    const base = { report: 'sources', where: within('createdAt', q), by, stretch: q }
    if (q.noun === 'leads') return this.#answer(desk, { ...base, entity: this.#entity('lead'), figures: [number('converted', eq('status', 'converted')), number('disqualified', eq('status', 'disqualified'))] })
    return this.#answer(desk, { ...base, entity: this.#entity('deal'), figures: [number('won', eq('status', 'won')), number('lost', eq('status', 'lost')), { ...sum('wonAmount', 'amount', undefined, eq('status', 'won')), rows: 'won' }] })
  }

  activity(desk: Desk, asked: Stretch & { bucket: Bucket; by: 'owner' | 'none' }): Promise<ReportTable> {
    const q = this.#zoned(asked)
    // A task is counted when it was given, everything else when it happened.
    const on = (field: string, kinds: Condition): Pick<Question, 'where' | 'by'> => ({ where: [kinds, ...within(field, q)], by: [...(q.by === 'owner' ? [owner] : []), period(field, q.bucket, q, 'instants'), { name: 'kind', term: { field: 'kind' } }] })
    const task = eq('kind', 'task')
    return this.#answer(desk, { report: 'activity', entity: this.#entity('activity'), ...on('at', { not: task }), and: on('createdAt', task), figures: [number('done', { field: 'doneAt', op: 'isEmpty', value: false })], stretch: q })
  }

  forecast(desk: Desk, asked: Stretch & { by: 'owner' | 'none' }): Promise<ReportTable> {
    const q = this.#zoned(asked)
    const where: Condition[] = [eq('status', 'open'), { field: 'expectedCloseOn', op: 'gte', value: q.from }, { field: 'expectedCloseOn', op: 'lt', value: q.to }]
    const by = [...(q.by === 'owner' ? [owner] : []), period('expectedCloseOn', 'month', q, 'days')]
    return this.#answer(desk, { report: 'forecast', entity: this.#entity('deal'), where, by, figures: [sum('amount', 'amount'), sum('weighted', 'amount', 'probability')], stretch: q })
  }

  won(desk: Desk, asked: Stretch & { by: 'owner' | 'none' }): Promise<ReportTable> {
    const q = this.#zoned(asked)
    const by = [...(q.by === 'owner' ? [owner] : []), period('closedAt', 'month', q, 'instants')]
    return this.#answer(desk, { report: 'won', entity: this.#entity('deal'), where: [eq('status', 'won'), ...within('closedAt', q)], by, figures: [sum('amount', 'amount')], stretch: q, rateOfPeriod: true })
  }

  ageing(desk: Desk, q: { pipelineId?: string | undefined }): Promise<ReportTable> {
    const bounds = AGES.map((days) => new Date(desk.at.getTime() - days * DAY_MS).toISOString())
    const age = { name: 'sinceDays', term: { field: 'stageSince', bounds }, label: (at: string | number | null) => (typeof at === 'number' ? (AGES[at] ?? FOREVER) : null) }
    const where = [eq('status', 'open'), ...(q.pipelineId ? [eq('pipelineId', q.pipelineId)] : [])]
    return this.#answer(desk, { report: 'ageing', entity: this.#entity('deal'), where, by: [{ name: 'stageId', term: { field: 'stageId' } }, age], figures: [sum('amount', 'amount')] })
  }
}

const DAY_MS = 86_400_000
/** Upper ends of the age groups in days, longest first: at most 90, 60, 30, 14, 7. Longer ones are told as FOREVER. */
const AGES = [90, 60, 30, 14, 7]
const FOREVER = -1

