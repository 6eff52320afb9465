import type { VerifyReport } from './types.ts'

/** Published words: added to, never renamed. */
export type FailureCode =
  | 'event-missing'
  | 'event-altered'
  | 'event-forged'
  | 'event-duplicated'
  | 'payload-altered'
  | 'payload-unreadable'
  | 'leaf-missing'
  | 'leaf-altered'
  | 'leaf-foreign'
  | 'leaf-duplicated'
  | 'block-altered'
  | 'link-broken'
  | 'checkpoint-forged'
  | 'checkpoint-inconsistent'
  | 'tree-truncated'
  | 'verifier-key-invalid'
  | 'since-invalid'
  | 'ledger-unreadable'
  | 'bundle-malformed'
  | 'bundle-incomplete'

export type Failure = VerifyReport['failures'][number]

const MOST = 1_000

/** What a verification found. Bounded: a database of nothing but forgeries must not exhaust the verifier. */
export class Findings {
  readonly failures: Failure[] = []
  readonly warnings: VerifyReport['warnings'] = []
  count = 0

  fail(code: FailureCode, leaf: number | null, eventId?: string): void {
    this.count++
    if (this.failures.length < MOST) this.failures.push({ leaf, code, ...(eventId === undefined ? {} : { eventId }) })
  }

  warn(code: 'clock-backwards', leaf: number): void {
    if (this.warnings.length < MOST) this.warnings.push({ leaf, code })
  }

  has(code: FailureCode): boolean {
    return this.failures.some((f) => f.code === code)
  }
}

/** Longest that a transaction, a node's clock or a sweep may plausibly put an event behind its neighbours. */
const TOLERANCE_MS = 600_000

/** Notices time that runs backwards along the log: once where it steps back, not for all that follows. */
export class TimeCheck {
  readonly #findings: Findings
  #previous = -Infinity

  constructor(findings: Findings) {
    this.#findings = findings
  }

  event(leaf: number, at: number): void {
    if (at < this.#previous - TOLERANCE_MS) this.#findings.warn('clock-backwards', leaf)
    this.#previous = at
  }
}

/** A tree head that the recomputed tree must lead to. */
export interface ExpectedHead {
  size: number
  root: Buffer
}

/** Compares the growing tree with every head of its size. After the first that does not fit, later ones cannot: one finding says it. */
export class HeadCheck {
  readonly #heads: ExpectedHead[]
  readonly #findings: Findings
  #next = 0

  constructor(heads: readonly ExpectedHead[], findings: Findings) {
    this.#heads = [...heads].sort((a, b) => a.size - b.size)
    this.#findings = findings
  }

  /** Smallest size a head waits for, or Infinity. */
  get awaited(): number {
    return this.#heads[this.#next]?.size ?? Infinity
  }

  reached(size: number, root: () => Buffer): void {
    if (size < this.awaited) return
    const actual = root()
    while (this.awaited <= size) {
      const head = this.#heads[this.#next++]!
      if (head.size === size && !head.root.equals(actual) && !this.#findings.has('checkpoint-inconsistent')) {
        this.#findings.fail('checkpoint-inconsistent', Math.max(0, size - 1))
      }
    }
  }

  /** The tree ended at `size`: heads beyond it were signed over leaves that are gone. */
  ended(size: number): void {
    if (this.awaited !== Infinity && this.awaited > size) this.#findings.fail('tree-truncated', size)
  }
}
