import type { Sql } from '../db/types.ts'

interface Entry {
  leaf: Buffer | null
  since: number
}

const MOST = 100_000

/** Committed events that have no leaf yet, oldest first, as far as this node knows. */
export class Pending {
  readonly #entries = new Map<string, Entry>()
  #droppedFrom: string | null = null

  get size(): number {
    return this.#entries.size
  }

  get full(): boolean {
    return this.#entries.size >= MOST
  }

  /** `leaf` is the hash computed when the event was made, or null to have the row read back and checked. */
  add(id: string, leaf: Buffer | null): void {
    if (this.#entries.has(id)) return
    if (this.full) this.drop(id)
    else this.#entries.set(id, { leaf, since: performance.now() })
  }

  has(id: string): boolean {
    return this.#entries.has(id)
  }

  /** Forgets an event for now: ids are in the order of time, so the next sweep from here finds it again. */
  drop(id: string): void {
    if (this.#droppedFrom === null || id < this.#droppedFrom) this.#droppedFrom = id
  }

  /** The lowest id dropped since the last call, or null. */
  dropped(): string | null {
    const from = this.#droppedFrom
    this.#droppedFrom = null
    return from
  }

  get overflowing(): boolean {
    return this.#droppedFrom !== null
  }

  take(limit: number): { id: string; leaf: Buffer | null }[] {
    const out: { id: string; leaf: Buffer | null }[] = []
    for (const [id, { leaf }] of this.#entries) {
      if (out.length >= limit) break
      out.push({ id, leaf })
    }
    return out
  }

  done(ids: Iterable<string>): void {
    for (const id of ids) this.#entries.delete(id)
  }

  oldestSeconds(): number {
    for (const { since } of this.#entries.values()) return Math.max(0, (performance.now() - since) / 1000)
    return 0
  }

  /** For a node that does not lead: drops what the leader has sequenced. */
  async forgetSequenced(sql: Sql): Promise<void> {
    const ids = this.take(5_000).map((t) => t.id)
    if (ids.length === 0) return
    const rows = await sql.query<{ event_id: string }>('SELECT event_id FROM public.ledger_leaf WHERE event_id = ANY($1::uuid[])', [ids])
    this.done(rows.map((r) => r.event_id))
  }
}
