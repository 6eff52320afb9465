import { Problem, uuidv7, type Json } from '../../kernel/base/index.ts'
import type { AnyRecord, CustomFieldWords, Entity } from '../../kernel/entity/index.ts'
import type { Condition } from '../../kernel/lens/types.ts'
import { openRecord, sealRecord, type OwnerKey, type RowColumns, type Vault } from '../../kernel/vault/index.ts'
import type { Actor, Desk, Work } from '../../kernel/work/types.ts'
import { checkEdit, mayOn, rowCondition, viewRecord, type Action, type RecordView } from '../access/index.ts'
import { changesBetween, merged, type Changes } from './changes.ts'
import { lensRow } from './lens-row.ts'
import { keyOf } from './open.ts'
import { tellLinked } from './linked.ts'
import type { RecordsDeps, Slice } from './slice.ts'
import { digestsOf } from './store.ts'

export interface Written {
  record: AnyRecord
  view: RecordView
}

export const changeable = (entity: Entity): string[] => [...Object.keys(entity.fields), 'ownerId', 'departmentId', 'deletedAt']

const sensitiveKeys = (custom: readonly CustomFieldWords[]): ReadonlySet<string> => new Set(custom.filter((c) => c.class === 'sensitive').map((c) => c.key))

export function sealed(vault: Vault, deps: RecordsDeps, slice: Slice, key: OwnerKey, record: AnyRecord): RowColumns {
  return sealRecord(vault, slice.entity, key, record, sensitiveKeys(deps.customFields(slice.entity.name)))
}

/** Custom values must be of a declared field and of its type; `checkEdit` has already refused those the actor may not see. */
function checkCustom(custom: readonly CustomFieldWords[], values: unknown): void {
  for (const [key, value] of Object.entries((values ?? {}) as Record<string, unknown>)) {
    const words = custom.find((c) => c.key === key)
    const fits = value === null || words?.type === undefined ? true : { text: typeof value === 'string', date: typeof value === 'string', number: typeof value === 'number', flag: typeof value === 'boolean' }[words.type]
    if (!fits) throw new Problem('invalid', { errors: [{ path: `custom.${key}`, code: 'value-invalid' }] })
  }
}

const idsIn = (value: unknown): string[] => (Array.isArray(value) ? value : [value]).filter((id): id is string => typeof id === 'string')

/** Links of these values, each with the noun it points at: `ref` fields, and the record a row hangs on. */
function linksIn(entity: Entity, input: Readonly<Record<string, unknown>>): { field: string; noun: string; ids: string[] }[] {
  const links = Object.entries(entity.fields).flatMap(([field, f]) => (f.ref ? [{ field, noun: f.ref.entity, ids: idsIn(input[field]) }] : []))
  if (entity.about === 'record' && 'recordId' in input) links.push({ field: 'recordId', noun: String(input['recordKind']), ids: idsIn(input['recordId']) })
  return links
}

/** Names of linked records are shown through them in the lens; a link must point at a record the actor may see, or at a person who works here. */
async function checkLinks(work: Work, deps: RecordsDeps, slice: Slice, input: Readonly<Record<string, unknown>>): Promise<void> {
  for (const { field, noun, ids } of linksIn(slice.entity, input)) {
    for (const id of new Set(ids)) if (!(await isThere(work, deps, noun, id, field === 'recordId'))) throw new Problem('invalid', { errors: [{ path: field, code: 'not-found' }] })
  }
}

/** `hangs`: what would hang on a record whose details are concealed would be concealed from its own writer. */
async function isThere(work: Work, deps: RecordsDeps, noun: string, id: string, hangs: boolean): Promise<boolean> {
  if (noun === PERSON) return (await deps.place(work.sql, id))?.active ?? false
  const target = deps.slices.get(noun)
  if (!target) return false
  const seen = rowCondition(work.actor, target.entity, 'read')
  const { conceal } = target.entity
  return (await target.store.find(work.sql, id, hangs && conceal ? { and: [seen, { field: conceal.while, op: 'isEmpty' }] } : seen)) !== null
}

/** What a link to a colleague names in place of a noun. */
const PERSON = 'user'

async function departmentFor(work: Work, deps: RecordsDeps, ownerId: string): Promise<string> {
  if (ownerId === work.actor.personId) return work.actor.departmentId
  const place = await deps.place(work.sql, ownerId)
  if (!place?.active) throw new Problem('invalid', { errors: [{ path: 'ownerId', code: 'not-found' }] })
  return place.departmentId
}

