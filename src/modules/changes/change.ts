import { isUuid } from '../../kernel/base/index.ts'
import type { Entity } from '../../kernel/entity/index.ts'
import type { TailEntry } from '../../kernel/ledger/types.ts'
import type { Condition } from '../../kernel/lens/types.ts'
import { toCheck } from '../access/index.ts'

/** An event of the ledger that changed records of one noun: a single one, or those an import made, of which it knows between which ids they lie. */
export interface Change {
  leaf: number
  at: string
  /** `contact.updated` */
  action: string
  entity: Entity
  id: string | null
  range: { from: string; to: string } | null
  /** What the event says of the values before it, by field. */
  before: Readonly<Record<string, unknown>>
}

/** Purposes and verbs of those who only looked. */
const LOOKS = new Set(['view', 'list', 'export', 'reveal', 'webhook'])
const LOOKING = new Set(['read', 'listed', 'exported', 'revealed', 'matched', 'history-read', 'relations-read', 'access-explained', 'sent'])

interface Detail {
  from?: unknown
  to?: unknown
  changes?: Record<string, { from: unknown }>
}

/** The change an event is, or null for one that only looked or is about no noun. */
export function changeOf(entry: TailEntry, nouns: ReadonlyMap<string, Entity>): Change | null {
  const [noun = '', verb = ''] = entry.action.split('.')
  const entity = nouns.get(noun)
  if (!entity || !entry.object || LOOKING.has(verb) || LOOKS.has(entry.purpose ?? '')) return null
  const detail = (entry.detail ?? {}) as Detail // written by records and imports, opened with the subject's key
  const said = { leaf: entry.leaf, at: entry.at, action: entry.action, entity }
  if (entry.object.kind === noun && entry.object.id !== null) {
    const before = Object.fromEntries(Object.entries(detail.changes ?? {}).map(([field, change]) => [field, change?.from ?? null]))
    return { ...said, id: entry.object.id, range: null, before }
  }
  const isRange = verb === 'imported' && isUuid(detail.from) && isUuid(detail.to)
  return isRange ? { ...said, id: null, range: { from: String(detail.from), to: String(detail.to) }, before: {} } : null
}

/** Whether a condition only ever says yes because of a value that is there. */
function isPositive(c: Condition): boolean {
  if ('and' in c) return c.and.every(isPositive)
  if ('or' in c) return c.or.every(isPositive)
  return 'field' in c && (c.op === 'eq' || c.op === 'in')
}

/**
 * Whether the values an event replaced put the record into `scope`: whoever has that scope saw it until then. What the event does not
 * mention counts as empty, so in doubt the answer is no, and the id of somebody else's record is not told.
 */
export function wasInside(change: Change, scope: Condition): boolean {
  if (!isPositive(scope)) return false
  const record = Object.fromEntries(change.entity.plain.map((c) => [c.field, change.before[c.field] ?? null]))
  return toCheck(change.entity, scope)(record as never) // only plain fields are asked of it
}
