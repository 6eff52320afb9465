import type { DuckDBValue } from '@duckdb/node-api'
import { DuckDBUUIDValue } from '@duckdb/node-api'
import { Problem } from '../base/index.ts'
import { Binder } from './binder.ts'
import { columnFor, compile } from './compile.ts'
import type { Column, Layout } from './layout.ts'
import { micros } from './leaf.ts'
import { all } from './match.ts'
import { invalid } from './problems.ts'
import type { Readers } from './readers.ts'
import type { GroupTerm, LensGroup, LensGroupQuery, Measure } from './types.ts'

const MOST_TERMS = 4
const MOST_BOUNDS = 400
const MOST_MEASURES = 40
const MOST_GROUPS = 10_000

/** One statement over the table: rows inside the scope, put in groups, counted and added up. Throws Problem invalid or field-unknown, also when there are more groups than anybody reads. */
export async function aggregate(readers: Readers, layout: Layout, query: LensGroupQuery, layouts: ReadonlyMap<string, Layout>): Promise<LensGroup[]> {
  const { by, measures } = query
  if (by.length > MOST_TERMS || measures.length > MOST_MEASURES) throw invalid('by', 'too-many')
  const binder = new Binder(undefined, layouts)
  const keys = by.map((term) => keyOf(layout, term, binder))
  const seen = query.seen ? `count(*) FILTER (WHERE ${compile(query.seen, layout, binder)})` : 'count(*)'
  const sums = measures.map((measure) => measureOf(layout, measure, binder))
  const filter = all([query.scope, ...(query.where ? [query.where] : [])].map((condition) => compile(condition, layout, binder)))
  const order = keys.map((_, at) => `${at + 1}`)
  const sql = `SELECT ${[...keys, 'count(*)', seen, ...sums].join(', ')} FROM ${layout.table} WHERE ${filter} ${order.length > 0 ? `GROUP BY ${order.join(', ')} ORDER BY ${order.map((n) => `${n} NULLS LAST`).join(', ')}` : ''} LIMIT ${MOST_GROUPS + 1}`
  const rows = await readers.rows(binder.statement(sql), binder.values)
  if (rows.length > MOST_GROUPS) throw invalid('by', 'too-many-groups')
  return rows.map((row) => groupOf(row, keys.length)).filter((group) => group.count > 0 || keys.length === 0)
}

function groupOf(row: readonly DuckDBValue[], keys: number): LensGroup {
  return { keys: row.slice(0, keys).map(keyValue), count: Number(row[keys] ?? 0), seen: Number(row[keys + 1] ?? 0), measures: row.slice(keys + 2).map(exact) }
}

function keyValue(value: DuckDBValue): string | number | boolean | null {
  if (value === null || typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return value
  return value instanceof DuckDBUUIDValue ? value.toString() : Number(value)
}

/** Sums are of whole numbers; one that a JSON number cannot carry to the last unit is refused rather than rounded. */
function exact(value: DuckDBValue): number {
  const number = Number(value ?? 0)
  if (!Number.isSafeInteger(number)) throw new Problem('invalid', { errors: [{ path: 'measures', code: 'sum-too-large' }] })
  return number
}

function plainColumn(layout: Layout, field: string): Column {
  const column = columnFor(layout, field, 'same')
  if (column.many || column.linked) throw invalid(field, 'op-not-supported')
  return column
}

/** A period is told by the place of its beginning among the bounds, the first is 0; whatever is before them all is -1. */
function keyOf(layout: Layout, term: GroupTerm, binder: Binder): string {
  const column = plainColumn(layout, term.field)
  if (!('bounds' in term)) return column.sql
  if (term.bounds.length > MOST_BOUNDS || (column.type !== 'time' && column.type !== 'text' && column.type !== 'integer')) throw invalid(term.field, 'op-not-supported')
  const steps = term.bounds.map((bound, at) => `WHEN ${column.sql} < ${boundOf(column, bound, binder)} THEN ${at - 1}`)
  return `CASE WHEN ${column.sql} IS NULL THEN NULL ${steps.join(' ')} ELSE ${term.bounds.length - 1} END`
}

function boundOf(column: Column, bound: string | number, binder: Binder): string {
  if (column.type === 'text' && typeof bound === 'string') return binder.text(bound)
  const number = typeof bound === 'string' ? micros(bound) : column.type === 'integer' ? bound : null
  if (number === null) throw invalid(column.field, 'value-type')
  return binder.number(number)
}

function number(layout: Layout, field: string): string {
  const column = plainColumn(layout, field)
  if (column.type !== 'integer') throw invalid(field, 'op-not-supported')
  return `coalesce(${column.sql}, 0)`
}

function measureOf(layout: Layout, measure: Measure, binder: Binder): string {
  if ('count' in measure) return `count(*) FILTER (WHERE ${compile(measure.count, layout, binder)})`
  // As HUGEINT, which no sum of amounts fills; each share is rounded by itself, half up.
  const value = measure.percent ? `(${number(layout, measure.sum)}::HUGEINT * ${number(layout, measure.percent)} + 50) // 100` : number(layout, measure.sum)
  const where = measure.where ? ` FILTER (WHERE ${compile(measure.where, layout, binder)})` : ''
  return `sum(${value})${where}`
}
