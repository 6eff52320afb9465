import type { DedicatedConnection } from '../../src/kernel/db/index.ts'

/** One line of the plain product's audit log. */
export interface AuditRow {
  at: string
  actor: string
  action: string
  objectId: string | null
  /** The ids of everybody on the page, 16 bytes each. */
  ids: Buffer | null
}

interface Waiting {
  row: AuditRow
  resolve: () => void
  reject: (error: unknown) => void
}

const BATCH = 500
const INSERT = 'INSERT INTO audit (at, actor, action, object_id, ids) SELECT * FROM unnest($1::timestamptz[], $2::uuid[], $3::text[], $4::uuid[], $5::bytea[])'

/** Group commit on a connection of its own: the next batch forms while the last one is made durable, and a lone row waits for nobody. */
export class GroupedAudit {
  readonly #connection: DedicatedConnection
  #waiting: Waiting[] = []
  #running = false

  constructor(connection: DedicatedConnection) {
    this.#connection = connection
  }

  /** Resolves when the row is on disk. */
  append(row: AuditRow): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ row, resolve, reject })
      if (this.#running) return
      this.#running = true
      // After the other requests that this turn of the loop has read from their sockets.
      setImmediate(() => void this.#work())
    })
  }

  async #work(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, BATCH)
      try {
        await this.#connection.query(INSERT, columnsOf(batch.map((w) => w.row)))
        for (const w of batch) w.resolve()
      } catch (error) {
        for (const w of batch) w.reject(error)
      }
    }
    this.#running = false
  }
}

export function columnsOf(rows: readonly AuditRow[]): unknown[] {
  return [rows.map((r) => r.at), rows.map((r) => r.actor), rows.map((r) => r.action), rows.map((r) => r.objectId), rows.map((r) => r.ids)]
}
