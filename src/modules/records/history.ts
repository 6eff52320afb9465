import { Problem } from '../../kernel/base/index.ts'
import type { Entity } from '../../kernel/entity/index.ts'
import type { Condition } from '../../kernel/lens/types.ts'
import type { Desk, Reading } from '../../kernel/work/types.ts'
import { ALL, checkReveal, mayOn, revealValues, rightsOf, rowCondition } from '../access/index.ts'
import { openOne } from './open.ts'
import type { RecordsDeps, Slice } from './slice.ts'

export interface Relation {
  entity: string
  id: string
  field: string
  direction: 'to' | 'from'
}

function linksOf(entity: Entity): [string, string][] {
  return Object.entries(entity.fields).flatMap(([name, f]) => (f.ref ? [[name, f.ref.entity] as [string, string]] : []))
}

const MOST_LINKED = 200

/** Records whose field names this one, newest first. One id stands plain in its column; several are sealed, so the lens knows who names whom. Throws Problem lens-warming. */
async function linking(reading: Reading, other: Slice, field: string, id: string): Promise<string[]> {
  const scope = rowCondition(reading.actor, other.entity, 'read')
  const where: Condition = { field, op: 'eq', value: id }
  if (!other.entity.fields[field]?.many) return (await other.store.page(reading.sql, { scope, where, limit: MOST_LINKED })).map((r) => r.id)
  const answer = await reading.lens.search({ entity: other.entity.name, scope, where, sort: [], limit: MOST_LINKED, count: false })
  if (!answer.complete) throw new Problem('lens-warming')
  // The lens only proposes: authority stays in the database.
  return answer.ids.length === 0 ? [] : (await other.store.page(reading.sql, { scope, ids: answer.ids, limit: answer.ids.length })).map((r) => r.id)
}

/** What hangs on this record, newest first. */
async function hanging(reading: Reading, other: Slice, entity: Entity, id: string): Promise<string[]> {
  if (other.entity.about !== 'record' || !other.entity.fields['recordKind']?.values?.includes(entity.name)) return []
  const where: Condition = { and: [{ field: 'recordKind', op: 'eq', value: entity.name }, { field: 'recordId', op: 'eq', value: id }] }
  return (await other.store.page(reading.sql, { scope: rowCondition(reading.actor, other.entity, 'read'), where, limit: MOST_LINKED })).map((r) => r.id)
}

/** Linked records in both directions, only those the actor may see. */
export async function relationsOf(reading: Reading, deps: RecordsDeps, slice: Slice, id: string): Promise<{ items: Relation[] }> {
  const { entity } = slice
  const { record, key } = await openOne(reading, slice, id, rowCondition(reading.actor, entity, 'read'))
  const items: Relation[] = []
  for (const [field, target] of linksOf(entity)) {
    const other = deps.slices.get(target)
    const ids = [record[field]].flat().filter((v): v is string => typeof v === 'string')
    if (!other || ids.length === 0) continue
    const rows = await other.store.page(reading.sql, { scope: rowCondition(reading.actor, other.entity, 'read'), ids, limit: ids.length })
    items.push(...rows.map((r): Relation => ({ entity: target, id: r.id, field, direction: 'to' })))
  }
  for (const other of deps.slices.values()) {
    for (const [field, target] of linksOf(other.entity)) {
      if (target !== entity.name || !rightsOf(other.entity, reading.actor).fields.has(field)) continue
      items.push(...(await linking(reading, other, field, id)).map((r): Relation => ({ entity: other.entity.name, id: r, field, direction: 'from' })))
    }
    items.push(...(await hanging(reading, other, entity, id)).map((r): Relation => ({ entity: other.entity.name, id: r, field: 'recordId', direction: 'from' })))
  }
  reading.record({ action: `${entity.name}.relations-read`, object: { kind: entity.name, id }, subjects: [key], purpose: 'view' })
  return { items }
}

export async function whyOf(reading: Reading, deps: RecordsDeps, slice: Slice, id: string, personId: string): Promise<object> {
  const { record, key } = await openOne(reading, slice, id, rowCondition(reading.actor, slice.entity, 'read'))
  const parent = slice.entity.about === 'record' ? deps.slices.get(String(record['recordKind'])) : undefined
  const hangsOn = parent ? await openOne(reading, parent, String(record['recordId']), ALL).then((o) => o.record, () => null) : null
  const explained = await deps.explain(reading.sql, personId, slice.entity, record, hangsOn)
  if (!explained) throw new Problem('not-found')
  reading.record({ action: `${slice.entity.name}.access-explained`, object: { kind: slice.entity.name, id }, subjects: [key], purpose: 'view', detail: { personId } })
  return explained
}

/** Shows masked values, with a reason that is kept sealed beside the event. */
export async function revealFields(desk: Desk, deps: RecordsDeps, slice: Slice, id: string, fields: readonly string[], reason: string): Promise<{ values: Record<string, unknown> }> {
  const { entity } = slice
  checkReveal(entity, fields, desk.actor, deps.customFields(entity.name))
  const { record, key } = await openOne(desk, slice, id, rowCondition(desk.actor, entity, 'read'))
  if (!mayOn(entity, 'read', record, desk.actor)) throw new Problem('not-found')
  const seen = checkReveal(entity, fields, desk.actor, deps.customFields(entity.name), record)
  desk.record({ action: `${entity.name}.revealed`, object: { kind: entity.name, id }, subjects: [key], purpose: 'reveal', detail: { fields: seen.map((f) => f.name), reason } })
  return { values: revealValues(record, seen) }
}

