import type { Sql } from '../db/types.ts'
import type { Vault } from '../vault/types.ts'
import { eventBytes, type EventRow } from './envelope.ts'
import { leafHash } from './hash.ts'
import { openCheckpoint, type Checkpoint, type NoteKey } from './note.ts'
import { ENVELOPE_COLUMNS, latestCheckpoints, toEvent, type StoredEvent } from './store.ts'
import { Frontier, readFrontier } from './tree.ts'
import { hashReader, MissingLeaf } from './treestore.ts'

export type EventCheck = Pick<Vault, 'macEquals'>

/** The leaf hash of a row, and whether this instance wrote the row. Never throws: a row that cannot even be encoded is not ours. */
export function examine(vault: EventCheck, row: EventRow): { leaf: Buffer | null; genuine: boolean } {
  try {
    const { envelope, authenticated } = eventBytes(row)
    return { leaf: leafHash(envelope), genuine: vault.macEquals('ledger-event', authenticated, row.mac) }
  } catch {
    return { leaf: null, genuine: false }
  }
}

export interface SignedHead extends Checkpoint {
  note: string
  at: string
}

/** The newest checkpoint that carries our signature; forged ones above it are told to `forged`. */
export async function latestSigned(sql: Sql, key: NoteKey, forged?: (size: number) => void): Promise<SignedHead | null> {
  let below: number | null = null
  for (;;) {
    const rows = await latestCheckpoints(sql, 16, below)
    for (const row of rows) {
      const head = openCheckpoint(row.note, key)
      if (head && head.size === row.size) return { ...head, note: row.note, at: row.at }
      forged?.(row.size)
    }
    if (rows.length < 16) return null
    below = rows.at(-1)!.size
  }
}

export type TreeFault = 'checkpoint-inconsistent' | 'leaf-missing' | 'leaf-altered' | 'leaf-foreign' | 'event-altered' | 'tree-truncated'

export interface LoadedTree {
  frontier: Frontier
  signed: SignedHead | null
  fault: { code: TreeFault; leaf: number } | null
  blocksAltered: boolean
}

/** The frontier of exactly `size` leaves, when the stored hashes lead to `root`: from blocks, or, when somebody changed those, from all leaves. */
async function frontierAt(sql: Sql, size: number, root: Buffer): Promise<{ frontier: Frontier; blocksAltered: boolean } | null> {
  const quick = await readFrontier(size, hashReader(sql))
  if (quick.root().equals(root)) return { frontier: quick, blocksAltered: false }
  const slow = await readFrontier(size, hashReader(sql, { leavesOnly: true }))
  return slow.root().equals(root) ? { frontier: slow, blocksAltered: true } : null
}

/**
 * Takes up the tree where it was left: from the newest signed head, then leaf by leaf, each checked against its
 * event. `known` is a head this process (or the anchor beside it) has signed: the database must still lead to it.
 */
export async function loadTree(sql: Sql, vault: EventCheck, signed: SignedHead | null, known: Checkpoint | null): Promise<LoadedTree> {
  const fail = (code: TreeFault, leaf: number): LoadedTree => ({ frontier: new Frontier(), signed, fault: { code, leaf }, blocksAltered: false })
  try {
    const base = signed ? await frontierAt(sql, signed.size, signed.root) : { frontier: new Frontier(), blocksAltered: false }
    if (!base) return fail('checkpoint-inconsistent', signed!.size - 1)
    const { frontier } = base
    const fault = await replay(sql, vault, frontier)
    if (fault) return fail(fault.code, fault.leaf)
    if (known) {
      if (known.size > frontier.size) return fail('tree-truncated', frontier.size)
      if (!(await frontierAt(sql, known.size, known.root))) return fail('checkpoint-inconsistent', known.size - 1)
    }
    return { frontier, signed, fault: null, blocksAltered: base.blocksAltered }
  } catch (error) {
    if (error instanceof MissingLeaf) return fail('leaf-missing', error.leaf)
    throw error
  }
}

const PAGE = 2000

interface LeafWithEvent extends Partial<StoredEvent> {
  n: number
  hash: Buffer
}

/** Adds the leaves that no checkpoint covers yet: nobody has signed them, so each must be the leaf of an event of ours. */
async function replay(sql: Sql, vault: EventCheck, frontier: Frontier): Promise<LoadedTree['fault']> {
  for (;;) {
    const rows = await sql.query<LeafWithEvent>(
      `SELECT l.n, l.hash, ${ENVELOPE_COLUMNS} FROM public.ledger_leaf l LEFT JOIN public.ledger_event e ON e.id = l.event_id
       WHERE l.n >= $1 ORDER BY l.n LIMIT $2`,
      [frontier.size, PAGE],
    )
    for (const row of rows) {
      if (row.n !== frontier.size) return { code: 'leaf-missing', leaf: frontier.size }
      // `id` is null when the join found no event.
      if (!row.id) return { code: 'leaf-foreign', leaf: row.n }
      const { leaf, genuine } = examine(vault, toEvent(row as StoredEvent))
      if (!genuine) return { code: 'event-altered', leaf: row.n }
      if (!leaf?.equals(row.hash)) return { code: 'leaf-altered', leaf: row.n }
      frontier.add(leaf)
    }
    if (rows.length < PAGE) return null
  }
}
