import { type Calendar, DAY_MS, dayOf } from './calendar.ts'
import type { MakeId } from './ids.ts'
import { phrases } from './phrases.ts'
import { tagsOf } from './points.ts'
import { random, type Random } from './random.ts'
import type { Firm, Move, Outcome, Person, Planned, Sale } from './types.ts'

const SALES = 400

interface Stage {
  id: string
  name: string
  kind: Outcome
  probability: number
  stuckAfterDays: number | null
}

export interface PlannedPipeline {
  id: string
  stages: Stage[]
}

const PIPELINES: readonly (readonly [name: string, stages: readonly (readonly [string, Outcome, number, number | null])[]])[] = [
  ['新业务 New business', [['初步接触 Qualify', 'open', 10, 14], ['需求确认 Discover', 'open', 30, 21], ['方案报价 Propose', 'open', 50, 21], ['商务谈判 Negotiate', 'open', 75, 30], ['赢单 Won', 'won', 100, null], ['输单 Lost', 'lost', 0, null]]],
  ['续约 Renewals', [['到期提醒 Due', 'open', 40, 30], ['续约洽谈 In talks', 'open', 70, 30], ['已续约 Renewed', 'won', 100, null], ['未续约 Not renewed', 'lost', 0, null]]],
]

const sells = ({ stages }: PlannedPipeline): boolean => (['open', 'won', 'lost'] as const).every((kind) => stages.some((s) => s.kind === kind))

/** `standard`: the organisation's own, in whose stages most of the deals stand then, so that the first board anybody opens is full. */
export function pipelinesOf(id: MakeId, at: number, ownerId: string, standard: PlannedPipeline | null = null): { pipelines: PlannedPipeline[]; records: Planned[] } {
  const pipelines = PIPELINES.map(([, stages]) => ({ id: id(at), stages: stages.map(([name, kind, probability, stuckAfterDays]) => ({ id: id(at), name, kind, probability, stuckAfterDays })) }))
  const records = pipelines.map((p, i): Planned => ({ noun: 'pipeline', id: p.id, at, ownerId, input: { name: PIPELINES[i]![0], stages: p.stages, standard: false }, moves: [] }))
  return standard && sells(standard) ? { pipelines: [standard, ...pipelines.slice(1)], records: records.slice(1) } : { pipelines, records }
}

/** How it went: through the stages one by one, or straight out of one of them. */
function courseOf(from: Random, calendar: Calendar, at: number, pipeline: PlannedPipeline, reason: string): { moves: Move[]; outcome: Outcome; closedAt: number | null } {
  const open = pipeline.stages.filter((s) => s.kind === 'open')
  const outcome: Outcome = from.below(100) < 42 ? 'won' : 'lost'
  const last = outcome === 'won' ? open.length - 1 : from.below(open.length)
  const moves: Move[] = []
  let now = at
  for (const stage of [...open.slice(1, last + 1), pipeline.stages.find((s) => s.kind === outcome)!]) {
    const wish = now + (4 + from.below(34)) * DAY_MS
    if (wish >= calendar.end) return { moves, outcome: 'open', closedAt: null }
    now = calendar.between(from, Math.max(now, wish - 2 * DAY_MS), wish)
    moves.push({ at: now, patch: { stageId: stage.id, ...(stage.kind === 'lost' ? { lostReason: reason } : {}) } })
  }
  return { moves, outcome, closedAt: now }
}

interface Price {
  minor: number
  currency: string
  lines: { name: string; quantity: number; unitPrice: { minor: number; currency: string }; discountPercent: number }[]
}

function priceOf(from: Random, firm: Firm): Price {
  const currency = firm.tongue === 'zh' ? 'CNY' : 'USD'
  const lines = Array.from({ length: 1 + from.below(3) }, () => {
    const minor = (firm.tongue === 'zh' ? 120_000 : 20_000) * (1 + from.below(60))
    return { name: phrases.goods[firm.tongue].draw(from), quantity: 1 + from.below(20), unitPrice: { minor, currency }, discountPercent: 0 }
  })
  return { minor: lines.reduce((sum, l) => sum + l.quantity * l.unitPrice.minor, 0), currency, lines: from.oneIn(3) ? lines : [] }
}

export function salesOf(id: MakeId, calendar: Calendar, pipelines: readonly PlannedPipeline[], persons: readonly Person[]): { sales: Sale[]; records: Planned[] } {
  const from = random(0x5a_1e)
  const made = Array.from({ length: SALES }, () => {
    const person = from.pick(persons)
    // Many began in the last weeks, so that the board is full.
    const since = from.oneIn(4) ? Math.max(person.at, calendar.end - 45 * DAY_MS) : person.at
    return { person, at: calendar.between(from, since, calendar.end) }
  }).sort((a, b) => a.at - b.at)
  const out: { sales: Sale[]; records: Planned[] } = { sales: [], records: [] }
  for (const { person, at } of made) {
    const { firm } = person
    const pipeline = pipelines[from.below(10) < 7 ? 0 : 1]!
    const { moves, outcome, closedAt } = courseOf(from, calendar, at, pipeline, phrases.lost[firm.tongue].draw(from))
    const { minor, currency, lines } = priceOf(from, firm)
    const close = closedAt ?? Math.max(at, calendar.end - 20 * DAY_MS) + from.below(100) * DAY_MS
    const input = {
      title: `${firm.name} · ${lines[0]?.name ?? phrases.goods[firm.tongue].draw(from)}`, pipelineId: pipeline.id, stageId: pipeline.stages[0]!.id, amount: { minor, currency }, lines, probability: pipeline.stages[0]!.probability,
      expectedCloseOn: dayOf(close), companyId: firm.id, contactIds: [person.id], source: phrases.sources[firm.tongue].draw(from), tags: tagsOf(from, firm.tongue), ...(from.oneIn(4) ? { note: phrases.notes[firm.tongue].draw(from) } : {}),
    }
    const sale: Sale = { id: id(at), at, firm, person, outcome, closedAt, minor, currency }
    out.sales.push(sale)
    out.records.push({ noun: 'deal', id: sale.id, at, ownerId: firm.owner.id, input, moves })
  }
  return out
}
