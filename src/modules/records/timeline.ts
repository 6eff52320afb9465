import { z } from 'zod'
import { Problem, type Json } from '../../kernel/base/index.ts'
import type { AnyRecord, Entity } from '../../kernel/entity/index.ts'
import type { TimelineEntry } from '../../kernel/ledger/types.ts'
import type { Reading } from '../../kernel/work/types.ts'
import { fieldsOn, mayOn, rightsOf, rowCondition, viewRecord, type Rights } from '../access/index.ts'
import { keyOf, openOne, openRows } from './open.ts'
import type { RecordsDeps, Slice } from './slice.ts'
import { momentsOf, type Moment } from './timeline.store.ts'

export interface TimelineItem {
  id: string
  at: string
  actorId: string | null
  action: string
  changes?: Record<string, { from: Json; to: Json } | 'changed'>
  /** Of an event that says who looked: what for. */
  purpose?: string
  /** Of what happened to a record that became this one (a converted lead): which. */
  of?: { entity: string; id: string }
  /** Of a row that hangs on the record, under its noun (`activity`): what of it the actor sees. */
  [noun: string]: unknown
}

interface Kept {
  changes?: Record<string, { from: Json; to: Json }>
}

/** History passes the same gate as the record: a hidden field's change is left out, a masked one says only that it changed. */
function visibleChanges(fields: Rights['fields'], detail: Json | null): TimelineItem['changes'] | undefined {
  const changes = (detail as Kept | null)?.changes // written by changeRecord, opened with the subject's key
  if (!changes) return undefined
  const out: NonNullable<TimelineItem['changes']> = {}
  for (const [name, change] of Object.entries(changes)) {
    const seen = fields.get(name)
    if (seen) out[name] = seen.right === 'masked' ? 'changed' : change
  }
  return out
}

/** How far each source has been read: the ledger by event, each hanging noun by time and id; of a record that became this one under its id as well. Ids and times only, so it may stand in a URL. */
interface Position {
  event?: string | undefined
  rows: Record<string, [at: string, id: string]>
}

const instant = z.string().regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/)
const position = z.strictObject({ event: z.uuid().optional(), rows: z.record(z.string().max(80), z.tuple([instant, z.uuid()])) })

const writeCursor = (p: Position): string => Buffer.from(JSON.stringify(p)).toString('base64url')

function readCursor(cursor: string | undefined): Position {
  if (cursor === undefined) return { rows: {} }
  try {
    return position.parse(JSON.parse(Buffer.from(cursor, 'base64url').toString()))
  } catch {
    throw new Problem('invalid', { errors: [{ path: 'cursor', code: 'cursor-invalid' }] })
  }
}

const LIMIT = 50

/** One step of one source: where it stands in time, what moves past it, and how it is shown once it is chosen. */
interface Step {
  at: string
  pass(p: Position): void
  event?: TimelineEntry
  row?: { slice: Slice; moment: Moment }
  of: Source
}

/** A record whose history is told: the one that is asked for, and those that became it. */
interface Source {
  slice: Slice
  record: AnyRecord
  /** Of one that became it: stands behind the names of its places in the cursor. */
  suffix: string
}

/** Who looked at a record is told to its owner and to whoever may give it to another owner: those who answer for it. */
const toldWhoLooked = (entity: Entity, record: AnyRecord, reading: Reading): boolean => record.ownerId === reading.actor.personId || mayOn(entity, 'assign', record, reading.actor)

async function eventSteps(reading: Reading, of: Source, from: Position): Promise<Step[]> {
  const { slice: { entity }, record, suffix } = of
  const looks = toldWhoLooked(entity, record, reading)
  const before = suffix === '' ? from.event : from.rows[`event${suffix}`]?.[1]
  const entries = await reading.ledger.timeline({ kind: entity.name, id: record.id }, { limit: LIMIT + 1, looks, ...(before === undefined ? {} : { beforeId: before }) })
  // In the order of their ids, whatever a clock that jumped says: were two exchanged, the cursor would pass over one.
  let latest = '~'
  return entries.map((event) => {
    const at = microseconds(event.at)
    latest = at < latest ? at : latest
    const place: [string, string] = [latest, event.id]
    return { at: latest, event, of, pass: (p) => (suffix === '' ? (p.event = event.id) : (p.rows[`event${suffix}`] = place)) }
  })
}

const microseconds = (iso: string): string => (iso.length === 24 ? iso.replace('Z', '000Z') : iso)

/** Nouns whose rows stand in the timeline of this record, as far as the actor has any right to them. */
function hangingOn(deps: RecordsDeps, entity: Entity): Slice[] {
  return [...deps.slices.values()].filter((s) => s.timeline !== null && s.entity.about === 'record' && s.entity.fields['recordKind']?.values?.includes(entity.name))
}

async function rowSteps(reading: Reading, deps: RecordsDeps, slice: Slice, of: Source, from: Position): Promise<Step[]> {
  const { entity } = slice
  const record = { kind: of.slice.entity.name, id: of.record.id }
  const place = `${entity.name}${of.suffix}`
  // A time the actor does not see must not be told by the order either.
  const time = slice.timeline?.at ?? null
  const seen = time !== null && ['read', 'edit'].includes(rightsOf(entity, reading.actor, deps.customFields(entity.name)).fields.get(time)?.right ?? 'hidden')
  const before = from.rows[place]
  const moments = await momentsOf(reading.sql, entity, { record, scope: rowCondition(reading.actor, entity, 'read'), time: seen ? time : null, limit: LIMIT + 1, ...(before ? { before } : {}) })
  return moments.map((moment) => ({ at: moment.at, row: { slice, moment }, of, pass: (p) => (p.rows[place] = [moment.at, moment.id]) }))
}

