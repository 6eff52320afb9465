import { isUuid } from '../base/index.ts'
import type { Binder } from './binder.ts'
import { sortKey } from './pinyin.ts'
import { invalid } from './problems.ts'
import { normalise, VALUE_MARK } from './text.ts'
import type { LensOp } from './types.ts'

/** What a comparison reads: an expression and what is in it. */
export interface Target {
  readonly field: string
  readonly sql: string
  readonly type: 'text' | 'uuid' | 'integer' | 'time' | 'boolean'
  /** Stored with VALUE_MARK around every value; a comparison holds when it holds for one of them. */
  readonly many: boolean
  /** How its texts were made, and what they are compared with must be made: sort keys, normalised, or as they are (enumerations). */
  readonly form: 'sort' | 'normal' | 'raw'
}

type Scalar = string | number | boolean

const MARK = `chr(${VALUE_MARK.charCodeAt(0)})`
const ORDER: Readonly<Partial<Record<LensOp, string>>> = { lt: '<', lte: '<=', gt: '>', gte: '>=' }
const ISO_DATE = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.(\d{1,9}))?)?(?:Z|[+-]\d\d:\d\d))?$/i
// Up to here a list of constants is faster than a join with an unnested parameter, because it can skip row groups.
const SHORT_LIST = 8

/** One comparison as SQL. NULL (an empty field) may come out as NULL, except from eq, ne and isEmpty. Throws Problem invalid. */
export function comparison(target: Target, op: LensOp, value: unknown, binder: Binder): string {
  switch (op) {
    case 'isEmpty':
      return `${target.sql} IS ${value === false ? 'NOT ' : ''}NULL`
    case 'eq':
      return equals(target, scalar(target, value), binder)
    case 'ne':
      return `NOT coalesce(${equals(target, scalar(target, value), binder)}, FALSE)`
    case 'in':
      return oneOf(target, value, binder)
    case 'between':
      return between(target, value, binder)
    case 'contains':
    case 'startsWith':
    case 'endsWith':
      return partOf(target, op, value, binder)
    default:
      return ordered(target, ORDER[op] ?? '', value, binder)
  }
}

/** The comparable form of a value; null for an empty one. Throws Problem invalid when it does not fit the column. */
function scalar(target: Target, value: unknown): Scalar | null {
  if (value === null || value === undefined) return null
  if (target.type === 'text' && typeof value === 'string') return (target.form === 'sort' ? sortKey(value) : target.form === 'raw' ? value : normalise(value)) || null
  if (target.type === 'uuid' && typeof value === 'string' && isUuid(value.toLowerCase())) return value.toLowerCase()
  if (target.type === 'boolean' && typeof value === 'boolean') return value
  if ((target.type === 'integer' || target.type === 'time') && typeof value === 'number' && Number.isFinite(value)) return target.type === 'time' ? 1000 * value : value
  if (target.type === 'time' && typeof value === 'string') {
    const at = micros(value)
    if (at !== null) return at
  }
  throw invalid(target.field, 'value-type')
}

/** Microseconds since 1970, PostgreSQL's resolution, of an ISO 8601 date or time; null when it is neither. A date alone is midnight UTC. */
export function micros(text: string): number | null {
  if ((text.length === PG_LENGTH || text.length === RECORD_LENGTH) && CANONICAL.every(([at, mark]) => text[at] === mark) && text.endsWith('Z')) return canonical(text)
  const parts = ISO_DATE.exec(text)
  const at = parts ? Date.parse(text) : Number.NaN
  return Number.isNaN(at) ? null : 1000 * at + Number((parts?.[1] ?? '').slice(3, 6).padEnd(3, '0'))
}

const CANONICAL = [[4, '-'], [7, '-'], [10, 'T'], [13, ':'], [16, ':'], [19, '.']] as const
const PG_LENGTH = '2026-01-01T00:00:00.000000Z'.length
const RECORD_LENGTH = '2026-01-01T00:00:00.000Z'.length

/** The forms of the database layer and of records, of which a filling reads three a row. */
function canonical(text: string): number | null {
  const at = 1000 * Date.parse(text) + (text.length === PG_LENGTH ? Number(text.slice(23, 26)) : 0)
  return Number.isNaN(at) ? null : at
}

