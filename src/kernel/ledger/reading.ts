import { Problem } from '../base/index.ts'
import type { Sql } from '../db/types.ts'
import type { Vault } from '../vault/types.ts'
import { openDetail, unpackHandles } from './envelope.ts'
import { examine } from './load.ts'
import { verifyConsistency, verifyInclusion } from './proof.ts'
import { CHECKED_COLUMNS, ENVELOPE_COLUMNS, storedHashes, toEvent, type StoredEvent } from './store.ts'
import { consistencyRanges, inclusionRanges, proofHashes, readFrontier } from './tree.ts'
import { hashReader, MissingLeaf } from './treestore.ts'
import type { PastEvent, TailEntry, TimelineEntry } from './types.ts'

/** A head that a proof must lead to: signed, or computed by the node that signs. */
interface Head {
  size: number
  root: Buffer
}

async function rootAt(sql: Sql, size: number, head: Head): Promise<Buffer> {
  return size === head.size ? head.root : (await readFrontier(size, hashReader(sql))).root()
}

/** A tree that somebody changed proves nothing: better no answer than a proof that fails in the auditor's hands without a reason. */
function unsound(cause?: unknown): Problem {
  return new Problem('ledger-unavailable', { cause: cause ?? new Error('the tree in the database does not lead to its signed head') })
}

/** Throws Problem not-found (no such leaf under the head) or ledger-unavailable (the tree does not prove it). */
export async function inclusionProof(sql: Sql, leaf: number, size: number, head: Head): Promise<{ index: number; size: number; hashes: string[] }> {
  if (!Number.isSafeInteger(leaf) || !Number.isSafeInteger(size) || leaf < 0 || leaf >= size || size > head.size) throw new Problem('not-found')
  try {
    const proof = await proofHashes(inclusionRanges(leaf, size), hashReader(sql))
    const [own] = await storedHashes(sql, 0, leaf, 1)
    const root = await rootAt(sql, size, head)
    if (!own || !verifyInclusion({ index: leaf, size, leaf: own.hash, root, proof })) throw unsound()
    return { index: leaf, size, hashes: proof.map((h) => h.toString('base64')) }
  } catch (error) {
    throw error instanceof MissingLeaf ? unsound(error) : error
  }
}

/** Throws Problem not-found or ledger-unavailable, like `inclusionProof`. */
export async function consistencyProof(sql: Sql, size1: number, size2: number, head: Head): Promise<{ size1: number; size2: number; hashes: string[] }> {
  if (!Number.isSafeInteger(size1) || !Number.isSafeInteger(size2) || size1 < 1 || size1 > size2 || size2 > head.size) throw new Problem('not-found')
  try {
    const proof = await proofHashes(consistencyRanges(size1, size2), hashReader(sql))
    const [root1, root2] = [await rootAt(sql, size1, head), await rootAt(sql, size2, head)]
    if (!verifyConsistency({ size1, size2, root1, root2, proof })) throw unsound()
    return { size1, size2, hashes: proof.map((h) => h.toString('base64')) }
  } catch (error) {
    throw error instanceof MissingLeaf ? unsound(error) : error
  }
}

export interface TimelineQuery {
  object: { kind: string; id: string }
  before?: number
  beforeId?: string
  /** false: without the events that say who looked. */
  looks?: boolean
  limit: number
}

/** What a reader of events needs beside the database. */
export interface EventReader {
  vault: Vault
  /** Null for one nobody knows; looking for a new one may take a query. */
  personOf: (handle: Buffer) => string | null | Promise<string | null>
  /** Told of rows that do not carry our MAC; they are left out, so that nobody acts on what a thief of the database wrote. */
  forged: (eventId: string) => void
}

function genuine<R extends StoredEvent>(rows: readonly R[], reader: EventReader): R[] {
  return rows.filter((row) => {
    if (examine(reader.vault, toEvent(row)).genuine) return true
    reader.forged(row.id)
    return false
  })
}

type TimelineRow = StoredEvent & { n: number | null }

