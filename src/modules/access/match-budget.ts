import { Problem } from '../../kernel/base/index.ts'

const HOUR_MS = 3_600_000
const MOST_PEOPLE = 10_000

/**
 * How often a person may ask a masked field "is it exactly this?". Without a limit ten thousand questions read the last
 * four digits of a phone. In memory, per node; `spend` with what checkWhereCounting counted.
 */
export class MatchBudget {
  readonly #perHour: number
  readonly #now: () => number
  readonly #spent = new Map<string, { since: number; count: number }>()

  constructor(perHour = 60, now: () => number = Date.now) {
    this.#perHour = perHour
    this.#now = now
  }

  /** Throws Problem rate when the hour's questions are used up; what would go beyond them is not counted. */
  spend(personId: string, questions: number): void {
    if (questions === 0) return
    const now = this.#now()
    let entry = this.#spent.get(personId)
    if (!entry || now - entry.since >= HOUR_MS) {
      if (this.#spent.size >= MOST_PEOPLE) this.#spent.clear()
      entry = { since: now, count: 0 }
      this.#spent.set(personId, entry)
    }
    if (entry.count + questions > this.#perHour) throw new Problem('rate', { extra: { retryAfterSeconds: Math.ceil((entry.since + HOUR_MS - now) / 1000) } })
    entry.count += questions
  }
}