function eventItem(fields: Rights['fields'], e: TimelineEntry): TimelineItem {
  const changes = visibleChanges(fields, e.detail)
  return { id: e.id, at: e.at, actorId: e.actorId, action: e.action, ...(changes ? { changes } : {}), ...(e.purpose === null ? {} : { purpose: e.purpose }) }
}

/** Who wrote them down, by id: the owner of a row may be another one by now. */
async function writersOf(reading: Reading, records: Iterable<AnyRecord>, entities: ReadonlySet<string>): Promise<Map<string, string | null>> {
  const ids = [...records].map((r) => r.id)
  const made = ids.length === 0 ? [] : await reading.ledger.happened(ids, [...entities].map((name) => `${name}.created`), { actors: true })
  return new Map(made.map((e) => [e.objectId, e.actorId ?? null]))
}

/** What the gate shows of a hanging row, of the fields that its noun puts into timelines. */
function rowItem(reading: Reading, deps: RecordsDeps, slice: Slice, moment: Moment, record: AnyRecord, writer: string | null): TimelineItem {
  const view = viewRecord(slice.entity, record, reading.actor, deps.customFields(slice.entity.name))
  const shown = (slice.timeline?.shows ?? []).filter((f) => view[f] !== undefined).map((f) => [f, view[f]])
  return { id: record.id, at: new Date(moment.at).toISOString(), actorId: writer, action: `${slice.entity.name}.created`, [slice.entity.name]: { id: record.id, ...Object.fromEntries(shown) } }
}

/** The chosen rows, opened, each once. One that does not open is left out and recorded, like in a list. */
async function openSteps(reading: Reading, steps: readonly Step[]): Promise<Map<string, AnyRecord>> {
  const opened = new Map<string, AnyRecord>()
  const rows = steps.flatMap((s) => s.row ?? [])
  for (const slice of new Set(rows.map((r) => r.slice))) {
    const { records } = await openRows(reading, slice, rows.filter((r) => r.slice === slice).map((r) => r.moment))
    for (const r of records) opened.set(r.id, r)
  }
  return opened
}

/** Each has its places in the cursor, which stands in a URL. */
const MOST_SOURCES = 5

/** Records that became this one and that the actor sees, with the record itself before them. */
async function sourcesOf(reading: Reading, deps: RecordsDeps, slice: Slice, record: AnyRecord): Promise<Source[]> {
  const sources: Source[] = [{ slice, record, suffix: '' }]
  for (const other of deps.slices.values()) {
    const scope = rowCondition(reading.actor, other.entity, 'read')
    const named = other.becomes.filter((f) => other.entity.fields[f]?.ref?.entity === slice.entity.name && rightsOf(other.entity, reading.actor).fields.has(f))
    if (named.length === 0) continue
    const rows = await other.store.page(reading.sql, { scope, where: { or: named.map((field) => ({ field, op: 'eq', value: record.id })) }, limit: MOST_SOURCES })
    const { records } = await openRows(reading, other, rows)
    sources.push(...records.map((r): Source => ({ slice: other, record: r, suffix: ` ${r.id}` })))
  }
  return sources
}

/** Reading the history of a record is reading it. Said once it was read, so that a timeline does not show the look that it is. */
function noteLook(reading: Reading, { slice: { entity }, record }: Source): void {
  reading.record({ action: `${entity.name}.history-read`, object: { kind: entity.name, id: record.id }, subjects: [keyOf(reading.vault, entity, record)], purpose: 'view' })
}

/** Every source's next steps, newest first. */
async function stepsOf(reading: Reading, deps: RecordsDeps, sources: readonly Source[], from: Position): Promise<Step[]> {
  const asked = sources.flatMap((of) => [eventSteps(reading, of, from), ...hangingOn(deps, of.slice.entity).map((s) => rowSteps(reading, deps, s, of, from))])
  // A stable sort keeps each source in its own order, so that none is passed over where two stand at the same moment.
  return (await Promise.all(asked)).flat().toSorted((a, b) => (a.at === b.at ? 0 : a.at < b.at ? 1 : -1))
}

/** One timeline per record, newest first: what happened to it (the ledger) and what hangs on it, each inside the actor's rights. */
export async function timelineOf(reading: Reading, deps: RecordsDeps, slice: Slice, id: string, cursor: string | undefined): Promise<{ items: TimelineItem[]; nextCursor: string | null }> {
  const { entity } = slice
  const from = readCursor(cursor)
  const { record } = await openOne(reading, slice, id, rowCondition(reading.actor, entity, 'read'))
  const sources = await sourcesOf(reading, deps, slice, record)
  const steps = await stepsOf(reading, deps, sources, from)
  for (const source of sources) noteLook(reading, source)
  const page = steps.slice(0, LIMIT)
  const next: Position = { event: from.event, rows: { ...from.rows } }
  for (const step of page) step.pass(next)
  const opened = await openSteps(reading, page)
  const writers = await writersOf(reading, opened.values(), new Set(page.flatMap((s) => s.row?.slice.entity.name ?? [])))
  const items = page.flatMap((s): TimelineItem[] => {
    const told = s.of.suffix === '' ? {} : { of: { entity: s.of.slice.entity.name, id: s.of.record.id } }
    if (s.event) return [{ ...eventItem(fieldsOn(rightsOf(s.of.slice.entity, reading.actor, deps.customFields(s.of.slice.entity.name)), s.of.record), s.event), ...told }]
    const row = s.row && opened.get(s.row.moment.id)
    return s.row && row ? [{ ...rowItem(reading, deps, s.row.slice, s.row.moment, row, writers.get(row.id) ?? null), ...told }] : []
  })
  return { items, nextCursor: steps.length > LIMIT ? writeCursor(next) : null }
}
