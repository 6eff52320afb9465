import { isUuid } from '../base/index.ts'
import type { Binder } from './binder.ts'
import { columnFor, isCustom } from './compile.ts'
import { CUSTOM_PREFIX, ID, type Layout } from './layout.ts'
import { invalid } from './problems.ts'
import { VALUE_MARK } from './text.ts'
import type { LensKey, LensQuery } from './types.ts'

/** One of the values a page is ordered by. Empty values come last in both directions. */
export interface Key {
  readonly sql: string
  readonly type: 'text' | 'number' | 'uuid'
  readonly direction: 'asc' | 'desc'
}

/**
 * What a query is ordered by: its rank first when text was asked, then the caller's sort or else newest first, and always the id, so that
 * the order is total and a page can begin after any row of it.
 */
export function keysOf(layout: Layout, sort: LensQuery['sort'], rank: string | null, binder: Binder): Key[] {
  const ranks: Key[] = rank === null ? [] : [{ sql: rank, type: 'number', direction: 'asc' }]
  const named = sort.flatMap(({ field, direction }) => keysFor(layout, field, direction, binder))
  const newest: Key[] = named.length > 0 || !layout.newest ? [] : [{ sql: layout.newest.sql, type: 'number', direction: 'desc' }]
  return [...ranks, ...named, ...newest, { sql: ID, type: 'uuid', direction: 'desc' }]
}

function keysFor(layout: Layout, field: string, direction: 'asc' | 'desc', binder: Binder): Key[] {
  if (isCustom(layout, field)) return customKeys(layout, field, direction, binder)
  const column = columnFor(layout, field, 'order')
  // A field of several values sorts by its first.
  if (column.many) return [{ sql: `string_split(${column.sql}, chr(${VALUE_MARK.charCodeAt(0)}))[2]`, type: 'text', direction }]
  if (column.type === 'boolean') return [{ sql: `${column.sql}::BIGINT`, type: 'number', direction }]
  const guard = binder.guard(column)
  const sql = guard === 'TRUE' ? column.sql : `CASE WHEN ${guard} THEN ${column.sql} END`
  return [{ sql, type: column.type === 'text' ? 'text' : column.type === 'uuid' ? 'uuid' : 'number', direction }]
}

/** A custom field may hold numbers or texts: numbers first, then texts. */
function customKeys(layout: Layout, field: string, direction: 'asc' | 'desc', binder: Binder): Key[] {
  const smallest = (column: string) => `(SELECT min(${column}) FROM ${layout.customTable} WHERE "row" = ${layout.table}.${ID} AND field = ${binder.text(field.slice(CUSTOM_PREFIX.length))})`
  return [
    { sql: smallest('number'), type: 'number', direction },
    { sql: smallest('text'), type: 'text', direction },
  ]
}

/** Names the keys of a subquery that selects them as k0, k1, …. */
export function named(keys: readonly Key[]): Key[] {
  return keys.map((key, at) => ({ ...key, sql: `k${at}` }))
}

export function orderBy(keys: readonly Key[]): string {
  return keys.map(({ sql, direction }) => `${sql} ${direction === 'asc' ? 'ASC' : 'DESC'} NULLS LAST`).join(', ')
}

/** Rows that come after the row with these keys, in the order of `orderBy`. Throws Problem invalid for keys of another query. */
export function afterKeys(keys: readonly Key[], after: LensKey, binder: Binder): string {
  if (after.length !== keys.length) throw invalid('after', 'cursor-invalid')
  let predicate = 'FALSE'
  for (const [at, key] of [...keys.entries()].reverse()) {
    const value = after[at] ?? null
    if (value === null) {
      predicate = `(${key.sql} IS NULL AND ${predicate})`
      continue
    }
    const bound = bindKey(key, value, binder)
    predicate = `(${key.sql} ${key.direction === 'asc' ? '>' : '<'} ${bound} OR ${key.sql} IS NULL OR (${key.sql} = ${bound} AND ${predicate}))`
  }
  return predicate
}

function bindKey(key: Key, value: string | number | boolean, binder: Binder): string {
  if (key.type === 'number' && typeof value === 'number') return binder.number(value)
  if (key.type === 'text' && typeof value === 'string') return binder.text(value)
  if (key.type === 'uuid' && isUuid(value)) return binder.uuid(value)
  throw invalid('after', 'cursor-invalid')
}
