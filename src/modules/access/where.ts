import { isUuid, Problem } from '../../kernel/base/index.ts'
import { isInstant, type CustomFieldWords, type Entity } from '../../kernel/entity/index.ts'
import type { Condition, LensOp } from '../../kernel/lens/types.ts'
import type { Actor } from '../../kernel/work/types.ts'
import { plainColumn, type Leaf } from './predicate.ts'
import { conceals, rightsOf, type Rights, type SeenField } from './rights.ts'

const MOST_DEPTH = 8
const MOST_LEAVES = 100
const MOST_VALUES = 1_000
/** A masked field answers "is it exactly this?"; a long list would be a dictionary. */
const MOST_MASKED_VALUES = 10
const MOST_TEXT = 1_000
const MOST_SORT = 5

type Shape = 'uuid' | 'word' | 'flag' | 'time' | 'day' | 'number' | 'text' | 'exact' | 'tail' | 'shown' | 'sealed' | null

const EQUAL = ['eq', 'ne', 'in', 'isEmpty'] as const
const ORDER = ['lt', 'lte', 'gt', 'gte', 'between'] as const
const PART = ['contains', 'startsWith', 'endsWith'] as const

const OPS: Record<Exclude<Shape, null>, readonly LensOp[]> = {
  uuid: EQUAL,
  word: EQUAL,
  flag: ['eq', 'ne', 'isEmpty'],
  time: [...EQUAL, ...ORDER],
  day: [...EQUAL, ...ORDER],
  number: [...EQUAL, ...ORDER],
  text: [...EQUAL, ...PART],
  exact: EQUAL,
  tail: [...EQUAL, 'endsWith'],
  shown: [...EQUAL, ...PART],
  sealed: ['eq', 'in'],
}

function customShape(words: CustomFieldWords): Shape {
  if (words.find.length === 0) return null
  if (words.class === 'sensitive') return words.find.includes('exact') ? 'sealed' : null
  if (words.type === 'number') return 'number'
  if (words.type === 'flag') return 'flag'
  if (words.type === 'date') return 'time'
  return words.find.includes('text') ? 'text' : 'exact'
}

/** How a field can be asked for; null: shown, but not found by. */
function shapeOf(entity: Entity, seen: SeenField): Shape {
  if (seen.custom) return customShape(seen.custom)
  const f = seen.field
  if (!f) return plainColumn(entity, seen.name)?.kind === 'time' ? 'time' : seen.name === 'version' ? null : 'uuid'
  if (f.class === 'sensitive') return f.find.includes('exact') ? 'sealed' : null
  if (f.kind === 'ref' && f.ref?.show) return 'shown'
  if (!plainColumn(entity, seen.name) && f.find.length === 0) return null
  if (f.kind === 'ref' || f.kind === 'id') return 'uuid'
  if (f.kind === 'oneOf') return 'word'
  if (f.kind === 'date') return 'day'
  if (f.kind === 'money') return 'number'
  if (f.kind === 'flag' || f.kind === 'time' || f.kind === 'number') return f.kind
  if (f.find.includes('text')) return 'text'
  return f.find.includes('tail4') ? 'tail' : f.find.includes('exact') ? 'exact' : null
}

const bad = (path: string, code: string): Problem => new Problem('invalid', { errors: [{ path, code }] })

/** Hidden and unknown are answered alike. The name is the caller's word and is not repeated. */
const unknown = (path: string): Problem => new Problem('field-unknown', { errors: [{ path, code: 'field-unknown' }] })

const isText = (v: unknown): v is string => typeof v === 'string' && v.length <= MOST_TEXT

