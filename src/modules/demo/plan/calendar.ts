import type { Random } from './random.ts'

export const DAY_MS = 86_400_000
const MONTHS = 18

/** The eighteen months before a day. Everything that has happened lies in them, at hours somebody in Shanghai or London works. */
export class Calendar {
  readonly begin: number
  /** Midnight UTC of the day; nothing has happened after it. */
  readonly end: number

  /** `day`: YYYY-MM-DD. */
  constructor(day: string) {
    const date = Temporal.PlainDate.from(day)
    this.end = Date.parse(`${day}T00:00:00.000Z`)
    this.begin = Date.parse(`${date.subtract({ months: MONTHS }).toString()}T00:00:00.000Z`)
  }

  /** A moment after `from` and before `to`, in working time where there is any in between. */
  between(random: Random, from: number, to: number): number {
    const low = Math.max(from, this.begin)
    const high = Math.min(to, this.end)
    if (high - low < 2) return low
    const chance = low + 1 + Math.floor((random.next() / 2 ** 32) * (high - low - 1))
    const worked = this.#atWork(random, chance)
    return worked > low && worked < high ? worked : chance
  }

  /** Some days later, or at the end when that is sooner. */
  after(random: Random, from: number, leastDays: number, mostDays: number): number {
    return this.between(random, from + leastDays * DAY_MS, from + mostDays * DAY_MS)
  }

  /** On a weekday between 01:00 and 10:00 UTC. */
  #atWork(random: Random, at: number): number {
    const midnight = at - (at % DAY_MS)
    const weekday = new Date(midnight).getUTCDay()
    const back = weekday === 6 ? 1 : weekday === 0 ? 2 : 0
    return midnight - back * DAY_MS + 3_600_000 + random.below(9 * 3_600_000)
  }
}

export const iso = (at: number): string => new Date(at).toISOString()

/** YYYY-MM-DD in UTC. */
export const dayOf = (at: number): string => iso(at).slice(0, 10)
