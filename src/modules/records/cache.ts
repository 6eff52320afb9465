import type { AnyRecord } from '../../kernel/entity/index.ts'

interface Kept {
  record: AnyRecord
  stamp: string
}

/**
 * Opened records by row id and stamp, least recently used dropped first. The lens keeps the same plaintext in memory anyway.
 * The stamp changes with every UPDATE of the row, whoever makes it, so a kept record never outlives a change behind our back.
 */
export class RecordCache {
  readonly #most: number
  readonly #kept = new Map<string, Kept>()

  constructor(most: number) {
    this.#most = most
  }

  /** The stamp of the kept copy, '' when there is none. */
  stamp(id: string): string {
    return this.#kept.get(id)?.stamp ?? ''
  }

  get(id: string, stamp: string): AnyRecord | null {
    const kept = this.#kept.get(id)
    if (!kept || kept.stamp !== stamp) return null
    this.#kept.delete(id)
    this.#kept.set(id, kept)
    return kept.record
  }

  put(record: AnyRecord, stamp: string): void {
    this.#kept.delete(record.id)
    if (this.#kept.size >= this.#most) this.#dropOldest()
    this.#kept.set(record.id, { record, stamp })
  }

  /** A twentieth at once: one by one, each look for the oldest would walk over the places of all that went before it. */
  #dropOldest(): void {
    let drop = Math.ceil(this.#most / 20)
    for (const id of this.#kept.keys()) {
      this.#kept.delete(id)
      if (--drop <= 0) break
    }
  }

  drop(id: string): void {
    this.#kept.delete(id)
  }
}
