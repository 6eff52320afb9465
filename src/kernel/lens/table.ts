import type { DuckDBConnection, DuckDBPreparedStatement } from '@duckdb/node-api'
import { encodeCustom, encodeRow, encodeRows, insertCustom, insertRow, insertRows } from './encode.ts'
import { createTables, ID, type Layout } from './layout.ts'
import type { LensBatch, LensRow } from './types.ts'
import { Versions } from './versions.ts'

/** Rows that go in and rows that go out, in one transaction. */
export interface Change {
  readonly insert: readonly LensRow[]
  /** Rows that go in as another thread made them ready. */
  readonly batch: LensBatch | null
  /** Rows of the table that are dropped, or replaced by one of `insert`. */
  readonly remove: readonly string[]
}

/** One entity's table: its statements, prepared once on the writer's connection, and what is known of its rows. */
export class Table {
  readonly layout: Layout
  versions = new Versions()
  total = 0
  complete = false
  /** A write was lost, so answers may lack rows until the lens is filled anew. */
  damaged = false
  readonly #connection: DuckDBConnection
  readonly #statements = new Map<string, DuckDBPreparedStatement>()
  #hasCustom = false

  constructor(layout: Layout, connection: DuckDBConnection) {
    this.layout = layout
    this.#connection = connection
  }

  async create(): Promise<void> {
    for (const sql of createTables(this.layout)) await this.#connection.run(sql)
  }

  /** Takes every row out, to be filled anew: whatever a lost write left behind is gone, and answers say that rows are missing. */
  async empty(): Promise<void> {
    this.complete = false
    this.#statements.clear()
    // Dropped and made anew: deleted rows would keep their memory, and the want of it is what most often loses a write.
    const { table, customTable } = this.layout
    await this.#transaction(async () => {
      for (const sql of [`DROP TABLE ${customTable}`, `DROP TABLE ${table}`, ...createTables(this.layout)]) await this.#connection.run(sql)
    })
    this.#hasCustom = false
    this.versions = this.versions.removedOnly()
    this.damaged = false
  }

  /** Writes a change; all of it is visible when this resolves, or none. */
  async write(change: Change): Promise<void> {
    if (change.batch && change.remove.length === 0 && change.batch.custom === null) return this.#run(insertRows(this.layout), change.batch.columns)
    const oneStatement = change.insert.length > FEW_ROWS || change.insert.length === 1
    if (oneStatement && change.remove.length === 0 && !change.insert.some((row) => row.custom?.length)) return this.#insert(change.insert)
    await this.#transaction(async () => {
      await this.#remove(change.remove)
      await this.#insert(change.insert)
      if (change.batch) await this.#insertBatch(change.batch)
    })
  }

  async #transaction(write: () => Promise<void>): Promise<void> {
    await this.#connection.run('BEGIN TRANSACTION')
    try {
      await write()
      await this.#connection.run('COMMIT')
    } catch (error) {
      // The first error is the one to tell; a rollback fails only when DuckDB has already rolled back.
      await this.#connection.run('ROLLBACK').catch(() => undefined)
      throw error
    }
  }

  async #insert(rows: readonly LensRow[]): Promise<void> {
    if (rows.length === 0) return
    if (rows.length <= FEW_ROWS) for (const row of rows) await this.#run(insertRow(this.layout), encodeRow(this.layout, row))
    else await this.#run(insertRows(this.layout), encodeRows(this.layout, rows))
    await this.#insertCustom(encodeCustom(rows))
  }

  async #insertBatch(batch: LensBatch): Promise<void> {
    await this.#run(insertRows(this.layout), batch.columns)
    await this.#insertCustom(batch.custom)
  }

  async #insertCustom(custom: readonly string[] | null): Promise<void> {
    if (custom === null) return
    await this.#run(insertCustom(this.layout), custom)
    this.#hasCustom = true
  }

  async #remove(ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return
    await this.#run(removal(this.layout.table, ID, ids.length), removalParameters(ids))
    if (this.#hasCustom) await this.#run(removal(this.layout.customTable, '"row"', ids.length), removalParameters(ids))
  }

  async #run(sql: string, parameters: readonly string[]): Promise<void> {
    let statement = this.#statements.get(sql)
    if (!statement) this.#statements.set(sql, (statement = await this.#connection.prepare(sql)))
    for (const [at, value] of parameters.entries()) statement.bindVarchar(at + 1, value)
    await statement.run()
    // The batch's texts would stay in the statement until the next one.
    statement.clearBindings()
  }
}

/** So few rows go in one by one: a statement of its own for each is cheaper than splitting texts for all. */
const FEW_ROWS = 3

/** Up to a few ids as constants, which lets DuckDB skip row groups that cannot hold them: a third of the time of the join. */
const FEW = 8

function removal(table: string, column: string, count: number): string {
  if (count > FEW) return `DELETE FROM ${table} WHERE ${column} IN (SELECT unnest(string_split($1, ','))::UUID)`
  return `DELETE FROM ${table} WHERE ${column} IN (${Array.from({ length: FEW }, (_, at) => `$${at + 1}::UUID`).join(', ')})`
}

function removalParameters(ids: readonly string[]): string[] {
  if (ids.length > FEW) return [ids.join(',')]
  return Array.from({ length: FEW }, (_, at) => ids[at] ?? ids[0] ?? '')
}
