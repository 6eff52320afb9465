import { Problem } from '../../kernel/base/index.ts'

const PAIR_FREE = 5
const PAIR_MOST_SECONDS = 900
const CODES_FREE = 10
const NETWORK_FREE = 30
const NETWORK_MOST_SECONDS = 60
const UNDER_ATTACK = 50
const FORGET_MS = 3_600_000
const MOST_KEPT = 20_000

interface Count {
  failures: number
  /** Nothing is tried before this moment. */
  until: number
  last: number
}

/**
 * Slows guessing down without locking anybody out: failures count for a pair of account and network, so an attacker
 * elsewhere never delays the account's own people, and for a network, where the wait stays short because an office
 * shares one. An account tried from many networks leaves each new one a single free try instead of five.
 */
export class Throttle {
  readonly #pairs = new Map<string, Count>()
  readonly #networks = new Map<string, Count>()
  readonly #accounts = new Map<string, Count>()
  readonly #codes = new Map<string, Count>()
  readonly #now: () => number

  constructor(now: () => number = Date.now) {
    this.#now = now
  }

  /**
   * Counts a try before it is made, so that many at once do not slip through. Throws Problem rate while waiting is due.
   * Call `succeeded` afterwards when it was right.
   */
  attempt(account: string, network: string): void {
    const pair = this.#count(this.#pairs, `${account} ${network}`)
    const whole = this.#count(this.#networks, network)
    const all = this.#count(this.#accounts, account)
    const wait = Math.max(pair.until, whole.until) - this.#now()
    if (wait > 0) throw new Problem('rate', { extra: { retryAfterSeconds: Math.ceil(wait / 1000) } })
    this.#fail(pair, all.failures >= UNDER_ATTACK ? 1 : PAIR_FREE, PAIR_MOST_SECONDS)
    this.#fail(whole, NETWORK_FREE, NETWORK_MOST_SECONDS)
    this.#fail(all, Number.POSITIVE_INFINITY, 0)
  }

  /**
   * For six-digit codes, counted for the account wherever they come from: whoever sends them knows the password, and from
   * many networks a million guesses are few. Recovery codes are too long to guess and are not counted, so the person
   * still gets in. Undone by `forgive`.
   */
  attemptCode(account: string): void {
    const count = this.#count(this.#codes, account)
    const wait = count.until - this.#now()
    if (wait > 0) throw new Problem('rate', { extra: { retryAfterSeconds: Math.ceil(wait / 1000) } })
    this.#fail(count, CODES_FREE, PAIR_MOST_SECONDS)
  }

  forgive(account: string): void {
    this.#codes.delete(account)
  }

  succeeded(account: string, network: string): void {
    this.#pairs.delete(`${account} ${network}`)
    const whole = this.#networks.get(network)
    // Only this try is taken back: one account's good password must not make guessing at the others free again.
    if (whole) {
      whole.failures = Math.max(0, whole.failures - 1)
      whole.until = 0
    }
    const all = this.#accounts.get(account)
    if (all) all.failures = Math.max(0, all.failures - 1)
  }

  /** True once, when an account has just come under attack from many places: worth telling. */
  justUnderAttack(account: string): boolean {
    return this.#accounts.get(account)?.failures === UNDER_ATTACK
  }

  #count(counts: Map<string, Count>, key: string): Count {
    const now = this.#now()
    let c = counts.get(key)
    if (c && now - c.last > FORGET_MS) c = undefined
    if (!c) {
      if (counts.size >= MOST_KEPT) this.#makeRoom(counts, now)
      c = { failures: 0, until: 0, last: now }
      counts.set(key, c)
    }
    return c
  }

  #makeRoom(counts: Map<string, Count>, now: number): void {
    for (const [key, c] of counts) if (now - c.last > FORGET_MS) counts.delete(key)
    // Still full: the oldest goes (a Map keeps its order), so that a flood of names cannot stop the counting of new ones.
    for (const key of counts.keys()) {
      if (counts.size < MOST_KEPT) break
      counts.delete(key)
    }
  }

  #fail(c: Count, free: number, mostSeconds: number): void {
    const now = this.#now()
    c.failures++
    c.last = now
    if (c.failures >= free) c.until = now + Math.min(mostSeconds, 2 ** Math.min(c.failures - free, 20)) * 1000
  }
}
