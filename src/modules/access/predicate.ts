import type { AnyRecord, Entity, PlainColumn } from '../../kernel/entity/index.ts'
import type { Condition, Linked, LensOp } from '../../kernel/lens/types.ts'

/**
 * The closed predicate language: a Condition over plain columns only. It has two truth values: a comparison with an
 * empty value is false, and `not` of it is true. JS, SQL and the lens must agree; predicate.test.ts holds them to it.
 */
export type Leaf = { field: string; op: LensOp; value?: unknown }

export const NONE: Condition = { or: [] }
export const ALL: Condition = { and: [] }

type Kind = PlainColumn['kind']

const OPS: Record<Kind, readonly LensOp[]> = {
  uuid: ['eq', 'ne', 'in', 'isEmpty'],
  enumeration: ['eq', 'ne', 'in', 'isEmpty'],
  flag: ['eq', 'ne', 'isEmpty'],
  time: ['eq', 'ne', 'in', 'lt', 'lte', 'gt', 'gte', 'between', 'isEmpty'],
}

const ID: PlainColumn = { field: 'id', column: 'id', kind: 'uuid' }
/** Columns every table declares NOT NULL. */
const FILLED = new Set(['id', 'createdAt', 'updatedAt', 'ownerId', 'departmentId'])

export function plainColumn(entity: Entity, field: string): PlainColumn | undefined {
  return field === 'id' ? ID : entity.plain.find((c) => c.field === field)
}

/** Microsecond form, the one the database layer reads: the order of the texts is the order of the times. */
export function instantText(value: string): string {
  const exact = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?Z$/.exec(value)
  if (exact) return `${exact[1]}.${(exact[2] ?? '').padEnd(6, '0')}Z`
  return new Date(value).toISOString().replace('Z', '000Z')
}

function columnFor(entity: Entity, leaf: Leaf): PlainColumn {
  const column = plainColumn(entity, leaf.field)
  // A policy is ours, not the caller's: a slip in it is a fault of the program and must not read as "no rows" or "all rows".
  if (!column) throw new Error(`predicate on ${entity.name}: ${leaf.field} is not a plain column`)
  if (!OPS[column.kind].includes(leaf.op)) throw new Error(`predicate on ${entity.name}: ${leaf.op} does not fit ${leaf.field}`)
  return column
}

const canonical = (kind: Kind, value: unknown): string | boolean => {
  if (kind === 'flag') return value === true
  const text = String(value)
  return kind === 'time' ? instantText(text) : kind === 'uuid' ? text.toLowerCase() : text
}

const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [])

/** What a leaf compares with, in canonical form and the order of its operands. */
const operands = (kind: Kind, leaf: Leaf): (string | boolean)[] =>
  leaf.op === 'isEmpty' ? [] : (leaf.op === 'in' || leaf.op === 'between' ? listOf(leaf.value) : [leaf.value]).map((v) => canonical(kind, v))

type Check = (record: Readonly<Record<string, unknown>>) => boolean

function compare(op: LensOp, v: string | boolean, wanted: readonly (string | boolean)[]): boolean {
  const [a, b] = wanted
  if (op === 'in') return wanted.includes(v)
  if (a === undefined) return false
  if (op === 'eq') return v === a
  if (op === 'lt') return v < a
  if (op === 'lte') return v <= a
  if (op === 'gt') return v > a
  if (op === 'gte') return v >= a
  return op === 'between' && b !== undefined && v >= a && v <= b
}

function leafCheck(entity: Entity, leaf: Leaf): Check {
  const { field, kind } = columnFor(entity, leaf)
  const wanted = operands(kind, leaf)
  if (leaf.op === 'isEmpty') return (r) => (r[field] ?? null) === null
  if (leaf.op === 'ne') {
    const not = leafCheck(entity, { ...leaf, op: 'eq' })
    return (r) => !not(r)
  }
  return (r) => {
    const v = r[field] ?? null
    return v !== null && compare(leaf.op, canonical(kind, v), wanted)
  }
}

/** Whether a record's link holds; only the caller can know, who has the record it leads to or knows that it was looked at. */
export type LinkCheck = (link: Linked, record: Readonly<Record<string, unknown>>) => boolean

/** Without an answer to a link there is no check: a slip must not read as "no rows" or "all rows". */
const noLinks: LinkCheck = ({ linked }) => {
  throw new Error(`predicate: ${linked} cannot be followed here`)
}

/** Compiles to the check of one record. */
export function toCheck(entity: Entity, condition: Condition, links: LinkCheck = noLinks): (record: AnyRecord) => boolean {
  return check(entity, condition, links)
}

