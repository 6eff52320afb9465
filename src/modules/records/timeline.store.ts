import type { Sql } from '../../kernel/db/types.ts'
import type { Entity } from '../../kernel/entity/index.ts'
import type { Condition } from '../../kernel/lens/types.ts'
import { plainColumn, toSql } from '../access/index.ts'
import type { RowStamp } from './store.ts'

/** A row in the order of time: when it happened, or was written down where it does not say. */
export type Moment = RowStamp & { at: string }

export interface MomentQuery {
  record: { kind: string; id: string }
  scope: Condition
  /** The field that says when it happened; null: the order of writing down. */
  time: string | null
  before?: readonly [at: string, id: string]
  limit: number
}

/** Rows that hang on a record, newest first, never deleted ones. The bound is one comparison of the index's own key, so a page deep in a long history costs what the first does. */
export function momentsOf(sql: Sql, entity: Entity, q: MomentQuery): Promise<Moment[]> {
  const column = q.time === null ? undefined : plainColumn(entity, q.time)?.column
  const at = column ? `coalesce(${column}, created_at)` : 'created_at'
  const params: unknown[] = [q.record.id, q.record.kind]
  const bound = q.before ? `AND (${at}, id) < ($${params.push(q.before[0])}::timestamptz, $${params.push(q.before[1])}::uuid)` : ''
  const scope = toSql(entity, q.scope, params.length + 1)
  params.push(...scope.params)
  return sql.query<Moment>(
    `SELECT id, ${entity.keyColumn} AS key_id, xmin::text AS stamp, ${at} AS at FROM ${entity.table}
     WHERE record_id = $1::uuid AND record_kind = $2 AND deleted_at IS NULL ${bound} AND ${scope.text}
     ORDER BY ${at} DESC, id DESC LIMIT $${params.push(Math.trunc(q.limit))}::int`,
    params,
  )
}
