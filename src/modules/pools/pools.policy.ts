import type { AnyRecord } from '../../kernel/entity/index.ts'
import type { Deriving } from '../records/index.ts'

/** Inside every change of what can lie in a pool: given to somebody it leaves the pool, and who gets it has the whole time before it comes back. */
export function poolingRules(before: AnyRecord | null, next: AnyRecord, { work, undo }: Deriving): AnyRecord {
  if (before === null || undo || before.ownerId === next.ownerId) return next
  const at = work.at.toISOString()
  // Laid into it anew, under another keeper, it stays.
  if (next['poolId'] !== null && next['poolId'] === before['poolId'] && next['pooledAt'] === before['pooledAt']) return { ...next, poolId: null, pooledAt: null, claimedPoolId: before['poolId'], claimedAt: at }
  if (next['poolId'] === null && next['claimedPoolId'] !== null && next['claimedPoolId'] === before['claimedPoolId']) return { ...next, claimedAt: at }
  return next
}
