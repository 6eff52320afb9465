import { textsOf, type AnyRecord, type Entity, type Field, type MoneyValue } from '../../kernel/entity/index.ts'
import { normalise } from '../../kernel/lens/index.ts'
import type { Condition, LensOp } from '../../kernel/lens/types.ts'

type Value = string | number | boolean

/** What a field holds, each value as it is compared: texts normalised, times and days as they are, amounts by their minor units. */
function valuesOf(entity: Entity, record: AnyRecord, field: string): Value[] {
  if (field.startsWith('custom.')) return comparable(record.custom[field.slice(7)])
  const f: Field | undefined = entity.fields[field]
  if (!f) return comparable(record[field])
  if (f.kind === 'money') return comparable((record[field] as MoneyValue | null)?.minor)
  if (f.kind === 'number' || f.kind === 'flag' || f.kind === 'time') return comparable(record[field])
  return textsOf(f, record[field]).map(normalise).filter(Boolean)
}

const comparable = (v: unknown): Value[] => (typeof v === 'string' ? [normalise(v)].filter(Boolean) : typeof v === 'number' || typeof v === 'boolean' ? [v] : [])

const form = (v: unknown): Value | null => comparable(v)[0] ?? null

/** Times may be written in several ways and still be the same. */
const isTime = (v: Value): v is string => typeof v === 'string' && /^\d{4}-\d\d-\d\dt\d\d:/.test(v)
const asNumber = (v: Value, w: Value): [Value, Value] => (isTime(v) || isTime(w) ? [Date.parse(String(v).toUpperCase()), Date.parse(String(w).toUpperCase())] : [v, w])

function compare(op: LensOp, held: Value, asked: Value): boolean {
  const [v, w] = asNumber(held, asked)
  if (op === 'eq') return v === w
  if (typeof v !== typeof w) return false
  if (op === 'lt') return v < w
  if (op === 'lte') return v <= w
  if (op === 'gt') return v > w
  if (op === 'gte') return v >= w
  const [text, part] = [String(v), String(w)]
  return op === 'contains' ? text.includes(part) : op === 'startsWith' ? text.startsWith(part) : op === 'endsWith' && text.endsWith(part)
}

const listOf = (v: unknown): unknown[] => (Array.isArray(v) ? v : [])

function leaf(values: readonly Value[], op: LensOp, value: unknown): boolean {
  if (op === 'isEmpty') return (values.length === 0) === (value !== false)
  if (op === 'ne') return !leaf(values, 'eq', value)
  if (op === 'in') return listOf(value).some((each) => leaf(values, 'eq', each))
  if (op === 'between') {
    const [low, high] = listOf(value).map(form)
    return values.some((v) => (low === null || low === undefined || compare('gte', v, low)) && (high === null || high === undefined || compare('lte', v, high)))
  }
  const asked = form(value)
  return asked === null ? op === 'eq' && values.length === 0 : values.some((v) => compare(op, v, asked))
}

/** Whether a condition, checked by the gate when it was written, holds for a record: the same language as a search, of one opened record. Of a field that is no more it does not hold. */
export function matches(entity: Entity, c: Condition, record: AnyRecord): boolean {
  if ('and' in c) return c.and.every((p) => matches(entity, p, record))
  if ('or' in c) return c.or.some((p) => matches(entity, p, record))
  if ('not' in c) return !matches(entity, c.not, record)
  if ('linked' in c) return false
  return leaf(valuesOf(entity, record, c.field), c.op, c.value)
}
