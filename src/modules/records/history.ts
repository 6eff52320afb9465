import { Problem, type Json } from '../../kernel/base/index.ts'
import type { Entity } from '../../kernel/entity/index.ts'
import type { TimelineEntry } from '../../kernel/ledger/types.ts'
import type { Desk, Reading } from '../../kernel/work/types.ts'
import { checkReveal, mayOn, revealValues, rightsOf, rowCondition, type Rights } from '../access/index.ts'
import { openOne } from './open.ts'
import type { RecordsDeps, Slice } from './slice.ts'

export interface TimelineItem {
  id: string
  at: string
  actorId: string | null
  action: string
  changes?: Record<string, { from: Json; to: Json } | 'changed'>
}

interface Kept {
  changes?: Record<string, { from: Json; to: Json }>
}

/** History passes the same gate as the record: a hidden field's change is left out, a masked one says only that it changed. */
function visibleChanges(rights: Rights, detail: Json | null): TimelineItem['changes'] | undefined {
  const changes = (detail as Kept | null)?.changes // written by changeRecord, opened with the subject's key
  if (!changes) return undefined
  const out: NonNullable<TimelineItem['changes']> = {}
  for (const [name, change] of Object.entries(changes)) {
    const seen = rights.fields.get(name)
    if (seen) out[name] = seen.right === 'masked' ? 'changed' : change
  }
  return out
}

const LIMIT = 50

export async function timelineOf(reading: Reading, deps: RecordsDeps, slice: Slice, id: string, cursor: string | undefined): Promise<{ items: TimelineItem[]; nextCursor: string | null }> {
  const { entity } = slice
  const { key } = await openOne(reading, slice, id, rowCondition(reading.actor, entity, 'read'))
  const entries = await reading.ledger.timeline({ kind: entity.name, id }, { limit: LIMIT, ...(cursor === undefined ? {} : { beforeId: cursor }) })
  reading.record({ action: `${entity.name}.history-read`, object: { kind: entity.name, id }, subjects: [key], purpose: 'view' })
  const rights = rightsOf(entity, reading.actor, deps.customFields(entity.name))
  const last = entries.at(-1)
  return { items: entries.map((e) => itemOf(rights, e)), nextCursor: entries.length === LIMIT && last ? last.id : null }
}

function itemOf(rights: Rights, e: TimelineEntry): TimelineItem {
  const changes = visibleChanges(rights, e.detail)
  return { id: e.id, at: e.at, actorId: e.actorId, action: e.action, ...(changes ? { changes } : {}) }
}

export interface Relation {
  entity: string
  id: string
  field: string
  direction: 'to' | 'from'
}

function linksOf(entity: Entity): [string, string][] {
  return Object.entries(entity.fields).flatMap(([name, f]) => (f.ref ? [[name, f.ref.entity] as [string, string]] : []))
}

/** Linked records in both directions, only those the actor may see. */
export async function relationsOf(reading: Reading, deps: RecordsDeps, slice: Slice, id: string): Promise<{ items: Relation[] }> {
  const { entity } = slice
  const { record, key } = await openOne(reading, slice, id, rowCondition(reading.actor, entity, 'read'))
  const items: Relation[] = []
  for (const [field, target] of linksOf(entity)) {
    const other = deps.slices.get(target)
    const otherId = record[field]
    if (!other || typeof otherId !== 'string') continue
    if (await other.store.find(reading.sql, otherId, rowCondition(reading.actor, other.entity, 'read'))) items.push({ entity: target, id: otherId, field, direction: 'to' })
  }
  for (const other of deps.slices.values()) {
    for (const [field, target] of linksOf(other.entity)) {
      if (target !== entity.name) continue
      const rows = await other.store.page(reading.sql, { scope: rowCondition(reading.actor, other.entity, 'read'), where: { field, op: 'eq', value: id }, limit: 200 })
      items.push(...rows.map((r): Relation => ({ entity: other.entity.name, id: r.id, field, direction: 'from' })))
    }
  }
  reading.record({ action: `${entity.name}.relations-read`, object: { kind: entity.name, id }, subjects: [key], purpose: 'view' })
  return { items }
}

export async function whyOf(reading: Reading, deps: RecordsDeps, slice: Slice, id: string, personId: string): Promise<object> {
  const { record, key } = await openOne(reading, slice, id, rowCondition(reading.actor, slice.entity, 'read'))
  const explained = await deps.explain(reading.sql, personId, slice.entity, record)
  if (!explained) throw new Problem('not-found')
  reading.record({ action: `${slice.entity.name}.access-explained`, object: { kind: slice.entity.name, id }, subjects: [key], purpose: 'view', detail: { personId } })
  return explained
}

/** Shows masked values, with a reason that is kept sealed beside the event. */
export async function revealFields(desk: Desk, deps: RecordsDeps, slice: Slice, id: string, fields: readonly string[], reason: string): Promise<{ values: Record<string, unknown> }> {
  const { entity } = slice
  const seen = checkReveal(entity, fields, desk.actor, deps.customFields(entity.name))
  const { record, key } = await openOne(desk, slice, id, rowCondition(desk.actor, entity, 'read'))
  if (!mayOn(entity, 'read', record, desk.actor)) throw new Problem('not-found')
  desk.record({ action: `${entity.name}.revealed`, object: { kind: entity.name, id }, subjects: [key], purpose: 'reveal', detail: { fields: seen.map((f) => f.name), reason } })
  return { values: revealValues(record, seen) }
}

