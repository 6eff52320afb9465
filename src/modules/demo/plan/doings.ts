import { type Calendar, DAY_MS, iso } from './calendar.ts'
import type { MakeId } from './ids.ts'
import { phrases } from './phrases.ts'
import { byRank, random, weighted, type Random } from './random.ts'
import type { Planned, Tongue } from './types.ts'

const ACTIVITIES = 12_000

/** What an activity can hang on, and in which time. */
export interface Place {
  kind: 'contact' | 'company' | 'lead' | 'deal' | 'contract'
  id: string
  from: number
  to: number
  ownerId: string
  tongue: Tongue
  /** Who was there. */
  contactId: string | null
  /** How much more often than others. */
  weight: number
}

const KINDS = weighted(byRank(['call', 'note', 'meeting', 'mail', 'task'] as const, 4))
const MINUTE_MS = 60_000

/** Due within three weeks, or overdue by one; most of the old ones are done. Only the founder is reminded of anything: nobody else is there. */
function dates(from: Random, calendar: Calendar, kind: string, at: number, reminded: boolean): Record<string, unknown> {
  if (kind === 'meeting') return { endsAt: iso(at + (30 + 15 * from.below(8)) * MINUTE_MS), doneAt: iso(at) }
  if (kind === 'call') return { endsAt: iso(at + (2 + from.below(40)) * MINUTE_MS) }
  if (kind !== 'task') return {}
  const due = at + (1 + from.below(14)) * DAY_MS
  if (calendar.end - due >= 7 * DAY_MS) return { dueAt: iso(due), doneAt: iso(due - from.below(20) * 3_600_000) }
  return { dueAt: iso(due), ...(reminded && due > calendar.end + DAY_MS ? { remindAt: iso(due - 2 * 3_600_000) } : {}) }
}

/** 12,000 notes, calls, meetings, mails and tasks, more of them on deals. */
export function doingsOf(id: MakeId, calendar: Calendar, places: readonly Place[], founderId: string): Planned[] {
  const from = random(0xac_71)
  const draw = weighted(places.map((p) => [p, p.weight] as const))
  const made = Array.from({ length: ACTIVITIES }, () => {
    const place = draw.draw(from)
    return { place, at: calendar.between(from, place.from, place.to) }
  }).sort((a, b) => a.at - b.at)
  return made.map(({ place, at }): Planned => {
    const kind = KINDS.draw(from)
    const { tongue } = place
    const input = {
      recordKind: place.kind, recordId: place.id, kind, title: phrases[kind][tongue].draw(from), ...(from.oneIn(3) ? {} : { body: phrases.bodies[tongue].draw(from) }), ...(kind === 'task' || kind === 'note' ? {} : { outcome: phrases.outcome[tongue].draw(from) }),
      at: iso(at), ...dates(from, calendar, kind, at, place.ownerId === founderId), contactIds: place.contactId ? [place.contactId] : [],
    }
    return { noun: 'activity', id: id(at), at, ownerId: place.ownerId, input, moves: [], ...(kind === 'task' ? { filled: { assigneeId: place.ownerId } } : {}) }
  })
}