function valueFits(shape: Shape, op: LensOp, seen: SeenField, v: unknown): boolean {
  if ((PART as readonly string[]).includes(op)) return isText(v) && v.trim() !== ''
  if (shape === 'uuid' || shape === 'shown') return typeof v === 'string' && isUuid(v.toLowerCase())
  if (shape === 'word') return isText(v) && (seen.field?.values?.includes(v) ?? false)
  if (shape === 'flag') return typeof v === 'boolean'
  if (shape === 'number') return typeof v === 'number' && Number.isFinite(v)
  if (shape === 'day') return isText(v) && /^\d{4}-\d\d-\d\d$/.test(v) && !Number.isNaN(Date.parse(v))
  if (shape === 'time') return isText(v) && /^\d{4}-\d\d-\d\d/.test(v) && !Number.isNaN(Date.parse(v)) && isInstant(new Date(v).toISOString())
  return (isText(v) && v !== '') || (seen.custom !== null && typeof v === 'number')
}

function normal(shape: Shape, seen: SeenField, v: unknown): unknown {
  if (shape === 'uuid' || (shape === 'shown' && isUuid(String(v).toLowerCase()))) return String(v).toLowerCase()
  // A custom date stays as the administrator's form has it; a time of ours gets the one form the columns have.
  return shape === 'time' && !seen.custom ? new Date(String(v)).toISOString() : v
}

/** `contains` and sorting through a link look at the target's field, so they need the right to that field too. */
function mayShow(seen: SeenField, actor: Pick<Actor, 'grants'>): boolean {
  const ref = seen.field?.ref
  if (!ref?.show) return true
  const right = actor.grants.field(ref.entity, ref.show)
  return right === 'read' || right === 'edit'
}

class WhereCheck {
  leaves = 0
  maskedMatches = 0
  /** Some comparison asks for what is concealed in a pool. */
  concealed = false
  readonly #rights: Rights
  readonly #actor: Pick<Actor, 'grants'>

  constructor(rights: Rights, actor: Pick<Actor, 'grants'>) {
    this.#rights = rights
    this.#actor = actor
  }

  node(c: unknown, depth: number, path: string): Condition {
    if (depth > MOST_DEPTH) throw bad(path, 'too-deep')
    if (typeof c !== 'object' || c === null || Array.isArray(c)) throw bad(path, 'condition-invalid')
    const keys = Object.keys(c)
    const only = keys.length === 1 ? keys[0] : null
    const inner = (c as Record<string, unknown>)[only ?? ''] // an own key of the object, or undefined
    if (only === 'not') return { not: this.node(inner, depth + 1, `${path}.not`) }
    if ((only === 'and' || only === 'or') && Array.isArray(inner)) {
      if (inner.length > MOST_LEAVES) throw bad(path, 'too-many')
      const parts = inner.map((p, i) => this.node(p, depth + 1, `${path}.${only}.${i}`))
      return only === 'and' ? { and: parts } : { or: parts }
    }
    if (!keys.includes('field') || keys.some((k) => !['field', 'op', 'value'].includes(k))) throw bad(path, 'condition-invalid')
    return this.leaf(c as Record<string, unknown>, path) // its keys were just checked
  }

