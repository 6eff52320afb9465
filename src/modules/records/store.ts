import { uuidText } from '../../kernel/base/index.ts'
import type { Sql } from '../../kernel/db/types.ts'
import { exactKeys, type AnyRecord, type Entity } from '../../kernel/entity/index.ts'
import type { Condition } from '../../kernel/lens/types.ts'
import type { RowColumns, Vault } from '../../kernel/vault/index.ts'
import { toSql } from '../access/index.ts'

const BLOBS = ['main', 'sensitive', 'custom'] as const
const SQL_TYPE = { uuid: 'uuid', time: 'timestamptz', enumeration: 'text', flag: 'boolean' } as const

/**
 * A row whose blobs may be left out because the cache already holds its opened record. `stamp` is PostgreSQL's own mark of
 * who wrote this version of the row (xmin): any UPDATE changes it, also one that keeps our version, so a copy opened
 * before somebody changed the row behind our back is never taken for it.
 */
export type MaybeRow = { id: string; version: number; stamp: string; main: Buffer | null; sensitive: Buffer | null; custom: Buffer | null } & Record<string, unknown>

export interface Page {
  scope: Condition
  where?: Condition
  limit: number
  /** Rows older than this id (ids are in order of creation). */
  before?: string
  ids?: readonly string[]
}

export interface RecordStore {
  /** The row inside `scope`, or null: absent and forbidden look alike. Blobs are left out when its stamp is `cachedStamp`. */
  find(sql: Sql, id: string, scope: Condition, options?: { cachedStamp?: string; deleted?: boolean }): Promise<MaybeRow | null>
  /** Locks the row for a change. */
  lock(sql: Sql, id: string, scope: Condition, deleted: boolean): Promise<RowColumns | null>
  /** Plain columns of a page, newest first; never deleted rows. */
  page(sql: Sql, page: Page): Promise<MaybeRow[]>
  blobs(sql: Sql, ids: readonly string[]): Promise<(Pick<RowColumns, 'main' | 'sensitive' | 'custom'> & { id: string; stamp: string })[]>
  count(sql: Sql, page: Pick<Page, 'scope' | 'where' | 'ids'>): Promise<number>
  insert(sql: Sql, rows: readonly RowColumns[], digests: readonly (readonly string[])[]): Promise<void>
  /** Writes the row of a new version; false when another version is there. */
  update(sql: Sql, row: RowColumns, fromVersion: number): Promise<boolean>
  replaceDigests(sql: Sql, id: string, before: readonly string[], after: readonly string[]): Promise<void>
  rowsWith(sql: Sql, digests: readonly string[]): Promise<string[]>
}

/** Digests of a record's exact values, in the uuid form the `blind` table keeps. */
export function digestsOf(vault: Vault, entity: Entity, record: AnyRecord): string[] {
  return exactKeys(entity, record).map((k) => uuidText(vault.blind(k.index, k.value)))
}

