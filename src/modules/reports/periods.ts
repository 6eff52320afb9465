import { Problem } from '../../kernel/base/index.ts'

export type Bucket = 'day' | 'week' | 'month' | 'quarter' | 'year'

const MOST_PERIODS = 366

/** The day a period begins that holds `day`. Weeks begin on Monday (ISO 8601). */
function begin(day: Temporal.PlainDate, bucket: Bucket): Temporal.PlainDate {
  if (bucket === 'day') return day
  if (bucket === 'week') return day.subtract({ days: day.dayOfWeek - 1 })
  const first = day.with({ day: 1 })
  if (bucket === 'month') return first
  return bucket === 'quarter' ? first.subtract({ months: (first.month - 1) % 3 }) : first.with({ month: 1 })
}

const STEP: Record<Bucket, Temporal.DurationLike> = { day: { days: 1 }, week: { days: 7 }, month: { months: 1 }, quarter: { months: 3 }, year: { years: 1 } }

/** The first days of the periods that hold any of [from, to), rising. Throws Problem invalid for an empty or endless stretch. */
export function periodsOf(bucket: Bucket, from: string, to: string): string[] {
  const end = Temporal.PlainDate.from(to)
  const days: string[] = []
  for (let day = begin(Temporal.PlainDate.from(from), bucket); Temporal.PlainDate.compare(day, end) < 0; day = day.add(STEP[bucket])) {
    if (days.push(day.toString()) > MOST_PERIODS) throw new Problem('invalid', { errors: [{ path: 'bucket', code: 'too-many-periods' }] })
  }
  if (days.length === 0) throw new Problem('invalid', { errors: [{ path: 'to', code: 'before-from' }] })
  return days
}

/** The instant a day begins in a time zone (IANA name). */
export function instantOf(day: string, timeZone: string): string {
  return new Date(Temporal.PlainDate.from(day).toZonedDateTime(timeZone).epochMilliseconds).toISOString()
}

/** The last day of a period that begins on this one. */
export function lastDayOf(bucket: Bucket, first: string): string {
  return Temporal.PlainDate.from(first).add(STEP[bucket]).subtract({ days: 1 }).toString()
}

/** First of the month: the only days a stretch may begin and end with for somebody who sees sums of rows they may not see. */
export const isFirstOfMonth = (day: string): boolean => day.endsWith('-01')
