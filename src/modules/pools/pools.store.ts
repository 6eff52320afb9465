import type { Sql, Tx } from '../../kernel/db/types.ts'
import type { Entity } from '../../kernel/entity/index.ts'

/** Records that lie in a pool now. */
export async function heldIn(sql: Sql, target: Entity, poolId: string): Promise<number> {
  const [row] = await sql.query<{ n: number }>(`SELECT count(*)::int AS n FROM ${target.table} WHERE pool_id = $1 AND deleted_at IS NULL`, [poolId])
  return row?.n ?? 0
}

/** How many a person holds of those claimed from a pool. Whoever claims for the same person from the same pool waits behind this transaction, so two claims at once are not both the last one allowed. */
export async function claimedBy(tx: Tx, target: Entity, poolId: string, personId: string): Promise<number> {
  await tx.query("SELECT pg_advisory_xact_lock(hashtextextended('pool claim ' || $1::text || $2::text, 0))", [poolId, personId])
  const [row] = await tx.query<{ n: number }>(`SELECT count(*)::int AS n FROM ${target.table} WHERE claimed_pool_id = $1 AND owner_id = $2 AND deleted_at IS NULL`, [poolId, personId])
  return row?.n ?? 0
}

const DUE = (target: Entity, activity: Entity): string =>
  `SELECT t.id FROM ${target.table} t
   WHERE t.claimed_pool_id = $1 AND t.pool_id IS NULL AND t.deleted_at IS NULL AND t.claimed_at < $2
     AND NOT EXISTS (SELECT FROM ${activity.table} a WHERE a.record_id = t.id AND a.deleted_at IS NULL AND a.created_at >= $2)`

/** Claimed before `since` and not followed up since then: no activity was made on it. */
export async function dueBack(sql: Sql, target: Entity, activity: Entity, poolId: string, since: string, limit: number): Promise<string[]> {
  return (await sql.query<{ id: string }>(`${DUE(target, activity)} ORDER BY t.id LIMIT ${Math.trunc(limit)}`, [poolId, since])).map((r) => r.id)
}

/** The same question of one record, asked while it is locked. */
export async function isDue(sql: Sql, target: Entity, activity: Entity, poolId: string, since: string, id: string): Promise<boolean> {
  return (await sql.query(`${DUE(target, activity)} AND t.id = $3`, [poolId, since, id])).length > 0
}
