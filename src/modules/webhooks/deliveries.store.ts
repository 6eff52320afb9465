import type { Sql } from '../../kernel/db/types.ts'
import { uuidv7 } from '../../kernel/base/index.ts'
import { leafMac, type Signing } from './webhooks.store.ts'

export type DeliveryState = 'waiting' | 'delivered' | 'withheld' | 'failed'

export interface Delivery {
  id: string
  leaf: number
  state: DeliveryState
  attempts: number
  status: number | null
  createdAt: string
  nextAt: string
}

export interface Progress {
  nextLeaf: number
  failures: number
  failingSince: string | null
}

const COLUMNS = 'id, leaf, state, attempts, status, created_at AS "createdAt", next_at AS "nextAt"'
/** Longer than one attempt takes; every attempt begins it anew. */
const CLAIM_SECONDS = 30

/** Takes a webhook for this node and a while; null when another has it. Throws Problem seal-broken when the leaf is not the one we wrote. */
export async function claim(sql: Sql, s: Signing, hookId: string): Promise<Progress | null> {
  const [row] = await sql.query<Progress & { mac: Buffer }>(
    `UPDATE webhook_progress SET claimed_until = now() + interval '${CLAIM_SECONDS} seconds' WHERE webhook_id = $1 AND (claimed_until IS NULL OR claimed_until < now())
     RETURNING next_leaf AS "nextLeaf", failures, failing_since AS "failingSince", mac`,
    [hookId],
  )
  if (!row) return null
  s.authority.check('webhook_progress', hookId, [hookId, row.nextLeaf], row.mac)
  return row
}

export async function release(sql: Sql, hookId: string): Promise<void> {
  await sql.query('UPDATE webhook_progress SET claimed_until = NULL WHERE webhook_id = $1', [hookId])
}

/** Leaves to send and how far the ledger was followed, together: a stop between the two loses nothing. False when somebody else has followed it meanwhile. */
export async function follow(sql: Sql, s: Signing, hookId: string, from: number, to: number, leaves: readonly number[], at: Date): Promise<boolean> {
  const moved = await sql.query('UPDATE webhook_progress SET next_leaf = $3, mac = $4 WHERE webhook_id = $1 AND next_leaf = $2 RETURNING 1 AS done', [hookId, from, to, leafMac(s, hookId, to)])
  if (moved.length === 0) return false
  if (leaves.length > 0) {
    await sql.query(
      `INSERT INTO webhook_delivery (id, webhook_id, leaf, state, created_at, next_at) SELECT d.id, $1, d.leaf, 'waiting', $4, $4 FROM unnest($2::uuid[], $3::bigint[]) AS d(id, leaf)
       ON CONFLICT (webhook_id, leaf) DO NOTHING`,
      [hookId, leaves.map(() => uuidv7()), leaves, at.toISOString()],
    )
  }
  return true
}

/** What waits and is due, in the order of the ledger. */
export async function dueDeliveries(sql: Sql, hookId: string, limit: number): Promise<Delivery[]> {
  return sql.query<Delivery>(`SELECT ${COLUMNS} FROM webhook_delivery WHERE webhook_id = $1 AND state = 'waiting' AND next_at <= now() ORDER BY leaf LIMIT $2`, [hookId, limit])
}

export interface Ending {
  state: DeliveryState
  status: number | null
  /** When it is tried again. */
  nextAt: Date
}

export async function noteAttempt(sql: Sql, d: Delivery, ending: Ending): Promise<void> {
  await sql.query('UPDATE webhook_delivery SET state = $2, status = $3, attempts = $4, next_at = $5 WHERE id = $1', [d.id, ending.state, ending.status, d.attempts + 1, ending.nextAt.toISOString()])
}

/** How the webhook as a whole fares: it rests until `nextAt`. */
export async function noteHealth(sql: Sql, hookId: string, failures: number, at: Date, nextAt: Date): Promise<void> {
  await sql.query(`UPDATE webhook_progress SET failures = $2, failing_since = CASE WHEN $2 = 0 THEN NULL ELSE coalesce(failing_since, $3) END, next_at = $4, claimed_until = now() + interval '${CLAIM_SECONDS} seconds' WHERE webhook_id = $1`, [hookId, failures, at.toISOString(), nextAt.toISOString()])
}

/** Begins anew after a pause: at once, and with no failures behind it. */
export async function resume(sql: Sql, hookId: string): Promise<void> {
  await sql.query('UPDATE webhook_progress SET failures = 0, failing_since = NULL, next_at = now() WHERE webhook_id = $1', [hookId])
}

/** Since when each webhook has failed without a break. */
export async function failingSince(sql: Sql, hookIds: readonly string[]): Promise<Map<string, string>> {
  const rows = await sql.query<{ id: string; at: string }>('SELECT webhook_id AS id, failing_since AS at FROM webhook_progress WHERE webhook_id = ANY ($1::uuid[]) AND failing_since IS NOT NULL', [hookIds])
  return new Map(rows.map((r) => [r.id, r.at]))
}

/** Newest first, before a leaf. */
export async function listDeliveries(sql: Sql, hookId: string, before: number | null, limit: number): Promise<Delivery[]> {
  return sql.query<Delivery>(`SELECT ${COLUMNS} FROM webhook_delivery WHERE webhook_id = $1 AND ($2::bigint IS NULL OR leaf < $2) ORDER BY leaf DESC LIMIT $3`, [hookId, before, limit])
}

const KEPT_DAYS = 30

export async function purgeDeliveries(sql: { query(text: string): Promise<unknown> }): Promise<void> {
  await sql.query(`DELETE FROM webhook_delivery WHERE state <> 'waiting' AND created_at < now() - interval '${KEPT_DAYS} days'`)
}
