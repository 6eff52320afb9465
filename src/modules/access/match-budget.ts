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
    if (this.take(personId, questions)) return
    const { since } = this.#entry(personId)
    throw new Problem('rate', { extra: { retryAfterSeconds: Math.ceil((since + HOUR_MS - this.#now()) / 1000) } })
  }

  /** The same for who can do without an answer: false when the questions do not fit into the hour any more. */
  take(personId: string, questions: number): boolean {
    if (questions === 0) return true
    const entry = this.#entry(personId)
    if (entry.count + questions > this.#perHour) return false
    entry.count += questions
    return true
  }

  #entry(personId: string): { since: number; count: number } {
    const now = this.#now()
    const known = this.#spent.get(personId)
    if (known && now - known.since < HOUR_MS) return known
    if (this.#spent.size >= MOST_PEOPLE) this.#spent.clear()
    const fresh = { since: now, count: 0 }
    this.#spent.set(personId, fresh)
    return fresh
  }
}