const LAST_ID = 'ffffffff-ffff-ffff-ffff-ffffffffffff'

/** Both bounds of the id stand as plain comparisons, so that a page deep in a long history begins in the index where it begins, and passes over nothing. */
export const TIMELINE_PAGE = `SELECT ${CHECKED_COLUMNS}, l.n FROM public.ledger_event e LEFT JOIN public.ledger_leaf l ON l.event_id = e.id
     WHERE e.object_id = $1::uuid AND e.object_kind = $2::text AND e.id < $3::uuid
       AND e.id < coalesce((SELECT b.event_id FROM public.ledger_leaf b WHERE b.n = $4::bigint), $5::uuid) AND ($6::boolean OR e.purpose IS NULL)
     ORDER BY e.id DESC LIMIT $7`

function timelinePage(sql: Sql, { object, before, beforeId, looks = true, limit }: TimelineQuery): Promise<TimelineRow[]> {
  // A leaf that is not there has nothing before it.
  return sql.query<TimelineRow>(TIMELINE_PAGE, [object.id, object.kind, beforeId ?? LAST_ID, before ?? null, before === undefined ? LAST_ID : null, looks, limit])
}

/** Pages of events that are not ours, looked past for one page of those that are: planted ones must not stand before a history and hide it. */
const MOST_LOOKS = 20

export async function readTimeline(sql: Sql, reader: EventReader, query: TimelineQuery): Promise<TimelineEntry[]> {
  const found: TimelineRow[] = []
  let from = query
  for (let look = 0; look < MOST_LOOKS && found.length < query.limit; look++) {
    const rows = await timelinePage(sql, from)
    found.push(...genuine(rows, reader))
    if (rows.length < query.limit) break
    from = { ...query, beforeId: rows.at(-1)!.id }
  }
  const entries = found.slice(0, query.limit).map(async (row) => ({
    id: row.id,
    leaf: row.n,
    at: new Date(row.at).toISOString(),
    action: row.action,
    actorId: row.actor && (await reader.personOf(row.actor)),
    purpose: row.purpose,
    detail: openDetail(reader.vault, toEvent(row)),
  }))
  return Promise.all(entries)
}

export async function readPast(sql: Sql, reader: EventReader, objectIds: readonly string[], actions: readonly string[], actors = false): Promise<PastEvent[]> {
  const rows = await sql.query<StoredEvent>(
    `SELECT ${CHECKED_COLUMNS} FROM public.ledger_event e WHERE e.object_id = ANY ($1::uuid[]) AND e.action = ANY ($2::text[]) ORDER BY e.id`,
    [objectIds, actions],
  )
  const events = genuine(rows, reader).map(async (row) => ({
    objectId: row.object_id!,
    action: row.action,
    ...(actors ? { actorId: row.actor && (await reader.personOf(row.actor)) } : {}),
    detail: openDetail(reader.vault, toEvent(row)),
  }))
  return Promise.all(events)
}

export async function readTail(sql: Sql, reader: EventReader, from: number, limit: number, withDetail = false): Promise<TailEntry[]> {
  const rows = await sql.query<StoredEvent & { n: number }>(
    `SELECT ${withDetail ? CHECKED_COLUMNS : ENVELOPE_COLUMNS}, l.n FROM public.ledger_leaf l JOIN public.ledger_event e ON e.id = l.event_id
     WHERE l.n >= $1 AND l.n < $1::bigint + $2::bigint ORDER BY l.n`,
    [from, limit],
  )
  return genuine(rows, reader).map((row) => ({
    leaf: row.n,
    id: row.id,
    at: new Date(row.at).toISOString(),
    node: row.node,
    action: row.action,
    actor: row.actor,
    subjects: unpackHandles(row.subjects),
    object: row.object_kind === null ? null : { kind: row.object_kind, id: row.object_id },
    purpose: row.purpose,
    ...(withDetail ? { detail: openDetail(reader.vault, toEvent(row)) } : {}),
  }))
}