/** A new record as it will be stored, from checked and normalised input. */
export function draft(slice: Slice, id: string, input: Readonly<Record<string, unknown>>, place: { ownerId: string; departmentId: string }, at: string): AnyRecord {
  const record: AnyRecord = { id, version: 1, createdAt: at, updatedAt: at, deletedAt: null, ...place, custom: {} }
  for (const [name, f] of Object.entries(slice.entity.fields)) record[name] = input[name] ?? f.initial ?? null
  return merged(record, input['custom'] ? { custom: input['custom'] } : {})
}

/** Throws Problem invalid when nothing of the record says who or what it is. */
function checkNotEmpty(slice: Slice, record: AnyRecord): void {
  const names = slice.entity.sealed.main
  const filled = names.some((n) => record[n] !== null && record[n] !== undefined && record[n] !== '' && !(Array.isArray(record[n]) && record[n].length === 0))
  if (!filled) throw new Problem('invalid', { errors: [{ path: '', code: 'empty' }] })
}

/** Checks and normalises what a caller wants a new record to be, for `insertRecord`. */
export function checkedNew(actor: Actor, deps: RecordsDeps, slice: Slice, body: Record<string, unknown>): Record<string, unknown> {
  const custom = deps.customFields(slice.entity.name)
  checkEdit(slice.entity, body, null, actor, custom)
  checkCustom(custom, body['custom'])
  return slice.normalise(body)
}

/** Creates one record. The owner key is durable before the transaction begins; an orphan key is harmless, a row without one is not. */
export async function createRecord(desk: Desk, deps: RecordsDeps, slice: Slice, body: Record<string, unknown>, by: 'request' | 'on-the-way' = 'request'): Promise<Written> {
  const { entity } = slice
  const input = checkedNew(desk.actor, deps, slice, body)
  const id = uuidv7()
  // What hangs on a record is sealed with that record's key.
  if (entity.about !== 'record') await desk.vault.createOwnerKeys([id])
  return desk.write(async (work) => {
    const written = await insertRecord(work, deps, slice, { id, input })
    // A record made on the way to another one (a contact's company) is not what the request is answered with.
    if (by === 'request') work.answers({ id: written.record.id, version: written.record.version }, written.record.version)
    return written
  })
}

export interface NewRecord {
  id: string
  /** Checked and normalised. Its key is there already: of its own, or of the record it hangs on. */
  input: Record<string, unknown>
}

export async function insertRecord(work: Work, deps: RecordsDeps, slice: Slice, fresh: NewRecord): Promise<Written> {
  const { entity } = slice
  const ownerId = typeof fresh.input['ownerId'] === 'string' ? fresh.input['ownerId'] : work.actor.personId
  const departmentId = await departmentFor(work, deps, ownerId)
  await checkLinks(work, deps, slice, fresh.input)
  const record = await slice.derive(null, draft(slice, fresh.id, fresh.input, { ownerId, departmentId }, work.at.toISOString()), { work, deps, undo: false })
  checkNotEmpty(slice, record)
  if (!mayOn(entity, 'create', record, work.actor)) throw new Problem('permission-missing')
  const key = keyOf(work.vault, entity, record)
  slice.store.send(work.sql, sealed(work.vault, deps, slice, key, record), digestsOf(work.vault, entity, record))
  work.record({ action: `${entity.name}.created`, object: { kind: entity.name, id: record.id }, subjects: [key], detail: { version: 1 } })
  work.lens(entity.name, [await lensRow(work, deps, slice, record)])
  return { record, view: viewRecord(entity, record, work.actor, deps.customFields(entity.name)) }
}

export interface Change {
  id: string
  /** The version the caller read; null when the caller takes whatever is there (bulk). */
  version: number | null
  action: Extract<Action, 'edit' | 'delete' | 'assign'>
  /** Ledger action; `contact.updated` by default. */
  event?: string
  /** The record must be deleted (restore) or must not be (everything else). */
  deleted?: boolean
  /** Asked in place of the scope of `action`, where another rule gives the right: a claim from a pool. The record must still be seen. */
  granted?(before: AnyRecord): Promise<boolean> | boolean
  /** Rows in place of those the actor sees: for what follows from a change of theirs wherever it stands (links of a record that was merged away). */
  scope?: Condition
  /** Puts back what was there before. */
  undo?: boolean
  next(record: AnyRecord): Promise<Readonly<Record<string, unknown>>> | Readonly<Record<string, unknown>>
  /** Said in the event beside the changes. */
  note?: Record<string, Json>
}

