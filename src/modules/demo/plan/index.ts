import { agreementsOf } from './agreements.ts'
import { Calendar } from './calendar.ts'
import { doingsOf, type Place } from './doings.ts'
import { firmsOf } from './firms.ts'
import { idsOf } from './ids.ts'
import { leadsOf } from './leads.ts'
import { personsOf } from './persons.ts'
import { pipelinesOf, salesOf, type PlannedPipeline } from './sales.ts'
import { filesOf, viewsOf, type PlannedFile, type PlannedView } from './extras.ts'
import { staffOf, type Staff } from './staff.ts'
import type { Planned, Seller } from './types.ts'
import { wordsOf } from './organisation-words.ts'

export type { PlannedFile, PlannedView } from './extras.ts'
export type { PlannedPipeline } from './sales.ts'
export type { Staff } from './staff.ts'
export type { Planned, PlannedColleague, PlannedDepartment } from './types.ts'

export interface Plan {
  staff: Staff
  /** In an order in which each comes after those it points at. */
  records: Planned[]
  views: PlannedView[]
  files: PlannedFile[]
}

/** Everything the demonstration company is made of; the same for the same run, day, founder and standard pipeline. */
export function planOf(run: { id: string; day: string; founderId: string; standard?: PlannedPipeline | null }): Plan {
  const id = idsOf(run.id)
  const calendar = new Calendar(run.day)
  const staff = staffOf(id, calendar.begin)
  const reps = staff.colleagues.filter((c) => c.role === 'rep' || c.role === 'manager').map((c): Seller => ({ id: c.id, tongue: c.tongue }))
  // The founder has some customers, too, so that their own pages are not empty.
  const sellers: Seller[] = [...reps, { id: run.founderId, tongue: 'zh' }, { id: run.founderId, tongue: 'en' }]
  const { pipelines, records: funnels } = pipelinesOf(id, calendar.begin, run.founderId, run.standard)
  const firms = firmsOf(id, calendar, sellers)
  const persons = personsOf(id, calendar, firms.firms)
  const sales = salesOf(id, calendar, pipelines, persons.persons)
  const words = wordsOf(id, calendar.begin, run.founderId, staff)
  const leads = leadsOf(id, calendar, sellers, sales.sales, words.poolId)
  const agreements = agreementsOf(id, calendar, sales.sales)
  const end = calendar.end
  const places: Place[] = [
    ...sales.sales.map((s): Place => ({ kind: 'deal', id: s.id, from: s.at, to: s.closedAt ?? end, ownerId: s.firm.owner.id, tongue: s.firm.tongue, contactId: s.person?.id ?? null, weight: 12 })),
    ...persons.persons.map((p): Place => ({ kind: 'contact', id: p.id, from: p.at, to: end, ownerId: p.firm.owner.id, tongue: p.firm.tongue, contactId: p.id, weight: 0.6 })),
    ...leads.leads.map((l): Place => ({ kind: 'lead', id: l.id, from: l.at, to: l.until, ownerId: l.owner.id, tongue: l.owner.tongue, contactId: null, weight: 3 })),
    ...firms.firms.map((f): Place => ({ kind: 'company', id: f.id, from: f.at, to: end, ownerId: f.owner.id, tongue: f.tongue, contactId: null, weight: 1.5 })),
    ...agreements.agreements.map((a): Place => ({ kind: 'contract', id: a.id, from: a.at, to: end, ownerId: a.sale.firm.owner.id, tongue: a.sale.firm.tongue, contactId: a.sale.person?.id ?? null, weight: 2 })),
  ]
  const records = [...words.records, ...funnels, ...firms.records, ...persons.records, ...sales.records, ...leads.records, ...agreements.records, ...doingsOf(id, calendar, places, run.founderId)]
  return { staff, records, views: viewsOf(id, calendar.end, staff), files: filesOf(agreements.records) }
}
