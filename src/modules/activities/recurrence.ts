import { isInstant } from '../../kernel/entity/index.ts'
import type { Recurrence } from './activities.entity.ts'

const LONGEST_UNIT_DAYS = { day: 1, week: 7, month: 31, year: 366 } as const
const LAST_YEAR = 9999

/** The day of the month a monthly or yearly task is meant for; the 31st stays the 31st after a shorter month, the 29th of February after a common year. */
export function anchorOf(due: string, zone: string): number {
  return Temporal.Instant.from(due).toZonedDateTimeISO(zone).day
}

function nthDate(rule: Recurrence, first: Temporal.PlainDate, n: number): Temporal.PlainDate {
  const steps = n * rule.interval
  if (rule.every === 'day') return first.add({ days: steps })
  if (rule.every === 'week') return first.add({ weeks: steps })
  const month = first.toPlainYearMonth().add(rule.every === 'month' ? { months: steps } : { years: steps })
  return month.toPlainDate({ day: Math.min(rule.day ?? first.day, month.daysInMonth) })
}

/**
 * When a task that was due at `due` and done at `done` is due again: the first time of its rule after both, at the same hour of the wall clock in
 * `zone` (an hour that a change of clocks leaves out is the one after it). Null when the rule has ended. Times are ISO 8601 UTC.
 */
export function nextDue(rule: Recurrence, due: string, done: string, zone: string): string | null {
  const start = Temporal.Instant.from(due).toZonedDateTimeISO(zone)
  const after = Math.max(Date.parse(due), Date.parse(done))
  const first = start.toPlainDate()
  // What was missed is passed over in one step; the loop below then runs a few times at most.
  const missedDays = Math.floor((after - Date.parse(due)) / 86_400_000)
  for (let n = Math.max(1, Math.floor(missedDays / (rule.interval * LONGEST_UNIT_DAYS[rule.every]))); ; n++) {
    const date = nthDate(rule, first, n)
    if (date.year > LAST_YEAR || (rule.until !== null && Temporal.PlainDate.compare(date, rule.until) > 0)) return null
    const at = date.toZonedDateTime({ timeZone: zone, plainTime: start.toPlainTime() })
    if (at.epochMilliseconds <= after) continue
    const iso = new Date(at.epochMilliseconds).toISOString()
    return isInstant(iso) ? iso : null
  }
}
