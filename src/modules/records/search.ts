import { createHash } from 'node:crypto'
import { lengthPrefixed, Problem, uuidText } from '../../kernel/base/index.ts'
import { exactForm, exactKeys, snake, type AnyRecord, type Entity } from '../../kernel/entity/index.ts'
import type { Condition, LensKey } from '../../kernel/lens/types.ts'
import type { Vault } from '../../kernel/vault/index.ts'
import type { Reading } from '../../kernel/work/types.ts'
import { checkFields, checkSort, checkWhereCounting, plainColumn, rowCondition, textFields, viewRecord, type RecordView, type SortTerm } from '../access/index.ts'
import { openRows, subjectsOf, type OpenedRows } from './open.ts'
import { viewText } from './view.ts'
import type { RecordsDeps, Slice } from './slice.ts'
import type { RowStamp } from './store.ts'

export interface SearchBody {
  where?: unknown
  text?: string | undefined
  sort?: readonly SortTerm[] | undefined
  fields?: readonly string[] | undefined
  limit: number
  cursor?: string | undefined
  count?: boolean | undefined
}

export interface SearchAnswer {
  items: (RecordView | Partial<RecordView>)[]
  nextCursor: string | null
  count?: number
  complete: boolean
  /** Rows of this page that do not match their seal and are left out; absent when there are none. */
  refused?: number
}

interface Checked {
  scope: Condition
  where: Condition | null
  text: { terms: string; fields: string[] } | null
  /** By field: rows of the linked noun that the actor sees, and may be found through. */
  links: Record<string, Condition>
  sort: SortTerm[]
  fields: string[] | null
  limit: number
  count: boolean
}

function check(reading: Reading, deps: RecordsDeps, entity: Entity, body: SearchBody): Checked {
  const custom = deps.customFields(entity.name)
  const { actor } = reading
  const asked = body.where === undefined ? null : checkWhereCounting(entity, body.where, actor, custom)
  const text = body.text?.trim() ? { terms: body.text, fields: textFields(entity, actor, custom) } : null
  deps.matches.spend(actor.personId, (asked?.maskedMatches ?? 0) + (text && asksMasked(actor, entity, text) ? 1 : 0))
  return {
    scope: rowCondition(actor, entity, 'read'),
    where: asked?.where ?? null,
    text,
    links: linksOf(actor, entity, deps),
    sort: checkSort(entity, body.sort ?? [], actor, custom),
    fields: body.fields ? checkFields(entity, body.fields, actor, custom) : null,
    limit: body.limit,
    count: body.count ?? false,
  }
}

/** What a link shows passes the gate of what it shows: a contact of mine must not be found by the name of a company that is not. */
function linksOf(actor: Reading['actor'], entity: Entity, deps: RecordsDeps): Record<string, Condition> {
  const links: Record<string, Condition> = {}
  for (const [name, { ref }] of Object.entries(entity.fields)) {
    const target = ref?.show ? deps.slices.get(ref.entity)?.entity : undefined
    if (target && ref?.show && ['read', 'edit'].includes(actor.grants.field(target.name, ref.show))) links[name] = rowCondition(actor, target, 'read')
  }
  return links
}

/** Digits asked of a masked phone are one of the hour's questions, like an exact comparison. */
function asksMasked(actor: Reading['actor'], entity: Entity, text: { terms: string; fields: readonly string[] }): boolean {
  return /\d{4}/.test(text.terms) && text.fields.some((f) => actor.grants.field(entity.name, f) === 'masked')
}

/** A condition on plain columns only, which PostgreSQL answers by itself. */
function isPlain(entity: Entity, c: Condition): boolean {
  if ('and' in c) return c.and.every((p) => isPlain(entity, p))
  if ('or' in c) return c.or.every((p) => isPlain(entity, p))
  if ('not' in c) return isPlain(entity, c.not)
  if ('linked' in c) return true
  return plainColumn(entity, c.field) !== undefined && !['contains', 'startsWith', 'endsWith'].includes(c.op)
}

