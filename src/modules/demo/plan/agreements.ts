import { type Calendar, DAY_MS, dayOf } from './calendar.ts'
import type { MakeId } from './ids.ts'
import { phrases } from './phrases.ts'
import { tagsOf } from './points.ts'
import { random } from './random.ts'
import type { Planned, Sale } from './types.ts'

const CONTRACTS = 120

export interface AgreementPlace {
  id: string
  at: number
  sale: Sale
}

/** Contracts out of deals that were won: most for a year, the older ones run out or were renewed. */
export function agreementsOf(id: MakeId, calendar: Calendar, sales: readonly Sale[]): { agreements: AgreementPlace[]; records: Planned[] } {
  const from = random(0xc0_47)
  const won = sales.filter((s) => s.outcome === 'won').sort((a, b) => a.closedAt! - b.closedAt!)
  const out: { agreements: AgreementPlace[]; records: Planned[] } = { agreements: [], records: [] }
  for (let n = 0; n < CONTRACTS; n++) {
    // Where fewer were won than there are contracts, some customers have a second one.
    const sale = won[n % won.length]!
    const at = calendar.after(from, sale.closedAt!, 1, 14)
    const starts = at + from.below(30) * DAY_MS
    const ends = starts + (from.oneIn(3) ? 180 : 365) * DAY_MS
    const over = ends < calendar.end
    const draft = !over && calendar.end - at < 30 * DAY_MS && from.oneIn(2)
    const status = draft ? 'draft' : over ? from.pick(['expired', 'renewed']) : from.oneIn(25) ? 'terminated' : 'active'
    const { tongue } = sale.firm
    const input = {
      number: `DEMO-${dayOf(at).slice(0, 4)}-${String(n + 1).padStart(4, '0')}`, title: `${sale.firm.name} ${tongue === 'zh' ? '销售合同' : 'Supply agreement'}`, status: 'draft', companyId: sale.firm.id, dealId: sale.id, contactIds: sale.person ? [sale.person.id] : [],
      amount: { minor: sale.minor, currency: sale.currency }, signedOn: draft ? null : dayOf(at), startsOn: dayOf(starts), endsOn: dayOf(ends), noticeDays: 30, tags: tagsOf(from, tongue), ...(from.oneIn(3) ? { note: phrases.notes[tongue].draw(from) } : {}),
    }
    const moves = [...(draft ? [] : [{ at: at + 3_600_000, patch: { status: 'active' } }]), ...(status === 'draft' || status === 'active' ? [] : [{ at: Math.min(Math.max(ends, at + 7_200_000), calendar.end - 1), patch: { status } }])]
    out.agreements.push({ id: id(at), at, sale })
    out.records.push({ noun: 'contract', id: out.agreements.at(-1)!.id, at, ownerId: sale.firm.owner.id, input, moves })
  }
  return out
}
