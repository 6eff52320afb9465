import type { AnyRecord } from '../../kernel/entity/index.ts'

/**
 * Opened records by row id and version, least recently used last. The lens keeps the same plaintext in memory anyway.
 * A hit counts only while the row's plain columns are those that were opened: the seal binds them, and a cached record
 * must not outlive a change of them made behind our back.
 */
export class RecordCache {
  readonly #most: number
  readonly #kept = new Map<string, AnyRecord>()

  constructor(most: number) {
    this.#most = most
  }

  version(id: string): number {
    return this.#kept.get(id)?.version ?? 0
  }

  get(id: string, version: number, samePlain: (record: AnyRecord) => boolean): AnyRecord | null {
    const record = this.#kept.get(id)
    if (!record || record.version !== version || !samePlain(record)) return null
    this.#kept.delete(id)
    this.#kept.set(id, record)
    return record
  }

  put(record: AnyRecord): void {
    this.#kept.delete(record.id)
    if (this.#kept.size >= this.#most) {
      const oldest = this.#kept.keys().next().value
      if (oldest !== undefined) this.#kept.delete(oldest)
    }
    this.#kept.set(record.id, record)
  }

  drop(id: string): void {
    this.#kept.delete(id)
  }

  clear(): void {
    this.#kept.clear()
  }
}