/** The statements of one noun, written out once from its declaration. */
export function recordStore(entity: Entity): RecordStore {
  const plain = ['id', 'version', ...entity.plain.map((c) => c.column)]
  const all = [...plain, ...BLOBS]
  const stamped = [...plain, 'xmin::text AS stamp']
  const types = ['uuid', 'int', ...entity.plain.map((c) => SQL_TYPE[c.kind]), 'bytea', 'bytea', 'bytea']
  const t = entity.table
  const cachedOut = BLOBS.map((b) => `CASE WHEN xmin::text = $2 THEN NULL ELSE ${b} END AS ${b}`).join(', ')
  const insertOne = `INSERT INTO ${t} (${all.join(', ')}) VALUES (${all.map((_c, i) => `$${i + 1}`).join(', ')})`
  const insertMany = `INSERT INTO ${t} (${all.join(', ')}) SELECT * FROM unnest(${types.map((ty, i) => `$${i + 1}::${ty}[]`).join(', ')})`
  const updateOne = `UPDATE ${t} SET ${all.slice(1).map((c, i) => `${c} = $${i + 2}`).join(', ')} WHERE id = $1 AND version = $${all.length + 1}`
  const valuesOf = (row: RowColumns): unknown[] => all.map((c) => row[c] ?? null)

  const conditions = (page: Pick<Page, 'scope' | 'where' | 'before' | 'ids'>): { text: string; params: unknown[] } => {
    const params: unknown[] = []
    const parts = ['deleted_at IS NULL']
    if (page.ids) parts.push(`id = ANY ($${params.push(page.ids)}::uuid[])`)
    if (page.before) parts.push(`id < $${params.push(page.before)}::uuid`)
    for (const condition of [page.scope, page.where]) {
      if (!condition) continue
      const compiled = toSql(entity, condition, params.length + 1)
      parts.push(compiled.text)
      params.push(...compiled.params)
    }
    return { text: parts.join(' AND '), params }
  }

  return {
    async find(sql, id, scope, options = {}) {
      const compiled = toSql(entity, scope, 3)
      const alive = options.deleted ? '' : 'AND deleted_at IS NULL'
      const rows = await sql.query<MaybeRow>(`SELECT ${stamped.join(', ')}, ${cachedOut} FROM ${t} WHERE id = $1 ${alive} AND ${compiled.text}`, [id, options.cachedStamp ?? '', ...compiled.params])
      return rows[0] ?? null
    },
    async lock(sql, id, scope, deleted) {
      const compiled = toSql(entity, scope, 2)
      const rows = await sql.query<RowColumns>(`SELECT ${all.join(', ')} FROM ${t} WHERE id = $1 AND deleted_at IS ${deleted ? 'NOT ' : ''}NULL AND ${compiled.text} FOR UPDATE`, [id, ...compiled.params])
      return rows[0] ?? null
    },
    page(sql, page) {
      const { text, params } = conditions(page)
      return sql.query<MaybeRow>(`SELECT ${stamped.join(', ')} FROM ${t} WHERE ${text} ORDER BY id DESC LIMIT ${Math.trunc(page.limit)}`, params)
    },
    blobs: (sql, ids) => sql.query(`SELECT id, xmin::text AS stamp, ${BLOBS.join(', ')} FROM ${t} WHERE id = ANY ($1::uuid[])`, [ids]),
    async count(sql, page) {
      const { text, params } = conditions(page)
      return (await sql.query<{ n: number }>(`SELECT count(*) AS n FROM ${t} WHERE ${text}`, params))[0]?.n ?? 0
    },
    async insert(sql, rows, digests) {
      const [only] = rows
      if (!only) return
      if (rows.length > 1) await sql.query(insertMany, all.map((c) => rows.map((r) => r[c] ?? null)))
      else if (digests[0]?.length) return insertWithDigests(sql, insertOne, valuesOf(only), digests[0], only.id)
      else await sql.query(insertOne, valuesOf(only))
      const flat = digests.flatMap((list, i) => list.map((digest) => ({ digest, row: rows[i]!.id })))
      if (flat.length > 0) await sql.query('INSERT INTO blind (digest, row_id) SELECT * FROM unnest($1::uuid[], $2::uuid[])', [flat.map((f) => f.digest), flat.map((f) => f.row)])
    },
    async update(sql, row, fromVersion) {
      const done = await sql.query(`${updateOne} RETURNING 1 AS done`, [...valuesOf(row), fromVersion])
      return done.length === 1
    },
    async replaceDigests(sql, id, before, after) {
      const gone = before.filter((d) => !after.includes(d))
      const fresh = after.filter((d) => !before.includes(d))
      if (gone.length > 0) await sql.query('DELETE FROM blind WHERE row_id = $1 AND digest = ANY ($2::uuid[])', [id, gone])
      if (fresh.length > 0) await sql.query('INSERT INTO blind (digest, row_id) SELECT d, $1 FROM unnest($2::uuid[]) d', [id, fresh])
    },
    async rowsWith(sql, digests) {
      const rows = await sql.query<{ rowId: string }>('SELECT DISTINCT row_id AS "rowId" FROM blind WHERE digest = ANY ($1::uuid[]) LIMIT 1000', [digests])
      return rows.map((r) => r.rowId)
    },
  }
}

/** Row and digests in one statement: one round trip inside the transaction instead of two. */
async function insertWithDigests(sql: Sql, insertOne: string, values: readonly unknown[], digests: readonly string[], id: string): Promise<void> {
  const n = values.length
  await sql.query(`WITH made AS (${insertOne}) INSERT INTO blind (digest, row_id) SELECT d, $${n + 1} FROM unnest($${n + 2}::uuid[]) d`, [...values, id, digests])
}
