import { type Calendar, DAY_MS, dayOf } from './calendar.ts'
import type { MakeId } from './ids.ts'
import { phrases } from './phrases.ts'
import { tagsOf } from './points.ts'
import { random, type Random } from './random.ts'
import type { Move, Planned, Sale } from './types.ts'

const CONTRACTS = 120
const HOUR_MS = 3_600_000

export interface AgreementPlace {
  id: string
  at: number
  sale: Sale
}

interface Term {
  /** When it was written down. */
  at: number
  starts: number
  ends: number
  /** The one it follows up. */
  renews: Planned | null
}

function termOf(from: Random, calendar: Calendar, sale: Sale): Term {
  const at = calendar.after(from, sale.closedAt!, 1, 14)
  const starts = at + from.below(30) * DAY_MS
  return { at, starts, ends: starts + (from.oneIn(3) ? 180 : 365) * DAY_MS, renews: null }
}

/** Signed, and over after its last day; a few were ended before, and the youngest are not signed yet. */
function movesOf(from: Random, calendar: Calendar, { at, ends }: Term): { moves: Move[]; isOver: boolean; signed: boolean } {
  if (calendar.end - at < 30 * DAY_MS && from.oneIn(2)) return { moves: [], isOver: false, signed: false }
  const moves: Move[] = [{ at: Math.min(at + HOUR_MS, calendar.end - 2), patch: { status: 'active' } }]
  const over = ends + 2 * DAY_MS
  const isOver = over < calendar.end
  if (isOver) moves.push({ at: over, patch: { status: 'expired' } })
  else if (from.oneIn(25)) moves.push({ at: calendar.end - 1, patch: { status: 'terminated' } })
  return { moves, isOver, signed: true }
}

/** Contracts out of deals that were won: most for a year; half of those that are over were renewed. Nobody is reminded of one in the first weeks: that would be a task nobody planned. */
export function agreementsOf(id: MakeId, calendar: Calendar, sales: readonly Sale[]): { agreements: AgreementPlace[]; records: Planned[] } {
  const from = random(0xc0_47)
  const won = sales.filter((s) => s.outcome === 'won').sort((a, b) => a.closedAt! - b.closedAt!)
  const out: { agreements: AgreementPlace[]; records: Planned[] } = { agreements: [], records: [] }
  const write = (sale: Sale, term: Term): void => {
    const { tongue } = sale.firm
    const { moves, isOver, signed } = movesOf(from, calendar, term)
    const input = {
      number: `DEMO-${dayOf(term.at).slice(0, 4)}-${String(out.records.length + 1).padStart(4, '0')}`, title: `${sale.firm.name} ${tongue === 'zh' ? '销售合同' : 'Supply agreement'}`, companyId: sale.firm.id, dealId: sale.id, contactIds: sale.person ? [sale.person.id] : [],
      amount: { minor: sale.minor, currency: sale.currency }, signedOn: signed ? dayOf(term.at) : null, startsOn: dayOf(term.starts), endsOn: dayOf(term.ends), noticeDays: term.ends > calendar.end + 60 * DAY_MS ? 30 : null, tags: tagsOf(from, tongue), ...(from.oneIn(3) ? { note: phrases.notes[tongue].draw(from) } : {}),
    }
    const renewed = isOver && out.records.length < CONTRACTS - 1 && from.oneIn(2)
    const filled = { ...(term.renews ? { renewsId: term.renews.id } : {}), ...(renewed ? { status: 'renewed' } : {}) }
    const record: Planned = { noun: 'contract', id: id(term.at), at: term.at, ownerId: sale.firm.owner.id, input, moves, ...(Object.keys(filled).length > 0 ? { filled } : {}) }
    out.agreements.push({ id: record.id, at: term.at, sale })
    out.records.push(record)
    if (renewed) write(sale, { at: term.ends - 5 * DAY_MS, starts: term.ends + DAY_MS, ends: term.ends + 365 * DAY_MS, renews: record })
  }
  // Where fewer were won than there are contracts, some customers have a second one.
  for (let n = 0; out.records.length < CONTRACTS; n++) write(won[n % won.length]!, termOf(from, calendar, won[n % won.length]!))
  return out
}
