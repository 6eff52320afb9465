import { Problem } from '../../kernel/base/index.ts'
import { textsOf, type AnyRecord, type CustomFieldWords, type CustomValues, type Entity } from '../../kernel/entity/index.ts'
import type { Condition } from '../../kernel/lens/types.ts'
import type { Actor } from '../../kernel/work/types.ts'
import { BASE_FIELDS, fieldsOn, maskOf, rightsOf, showsLastFour, type Rights, type SeenField } from './rights.ts'
import type { Action } from './roles.ts'

export { checkFields, checkSort, checkWhere, checkWhereCounting, type CheckedWhere, type SortTerm } from './where.ts'

type Grantee = Pick<Actor, 'grants' | 'personId'>
type Custom = readonly CustomFieldWords[]

/** A record as one actor sees it: RECORD of docs/contract.md. */
export type RecordView = Record<string, unknown> & {
  id: string
  version: number
  masks: Record<string, string[]>
  can: { edit: string[]; reveal: string[]; delete: boolean }
}

/** Rows on which the actor may do `action`, for SQL (toSql) and for the lens. */
export function rowCondition(actor: Pick<Actor, 'grants'>, entity: Entity, action: Action): Condition {
  return actor.grants.scope(entity.name, action)
}

/** The same rule for one record. Ask it of the record as it will be, too, before saving a new owner. */
export function mayOn(entity: Entity, action: Action, record: AnyRecord, actor: Pick<Actor, 'grants'>): boolean {
  return rightsOf(entity, actor).may(action, record)
}

const isEmpty = (v: unknown): boolean => v === null || v === undefined || v === '' || (Array.isArray(v) && v.length === 0)

function valueOf(record: AnyRecord, f: SeenField): unknown {
  return f.custom ? record.custom[f.custom.key] : record[f.name]
}

function masksOf(record: AnyRecord, f: SeenField): string[] {
  const value = valueOf(record, f)
  if (isEmpty(value)) return []
  const mask = maskOf(f)
  return (f.field ? textsOf(f.field, value) : [String(value)]).map(mask)
}

/**
 * The one way a record leaves: hidden fields absent, masked ones null with their masks beside the row (a mask in the
 * value's place would be saved back as bullets), and what the actor may do next.
 */
export function viewRecord(entity: Entity, record: AnyRecord, actor: Grantee, custom?: Custom): RecordView {
  const rights = rightsOf(entity, actor, custom)
  const out: RecordView = { id: record.id, version: record.version, masks: {}, can: { edit: [], reveal: [], delete: false } }
  // A row that left the actor's scope by their own write (assigned away, or made with a token that may only create).
  if (!rights.may('read', record)) return out
  const customOut: CustomValues = {}
  for (const f of fieldsOn(rights, record).values()) {
    const shown = f.right === 'masked' ? null : (valueOf(record, f) ?? null)
    if (f.right === 'masked') out.masks[f.name] = masksOf(record, f)
    if (!f.custom) out[f.name] = shown
    else if (shown !== null || f.right === 'masked') customOut[f.custom.key] = shown as CustomValues[string] // values of custom fields are of this type
  }
  out['custom'] = customOut
  out.can = canOf(rights, record)
  return out
}

function canOf(rights: Rights, record: AnyRecord): RecordView['can'] {
  const fields = [...fieldsOn(rights, record).values()]
  const edits = rights.may('edit', record)
  const edit = edits ? fields.filter((f) => mayWrite(rights, f, record)).map((f) => f.name) : []
  if (rights.may('assign', record)) edit.push('ownerId')
  const reveal = rights.reveals ? fields.filter((f) => f.right === 'masked').map((f) => f.name) : []
  return { edit, reveal, delete: rights.may('delete', record) }
}

/**
 * A masked field may be filled where nothing stands, because the writer brings the value; a value that stands may be
 * replaced only by somebody who could also reveal it. Everybody else: 403.
 */
function mayWrite(rights: Rights, f: SeenField, record: AnyRecord | null): boolean {
  if (f.base) return false
  if (f.right === 'edit') return true
  if (f.right !== 'masked' || f.field?.edit === false) return false
  return record === null || isEmpty(valueOf(record, f)) || rights.reveals
}

const BULLETS = /\*{4}|•{3}/

function holdsBullets(value: unknown): boolean {
  if (typeof value === 'string') return BULLETS.test(value)
  return typeof value === 'object' && value !== null && Object.values(value).some(holdsBullets)
}

function named(patch: Readonly<Record<string, unknown>>): [string, unknown][] {
  return Object.entries(patch).flatMap(([key, value]): [string, unknown][] => {
    if (key !== 'custom') return [[key, value]]
    return Object.entries((value ?? {}) as Record<string, unknown>).map(([k, v]) => [`custom.${k}`, v]) // the schema made it an object
  })
}

function checkOwner(rights: Rights, ownerId: unknown, record: AnyRecord | null, actor: Grantee): void {
  if (ownerId === undefined || ownerId === (record?.ownerId ?? actor.personId)) return
  // For a new record the create scope decides, asked by the caller of the whole record once its department is known (mayOn).
  if (record && !rights.may('assign', record)) throw new Problem('permission-missing')
}

