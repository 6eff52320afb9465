import { setImmediate as breathe } from 'node:timers/promises'
import { Problem } from '../../kernel/base/index.ts'
import type { Sql } from '../../kernel/db/types.ts'
import type { CustomFieldWords, Entity } from '../../kernel/entity/index.ts'
import { batchMaker, type LensBatch, type LensRow } from '../../kernel/lens/index.ts'
import { errorFields } from '../../kernel/log/index.ts'
import { openRecord, type ReadingVault, type RowColumns } from '../../kernel/vault/index.ts'
import { lensTable, toLensRow, type Shown } from './lens-row.ts'

/** Rows with ids from `from` on (null: the oldest) and before `before` (null: the newest). */
export interface PageAsked {
  entity: string
  before: string | null
  from: string | null
  custom: readonly CustomFieldWords[]
}

export interface PreparedPage {
  /** How many there were. */
  rows: number
  batch: LensBatch
  /** Those that did not open, with what a log may say of it. */
  refused: { id: string; fields: Record<string, string> }[]
}

/** Rows opened in one go: about 10 ms, after which whoever else waits for this thread gets their turn. */
const AT_ONCE = 150
/** Names of linked rows by id; the most that are kept, some 10 MB. */
const MOST_NAMES = 100_000

interface Link {
  field: string
  column: string
  target: Entity
  show: string
}

type Keys = Pick<ReadingVault, 'open' | 'ownerKeys'>

/** Reads pages of rows and makes them ready for the lens: on the thread that serves where there is one page, else on threads of their own. */
export class PageReader {
  readonly #sql: Sql
  readonly #keys: Keys
  readonly #entities: ReadonlyMap<string, Entity>
  readonly #makers: ReadonlyMap<string, (rows: readonly LensRow[]) => LensBatch>
  readonly #names = new Map<string, string | null>()

  constructor(sql: Sql, keys: Keys, entities: readonly Entity[]) {
    this.#sql = sql
    this.#keys = keys
    this.#entities = new Map(entities.map((e) => [e.name, e]))
    this.#makers = new Map(entities.map((e) => [e.name, batchMaker(lensTable(e))]))
  }

  rows(asked: PageAsked): Promise<RowColumns[]> {
    const { table } = this.#entity(asked.entity)
    const params = [asked.before, asked.from].filter((id) => id !== null)
    const before = asked.before === null ? '' : 'AND id < $1'
    const from = asked.from === null ? '' : `AND id >= $${params.length}`
    return this.#sql.query<RowColumns>(`SELECT * FROM ${table} WHERE deleted_at IS NULL ${before} ${from} ORDER BY id DESC`, params)
  }

  /** Opened, read and let go row by row: what lives long is dear to collect. */
  async prepare(asked: PageAsked, rows: readonly RowColumns[]): Promise<PreparedPage> {
    const entity = this.#entity(asked.entity)
    const keys = this.#keys.ownerKeys(rows.map((row) => String(row[entity.keyColumn])))
    const shown = await this.#shownIn(entity, rows)
    const refused: PreparedPage['refused'] = []
    const out: LensRow[] = []
    for (const [i, row] of rows.entries()) {
      if (i % AT_ONCE === AT_ONCE - 1) await breathe()
      try {
        const record = openRecord(this.#keys, entity, keys(String(row[entity.keyColumn])), row)
        out.push(toLensRow(entity, record, shown(row), asked.custom))
      } catch (error) {
        if (!(error instanceof Problem)) throw error
        refused.push({ id: row.id, fields: errorFields(error) })
      }
    }
    return { rows: rows.length, batch: this.#makers.get(entity.name)!(out), refused }
  }

  #entity(name: string): Entity {
    const entity = this.#entities.get(name)
    if (!entity) throw new Error(`no entity ${name}`)
    return entity
  }

  /** The links an entity's rows are shown through. They are plain columns, so a page's names are known before its rows are opened. */
  #linksOf(entity: Entity): Link[] {
    return Object.entries(entity.fields).flatMap(([field, f]) => {
      if (!f.ref?.show) return []
      const column = entity.plain.find((c) => c.field === field)?.column
      if (column === undefined) throw new Error(`${entity.name}.${field} shows a name and is not plain`)
      return [{ field, column, target: this.#entity(f.ref.entity), show: f.ref.show }]
    })
  }

  /** The names that rows are shown by through their links; those not known yet are read in one statement for each link. */
  async #shownIn(entity: Entity, rows: readonly RowColumns[]): Promise<(row: RowColumns) => Shown> {
    const links = this.#linksOf(entity)
    const names = this.#names
    if (names.size > MOST_NAMES) names.clear()
    for (const { column, target, show } of links) {
      const missing = new Set(rows.flatMap((row) => (typeof row[column] === 'string' && !names.has(row[column]) ? [row[column]] : [])))
      if (missing.size > 0) await this.#learn(target, show, [...missing])
    }
    const nameOf = (id: unknown): string | null => (typeof id === 'string' ? (names.get(id) ?? null) : null)
    return (row) => Object.fromEntries(links.map(({ field, column }) => [field, nameOf(row[column])]))
  }

  async #learn(target: Entity, show: string, ids: readonly string[]): Promise<void> {
    const rows = await this.#sql.query<RowColumns>(`SELECT * FROM ${target.table} WHERE id = ANY ($1::uuid[])`, [ids])
    const keys = this.#keys.ownerKeys(rows.map((row) => String(row[target.keyColumn])))
    for (const id of ids) this.#names.set(id, null)
    for (const row of rows) {
      try {
        this.#names.set(row.id, String(openRecord(this.#keys, target, keys(String(row[target.keyColumn])), row)[show] ?? ''))
      } catch (error) {
        // Nothing is shown of a row that does not open; it is told where its own turn comes.
        if (!(error instanceof Problem)) throw error
      }
    }
  }
}
