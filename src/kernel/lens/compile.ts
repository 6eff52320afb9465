import { Problem } from '../base/index.ts'
import type { Binder } from './binder.ts'
import { CUSTOM_PREFIX, ID, type Column, type Layout } from './layout.ts'
import { comparison } from './leaf.ts'
import { invalid } from './problems.ts'
import { normalise } from './text.ts'
import type { Condition, Linked, LensOp } from './types.ts'

interface Context {
  readonly layout: Layout
  readonly binder: Binder
  /** Below a NOT, where SQL's third truth value would come out as "holds": every leaf must be true or false there. */
  readonly guarded: boolean
}

/**
 * Compiles a condition to a SQL predicate over the entity's table. The language is two-valued: an empty field equals nothing, contains
 * nothing and is neither less nor more than anything; so `ne` holds for it, and `not` is the exact complement. Values are bound, never
 * spliced. Throws Problem field-unknown or invalid; the depth of nesting is the caller's to bound.
 */
export function compile(condition: Condition, layout: Layout, binder: Binder): string {
  return node(condition, { layout, binder, guarded: false })
}

function node(condition: Condition, context: Context): string {
  if ('and' in condition) return join(condition.and, ' AND ', 'TRUE', context)
  if ('or' in condition) return join(condition.or, ' OR ', 'FALSE', context)
  if ('not' in condition) return `NOT (${node(condition.not, { ...context, guarded: true })})`
  if ('linked' in condition) return linked(condition, context)
  const { field, op, value } = condition
  const predicate = isCustom(context.layout, field) ? custom(field, op, value, context) : declared(field, op, value, context)
  return context.guarded ? `coalesce(${predicate}, FALSE)` : predicate
}

/** Deleted records are not in the lens, so a link to one holds for nothing. */
function linked(condition: Linked, { layout, binder }: Context): string {
  const target = binder.layouts.get(condition.target.name)
  const column = columnFor(layout, condition.linked, 'same')
  if (!target || column.type !== 'uuid' || column.many) throw new Error(`lens ${layout.entity}: ${condition.linked} is no link to ${condition.target.name}`)
  const set = binder.setOf(condition, (own) => `SELECT ${ID} FROM ${target.table} WHERE ${node(condition.where, { layout: target, binder: own, guarded: false })}`)
  return `coalesce(${column.sql} IN (SELECT ${ID} FROM ${set}), FALSE)`
}

function join(parts: readonly Condition[], word: string, none: string, context: Context): string {
  return parts.length === 0 ? none : `(${parts.map((part) => node(part, context)).join(word)})`
}

const PREFERENCE: Readonly<Record<'match' | 'order' | 'same', readonly Column['use'][]>> = {
  match: ['text', 'plain', 'exact'],
  order: ['sort', 'plain', 'exact', 'text'],
  same: ['plain', 'exact', 'text', 'sort'],
}

/** The column of a field that answers a kind of question best. Throws Problem field-unknown, or invalid when none can. */
export function columnFor(layout: Layout, field: string, purpose: keyof typeof PREFERENCE): Column {
  const columns = layout.fields.get(field)
  if (!columns) throw new Problem('field-unknown', { errors: [{ path: field, code: 'field-unknown' }] })
  for (const use of PREFERENCE[purpose]) {
    const found = columns.find((column) => column.use === use)
    if (found) return found
  }
  throw invalid(field, 'op-not-supported')
}

function declared(field: string, op: LensOp, value: unknown, { layout, binder }: Context): string {
  const purpose = op === 'contains' || op === 'startsWith' || op === 'endsWith' ? 'match' : op === 'eq' || op === 'ne' || op === 'in' ? 'same' : 'order'
  const column = op === 'isEmpty' ? anyColumn(layout, field) : columnFor(layout, field, purpose)
  return binder.guarded(column, () => comparison({ field, sql: column.sql, type: column.type, many: column.many, form: formOf(column) }, op, value, binder))
}

function formOf({ use }: Column): 'sort' | 'normal' | 'raw' {
  return use === 'sort' ? 'sort' : use === 'plain' ? 'raw' : 'normal'
}

/** For emptiness even the last four digits will do, but the text itself is surer: a phone of three digits has no tail. */
function anyColumn(layout: Layout, field: string): Column {
  const columns = layout.fields.get(field)
  const column = columns?.find(({ use }) => use === 'plain' || use === 'exact' || use === 'text') ?? columns?.[0]
  if (!column) throw new Problem('field-unknown', { errors: [{ path: field, code: 'field-unknown' }] })
  return column
}

export function isCustom(layout: Layout, field: string): boolean {
  return field.startsWith(CUSTOM_PREFIX) && !layout.fields.has(field)
}

const HAS_VALUE = '(text IS NOT NULL OR number IS NOT NULL)'

/** A custom field is rows of (row, field, value); the comparison holds when it holds for one of them. */
function custom(field: string, op: LensOp, value: unknown, { layout, binder }: Context): string {
  const list: unknown[] = op === 'in' && Array.isArray(value) ? value : []
  if (list.some(isBlank)) {
    const rest = list.filter((each) => !isBlank(each))
    return `(${custom(field, 'isEmpty', true, { layout, binder, guarded: false })} OR ${custom(field, 'in', rest, { layout, binder, guarded: false })})`
  }
  const rows = `SELECT "row" FROM ${layout.customTable} WHERE field = ${binder.text(field.slice(CUSTOM_PREFIX.length))}`
  if (op === 'isEmpty') return `${ID} ${value === false ? '' : 'NOT '}IN (${rows} AND ${HAS_VALUE})`
  if (op === 'between' && Array.isArray(value) && value.every(isBlank)) return `${ID} IN (${rows} AND ${HAS_VALUE})`
  if ((op === 'eq' || op === 'ne') && isBlank(value)) return `${ID} ${op === 'eq' ? 'NOT ' : ''}IN (${rows} AND ${HAS_VALUE})`
  // Flags are kept as 0 and 1.
  if (typeof value === 'boolean') return custom(field, op, Number(value), { layout, binder, guarded: false })
  const numeric = typeof (Array.isArray(value) ? value.find((each: unknown) => each !== null) : value) === 'number'
  const target = { field, sql: numeric ? 'number' : 'text', type: numeric ? 'integer' : 'text', many: false, form: 'normal' } as const
  const test = comparison(target, op === 'ne' ? 'eq' : op, value, binder)
  return `${ID} ${op === 'ne' ? 'NOT ' : ''}IN (${rows} AND ${test})`
}

function isBlank(value: unknown): boolean {
  return value === null || value === undefined || (typeof value === 'string' && normalise(value) === '')
}
