import { randomBytes, timingSafeEqual } from 'node:crypto'
import { Problem } from '../../../kernel/base/index.ts'

const GOOD_MS = 24 * 3_600_000

/**
 * The one-time secret of the set-up link. It lives in memory only, so each start makes another; it stands in the link's
 * fragment, which browsers do not send and no server or proxy logs.
 */
export class SetUpLink {
  readonly #secret = randomBytes(32).toString('base64url')
  readonly #until: number
  readonly #now: () => Date
  #used = false
  /** Offered to the page; `lastStep` once a code has confirmed it. Only the newest counts. */
  totp: { secret: Buffer; lastStep: number | null } | null = null
  kitRead = false

  constructor(now: () => Date) {
    this.#now = now
    this.#until = now().getTime() + GOOD_MS
  }

  url(origin: string): string {
    return `${origin}/setup#${this.#secret}`
  }

  /** Throws Problem setup-link-invalid for another secret, after use, and after a day. */
  check(secret: string): void {
    const given = Buffer.from(secret)
    const wanted = Buffer.from(this.#secret)
    const same = given.length === wanted.length && timingSafeEqual(given, wanted)
    if (!same || this.#used || this.#now().getTime() > this.#until) throw new Problem('setup-link-invalid')
  }

  use(): void {
    this.#used = true
    this.totp = null
  }
}
