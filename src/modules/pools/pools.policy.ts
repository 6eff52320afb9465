import { Problem } from '../../kernel/base/index.ts'
import type { AnyRecord } from '../../kernel/entity/index.ts'
import { mayOn } from '../access/index.ts'
import { sliceFor, type Deriving } from '../records/index.ts'
import { heldIn } from './pools.store.ts'

const NOBODY = '00000000-0000-0000-0000-000000000000'

/**
 * The rules of a pool itself. It is opened only to departments in which its writer could give a record to somebody anyway: a pool must not
 * carry customers farther than its maker reaches. Whatever decides who sees what lies in it ends every cached grant.
 */
export async function poolRules(before: AnyRecord | null, next: AnyRecord, { work, deps }: Deriving): Promise<AnyRecord> {
  const target = sliceFor(deps, String(next['kind'])).entity
  const had = new Set((before?.['departments'] ?? []) as string[]) // the entity's type of this field
  const has = [...new Set(next['departments'] as string[])]
  for (const departmentId of has) {
    if (!had.has(departmentId) && !mayOn(target, 'assign', { ...next, ownerId: NOBODY, departmentId }, work.actor)) throw new Problem('invalid', { errors: [{ path: 'departments', code: 'not-found' }] })
  }
  if (next.deletedAt !== null && before?.deletedAt === null && (await heldIn(work.sql, target, next.id)) > 0) throw new Problem('pool-in-use')
  const moved = before === null || before.deletedAt !== next.deletedAt || has.length !== had.size || has.some((d) => !had.has(d))
  if (moved) await work.bumpAuthority()
  return { ...next, departments: has }
}

/** Inside every change of what can lie in a pool: given to somebody it leaves the pool, and who gets it has the whole time before it comes back. */
export function poolingRules(before: AnyRecord | null, next: AnyRecord, { work, undo }: Deriving): AnyRecord {
  if (before === null || undo || before.ownerId === next.ownerId) return next
  const at = work.at.toISOString()
  if (next['poolId'] !== null && next['poolId'] === before['poolId']) return { ...next, poolId: null, pooledAt: null, claimedPoolId: before['poolId'], claimedAt: at }
  if (next['poolId'] === null && next['claimedPoolId'] !== null && next['claimedPoolId'] === before['claimedPoolId']) return { ...next, claimedAt: at }
  return next
}