function bind(target: Target, value: Scalar, binder: Binder): string {
  if (typeof value === 'number') return binder.number(value)
  if (typeof value === 'boolean') return binder.boolean(value)
  return target.type === 'uuid' && !target.many ? binder.uuid(value) : binder.text(value)
}

function equals(target: Target, value: Scalar | null, binder: Binder): string {
  if (value === null) return `${target.sql} IS NULL`
  if (target.many) return `contains(${target.sql}, ${binder.text(`${VALUE_MARK}${value}${VALUE_MARK}`)})`
  return `${target.sql} = ${bind(target, value, binder)}`
}

function oneOf(target: Target, value: unknown, binder: Binder): string {
  if (!Array.isArray(value)) throw invalid(target.field, 'value-type')
  const all = value.map((each: unknown) => scalar(target, each))
  const present = [...new Set(all.filter((each) => each !== null))]
  const tests = [...(all.includes(null) ? [`${target.sql} IS NULL`] : []), ...(present.length > 0 ? [membership(target, present, binder)] : [])]
  return tests.length === 0 ? 'FALSE' : `(${tests.join(' OR ')})`
}

function membership(target: Target, values: readonly Scalar[], binder: Binder): string {
  if (target.many) return `list_has_any(string_split(${target.sql}, ${MARK}), ${binder.texts(values.map(String))})`
  if (values.length <= SHORT_LIST) return `${target.sql} IN (${values.map((value) => bind(target, value, binder)).join(', ')})`
  const type = target.type === 'text' ? 'VARCHAR' : target.type === 'uuid' ? 'UUID' : target.type === 'boolean' ? 'BOOLEAN' : 'DOUBLE'
  return `${target.sql} IN (SELECT unnest(${binder.texts(values.map(String))})::${type})`
}

function between(target: Target, value: unknown, binder: Binder): string {
  if (!Array.isArray(value) || value.length !== 2) throw invalid(target.field, 'value-type')
  const ends: unknown[] = value
  const tests = ends.flatMap((end, at) => {
    const bound = boundary(target, end, binder)
    return bound === null ? [] : [`${at === 0 ? '>=' : '<='} ${bound}`]
  })
  if (tests.length === 0) return `${target.sql} IS NOT NULL`
  return inSomeValue(target, (sql) => tests.map((test) => `${sql} ${test}`).join(' AND '))
}

function ordered(target: Target, sign: string, value: unknown, binder: Binder): string {
  const bound = boundary(target, value, binder)
  // Nothing is before or after nothing.
  return bound === null ? 'FALSE' : inSomeValue(target, (sql) => `${sql} ${sign} ${bound}`)
}

function boundary(target: Target, value: unknown, binder: Binder): string | null {
  if (target.type === 'uuid' || target.type === 'boolean') throw invalid(target.field, 'op-not-supported')
  const bound = scalar(target, value)
  return bound === null ? null : bind(target, bound, binder)
}

/** Applies a test to the value, or to each value of a `many` column in turn. */
function inSomeValue(target: Target, test: (sql: string) => string): string {
  if (!target.many) return `(${test(target.sql)})`
  const each = target.type === 'text' || target.type === 'uuid' ? 'x' : 'x::DOUBLE'
  return `len(list_filter(string_split(${target.sql}, ${MARK}), lambda x: x <> '' AND ${test(each)})) > 0`
}

function partOf(target: Target, op: 'contains' | 'startsWith' | 'endsWith', value: unknown, binder: Binder): string {
  if (target.type !== 'text') throw invalid(target.field, 'op-not-supported')
  const part = scalar(target, value)
  // Every text contains the empty one.
  if (part === null) return `${target.sql} IS NOT NULL`
  if (op === 'contains') return `contains(${target.sql}, ${binder.text(String(part))})`
  if (target.many) return `contains(${target.sql}, ${binder.text(op === 'startsWith' ? `${VALUE_MARK}${part}` : `${part}${VALUE_MARK}`)})`
  return `${op === 'startsWith' ? 'starts_with' : 'ends_with'}(${target.sql}, ${binder.text(String(part))})`
}
