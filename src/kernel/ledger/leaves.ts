import type { DedicatedConnection, Sql } from '../db/types.ts'
import { BLOCK_HEIGHT, type Frontier } from './tree.ts'

/** An event about to get a leaf. */
export interface Candidate {
  id: string
  leaf: Buffer
}

/** "seal.led" in ASCII: one sequencer per database, whatever the number of nodes. */
const LOCK = '8315161561046345060'

/** Takes the lease when nobody holds it: an advisory lock of this connection, and a new epoch that fences whoever had it before. Null when another node leads. */
export async function takeLease(connection: Sql, node: string, at: number): Promise<number | null> {
  const [lock] = await connection.query<{ mine: boolean }>('SELECT pg_try_advisory_lock($1::bigint) AS mine', [LOCK])
  if (!lock?.mine) return null
  const [row] = await connection.query<{ epoch: number }>(
    'INSERT INTO public.ledger_lease (epoch, node, at) SELECT coalesce(max(epoch), 0) + 1, $1::uuid, $2::timestamptz FROM public.ledger_lease RETURNING epoch',
    [node, new Date(at).toISOString()],
  )
  return row!.epoch
}

/**
 * Adds leaves in the given order. All that could make them wrong is asked in the same statement: is the lease still ours, does
 * the tree in the database end where ours ends, is the event committed, has it no leaf yet.
 */
const INSERT_LEAVES = `
INSERT INTO public.ledger_leaf (n, event_id, hash)
SELECT $1::bigint - 1 + row_number() OVER (ORDER BY c.k), c.id, c.hash
FROM unnest($2::uuid[], $3::bytea[]) WITH ORDINALITY AS c(id, hash, k)
WHERE (SELECT max(epoch) FROM public.ledger_lease) = $4::bigint
  AND NOT EXISTS (SELECT FROM public.ledger_leaf WHERE n >= $1::bigint)
  AND ($1::bigint = 0 OR EXISTS (SELECT FROM public.ledger_leaf WHERE n = $1::bigint - 1))
  AND EXISTS (SELECT FROM public.ledger_event e WHERE e.id = c.id)
  AND NOT EXISTS (SELECT FROM public.ledger_leaf l WHERE l.event_id = c.id)
RETURNING n, event_id`

export interface Added {
  frontier: Frontier
  /** Ids that got a leaf. */
  ids: Set<string>
}

/** Adds leaves and the blocks they complete in one transaction; `frontier` is not touched, a grown copy is returned. */
export async function addLeaves(connection: DedicatedConnection, epoch: number, frontier: Frontier, candidates: readonly Candidate[]): Promise<Added> {
  const grown = frontier.copy()
  await connection.query('BEGIN')
  try {
    const rows = await connection.query<{ n: number; event_id: string }>(INSERT_LEAVES, [
      frontier.size, candidates.map((c) => c.id), candidates.map((c) => c.leaf), epoch,
    ])
    const ids = new Set(rows.map((r) => r.event_id))
    const blocks: { level: number; i: number; hash: Buffer }[] = []
    for (const c of candidates) {
      if (!ids.has(c.id)) continue
      grown.add(c.leaf, 0, (piece, hash) => {
        const level = piece.height / BLOCK_HEIGHT
        if (level > 0 && Number.isInteger(level)) blocks.push({ level, i: piece.start / 2 ** piece.height, hash })
      })
    }
    if (grown.size !== frontier.size + rows.length) throw new Error('leaves were added out of order')
    await addBlocks(connection, blocks)
    await connection.query('COMMIT')
    return { frontier: grown, ids }
  } catch (error) {
    await connection.query('ROLLBACK').catch(() => undefined)
    throw error
  }
}

async function addBlocks(sql: Sql, blocks: readonly { level: number; i: number; hash: Buffer }[]): Promise<void> {
  if (blocks.length === 0) return
  await sql.query('INSERT INTO public.ledger_block (level, i, hash) SELECT * FROM unnest($1::smallint[], $2::bigint[], $3::bytea[]) ON CONFLICT DO NOTHING', [
    blocks.map((b) => b.level), blocks.map((b) => b.i), blocks.map((b) => b.hash),
  ])
}

export type Refused = 'sequenced' | 'again' | 'event-missing'
export type TreeRefused = 'lease-lost' | 'leaf-foreign' | 'tree-truncated'

/** Why candidates got no leaf. */
export async function whyRefused(sql: Sql, epoch: number, size: number, ids: readonly string[]): Promise<{ tree: TreeRefused | null; byId: Map<string, Refused> }> {
  const [tree] = await sql.query<{ epoch: number | null; last: number | null }>(
    'SELECT (SELECT max(epoch) FROM public.ledger_lease) AS epoch, (SELECT max(n) FROM public.ledger_leaf) AS last',
  )
  const last = tree?.last ?? -1
  if (tree?.epoch !== epoch) return { tree: 'lease-lost', byId: new Map() }
  if (last >= size) return { tree: 'leaf-foreign', byId: new Map() }
  if (last < size - 1) return { tree: 'tree-truncated', byId: new Map() }
  const rows = await sql.query<{ id: string; there: boolean; leaf: number | null }>(
    `SELECT c.id, e.id IS NOT NULL AS there, l.n AS leaf FROM unnest($1::uuid[]) AS c(id)
     LEFT JOIN public.ledger_event e ON e.id = c.id LEFT JOIN public.ledger_leaf l ON l.event_id = c.id`,
    [ids],
  )
  return { tree: null, byId: new Map(rows.map((r) => [r.id, r.leaf !== null ? 'sequenced' : r.there ? 'again' : 'event-missing'])) }
}

/** Publishes a signed tree head, unless the lease was lost or one of this size is there. */
export async function addCheckpoint(sql: Sql, epoch: number, c: { size: number; root: Buffer; note: string; at: number }): Promise<boolean> {
  const rows = await sql.query(
    `INSERT INTO public.ledger_checkpoint (size, root, note, at) SELECT $1::bigint, $2::bytea, $3::text, $4::timestamptz
     WHERE (SELECT max(epoch) FROM public.ledger_lease) = $5::bigint ON CONFLICT DO NOTHING RETURNING size`,
    [c.size, c.root, c.note, new Date(c.at).toISOString(), epoch],
  )
  return rows.length === 1
}
