import { once } from 'node:events'
import { Problem } from '../base/index.ts'
import type { Db, Sql } from '../db/types.ts'
import { eventLine, type BundleHeader } from './bundle-format.ts'
import type { SignedHead } from './load.ts'
import { CHECKED_COLUMNS, ENVELOPE_COLUMNS, firstId, toEvent, type StoredEvent } from './store.ts'
import { rangeHashes } from './tree.ts'
import { hashReader } from './treestore.ts'

export interface ExportOptions {
  db: Db
  out: NodeJS.WritableStream
  head: SignedHead
  vkey: string
  range: { from?: string; to?: string; payloads?: boolean }
}

const PAGE = 2_000

/** Writes the bundle of the events in [from, to) under this signed head. The stream is not ended. Throws Problem invalid for a time that is none. */
export async function exportBundle({ db, out, head, vkey, range }: ExportOptions): Promise<{ events: number }> {
  const connection = await db.connect('ledger-export')
  try {
    const { first, end } = await leavesOf(connection, head.size, range)
    const read = hashReader(connection)
    const base64 = (hashes: Buffer[]): string[] => hashes.map((h) => h.toString('base64'))
    const header: BundleHeader = {
      format: 'sealbook-ledger-bundle', version: 1, origin: head.origin, verifierKey: vkey, hash: 'RFC6962-SHA256', checkpoint: head.note,
      first, end, left: base64(await rangeHashes([0, first], read)), right: base64(await rangeHashes([end, head.size], read)),
    }
    await write(out, `${JSON.stringify(header)}\n`)
    let events = 0
    for (let from = first; from < end; from += PAGE) {
      const lines = await page(connection, from, Math.min(from + PAGE, end), range.payloads ?? false)
      events += lines.length
      await write(out, lines.map((l) => `${l}\n`).join(''))
    }
    return { events }
  } finally {
    await connection.end().catch(() => undefined)
  }
}

function moment(text: string | undefined): number | null {
  if (text === undefined) return null
  const at = Date.parse(text)
  if (Number.isNaN(at)) throw new Problem('invalid')
  return at
}

/** The leaves from the first to the last event of a span of time. Those between them belong to it: the log is a sequence. */
async function leavesOf(sql: Sql, size: number, range: { from?: string; to?: string }): Promise<{ first: number; end: number }> {
  const [from, to] = [moment(range.from), moment(range.to)]
  if (from === null && to === null) return { first: 0, end: size }
  // Ids begin with their time, so the index on them answers this.
  const [row] = await sql.query<{ first: number | null; last: number | null }>(
    `SELECT min(n) AS first, max(n) AS last FROM public.ledger_leaf
     WHERE n < $1 AND ($2::uuid IS NULL OR event_id >= $2::uuid) AND ($3::uuid IS NULL OR event_id < $3::uuid)`,
    [size, from === null ? null : firstId(from), to === null ? null : firstId(to)],
  )
  return row?.first === null || row?.last === null || !row ? { first: 0, end: 0 } : { first: row.first, end: row.last + 1 }
}

/** A leaf whose event is gone leaves a gap, which the verifier names. */
async function page(sql: Sql, from: number, end: number, payloads: boolean): Promise<string[]> {
  const columns = payloads ? CHECKED_COLUMNS : ENVELOPE_COLUMNS
  const rows = await sql.query<StoredEvent & { n: number; hash: Buffer }>(
    `SELECT l.n, l.hash, ${columns} FROM public.ledger_leaf l JOIN public.ledger_event e ON e.id = l.event_id WHERE l.n >= $1 AND l.n < $2 ORDER BY l.n`,
    [from, end],
  )
  return rows.flatMap((row) => {
    try {
      return [eventLine(row.n, toEvent(row), row.hash, row.payload)]
    } catch {
      // A time that no calendar holds: such a row cannot be written down, and its gap is named too.
      return []
    }
  })
}

/** Waits while the reader is slow; rejects when it has gone, or the export would wait for it for ever. */
async function write(out: NodeJS.WritableStream, text: string): Promise<void> {
  if (out.write(text)) return
  const done = new AbortController()
  const gone = once(out, 'close', { signal: done.signal }).then(() => {
    throw new Error('the reader of the export has gone')
  })
  gone.catch(() => undefined)
  try {
    await Promise.race([once(out, 'drain', { signal: done.signal }), gone])
  } finally {
    done.abort()
  }
}
