/** A step of the wall clock of more than this is told. Smaller ones are what time synchronisation does. */
const STEP_MS = 10_000

/**
 * Compares the wall clock with the one that only counts: whoever turns the clock back to date an event earlier
 * leaves an event that says so. (A machine that slept also shows, as a step forward.)
 */
export class ClockWatch {
  readonly #wall: () => number
  readonly #counting: () => number
  #offset: number

  constructor(wall: () => number, counting: () => number = () => performance.now()) {
    this.#wall = wall
    this.#counting = counting
    this.#offset = wall() - counting()
  }

  now(): number {
    return Math.floor(this.#wall())
  }

  /** Milliseconds by which the wall clock was moved since the last call, or 0. */
  step(): number {
    const offset = this.#wall() - this.#counting()
    const by = offset - this.#offset
    if (Math.abs(by) < STEP_MS) return 0
    this.#offset = offset
    return Math.round(by)
  }
}