function check(entity: Entity, c: Condition, links: LinkCheck): Check {
  if ('and' in c) {
    const parts = c.and.map((p) => check(entity, p, links))
    return (r) => parts.every((p) => p(r))
  }
  if ('or' in c) {
    const parts = c.or.map((p) => check(entity, p, links))
    return (r) => parts.some((p) => p(r))
  }
  if ('not' in c) {
    const part = check(entity, c.not, links)
    return (r) => !part(r)
  }
  if ('linked' in c) return (r) => links(c, r)
  return leafCheck(entity, c)
}

export interface SqlText {
  text: string
  params: unknown[]
}

const SQL_TYPE: Record<Kind, string> = { uuid: 'uuid', enumeration: 'text', flag: 'boolean', time: 'timestamptz' }
const SQL_OP: Partial<Record<LensOp, readonly [string, string]>> = { eq: ['=', '<>'], lt: ['<', '>='], lte: ['<=', '>'], gt: ['>', '<='], gte: ['>=', '<'] }

interface Out {
  entity: Entity
  alias: string
  first: number
  params: unknown[]
}

const bind = (out: Out, value: unknown): string => `$${out.first + out.params.push(value) - 1}`

function leafSql(out: Out, leaf: Leaf, negated: boolean): string {
  const { field, column, kind } = columnFor(out.entity, leaf)
  const name = `${out.alias}${column}`
  if (leaf.op === 'isEmpty') return `${name} IS ${negated ? 'NOT ' : ''}NULL`
  if (leaf.op === 'ne') return leafSql(out, { ...leaf, op: 'eq' }, !negated)
  const type = SQL_TYPE[kind]
  const wanted = operands(kind, leaf)
  // Negation stands at the leaf, so an empty value is decided here and an index on the bare column still serves the rest.
  const orEmpty = (text: string): string => (negated && !FILLED.has(field) ? `(${text} OR ${name} IS NULL)` : text)
  if (leaf.op === 'in') return orEmpty(negated ? `${name} <> ALL (${bind(out, wanted)}::${type}[])` : `${name} = ANY (${bind(out, wanted)}::${type}[])`)
  if (leaf.op === 'between') {
    if (wanted.length < 2) return negated ? 'TRUE' : 'FALSE'
    return orEmpty(`${name} ${negated ? 'NOT ' : ''}BETWEEN ${bind(out, wanted[0])}::${type} AND ${bind(out, wanted[1])}::${type}`)
  }
  const op = SQL_OP[leaf.op]
  if (!op) throw new Error(`predicate: ${leaf.op} has no SQL form`)
  return orEmpty(`${name} ${op[negated ? 1 : 0]} ${bind(out, wanted[0])}::${type}`)
}

function sql(out: Out, c: Condition, negated: boolean): string {
  if ('not' in c) return sql(out, c.not, !negated)
  if ('and' in c || 'or' in c) {
    const parts = 'and' in c ? c.and : c.or
    const conjunction = 'and' in c !== negated
    if (parts.length === 0) return conjunction ? 'TRUE' : 'FALSE'
    return `(${parts.map((p) => sql(out, p, negated)).join(conjunction ? ' AND ' : ' OR ')})`
  }
  if ('linked' in c) return linkSql(out, c, negated)
  return leafSql(out, c, negated)
}

/** The outer column is written with its table: the inner one may have a column of that name, too. */
function linkSql(out: Out, { linked, target, where }: Linked, negated: boolean): string {
  const link = plainColumn(out.entity, linked)
  if (link?.kind !== 'uuid') throw new Error(`predicate on ${out.entity.name}: ${linked} is no link`)
  const alias = `to_${target.table}`
  const inner = sql({ entity: target, alias: `${alias}.`, first: out.first, params: out.params }, where, false)
  return `${negated ? 'NOT ' : ''}EXISTS (SELECT FROM ${target.table} ${alias} WHERE ${alias}.id = ${out.alias || `${out.entity.table}.`}${link.column} AND ${alias}.deleted_at IS NULL AND ${inner})`
}

/**
 * Compiles to a SQL condition with bound parameters. `firstParam` is the number of its first one; `alias` names the
 * table in the statement. Column names come from the entity, never from the condition.
 */
export function toSql(entity: Entity, condition: Condition, firstParam = 1, alias?: string): SqlText {
  const out: Out = { entity, alias: alias ? `${alias}.` : '', first: firstParam, params: [] }
  return { text: sql(out, condition, false), params: out.params }
}
