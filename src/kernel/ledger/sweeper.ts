import { uuidText } from '../base/index.ts'
import type { Sql } from '../db/types.ts'
import type { Vault } from '../vault/types.ts'
import type { Alarms } from './alarms.ts'
import { unpackIds } from './envelope.ts'
import { examine } from './load.ts'
import type { Pending } from './pending.ts'
import { eventsWithoutLeaf, firstId } from './store.ts'

interface SweeperOptions {
  sql: Sql
  vault: Vault
  nodeId: string
  pending: Pending
  alarms: Alarms
  clock: () => number
}

const PAGE = 1_000
const DAY_MS = 86_400_000
/** Looked through every second, ten seconds, minute and hour: most late commits are late by little, and a wide look costs in proportion. */
const WINDOWS = [
  { everyMs: 0, backMs: 5_000 },
  { everyMs: 10_000, backMs: 60_000 },
  { everyMs: 60_000, backMs: 600_000 },
  { everyMs: 3_600_000, backMs: 100_000_000 },
] as const

/**
 * Finds committed events nobody told this node of: those of other nodes, of a process that died, of a
 * transaction that committed late. By anti-join, because transaction ids stand still behind one idle transaction and
 * serial numbers skip late commits. A row that does not carry our MAC gets no leaf; it is named.
 */
export class Sweeper {
  readonly #o: SweeperOptions
  readonly #last = WINDOWS.map(() => -Infinity)
  readonly #linkSeen = new Map<string, number>()

  constructor(options: SweeperOptions) {
    this.#o = options
  }

  /** All events of all time, and where every node's chain stands. At the start of a lease. */
  async everything(): Promise<void> {
    await this.#links()
    await this.#between(null, null)
    this.#last.fill(performance.now())
  }

  async recent(): Promise<void> {
    await this.#links()
    const now = performance.now()
    let backMs = 0
    WINDOWS.forEach((w, i) => {
      if (now - this.#last[i]! < w.everyMs) return
      this.#last[i] = now
      backMs = w.backMs
    })
    const from = firstId(this.#o.clock() - backMs)
    const dropped = this.#o.pending.dropped()
    // Bounded above too: a million forged ids of the far future would otherwise be read again every second.
    const until = firstId(this.#o.clock() + DAY_MS)
    await this.#between(dropped !== null && dropped <= from ? before(dropped) : from, dropped === null ? until : null)
  }

  async #between(from: string | null, until: string | null): Promise<void> {
    const { sql, vault, pending, alarms } = this.#o
    let cursor = from
    for (;;) {
      const rows = await eventsWithoutLeaf(sql, cursor, PAGE, until)
      for (const row of rows) {
        cursor = row.id
        if (pending.has(row.id) || alarms.knows('event-forged', row.id)) continue
        if (pending.full) return pending.drop(row.id)
        const { leaf, genuine } = examine(vault, row)
        if (genuine && leaf) pending.add(row.id, leaf)
        else alarms.raise('event-forged', { eventId: row.id })
      }
      if (rows.length < PAGE) return
    }
  }

  /** New links of other nodes: what they name must be there, whenever it was recorded. */
  async #links(): Promise<void> {
    const { sql, nodeId, pending } = this.#o
    const first = this.#linkSeen.size === 0
    for (const node of await nodesOf(sql)) {
      const seen = this.#linkSeen.get(node)
      if (seen === undefined && first) {
        const [row] = await sql.query<{ seq: number }>('SELECT max(seq) AS seq FROM public.ledger_link WHERE node = $1', [node])
        this.#linkSeen.set(node, row?.seq ?? 0)
        continue
      }
      if (node === nodeId) continue
      const links = await sql.query<{ seq: number; ids: Buffer }>('SELECT seq, ids FROM public.ledger_link WHERE node = $1 AND seq > $2 ORDER BY seq LIMIT 1000', [node, seen ?? 0])
      if (links.length === 0) continue
      this.#linkSeen.set(node, links.at(-1)!.seq)
      const ids = links.flatMap((l) => unpackIds(l.ids))
      const open = await sql.query<{ id: string }>('SELECT c.id FROM unnest($1::uuid[]) AS c(id) WHERE NOT EXISTS (SELECT FROM public.ledger_leaf l WHERE l.event_id = c.id)', [ids])
      for (const { id } of open) pending.add(id, null)
    }
  }
}

/** The id just below this one, for a search that starts after it. */
function before(id: string): string {
  const low = (BigInt(`0x${id.replaceAll('-', '')}`) - 1n).toString(16).padStart(32, '0')
  return uuidText(Buffer.from(low, 'hex'))
}

/** The nodes that have links, by skipping along the primary key: reading every link for it would take as long as there are links. */
export async function nodesOf(sql: Sql): Promise<string[]> {
  const rows = await sql.query<{ node: string }>(
    `WITH RECURSIVE skip(node) AS (
       (SELECT node FROM public.ledger_link ORDER BY node LIMIT 1)
       UNION ALL SELECT (SELECT k.node FROM public.ledger_link k WHERE k.node > skip.node ORDER BY k.node LIMIT 1) FROM skip WHERE skip.node IS NOT NULL)
     SELECT node FROM skip WHERE node IS NOT NULL`,
  )
  return rows.map((r) => r.node)
}