/** A record this actor sees and may not change is 403; one outside the scope of reading is 404. */
async function lockFor(work: Work, slice: Slice, change: Change): Promise<RowColumns> {
  const row = await slice.store.lock(work.sql, change.id, change.scope ?? rowCondition(work.actor, slice.entity, 'read'), change.deleted ?? false)
  if (!row) throw new Problem('not-found')
  if (change.version !== null && row.version !== change.version) throw new Problem('version-stale', { extra: { version: row.version } })
  return row
}

/** Changes one record inside a transaction: re-seals every compartment under the next version and tells ledger and lens. */
export async function changeRecord(work: Work, deps: RecordsDeps, slice: Slice, change: Change): Promise<Written & { changes: Changes }> {
  const { entity } = slice
  const custom = deps.customFields(entity.name)
  const row = await lockFor(work, slice, change)
  const key = work.vault.ownerKey(String(row[entity.keyColumn]))
  const before = openRecord(work.vault, entity, key, row)
  if (!(await (change.granted?.(before) ?? mayOn(entity, change.action, before, work.actor)))) throw new Problem('permission-missing')
  const after = { ...(await slice.derive(before, merged(before, await change.next(before)), { work, deps, undo: change.undo ?? false })) }
  if (after.ownerId !== before.ownerId) after.departmentId = await departmentFor(work, deps, after.ownerId)
  const changes = changesBetween(before, after, changeable(entity))
  if (Object.keys(changes).length === 0) {
    work.record({ action: `${entity.name}.read`, object: { kind: entity.name, id: before.id }, subjects: [key], purpose: 'view' })
    return { record: before, view: viewRecord(entity, before, work.actor, custom), changes }
  }
  checkNotEmpty(slice, after)
  after.version = before.version + 1
  after.updatedAt = work.at.toISOString()
  // Put on another record, it is sealed with that one's key.
  const to = entity.about === 'record' && after['recordId'] !== before['recordId'] ? keyOf(work.vault, entity, after) : key
  slice.store.sendUpdate(work.sql, sealed(work.vault, deps, slice, to, after), before.version, { before: digestsOf(work.vault, entity, before), after: digestsOf(work.vault, entity, after) })
  work.record({ action: change.event ?? `${entity.name}.updated`, object: { kind: entity.name, id: after.id }, subjects: to === key ? [key] : [to, key], detail: { version: after.version, changes, ...change.note } })
  tellLens(work, slice, after, await lensRow(work, deps, slice, after))
  await tellLinked(work, deps, slice, before, after)
  slice.cache.drop(after.id)
  return { record: after, view: viewRecord(entity, after, work.actor, custom), changes }
}

function tellLens(work: Work, slice: Slice, record: AnyRecord, row: Awaited<ReturnType<typeof lensRow>>): void {
  if (record.deletedAt) work.lens(slice.entity.name, [], [record.id])
  else work.lens(slice.entity.name, [row])
}

/** Checks and normalises a caller's patch against the record it is for. */
export async function checkedPatch(work: Work, deps: RecordsDeps, slice: Slice, patch: Record<string, unknown>, record: AnyRecord): Promise<Record<string, unknown>> {
  const custom = deps.customFields(slice.entity.name)
  checkEdit(slice.entity, patch, record, work.actor, custom)
  checkCustom(custom, patch['custom'])
  const input = slice.normalise(patch)
  await checkLinks(work, deps, slice, input)
  return input
}

export function patchRecord(desk: Desk, deps: RecordsDeps, slice: Slice, id: string, version: number, patch: Record<string, unknown>): Promise<Written> {
  const action = Object.keys(patch).every((k) => k === 'ownerId') ? 'assign' : 'edit'
  return desk.write((work) => changeRecord(work, deps, slice, { id, version, action, next: (record) => checkedPatch(work, deps, slice, patch, record) }))
}

export function deleteRecord(desk: Desk, deps: RecordsDeps, slice: Slice, id: string, version: number | null): Promise<Written> {
  return desk.write((work) => changeRecord(work, deps, slice, { id, version, action: 'delete', event: `${slice.entity.name}.deleted`, next: () => ({ deletedAt: work.at.toISOString() }) }))
}

export function restoreRecord(desk: Desk, deps: RecordsDeps, slice: Slice, id: string): Promise<Written> {
  return desk.write((work) => changeRecord(work, deps, slice, { id, version: null, action: 'delete', deleted: true, event: `${slice.entity.name}.restored`, next: () => ({ deletedAt: null }) }))
}

