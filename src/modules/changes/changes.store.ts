import type { Sql } from '../../kernel/db/types.ts'
import type { Entity } from '../../kernel/entity/index.ts'
import type { Condition } from '../../kernel/lens/types.ts'
import { toSql } from '../access/index.ts'

/** A row inside a scope, deleted or not. */
export interface PresentRow {
  id: string
  deleted: boolean
  /** Whose key seals it. */
  key_id: string
}

const columns = (entity: Entity): string => `id, deleted_at IS NOT NULL AS deleted, ${entity.keyColumn} AS key_id`

/** Those of `ids` that are rows inside `scope`. */
export async function presentRows(sql: Sql, entity: Entity, scope: Condition, ids: readonly string[]): Promise<PresentRow[]> {
  if (ids.length === 0) return []
  const compiled = toSql(entity, scope, 2)
  return sql.query<PresentRow>(`SELECT ${columns(entity)} FROM ${entity.table} WHERE id = ANY ($1::uuid[]) AND ${compiled.text}`, [ids, ...compiled.params])
}

export interface IdRange {
  from: string
  to: string
  /** Only ids after this one. */
  after: string | null
}

/** Rows inside `scope` whose ids lie in a range, in their order. */
export async function rowsBetween(sql: Sql, entity: Entity, scope: Condition, range: IdRange, limit: number): Promise<PresentRow[]> {
  const compiled = toSql(entity, scope, 5)
  return sql.query<PresentRow>(
    `SELECT ${columns(entity)} FROM ${entity.table} WHERE id BETWEEN $1::uuid AND $2::uuid AND ($3::uuid IS NULL OR id > $3::uuid) AND ${compiled.text} ORDER BY id LIMIT $4::int`,
    [range.from, range.to, range.after, limit, ...compiled.params],
  )
}
