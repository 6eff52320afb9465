import { Problem } from '../base/index.ts'
import type { Db, DedicatedConnection } from '../db/types.ts'
import type { Vault } from '../vault/types.ts'
import { Findings, HeadCheck, type ExpectedHead } from './findings.ts'
import { openCheckpoint, parseVerifierKey, type Checkpoint, type NoteKey } from './note.ts'
import { firstId, type StoredCheckpoint } from './store.ts'
import type { VerifyReport } from './types.ts'
import { checkLeafless, checkLinks, type Suspect } from './verify-events.ts'
import { checkTree } from './verify-tree.ts'

export interface LiveOptions {
  db: Db
  vault: Vault
  ownKey: NoteKey
  /** Heads held outside the database: by this process, by its anchor. */
  known: readonly Checkpoint[]
  vkey?: string
  since?: string
  deep?: boolean
}

/** How long verification waits for the sequencer before it calls an event left out. */
const SETTLE_MS = 2_500
/** How far behind the newest leaf an event without one may be: longer than any transaction lives. */
const WINDOW_MS = 600_000

/** Recomputes the ledger from its rows. Throws only when the database cannot be reached; whatever is in the tables becomes a finding. */
export async function verifyLive(options: LiveOptions): Promise<VerifyReport> {
  const connection = await options.db.connect('ledger-verify')
  try {
    // A million leaves take longer than a statement of the application may.
    await connection.query('SET statement_timeout = 0')
    return await verifyOver(connection, options)
  } finally {
    await connection.end().catch(() => undefined)
  }
}

async function verifyOver(connection: DedicatedConnection, options: LiveOptions): Promise<VerifyReport> {
  const findings = new Findings()
  const pinned = options.vkey === undefined ? options.ownKey : parseVerifierKey(options.vkey)
  const key = pinned ?? options.ownKey
  if (!pinned) findings.fail('verifier-key-invalid', null)
  const since = options.since === undefined ? null : openCheckpoint(options.since, key)
  if (options.since !== undefined && !since) findings.fail('since-invalid', null)
  let result = { size: 0, root: '', checkpointAt: null as string | null, signedSize: 0, waiting: 0 }
  try {
    const stored = await readHeads(connection, key, findings)
    const heads: ExpectedHead[] = [...stored.heads, ...options.known, ...(since ? [since] : [])]
    const tree = await checkTree(connection, { vault: options.vault, findings, heads: new HeadCheck(heads, findings), signedSize: stored.size, deep: options.deep ?? false })
    const waiting = await checkEvents(connection, options, findings)
    result = { waiting, size: tree.size, root: tree.root.toString('base64'), checkpointAt: stored.at, signedSize: stored.size }
  } catch (error) {
    // Anything but an outage is somebody's doing: a column gone, a value no reader of ours can make sense of.
    if (error instanceof Problem) throw error
    findings.fail('ledger-unreadable', null)
  }
  return {
    ok: findings.count === 0, size: result.size, root: result.root, checkpointAt: result.checkpointAt,
    failures: findings.failures, failureCount: findings.count, warnings: findings.warnings, notProven: notProven(since !== null, result),
  }
}

function notProven(since: boolean, result: { size: number; signedSize: number; waiting: number }): string[] {
  return [
    ...(since ? [] : ['rollback-or-fork-since-anchor']),
    ...(result.size > result.signedSize ? ['events-after-checkpoint'] : []),
    ...(result.waiting > 0 ? ['events-not-yet-sequenced'] : []),
  ]
}

/** All heads in the table, each under our signature or told as forged. */
async function readHeads(connection: DedicatedConnection, key: NoteKey, findings: Findings): Promise<{ heads: ExpectedHead[]; size: number; at: string | null }> {
  const heads: ExpectedHead[] = []
  let at: string | null = null
  let after = -1
  for (;;) {
    const rows = await connection.query<StoredCheckpoint>('SELECT size, root, note, at FROM public.ledger_checkpoint WHERE size > $1 ORDER BY size LIMIT 1000', [after])
    for (const row of rows) {
      const head = openCheckpoint(row.note ?? '', key)
      if (!head || head.size !== row.size || !row.root?.equals(head.root)) {
        findings.fail('checkpoint-forged', row.size)
        continue
      }
      heads.push({ size: head.size, root: head.root })
      at = row.at
    }
    if (rows.length < 1000) return { heads, size: heads.at(-1)?.size ?? 0, at }
    after = rows.at(-1)!.size
  }
}

/**
 * Events without leaf and links without event are looked at twice: a moment between commit and sequencing is no finding. An event of
 * ours that still waits is one only when the sequencer has gone past it; a process that was killed leaves some for the next start.
 */
async function checkEvents(connection: DedicatedConnection, options: LiveOptions, findings: Findings): Promise<number> {
  const started = performance.now()
  const suspects: Suspect[] = [...(await checkLeafless(connection, options.vault, findings)), ...(await checkLinks(connection, options.vault, findings))]
  if (suspects.length === 0) return 0
  const wait = SETTLE_MS - (performance.now() - started)
  if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait))
  const ids = [...new Set(suspects.map((s) => s.id))]
  const still = await connection.query<{ id: string; there: boolean }>(
    `SELECT c.id, EXISTS (SELECT FROM public.ledger_event e WHERE e.id = c.id) AS there FROM unnest($1::uuid[]) AS c(id)
     WHERE NOT EXISTS (SELECT FROM public.ledger_leaf l WHERE l.event_id = c.id)`,
    [ids],
  )
  const [newest] = await connection.query<{ id: string }>('SELECT event_id AS id FROM public.ledger_leaf ORDER BY n DESC LIMIT 1')
  const passed = newest ? firstId(timeOfId(newest.id) - WINDOW_MS) : firstId(0)
  for (const { id, there } of still) if (!there || id < passed) findings.fail(there ? 'leaf-missing' : 'event-missing', null, id)
  return still.filter(({ id, there }) => there && id >= passed).length
}

/** The Unix milliseconds a UUID of version 7 begins with. */
function timeOfId(id: string): number {
  return Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16)
}
