import { Problem } from '../base/index.ts'
import { isDivisionByZero } from '../db/index.ts'
import type { Sql, Tx } from '../db/types.ts'
import type { EventRow, PreparedEvent } from './envelope.ts'

/** A column set as PostgreSQL returns it; `toEvent` turns it into an EventRow. */
export interface StoredEvent {
  id: string
  at: number
  node: string
  object_id: string | null
  seal_owner: string | null
  action: string
  actor: Buffer | null
  object_kind: string | null
  subjects: Buffer | null
  purpose: string | null
  payload: Buffer | null
  payload_hash: Buffer | null
  mac: Buffer
}

/** For SELECT with the events as `e`. The time is a number with its fraction, so a change of a microsecond is seen. */
export const EVENT_COLUMNS = `e.id, (extract(epoch FROM e.at) * 1000)::float8 AS at, e.node, e.object_id, e.seal_owner, e.action, e.actor, e.object_kind, e.subjects, e.purpose, e.payload, e.payload_hash, e.mac`

/** The same without ciphertexts: what is forged may be of any size, and the MAC does not need it. */
export const ENVELOPE_COLUMNS = EVENT_COLUMNS.replace('e.payload,', 'NULL::bytea AS payload,')

/** Larger than any payload this ledger writes. Beyond it a ciphertext is not even fetched; its absence is the finding. */
const PAYLOAD_LIMIT = 1024 * 1024
export const CHECKED_COLUMNS = EVENT_COLUMNS.replace('e.payload,', `CASE WHEN octet_length(e.payload) <= ${PAYLOAD_LIMIT} THEN e.payload END AS payload,`)

export function toEvent(r: StoredEvent): EventRow {
  return {
    id: r.id, at: r.at, node: r.node, action: r.action, actor: r.actor, objectKind: r.object_kind, objectId: r.object_id,
    subjects: r.subjects, purpose: r.purpose, payloadHash: r.payload_hash, sealOwner: r.seal_owner, payload: r.payload, mac: r.mac,
  }
}

const INTO = 'INSERT INTO public.ledger_event (id, at, node, object_id, seal_owner, action, actor, object_kind, subjects, purpose, payload, payload_hash, mac)'
const TYPES = ['uuid', 'timestamptz', 'uuid', 'uuid', 'uuid', 'text', 'bytea', 'text', 'bytea', 'text', 'bytea', 'bytea', 'bytea'] as const
const WIDTH = TYPES.length
/** Up to so many rows stand in a VALUES list: a text for each number of them, prepared, and no array to write out and read. */
const FEW = 16

function values(e: PreparedEvent): (string | Buffer | null)[] {
  return [e.id, new Date(e.at).toISOString(), e.node, e.objectId, e.sealOwner, e.action, e.actor, e.objectKind, e.subjects, e.purpose, e.payload, e.payloadHash, e.mac]
}

/**
 * A trigger somebody planted can swallow rows and report success; what is not stored must not be shown, nor committed. So the statement
 * itself fails, by 1 / 0.
 */
function statement(insert: string, count: string, params: number, linked: boolean): string {
  const place = (k: number, type: string): string => `$${params + k}::${type}`
  const link = linked ? `link AS (INSERT INTO public.ledger_link (node, seq, ids, chain) VALUES (${place(1, 'uuid')}, ${place(2, 'bigint')}, ${place(3, 'bytea')}, ${place(4, 'bytea')})), ` : ''
  return `WITH ${link}stored AS (${insert} RETURNING 1) SELECT 1 / (count(*) = ${count})::int AS stored FROM stored`
}

function listed(rows: number, linked: boolean): string {
  const row = (r: number): string => `(${TYPES.map((t, i) => `$${r * WIDTH + i + 1}::${t}`).join(', ')})`
  return statement(`${INTO} VALUES ${Array.from({ length: rows }, (_r, r) => row(r)).join(', ')}`, String(rows), rows * WIDTH, linked)
}

const unnested = (linked: boolean): string => statement(`${INTO} SELECT * FROM unnest(${TYPES.map((t, i) => `$${i + 1}::${t}[]`).join(', ')})`, 'cardinality($1::uuid[])', WIDTH, linked)

const textsOf = (linked: boolean): readonly string[] => [unnested(linked), ...Array.from({ length: FEW }, (_, n) => listed(n + 1, linked))]
/** By the number of rows; the first one takes any number. */
const TEXTS = { alone: textsOf(false), linked: textsOf(true) }

export interface Link {
  node: string
  seq: number
  ids: Buffer
  chain: Buffer
}