interface Split {
  exact: { field: string; values: string[] } | null
  plain: Condition | null
}

/** `where` as one exact look-up and plain conditions beside it; null when it needs the lens. */
function split(entity: Entity, where: Condition | null): Split | null {
  if (!where) return { exact: null, plain: null }
  if (isPlain(entity, where)) return { exact: null, plain: where }
  const parts = 'and' in where ? where.and : [where]
  const sealed = parts.filter((p) => !isPlain(entity, p))
  const [leaf] = sealed
  if (sealed.length !== 1 || !leaf || !('field' in leaf) || (leaf.op !== 'eq' && leaf.op !== 'in')) return null
  if (!entity.fields[leaf.field]?.find.includes('exact')) return null
  const values = (Array.isArray(leaf.value) ? leaf.value : [leaf.value]).map(String)
  const plain = parts.filter((p) => p !== leaf)
  return { exact: { field: leaf.field, values }, plain: plain.length > 0 ? { and: plain } : null }
}

/** The index an exact look-up asks, and the forms of the values it asks for. */
interface Asked {
  index: string
  forms: Set<string>
}

function askedOf(slice: Slice, exact: { field: string; values: string[] }): Asked {
  const kind = slice.entity.fields[exact.field]?.kind ?? 'text'
  const forms = exact.values.flatMap((v) => slice.exactForms(exact.field, v)).map((v) => exactForm(kind, v)).filter(Boolean)
  return { index: `${slice.entity.table}.${snake(exact.field)}`, forms: new Set(forms) }
}

const digests = (vault: Vault, { index, forms }: Asked): string[] => [...forms].map((v) => uuidText(vault.blind(index, v)))

/** The index is not sealed to its rows: a record it names is shown only when it holds what was asked for. The others are written down and told by number. */
function holding(reading: Reading, entity: Entity, asked: Asked, opened: OpenedRows): OpenedRows {
  const records = opened.records.filter((r) => exactKeys(entity, r).some((k) => k.index === asked.index && asked.forms.has(k.value)))
  const bent = opened.records.filter((r) => !records.includes(r))
  for (const { id } of bent) reading.record({ action: 'index.refused', object: { kind: entity.name, id } })
  return { records, refused: opened.refused + bent.length }
}

// A cursor is bound to the person and the question, so that one made under another filter cannot be fed in.
const cursorLabel = (reading: Reading, entity: Entity, body: SearchBody): string =>
  `cursor ${createHash('sha256').update(lengthPrefixed([reading.actor.personId, entity.name, JSON.stringify([body.where ?? null, body.text ?? null, body.sort ?? null])])).digest('base64url')}`

interface CursorState {
  before?: string
  after?: LensKey
}

function readCursor(reading: Reading, label: string, cursor: string): CursorState {
  try {
    return JSON.parse(reading.vault.openInstance(label, Buffer.from(cursor, 'base64url')).toString()) as CursorState // our own sealed bytes
  } catch {
    throw new Problem('invalid', { errors: [{ path: 'cursor', code: 'cursor-invalid' }] })
  }
}

const writeCursor = (reading: Reading, label: string, state: CursorState): string => reading.vault.sealInstance(label, Buffer.from(JSON.stringify(state))).toString('base64url')

interface Found {
  rows: RowStamp[]
  next: CursorState | null
  count: number | null
  complete: boolean
  asked: Asked | null
}

