import { type Calendar, DAY_MS, iso } from './calendar.ts'
import type { MakeId } from './ids.ts'
import { nameOf, reach } from './persons.ts'
import { phrases } from './phrases.ts'
import { tagsOf } from './points.ts'
import { random, type Random } from './random.ts'
import type { Move, Planned, Sale, Seller } from './types.ts'
import { chinese, english } from './words.ts'

const LEADS = 800
const POOLED = 40
const CONVERTED = 160

export interface LeadPlace {
  id: string
  at: number
  /** When it was converted or given up; after that nobody works on it. */
  until: number
  owner: Seller
}

/** New, worked on, qualified, given up: the older, the further. */
function courseOf(from: Random, calendar: Calendar, at: number, reason: string): { moves: Move[]; until: number } {
  const moves: Move[] = []
  const step = (since: number, patch: Move['patch']): number => {
    const when = calendar.after(from, since, 1, 12)
    moves.push({ at: when, patch })
    return when
  }
  const age = (calendar.end - at) / DAY_MS
  if (age < 3 + from.below(12)) return { moves, until: calendar.end }
  const worked = step(at, { status: 'working' })
  if (age < 20 + from.below(40) && from.below(3) > 0) return { moves, until: calendar.end }
  if (from.below(100) < 35) {
    step(worked, { status: 'qualified' })
    return { moves, until: calendar.end }
  }
  return { moves, until: step(worked, { status: 'disqualified', disqualifiedReason: reason }) }
}

const companyName = (from: Random, tongue: Seller['tongue']): string => (tongue === 'zh' ? `${chinese.fancy.draw(from)}示例${chinese.trades.draw(from)}` : `${english.companyFirst.draw(from)}${english.companySecond.draw(from)} Example Ltd`)

/** Some became the deals that there are; the others are still worked on, were given up, or lie in the pool, where nobody works on them (not among `leads`). */
export function leadsOf(id: MakeId, calendar: Calendar, sellers: readonly Seller[], sales: readonly Sale[], poolId: string): { leads: LeadPlace[]; records: Planned[] } {
  const from = random(0x1e_ad)
  const step = Math.floor(sales.length / CONVERTED)
  const became = sales.filter((s, i) => i % step === 0 && s.person !== null && s.at > calendar.begin + 20 * DAY_MS).slice(0, CONVERTED)
  const plans = [
    ...became.map((sale) => ({ sale, owner: sale.firm.owner, at: calendar.between(from, Math.max(calendar.begin, sale.at - 20 * DAY_MS), sale.at) })),
    ...Array.from({ length: LEADS - became.length }, () => ({ sale: null, owner: from.pick(sellers), at: calendar.between(from, from.oneIn(4) ? calendar.end - 40 * DAY_MS : calendar.begin, calendar.end) })),
  ].sort((a, b) => a.at - b.at)
  const out: { leads: LeadPlace[]; records: Planned[] } = { leads: [], records: [] }
  let pooled = 0
  for (const [n, { sale, owner, at }] of plans.entries()) {
    const { tongue } = owner
    const { name, latin } = nameOf(from, tongue)
    const words = tongue === 'zh' ? chinese : english
    const input = {
      fullName: name, companyName: sale?.firm.name ?? companyName(from, tongue), title: words.titles.draw(from).replaceAll('_', ' '), ...reach(from, tongue, latin, 90_000 + n), city: sale?.firm.city ?? words.cities.draw(from),
      source: phrases.sources[tongue].draw(from), tags: tagsOf(from, tongue), collectedAt: iso(at), ...(from.oneIn(3) ? { note: phrases.notes[tongue].draw(from) } : {}),
    }
    const course = sale ? { moves: [{ at: sale.at, patch: {} }], until: sale.at } : courseOf(from, calendar, at, phrases.disqualified[tongue].draw(from))
    // Leads nobody works on lie in the pool.
    const lies = !sale && course.moves.length === 0 && pooled < POOLED && from.oneIn(2)
    if (lies) pooled++
    const filled = lies ? { poolId, pooledAt: iso(Math.min(at + 3_600_000, calendar.end - 1)) } : sale ? { status: 'converted', convertedAt: iso(sale.at), contactId: sale.person!.id, companyId: sale.firm.id, dealId: sale.id } : undefined
    const lead: LeadPlace = { id: id(at), at, until: course.until, owner }
    if (!lies) out.leads.push(lead)
    out.records.push({ noun: 'lead', id: lead.id, at, ownerId: owner.id, input, moves: course.moves, ...(filled ? { filled } : {}) })
  }
  return out
}
