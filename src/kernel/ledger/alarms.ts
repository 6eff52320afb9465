import type { LedgerLog } from './types.ts'

export type AlarmCode =
  | 'event-forged'
  | 'event-missing'
  | 'event-altered'
  | 'leaf-foreign'
  | 'leaf-missing'
  | 'leaf-altered'
  | 'tree-truncated'
  | 'checkpoint-forged'
  | 'checkpoint-inconsistent'
  | 'block-altered'

export interface AlarmAbout {
  leaf?: number
  eventId?: string
}

const MOST = 1_000
const LATE_SECONDS = 2

/** What is wrong with the ledger, told once: in the log, in the status, and as an event of the ledger itself. */
export class Alarms {
  readonly #log: LedgerLog
  readonly #record: (code: AlarmCode, about: AlarmAbout) => void
  readonly #seen = new Set<string>()
  #standing: AlarmCode | null = null
  #late = false

  constructor(log: LedgerLog, record: (code: AlarmCode, about: AlarmAbout) => void) {
    this.#log = log
    this.#record = record
  }

  raise(code: AlarmCode, about: AlarmAbout): void {
    const key = `${code} ${about.eventId ?? about.leaf ?? ''}`
    this.#standing ??= code
    // A flood of forged rows must not make a flood of events: a thousand say enough.
    if (this.#seen.has(key) || this.#seen.size >= MOST) return
    this.#seen.add(key)
    this.#log.error({ component: 'ledger', code, ...(about.eventId ? { id: about.eventId } : {}), ...(about.leaf === undefined ? {} : { size: about.leaf }) }, 'the ledger was tampered with')
    this.#record(code, about)
  }

  knows(code: AlarmCode, eventId: string): boolean {
    return this.#seen.has(`${code} ${eventId}`)
  }

  /** Events wait too long for a leaf. Unlike the others this alarm ends when its cause does. */
  lateness(seconds: number): void {
    const late = seconds > LATE_SECONDS
    if (late && !this.#late) this.#log.warn({ component: 'ledger', code: 'unsequenced', seconds: Math.round(seconds) }, 'events wait for the sequencer')
    this.#late = late
  }

  get current(): string | null {
    return this.#standing ?? (this.#late ? 'unsequenced' : null)
  }
}
