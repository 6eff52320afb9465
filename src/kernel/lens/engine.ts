import { availableParallelism } from 'node:os'
import { DuckDBInstance } from '@duckdb/node-api'
import { Problem } from '../base/index.ts'
import { aggregate } from './aggregate.ts'
import { checkRow } from './encode.ts'
import { layoutOf, type Layout } from './layout.ts'
import { Readers } from './readers.ts'
import { search } from './search.ts'
import { Table } from './table.ts'
import { MAX_VERSION } from './versions.ts'
import { Writer } from './writer.ts'
import type { Lens, LensAnswer, LensBatch, LensGroup, LensGroupQuery, LensLog, LensQuery, LensRemoval, LensRow, LensTable } from './types.ts'

export interface LensOptions {
  readonly tables: readonly LensTable[]
  /** What DuckDB may use; a query or write beyond it fails, it never spills. 600 for a million contacts. */
  readonly memoryLimitMb: number
  readonly log?: LensLog
}

const READERS = 2
const SILENT: LensLog = { error: () => undefined }

/**
 * Opens the lens: DuckDB in memory, which may reach no file, no network and no extension, and cannot be told otherwise afterwards. Throws
 * a plain Error when a table is declared wrongly.
 */
export async function openLens({ tables, memoryLimitMb, log = SILENT }: LensOptions): Promise<Lens> {
  const layouts = tables.map(layoutOf)
  const instance = await DuckDBInstance.create(':memory:', {
    memory_limit: `${memoryLimitMb}MB`,
    // Without a directory there is nowhere to spill to: a query that needs more memory fails.
    temp_directory: '',
    enable_external_access: 'false',
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
    allow_community_extensions: 'false',
    allow_persistent_secrets: 'false',
    threads: String(Math.min(4, Math.max(2, availableParallelism()))),
    lock_configuration: 'true',
  })
  const connection = await instance.connect()
  const opened = new Map(layouts.map((layout) => [layout.entity, new Table(layout, connection)]))
  for (const table of opened.values()) await table.create()
  return new DuckLens(opened, new Writer(log), await Readers.open(instance, READERS, log), () => {
    connection.closeSync()
    instance.closeSync()
  })
}

class DuckLens implements Lens {
  readonly #tables: ReadonlyMap<string, Table>
  readonly #layouts: ReadonlyMap<string, Layout>
  readonly #writer: Writer
  readonly #readers: Readers
  readonly #release: () => void
  #closing: Promise<void> | null = null

  constructor(tables: ReadonlyMap<string, Table>, writer: Writer, readers: Readers, release: () => void) {
    this.#tables = tables
    this.#layouts = new Map([...tables].map(([entity, { layout }]) => [entity, layout]))
    this.#writer = writer
    this.#readers = readers
    this.#release = release
  }

  async apply(entity: string, rows: readonly LensRow[], removed: readonly LensRemoval[] = []): Promise<void> {
    const table = this.#table(entity)
    for (const row of rows) checkRow(table.layout, row)
    for (const removal of removed) checkRemoval(removal)
    await this.#writer.apply(table, rows, removed)
  }

  async fill(entity: string, rows: readonly LensRow[]): Promise<void> {
    const table = this.#table(entity)
    for (const row of rows) checkRow(table.layout, row)
    await this.#writer.fill(table, rows)
  }

  fillBatch(entity: string, batch: LensBatch): Promise<void> {
    return this.#writer.fillBatch(this.#table(entity), batch)
  }

  async search(query: LensQuery): Promise<LensAnswer> {
    const table = this.#table(query.entity)
    await this.#writer.settled()
    // Taken before the rows are read: a filling that ends in between must not make a partial answer look whole.
    const complete = table.complete && !table.damaged
    const page = await search(this.#readers, table.layout, query, table.versions.live, this.#layouts)
    return { ...page, complete }
  }

  async aggregate(query: LensGroupQuery): Promise<LensGroup[]> {
    const table = this.#table(query.entity)
    await this.#writer.settled()
    // Links in the scope lead into other tables, and a row missing there is a row missing here.
    if (![...this.#tables.values()].every((t) => t.complete && !t.damaged)) throw new Problem('lens-warming')
    return aggregate(this.#readers, table.layout, query, this.#layouts)
  }

  setComplete(entity: string, total: number): void {
    const table = this.#table(entity)
    table.complete = true
    table.total = total
  }

  status(): { rows: number; total: number; complete: boolean } {
    const tables = [...this.#tables.values()]
    return {
      rows: tables.reduce((sum, table) => sum + table.versions.live, 0),
      total: tables.reduce((sum, table) => sum + Math.max(table.total, table.versions.live), 0),
      complete: tables.every((table) => table.complete && !table.damaged),
    }
  }

  damaged(): string[] {
    return [...this.#tables].filter(([, table]) => table.damaged).map(([entity]) => entity)
  }

  empty(entity: string): Promise<void> {
    return this.#writer.empty(this.#table(entity))
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    await this.#writer.close()
    await this.#readers.close()
    this.#release()
  }

  #table(entity: string): Table {
    if (this.#closing) throw new Problem('shutting-down')
    const table = this.#tables.get(entity)
    if (!table) throw new Error(`the lens has no table ${entity}`)
    return table
  }
}

function checkRemoval(removal: LensRemoval): void {
  const version = typeof removal === 'string' ? 0 : removal.version
  if (!Number.isSafeInteger(version) || version < 0 || version > MAX_VERSION) throw new TypeError('lens: a removal has no version of a record')
}