/**
 * Checks what a caller wants to write. `record` is the record as it is, or null when it is being created. Throws
 * field-unknown for a hidden or undeclared field, permission-missing for one that may be seen but not written, and
 * invalid for a mask sent back as a value.
 */
export function checkEdit(entity: Entity, patch: Readonly<Record<string, unknown>>, record: AnyRecord | null, actor: Grantee, custom?: Custom): void {
  const rights = rightsOf(entity, actor, custom)
  const fields = named(patch).filter(([name]) => name !== 'ownerId')
  if (record && fields.length > 0 && !rights.may('edit', record)) throw new Problem('permission-missing')
  checkOwner(rights, patch['ownerId'], record, actor)
  const seen = record ? fieldsOn(rights, record) : rights.fields
  for (const [name, value] of fields) {
    const f = seen.get(name)
    if (!f) throw new Problem('field-unknown', { errors: [{ path: name.startsWith('custom.') ? 'custom' : safe(name), code: 'field-unknown' }] })
    if (!mayWrite(rights, f, record)) throw new Problem('permission-missing', { errors: [{ path: f.name, code: f.right === 'masked' ? 'masked' : 'read-only' }] })
    if ((f.field?.mask || f.right === 'masked') && holdsBullets(value)) throw new Problem('invalid', { errors: [{ path: f.name, code: 'masked-value' }] })
  }
}

/**
 * Of the fields a patch names, those the actor may not write on this record: hidden and read-only ones, and masked values that stand.
 * For a writer that leaves such fields out, whatever they say, instead of refusing the whole.
 */
export function unwritable(entity: Entity, patch: Readonly<Record<string, unknown>>, record: AnyRecord, actor: Grantee, custom?: Custom): string[] {
  const rights = rightsOf(entity, actor, custom)
  return named(patch).flatMap(([name]) => {
    const f = fieldsOn(rights, record).get(name)
    return f && mayWrite(rights, f, record) ? [] : [name]
  })
}

/** True where `values` hold something the actor sees only masked, and could not reveal. */
export function touchesMasked(entity: Entity, values: Readonly<Record<string, unknown>>, actor: Grantee, custom?: Custom): boolean {
  const rights = rightsOf(entity, actor, custom)
  return !rights.reveals && named(values).some(([name, value]) => !isEmpty(value) && rights.fields.get(name)?.right === 'masked')
}

const safe = (name: string): string => (/^[a-zA-Z][a-zA-Z0-9]{0,39}$/.test(name) ? name : '?')

/** The fields of `asked` the actor may see of the record unmasked after a reveal. Throws field-unknown, or permission-missing without the right to reveal. */
export function checkReveal(entity: Entity, asked: readonly string[], actor: Grantee, custom?: Custom, record?: AnyRecord): SeenField[] {
  const rights = rightsOf(entity, actor, custom)
  if (!rights.reveals) throw new Problem('permission-missing')
  return asked.map((name, i) => {
    const f = (record ? fieldsOn(rights, record) : rights.fields).get(name)
    if (!f || f.base) throw new Problem('field-unknown', { errors: [{ path: `fields.${i}`, code: 'field-unknown' }] })
    return f
  })
}

/** The values of revealed fields, by name. */
export function revealValues(record: AnyRecord, fields: readonly SeenField[]): Record<string, unknown> {
  return Object.fromEntries(fields.map((f) => [f.name, valueOf(record, f) ?? null]))
}

function textual(f: SeenField): boolean {
  if (f.custom) return f.custom.class !== 'sensitive' && f.custom.type === 'text' && f.custom.find.includes('text')
  const find = f.field?.find ?? []
  return f.field?.ref?.show ? true : find.includes('text') || find.includes('pinyin') || find.includes('tail4')
}

/** Fields a free-text search may look into: readable ones, and a masked one only where tail4 is all it has and the mask shows the last four. */
export function textFields(entity: Entity, actor: Pick<Actor, 'grants'>, custom?: Custom): string[] {
  return [...rightsOf(entity, actor, custom).fields.values()].filter((f) => mayFind(f, actor)).map((f) => f.name)
}

function mayFind(f: SeenField, actor: Pick<Actor, 'grants'>): boolean {
  if (f.base || !textual(f)) return false
  const ref = f.field?.ref
  if (ref?.show) return f.right !== 'masked' && ['read', 'edit'].includes(actor.grants.field(ref.entity, ref.show))
  if (f.right !== 'masked') return true
  const find = f.field?.find ?? []
  return find.includes('tail4') && !find.includes('text') && !find.includes('pinyin') && showsLastFour(f)
}

/** Every field name the actor may see, base fields included: for projections, history and documents. */
export function visibleFields(entity: Entity, actor: Pick<Actor, 'grants'>, custom?: Custom): string[] {
  return [...rightsOf(entity, actor, custom).fields.keys()]
}

export { BASE_FIELDS }
