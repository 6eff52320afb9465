import type { Sql } from '../db/types.ts'
import type { Vault } from '../vault/types.ts'
import { openPayload, type EventRow } from './envelope.ts'
import { TimeCheck, type Findings, type HeadCheck } from './findings.ts'
import { EMPTY_ROOT, HASH_BYTES, sha256 } from './hash.ts'
import { examine } from './load.ts'
import { CHECKED_COLUMNS, toEvent, type StoredEvent } from './store.ts'
import { BLOCK_HEIGHT, Frontier } from './tree.ts'

interface TreeOptions {
  vault: Vault
  findings: Findings
  heads: HeadCheck
  /** Leaves under a valid checkpoint of the table. */
  signedSize: number
  deep: boolean
}

interface LeafRow extends Partial<StoredEvent> {
  n: number
  event_id: string
  hash: Buffer
}

const PAGE = 4_000

/** Streams the leaves up to `last` with their events, a page ahead of the checking, so that PostgreSQL and this process work side by side. */
async function* pages(sql: Sql, last: number): AsyncGenerator<LeafRow[]> {
  const page = (after: number): Promise<LeafRow[]> =>
    sql.query<LeafRow>(
      `SELECT l.n, l.event_id, l.hash, ${CHECKED_COLUMNS} FROM public.ledger_leaf l LEFT JOIN public.ledger_event e ON e.id = l.event_id
       WHERE l.n > $1 AND l.n <= $2 ORDER BY l.n LIMIT $3`,
      [after, last, PAGE],
    )
  let rows = await page(-1)
  while (rows.length > 0) {
    const next = rows.length < PAGE ? Promise.resolve([]) : page(rows.at(-1)!.n)
    // The checking may end in an error of its own; this one must not then be an unhandled rejection.
    next.catch(() => undefined)
    yield rows
    rows = await next
  }
}

/** Recomputes the tree from the rows. Every leaf must be there, be the hash of its event, and lead to every signed head. */
export async function checkTree(sql: Sql, options: TreeOptions): Promise<{ size: number; root: Buffer }> {
  const { findings, heads } = options
  const [edge] = await sql.query<{ last: number | null; negative: number }>(
    'SELECT (SELECT max(n) FROM public.ledger_leaf) AS last, (SELECT count(*) FROM public.ledger_leaf WHERE n < 0) AS negative',
  )
  if ((edge?.negative ?? 0) > 0) findings.fail('leaf-foreign', null)
  const walk = new Walk(sql, options)
  heads.reached(0, () => EMPTY_ROOT)
  for await (const rows of pages(sql, edge?.last ?? -1)) {
    for (const row of rows) walk.leaf(row)
    await walk.checkBlocks()
  }
  heads.ended(walk.size)
  await checkDuplicates(sql, findings)
  return { size: walk.size, root: walk.root() }
}

class Walk {
  readonly #sql: Sql
  readonly #o: TreeOptions
  readonly #frontier = new Frontier()
  readonly #times: TimeCheck
  #previous: LeafRow | null = null
  #blocks: { level: number; i: number; hash: Buffer }[] = []
  /** Leaves that are not there. Without them no later root can be right. */
  #gaps = 0

  constructor(sql: Sql, options: TreeOptions) {
    this.#sql = sql
    this.#o = options
    this.#times = new TimeCheck(options.findings)
  }

  get size(): number {
    return this.#frontier.size + this.#gaps
  }

  root(): Buffer {
    return this.#frontier.root()
  }

  leaf(row: LeafRow): void {
    const { findings, heads } = this.#o
    if (this.#previous?.n === row.n) {
      findings.fail(this.#previous.event_id === row.event_id ? 'event-duplicated' : 'leaf-duplicated', row.n, row.event_id)
      return
    }
    this.#previous = row
    if (row.n > this.size) {
      findings.fail('leaf-missing', this.size)
      this.#gaps = row.n - this.#frontier.size
    }
    const hash = this.#examine(row)
    this.#frontier.add(hash, 0, (piece, block) => {
      const level = piece.height / BLOCK_HEIGHT
      if (level > 0 && Number.isInteger(level) && this.#gaps === 0) this.#blocks.push({ level, i: piece.start / 2 ** piece.height, hash: block })
    })
    heads.reached(this.size, () => this.#frontier.root())
  }

  /** The hash this leaf must have had: of the event when it is genuine, else what the leaf itself says. */
  #examine(row: LeafRow): Buffer {
    const { findings, vault, signedSize } = this.#o
    const stored = row.hash?.length === HASH_BYTES ? row.hash : sha256('')
    // `id` is null when the join found no event.
    if (!row.id) {
      findings.fail(row.n < signedSize ? 'event-missing' : 'leaf-foreign', row.n, row.event_id)
      return stored
    }
    const event = toEvent(row as StoredEvent)
    const { leaf, genuine } = examine(vault, event)
    const fits = leaf?.equals(stored) ?? false
    if (genuine && leaf) {
      if (!fits) findings.fail('leaf-altered', row.n, event.id)
      this.#payload(row.n, event)
      this.#times.event(row.n, event.at)
      return leaf
    }
    // Under a signed head the sequencer has seen our MAC on it, so it was changed since; beyond, it may never have been ours.
    findings.fail(fits && row.n >= signedSize ? 'event-forged' : 'event-altered', row.n, event.id)
    return stored
  }

  #payload(n: number, event: EventRow): void {
    const { findings, vault, deep } = this.#o
    const { payload, payloadHash } = event
    if (payload === null && payloadHash === null) return
    if (payload === null || payloadHash === null || !sha256(payload).equals(payloadHash)) {
      findings.fail('payload-altered', n, event.id)
    } else if (deep && (event.sealOwner === null || vault.hasOwnerKey(event.sealOwner))) {
      try {
        openPayload(vault, event.id, event.sealOwner, payload)
      } catch {
        findings.fail('payload-unreadable', n, event.id)
      }
    }
  }

  /** The stored blocks serve proofs; a changed one would make good proofs fail. */
  async checkBlocks(): Promise<void> {
    const blocks = this.#blocks
    this.#blocks = []
    if (blocks.length === 0) return
    const bad = await this.#sql.query<{ level: number; i: number }>(
      `SELECT c.level, c.i FROM unnest($1::smallint[], $2::bigint[], $3::bytea[]) AS c(level, i, hash)
       WHERE NOT EXISTS (SELECT FROM public.ledger_block b WHERE b.level = c.level AND b.i = c.i AND b.hash = c.hash)`,
      [blocks.map((b) => b.level), blocks.map((b) => b.i), blocks.map((b) => b.hash)],
    )
    for (const b of bad) this.#o.findings.fail('block-altered', b.i * 256 ** b.level)
  }
}

/** One event, one leaf: a constraint says so, but a superuser can drop it. */
async function checkDuplicates(sql: Sql, findings: Findings): Promise<void> {
  const rows = await sql.query<{ event_id: string; n: number }>(
    'SELECT event_id, max(n) AS n FROM public.ledger_leaf GROUP BY event_id HAVING count(*) > 1 LIMIT 1000',
  )
  for (const row of rows) findings.fail('leaf-duplicated', row.n, row.event_id)
}