/** The statement that inserts events, and the link that names them: one commit, and no moment in which one is there without the other. */
function insertOf(events: readonly PreparedEvent[], link: Link | null): { text: string; params: unknown[] } {
  const rows = events.map(values)
  const few = rows.length <= FEW
  const params: unknown[] = few ? rows.flat() : TYPES.map((_, column) => rows.map((r) => r[column]))
  if (link) params.push(link.node, link.seq, link.ids, link.chain)
  return { text: (link ? TEXTS.linked : TEXTS.alone)[few ? rows.length : 0]!, params }
}

const swallowed = (error: unknown): unknown => (isDivisionByZero(error) ? new Problem('ledger-unavailable', { cause: new Error('events were not stored') }) : error)

/** Inserts events, and the link that names them, in one statement. Throws Problem ledger-unavailable when fewer were stored than given. */
export async function insertEvents(sql: Sql, events: readonly PreparedEvent[], link: Link | null = null): Promise<void> {
  if (events.length === 0) {
    if (link) await sql.query('INSERT INTO public.ledger_link (node, seq, ids, chain) VALUES ($1, $2, $3, $4)', [link.node, link.seq, link.ids, link.chain])
    return
  }
  const { text, params } = insertOf(events, link)
  try {
    await sql.prepared(text, params)
  } catch (error) {
    throw swallowed(error)
  }
}

/** The same inside a transaction, without waiting. */
export function sendEvents(tx: Tx, events: readonly PreparedEvent[]): void {
  const { text, params } = insertOf(events, null)
  tx.send(text, params, swallowed)
}

/** Which of these events are in the database. */
export async function presentEvents(sql: Sql, ids: readonly string[]): Promise<Set<string>> {
  const rows = await sql.query<{ id: string }>('SELECT id FROM public.ledger_event WHERE id = ANY($1::uuid[])', [ids])
  return new Set(rows.map((r) => r.id))
}

export async function eventsById(sql: Sql, ids: readonly string[]): Promise<EventRow[]> {
  const rows = await sql.query<StoredEvent>(`SELECT ${ENVELOPE_COLUMNS} FROM public.ledger_event e WHERE e.id = ANY($1::uuid[]) ORDER BY e.id`, [ids])
  return rows.map(toEvent)
}

/** Events after `cursor` and before `below` (ids; null: no bound) that have no leaf, in the order of their ids. Both sides of the anti-join begin there: without the second bound every look would walk the index of all leaves. */
export async function eventsWithoutLeaf(sql: Sql, cursor: string | null, limit: number, below: string | null = null): Promise<EventRow[]> {
  const rows = await sql.query<StoredEvent>(
    `SELECT ${ENVELOPE_COLUMNS} FROM public.ledger_event e
     WHERE ($1::uuid IS NULL OR e.id > $1::uuid) AND ($3::uuid IS NULL OR e.id < $3::uuid)
       AND NOT EXISTS (SELECT FROM public.ledger_leaf l WHERE l.event_id = e.id AND ($1::uuid IS NULL OR l.event_id > $1::uuid)) ORDER BY e.id LIMIT $2`,
    [cursor, limit, below],
  )
  return rows.map(toEvent)
}

export interface StoredCheckpoint {
  size: number
  root: Buffer
  note: string
  at: string
}

/** Checkpoints with a size below `below`, largest first. */
export async function latestCheckpoints(sql: Sql, limit: number, below: number | null = null): Promise<StoredCheckpoint[]> {
  return sql.query<StoredCheckpoint>(
    'SELECT size, root, note, at FROM public.ledger_checkpoint WHERE $2::bigint IS NULL OR size < $2 ORDER BY size DESC LIMIT $1',
    [limit, below],
  )
}

/** Level 0: leaves; above: blocks. Fewer rows than asked when some are not there. */
export async function storedHashes(sql: Sql, level: number, first: number, count: number): Promise<{ i: number; hash: Buffer }[]> {
  if (level === 0) return sql.query('SELECT n AS i, hash FROM public.ledger_leaf WHERE n >= $1 AND n < $2 ORDER BY n', [first, first + count])
  return sql.query('SELECT i, hash FROM public.ledger_block WHERE level = $1 AND i >= $2 AND i < $3 ORDER BY i', [level, first, first + count])
}

/** A UUID that sorts before every id made at this moment or later. */
export function firstId(unixMs: number): string {
  const hex = Math.max(0, Math.min(Math.floor(unixMs), 2 ** 48 - 1)).toString(16).padStart(12, '0')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-0000-0000-000000000000`
}