async function fromDatabase(reading: Reading, slice: Slice, q: Checked, parts: Split, state: CursorState): Promise<Found> {
  const where = parts.plain ?? undefined
  const asked = parts.exact ? askedOf(slice, parts.exact) : null
  const base = { scope: q.scope, ...(where ? { where } : {}), ...(asked ? { digests: digests(reading.vault, asked) } : {}) }
  const none = asked?.forms.size === 0
  const rows = none ? [] : await slice.store.page(reading.sql, { ...base, limit: q.limit + 1, ...(state.before ? { before: state.before } : {}) })
  const countByLens = q.count && !asked && reading.lens.status().complete
  const count = !q.count ? null : none ? 0 : countByLens ? (await reading.lens.search({ entity: slice.entity.name, scope: q.scope, ...(where ? { where } : {}), sort: [], limit: 1, count: true })).count : await slice.store.count(reading.sql, base)
  const page = rows.slice(0, q.limit)
  return { rows: page, next: rows.length > q.limit ? { before: page.at(-1)!.id } : null, count, complete: true, asked }
}

async function fromLens(reading: Reading, slice: Slice, q: Checked, state: CursorState): Promise<Found> {
  const { entity } = slice
  const answer = await reading.lens.search({
    entity: entity.name,
    scope: q.scope,
    ...(q.where ? { where: q.where } : {}),
    ...(q.text ? { text: q.text } : {}),
    links: q.links,
    sort: q.sort,
    limit: q.limit,
    count: q.count,
    ...(state.after ? { after: state.after } : {}),
  })
  if (!answer.complete && q.text) throw new Problem('lens-warming')
  const { ids } = answer
  // The lens only proposes: rows are read again through the SQL rule, so authority stays in the database.
  const rows = ids.length === 0 ? [] : await slice.store.page(reading.sql, { scope: q.scope, ids, limit: ids.length })
  const byId = new Map(rows.map((r) => [r.id, r]))
  return { rows: ids.flatMap((id) => byId.get(id) ?? []), next: answer.lastKey ? { after: answer.lastKey } : null, count: answer.count, complete: answer.complete, asked: null }
}

/** One item as JSON text: the whole view, or the fields asked for with the masks that belong to them. */
function shown(entity: Entity, record: AnyRecord, reading: Reading, deps: RecordsDeps, fields: string[] | null): string {
  if (!fields) return viewText(entity, record, reading.actor, deps)
  const view = viewRecord(entity, record, reading.actor, deps.customFields(entity.name))
  const wanted = new Set(['id', 'version', ...fields.map((f) => (f.startsWith('custom.') ? 'custom' : f))])
  const masks = Object.fromEntries(Object.entries(view.masks).filter(([k]) => wanted.has(k)))
  return JSON.stringify({ ...Object.fromEntries(Object.entries(view).filter(([k]) => wanted.has(k))), masks, can: view.can })
}

/** Search, list and count of any noun: one path, one gate, one event with the handles of everyone shown. Resolves with a SearchAnswer as JSON text. */
export async function searchRecords(reading: Reading, deps: RecordsDeps, slice: Slice, body: SearchBody): Promise<string> {
  const { entity } = slice
  const q = check(reading, deps, entity, body)
  const label = (): string => cursorLabel(reading, entity, body)
  const state = body.cursor ? readCursor(reading, label(), body.cursor) : {}
  const parts = q.text || q.sort.length > 0 ? null : split(entity, q.where)
  const found = parts ? await fromDatabase(reading, slice, q, parts, state) : await fromLens(reading, slice, q, state)
  const subjects = subjectsOf(reading.vault, found.rows)
  // The event starts on its way before the rows are opened: the two run side by side, and the door waits for both.
  reading.record({ action: `${entity.name}.listed`, object: { kind: entity.name, id: null }, subjects, purpose: 'list' })
  const opened = await openRows(reading, slice, found.rows)
  const { records, refused } = found.asked ? holding(reading, entity, found.asked, opened) : opened
  const rest: Omit<SearchAnswer, 'items'> = {
    nextCursor: found.next ? writeCursor(reading, label(), found.next) : null,
    ...(found.count === null ? {} : { count: found.count }),
    complete: found.complete,
    ...(refused > 0 ? { refused } : {}),
  }
  return `{"items":[${records.map((r) => shown(entity, r, reading, deps, q.fields)).join(',')}],${JSON.stringify(rest).slice(1)}`
}