  leaf(c: Record<string, unknown>, path: string): Condition {
    if (++this.leaves > MOST_LEAVES) throw bad(path, 'too-many')
    const seen = typeof c['field'] === 'string' ? this.#rights.fields.get(c['field']) : undefined
    if (!seen) throw unknown(`${path}.field`)
    this.concealed ||= conceals(this.#rights.entity, seen)
    const shape = shapeOf(this.#rights.entity, seen)
    const op = c['op'] as LensOp // looked up in the closed list of the shape below
    if (!shape) throw bad(`${path}.field`, 'not-searchable')
    if (!OPS[shape].includes(op)) throw bad(`${path}.op`, 'op-invalid')
    if (seen.right === 'masked' && op !== 'eq' && op !== 'in') throw bad(`${path}.op`, 'masked')
    if ((PART as readonly string[]).includes(op) && !mayShow(seen, this.#actor)) throw unknown(`${path}.field`)
    if (op === 'isEmpty') return this.#empty(seen.name, c['value'], path)
    return this.#compare({ field: seen.name, op, value: c['value'] }, seen, shape, path)
  }

  #empty(field: string, value: unknown, path: string): Condition {
    if (value !== undefined && typeof value !== 'boolean') throw bad(`${path}.value`, 'value-invalid')
    return value === false ? { not: { field, op: 'isEmpty' } } : { field, op: 'isEmpty' }
  }

  #compare(leaf: Leaf, seen: SeenField, shape: Shape, path: string): Condition {
    const several = leaf.op === 'in' || leaf.op === 'between'
    if (several !== Array.isArray(leaf.value)) throw bad(`${path}.value`, 'value-invalid')
    const values = several ? (leaf.value as unknown[]) : [leaf.value] // an array by the line above
    if (leaf.op === 'between' && values.length !== 2) throw bad(`${path}.value`, 'value-invalid')
    if (values.length > (seen.right === 'masked' ? MOST_MASKED_VALUES : MOST_VALUES)) throw bad(`${path}.value`, 'too-many')
    if (!values.every((v) => valueFits(shape, leaf.op, seen, v))) throw bad(`${path}.value`, 'value-invalid')
    if (seen.right === 'masked') this.maskedMatches += values.length
    const normalised = values.map((v) => normal(shape, seen, v))
    return { ...leaf, value: several ? normalised : normalised[0] }
  }
}

export interface CheckedWhere {
  where: Condition
  /** Values compared with a masked field: the caller's rate limit counts them. */
  maskedMatches: number
}

/** Whoever asks for what is concealed gets no record that conceals it, whatever else is asked: neither a match nor its absence tells anything. */
function exposedOnly(entity: Entity, where: Condition): Condition {
  const exposed: Condition = { field: entity.conceal!.while, op: 'isEmpty' }
  return { and: 'and' in where ? [...where.and, exposed] : [where, exposed] }
}

/** Checks a condition a caller sent and says how much it asks of masked fields. Throws Problem field-unknown or invalid. */
export function checkWhereCounting(entity: Entity, where: unknown, actor: Pick<Actor, 'grants'>, custom?: readonly CustomFieldWords[]): CheckedWhere {
  const check = new WhereCheck(rightsOf(entity, actor, custom), actor)
  const checked = check.node(where, 1, 'where')
  return { where: check.concealed ? exposedOnly(entity, checked) : checked, maskedMatches: check.maskedMatches }
}

export function checkWhere(entity: Entity, where: unknown, actor: Pick<Actor, 'grants'>, custom?: readonly CustomFieldWords[]): Condition {
  return checkWhereCounting(entity, where, actor, custom).where
}

function sortable(entity: Entity, seen: SeenField): boolean {
  if (seen.custom) return seen.custom.class !== 'sensitive' && seen.custom.find.length > 0
  if (plainColumn(entity, seen.name)) return true
  return seen.field !== null && (seen.field.find.includes('sort') || Boolean(seen.field.ref?.show))
}

export interface SortTerm {
  field: string
  direction: 'asc' | 'desc'
}

export function checkSort(entity: Entity, sort: readonly SortTerm[], actor: Pick<Actor, 'grants'>, custom?: readonly CustomFieldWords[]): SortTerm[] {
  const rights = rightsOf(entity, actor, custom)
  if (sort.length > MOST_SORT) throw bad('sort', 'too-many')
  return sort.map(({ field, direction }, i) => {
    const seen = rights.fields.get(field)
    if (!seen || !mayShow(seen, actor)) throw unknown(`sort.${i}.field`)
    if (seen.right === 'masked') throw bad(`sort.${i}.field`, 'masked')
    if (!sortable(entity, seen)) throw bad(`sort.${i}.field`, 'not-sortable')
    return { field: seen.name, direction }
  })
}

/** The fields a caller wants shown, exported or grouped by, without repeats. A masked one is allowed only where `masked` says so (showing). */
export function checkFields(entity: Entity, fields: readonly string[], actor: Pick<Actor, 'grants'>, custom?: readonly CustomFieldWords[]): string[] {
  const rights = rightsOf(entity, actor, custom)
  return [...new Set(fields)].map((name, i) => {
    if (name !== 'custom' && !rights.fields.has(name)) throw unknown(`fields.${i}`)
    return name
  })
}
