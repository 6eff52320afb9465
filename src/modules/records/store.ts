import { Problem, uuidText } from '../../kernel/base/index.ts'
import { isDivisionByZero } from '../../kernel/db/index.ts'
import type { Sql, Tx } from '../../kernel/db/types.ts'
import { exactKeys, type AnyRecord, type Entity } from '../../kernel/entity/index.ts'
import type { Condition } from '../../kernel/lens/types.ts'
import type { RowColumns, Vault } from '../../kernel/vault/index.ts'
import { toSql } from '../access/index.ts'

const BLOBS = ['main', 'sensitive', 'custom'] as const
const SQL_TYPE = { uuid: 'uuid', time: 'timestamptz', enumeration: 'text', flag: 'boolean' } as const

/** Which row, and PostgreSQL's own mark of who wrote this version of it (xmin): any UPDATE changes it, also one that keeps our version. */
export interface RowStamp {
  id: string
  stamp: string
  /** Whose key seals it. */
  key_id: string
}

export type FullRow = RowColumns & { stamp: string; key_id: string }

/** A row whose blobs are left out where the cache holds its record, opened from the very same stamp. */
export type MaybeRow = RowStamp & { version: number; main: Buffer | null; sensitive: Buffer | null; custom: Buffer | null } & Record<string, unknown>

export interface Page {
  scope: Condition
  where?: Condition
  limit: number
  /** Rows older than this id (ids are in order of creation). */
  before?: string
  ids?: readonly string[]
  /** Only rows that one of these digests stands for. */
  digests?: readonly string[]
}

export interface RecordStore {
  /** The row inside `scope`, or null: absent and forbidden look alike. Blobs are left out when its stamp is `cachedStamp`. */
  find(sql: Sql, id: string, scope: Condition, options?: { cachedStamp?: string; deleted?: boolean }): Promise<MaybeRow | null>
  /** Locks the row for a change. */
  lock(sql: Sql, id: string, scope: Condition, deleted: boolean): Promise<RowColumns | null>
  /** A page, newest first; never deleted rows. */
  page(sql: Sql, page: Page): Promise<RowStamp[]>
  /** Whole rows, in no order. */
  full(sql: Sql, ids: readonly string[]): Promise<FullRow[]>
  count(sql: Sql, page: Pick<Page, 'scope' | 'where' | 'ids' | 'digests'>): Promise<number>
  insert(sql: Sql, rows: readonly RowColumns[], digests: readonly (readonly string[])[]): Promise<void>
  /** One row, with its digests, without waiting: it travels with what follows. */
  send(tx: Tx, row: RowColumns, digests: readonly string[]): void
  /** Writes the row of a new version, which was locked, and what changes of its digests, without waiting. Fails the transaction as version-stale when another version is there. */
  sendUpdate(tx: Tx, row: RowColumns, fromVersion: number, digests: { before: readonly string[]; after: readonly string[] }): void
}

export interface FieldDigest {
  /** `table.column` of the field. */
  index: string
  /** In the uuid form the `blind` table keeps. */
  digest: string
}

/** Digests of a record's exact values, each with the field it is of. */
export function fieldDigests(vault: Vault, entity: Entity, record: AnyRecord): FieldDigest[] {
  return exactKeys(entity, record).map((k) => ({ index: k.index, digest: uuidText(vault.blind(k.index, k.value)) }))
}

export function digestsOf(vault: Vault, entity: Entity, record: AnyRecord): string[] {
  return fieldDigests(vault, entity, record).map((d) => d.digest)
}

const PLAIN = ['id', 'version'] as const

/** The statements of one noun, written out once from its declaration. */
class TableStore implements RecordStore {
  readonly #entity: Entity
  readonly #all: readonly string[]
  readonly #types: readonly string[]
  readonly #sql: { find: string; lock: string; page: string; full: string; count: string; insertOne: string; insertDigested: string; update: string }

