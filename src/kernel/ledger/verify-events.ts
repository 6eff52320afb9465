import type { Sql } from '../db/types.ts'
import { CHAIN_START, linkHolds } from './chain.ts'
import { unpackIds, type EventRow } from './envelope.ts'
import type { Findings } from './findings.ts'
import { examine, type EventCheck } from './load.ts'
import { eventsWithoutLeaf, type Link } from './store.ts'
import { nodesOf } from './sweeper.ts'

/** An event that has no leaf, or a link that names no event: a finding if it is still so in a moment. */
export interface Suspect {
  id: string
}

const PAGE = 2_000
const MOST = 10_000

/** Events the tree does not hold. One without our MAC was put there by somebody with write access to the database. */
export async function checkLeafless(sql: Sql, vault: EventCheck, findings: Findings): Promise<Suspect[]> {
  const out: Suspect[] = []
  let cursor: string | null = null
  for (;;) {
    const rows: EventRow[] = await eventsWithoutLeaf(sql, cursor, PAGE)
    for (const row of rows) {
      cursor = row.id
      if (!examine(vault, row).genuine) findings.fail('event-forged', null, row.id)
      else if (out.length < MOST) out.push({ id: row.id })
    }
    if (rows.length < PAGE) return out
  }
}

/** Every node's chain from its start: unbroken, and every event it names in the tree. */
export async function checkLinks(sql: Sql, vault: EventCheck, findings: Findings): Promise<Suspect[]> {
  const out: Suspect[] = []
  for (const node of await nodesOf(sql)) {
    let before = CHAIN_START
    let seq = 0
    for (;;) {
      const links = await sql.query<Link>('SELECT node, seq, ids, chain FROM public.ledger_link WHERE node = $1 AND seq > $2 ORDER BY seq LIMIT 500', [node, seq])
      for (const link of links) {
        if (link.seq !== seq + 1 || !linkHolds(vault, link, before)) findings.fail('link-broken', null)
        before = link.chain
        seq = link.seq
      }
      for (const id of await unsequenced(sql, links.flatMap((l) => unpackIds(l.ids)))) if (out.length < MOST) out.push({ id })
      if (links.length < 500) break
    }
  }
  return out
}

async function unsequenced(sql: Sql, ids: readonly string[]): Promise<string[]> {
  if (ids.length === 0) return []
  const rows = await sql.query<{ id: string }>('SELECT c.id FROM unnest($1::uuid[]) AS c(id) WHERE NOT EXISTS (SELECT FROM public.ledger_leaf l WHERE l.event_id = c.id)', [ids])
  return rows.map((r) => r.id)
}
