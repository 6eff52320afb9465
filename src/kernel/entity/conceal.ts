import type { AnyRecord, Entity } from './entity.ts'
import type { CustomFieldWords } from './find.ts'

/** True while nobody is to see the contact details of a record: it lies in a pool and is nobody's. */
export function isConcealed(entity: Entity, record: AnyRecord): boolean {
  return entity.conceal !== undefined && (record[entity.conceal.while] ?? null) !== null
}

/** Whether a field, by its own name, is one of those concealed. A sensitive one always is. */
export function concealsField(entity: Entity, field: string): boolean {
  return entity.conceal !== undefined && (entity.conceal.fields.includes(field) || entity.fields[field]?.class === 'sensitive')
}

/** Of custom fields those of persons are: an import puts there what its field cannot hold. */
export function concealsCustom(entity: Entity, words: Pick<CustomFieldWords, 'class'>): boolean {
  return entity.conceal !== undefined && words.class !== 'confidential'
}

/** The record without what is concealed now: what may be looked for, counted and indexed. The record itself where nothing is. */
export function exposedPart(entity: Entity, record: AnyRecord): AnyRecord {
  if (!isConcealed(entity, record)) return record
  const blank = Object.entries(entity.fields).flatMap(([name, f]) => (concealsField(entity, name) ? [[name, f.many ? [] : null] as const] : []))
  return { ...record, ...Object.fromEntries(blank) }
}