  constructor(entity: Entity) {
    this.#entity = entity
    const t = entity.table
    const plain = [...PLAIN, ...entity.plain.map((c) => c.column)]
    this.#all = [...plain, ...BLOBS]
    this.#types = ['uuid', 'int', ...entity.plain.map((c) => SQL_TYPE[c.kind]), 'bytea', 'bytea', 'bytea']
    const keyed = `${entity.keyColumn} AS key_id`
    const stamped = `${plain.join(', ')}, ${keyed}, xmin::text AS stamp`
    const all = this.#all.join(', ')
    const n = this.#all.length
    const insertOne = `INSERT INTO ${t} (${all}) VALUES (${this.#all.map((_c, i) => `$${i + 1}`).join(', ')})`
    this.#sql = {
      find: `SELECT ${stamped}, ${BLOBS.map((b) => `CASE WHEN xmin::text = $2 THEN NULL ELSE ${b} END AS ${b}`).join(', ')} FROM ${t} WHERE id = $1`,
      lock: `SELECT ${all} FROM ${t} WHERE id = $1`,
      page: `SELECT id, ${keyed}, xmin::text AS stamp FROM ${t}`,
      full: `SELECT ${all}, ${keyed}, xmin::text AS stamp FROM ${t} WHERE id = ANY ($1::uuid[])`,
      count: `SELECT count(*) AS n FROM ${t}`,
      insertOne,
      // Row and digests in one statement.
      insertDigested: `WITH made AS (${insertOne}) INSERT INTO blind (digest, row_id) SELECT d, $${n + 1} FROM unnest($${n + 2}::uuid[]) d`,
      // 1 / 0 when no row was changed: an error of PostgreSQL, which no COMMIT behind it survives.
      update: `WITH done AS (UPDATE ${t} SET ${this.#all.slice(1).map((c, i) => `${c} = $${i + 2}`).join(', ')} WHERE id = $1 AND version = $${n + 1} RETURNING 1) SELECT 1 / count(*)::int AS done FROM done`,
    }
  }

  async find(sql: Sql, id: string, scope: Condition, options: { cachedStamp?: string; deleted?: boolean } = {}): Promise<MaybeRow | null> {
    const compiled = toSql(this.#entity, scope, 3)
    const alive = options.deleted ? '' : 'AND deleted_at IS NULL'
    const rows = await sql.prepared<MaybeRow>(`${this.#sql.find} ${alive} AND ${compiled.text}`, [id, options.cachedStamp ?? '', ...compiled.params])
    return rows[0] ?? null
  }

  // Not FOR UPDATE: a row that links to this one may be written meanwhile, and two that link to each other would wait for each other.
  async lock(sql: Sql, id: string, scope: Condition, deleted: boolean): Promise<RowColumns | null> {
    const compiled = toSql(this.#entity, scope, 2)
    const rows = await sql.prepared<RowColumns>(`${this.#sql.lock} AND deleted_at IS ${deleted ? 'NOT ' : ''}NULL AND ${compiled.text} FOR NO KEY UPDATE`, [id, ...compiled.params])
    return rows[0] ?? null
  }

  page(sql: Sql, page: Page): Promise<RowStamp[]> {
    const { text, params } = this.#conditions(page)
    const statement = `${this.#sql.page} WHERE ${text} ORDER BY id DESC LIMIT $${params.push(Math.trunc(page.limit))}::int`
    // Only a text that no caller has a hand in is prepared: each stays in every connection's memory.
    const ours = page.digests && !page.where && !page.before
    return ours ? sql.prepared<RowStamp>(statement, params) : sql.query<RowStamp>(statement, params)
  }

  full(sql: Sql, ids: readonly string[]): Promise<FullRow[]> {
    return sql.prepared<FullRow>(this.#sql.full, [ids])
  }

  async count(sql: Sql, page: Pick<Page, 'scope' | 'where' | 'ids' | 'digests'>): Promise<number> {
    const { text, params } = this.#conditions(page)
    return (await sql.query<{ n: number }>(`${this.#sql.count} WHERE ${text}`, params))[0]?.n ?? 0
  }

  async insert(sql: Sql, rows: readonly RowColumns[], digests: readonly (readonly string[])[]): Promise<void> {
    const [only] = rows
    if (!only) return
    if (rows.length > 1) await this.#insertMany(sql, rows)
    else await sql.prepared(this.#sql.insertOne, this.#values(only))
    const flat = digests.flatMap((list, i) => list.map((digest) => ({ digest, row: rows[i]!.id })))
    if (flat.length > 0) await sql.query('INSERT INTO blind (digest, row_id) SELECT * FROM unnest($1::uuid[], $2::uuid[])', [flat.map((f) => f.digest), flat.map((f) => f.row)])
  }

  send(tx: Tx, row: RowColumns, digests: readonly string[]): void {
    const values = this.#values(row)
    if (digests.length === 0) tx.send(this.#sql.insertOne, values)
    else tx.send(this.#sql.insertDigested, [...values, row.id, digests])
  }

  sendUpdate(tx: Tx, row: RowColumns, fromVersion: number, { before, after }: { before: readonly string[]; after: readonly string[] }): void {
    tx.send(this.#sql.update, [...this.#values(row), fromVersion], (error) => (isDivisionByZero(error) ? new Problem('version-stale') : error))
    const gone = before.filter((d) => !after.includes(d))
    const fresh = after.filter((d) => !before.includes(d))
    if (gone.length > 0) tx.send('DELETE FROM blind WHERE row_id = $1 AND digest = ANY ($2::uuid[])', [row.id, gone])
    if (fresh.length > 0) tx.send('INSERT INTO blind (digest, row_id) SELECT d, $1 FROM unnest($2::uuid[]) d', [row.id, fresh])
  }

  /** Columns in which all rows agree (owner, times, version) travel once; the others as arrays. */
  async #insertMany(sql: Sql, rows: readonly RowColumns[]): Promise<void> {
    const params: unknown[] = []
    const arrays: string[] = []
    const picked = this.#all.map((c, i) => {
      const first = rows[0]![c] ?? null
      const agree = !Buffer.isBuffer(first) && rows.every((r) => (r[c] ?? null) === first)
      const n = params.push(agree ? first : rows.map((r) => r[c] ?? null))
      if (agree) return `$${n}::${this.#types[i]}`
      return `r.a${arrays.push(`$${n}::${this.#types[i]}[]`)}`
    })
    const names = arrays.map((_a, i) => `a${i + 1}`).join(', ')
    await sql.query(`INSERT INTO ${this.#entity.table} (${this.#all.join(', ')}) SELECT ${picked.join(', ')} FROM unnest(${arrays.join(', ')}) AS r(${names})`, params)
  }

  #values(row: RowColumns): unknown[] {
    return this.#all.map((c) => row[c] ?? null)
  }

  #conditions(page: Omit<Page, 'limit'>): { text: string; params: unknown[] } {
    const params: unknown[] = []
    const parts = ['deleted_at IS NULL']
    if (page.ids) parts.push(`id = ANY ($${params.push(page.ids)}::uuid[])`)
    // An array made once: as a join, the planner may walk the whole table newest first instead.
    if (page.digests) parts.push(`id = ANY (ARRAY(SELECT row_id FROM blind WHERE digest = ANY ($${params.push(page.digests)}::uuid[])))`)
    if (page.before) parts.push(`id < $${params.push(page.before)}::uuid`)
    for (const condition of [page.scope, page.where]) {
      if (!condition) continue
      const compiled = toSql(this.#entity, condition, params.length + 1)
      parts.push(compiled.text)
      params.push(...compiled.params)
    }
    return { text: parts.join(' AND '), params }
  }
}

export const recordStore = (entity: Entity): RecordStore => new TableStore(entity)
