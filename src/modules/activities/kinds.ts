import { Problem } from '../../kernel/base/index.ts'
import type { AnyRecord } from '../../kernel/entity/index.ts'
import { Activity, type ActivityKind, type Recurrence } from './activities.entity.ts'
import { anchorOf } from './recurrence.ts'

/** What every kind has. */
const COMMON = ['recordKind', 'recordId', 'kind', 'title', 'body', 'contactIds', 'at'] as const

/** What else fits a kind; anything else must be empty. */
const OWN: Record<ActivityKind, readonly string[]> = {
  note: [],
  mail: ['outcome'],
  call: ['outcome', 'endsAt'],
  meeting: ['outcome', 'endsAt', 'doneAt', 'remindAt', 'assigneeId'],
  task: ['outcome', 'dueAt', 'doneAt', 'remindAt', 'assigneeId', 'recurrence', 'nextId'],
}

const isFilled = (v: unknown): boolean => v !== null && v !== undefined && !(Array.isArray(v) && v.length === 0)

export const kindOf = (record: AnyRecord): ActivityKind => record['kind'] as ActivityKind // one of the enumeration: the schema and the column's check say so

export const recurrenceOf = (record: AnyRecord): Recurrence | null => (record['recurrence'] as Recurrence | null) ?? null // parsed by the entity's own schema

const textOf = (v: unknown): string | null => (typeof v === 'string' ? v : null)

function faultsOf(record: AnyRecord): { path: string; code: string }[] {
  const fits = new Set<string>([...COMMON, ...OWN[kindOf(record)]])
  const faults = Object.keys(Activity.fields).filter((f) => !fits.has(f) && isFilled(record[f])).map((path) => ({ path, code: 'not-of-kind' }))
  const [at, endsAt] = [textOf(record['at']), textOf(record['endsAt'])]
  if (endsAt !== null && at !== null && Date.parse(endsAt) < Date.parse(at)) faults.push({ path: 'endsAt', code: 'before-start' })
  if (recurrenceOf(record) !== null && textOf(record['dueAt']) === null) faults.push({ path: 'dueAt', code: 'required' })
  return faults
}

/** The day of the month moves with the due day, unless it was given by itself. */
function anchored(before: AnyRecord | null, next: AnyRecord, zone: string): Recurrence | null {
  const rule = recurrenceOf(next)
  const due = textOf(next['dueAt'])
  if (rule === null || due === null) return rule
  if (rule.every !== 'month' && rule.every !== 'year') return { ...rule, day: null }
  const moved = before !== null && before['dueAt'] !== due && (recurrenceOf(before)?.day ?? null) === (rule.day ?? null)
  return { ...rule, day: moved ? anchorOf(due, zone) : (rule.day ?? anchorOf(due, zone)) }
}

/** An activity as its kind has it. Throws Problem invalid: `not-of-kind`, `before-start`, `required`. */
export function ofKind(before: AnyRecord | null, next: AnyRecord, zone: string, now: string): AnyRecord {
  const at = before === null && kindOf(next) !== 'task' ? (next['at'] ?? now) : next['at']
  const out: AnyRecord = { ...next, at }
  const faults = faultsOf(out)
  if (faults.length > 0) throw new Problem('invalid', { errors: faults })
  return { ...out, recurrence: anchored(before, out, zone) }
}
