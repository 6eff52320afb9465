import { Problem } from '../../kernel/base/index.ts'

/** Files of one person that are taken in at once: each may be as large as is allowed, and none waits for another's disk. */
const MOST_AT_ONCE = 4

/** Counts who is sending. */
export class Senders {
  readonly #sending = new Map<string, number>()

  /** Throws Problem rate for somebody who sends enough already. */
  async one<T>(personId: string, take: () => Promise<T>): Promise<T> {
    const others = this.#sending.get(personId) ?? 0
    if (others >= MOST_AT_ONCE) throw new Problem('rate', { extra: { retryAfterSeconds: 10 } })
    this.#sending.set(personId, others + 1)
    try {
      return await take()
    } finally {
      const left = (this.#sending.get(personId) ?? 1) - 1
      if (left > 0) this.#sending.set(personId, left)
      else this.#sending.delete(personId)
    }
  }
}
