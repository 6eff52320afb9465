import { uuidv7, Problem } from '../../kernel/base/index.ts'
import type { AnyRecord } from '../../kernel/entity/index.ts'
import { errorFields } from '../../kernel/log/index.ts'
import { openDesk, systemActor, type WorkDeps } from '../../kernel/work/index.ts'
import { changeRecord, sliceFor } from '../records/index.ts'
import { Pool, POOLED } from './pools.entity.ts'
import { allPools, intoPool, type PoolDeps } from './pools.service.ts'
import { dueBack, isDue } from './pools.store.ts'

const DAY_MS = 86_400_000
const PER_ROUND = 500

/** What the round itself may do, for nobody. */
const KEEPER = systemActor({ [Pool.name]: ['read'], ...Object.fromEntries(POOLED.map((noun) => [noun, ['read', 'assign'] as const])) })

/** Puts back what was claimed and not followed up for as long as its pool says. Run every hour; of two nodes that do it at once each record goes back once. */
export async function returnDue(work: WorkDeps, deps: PoolDeps): Promise<number> {
  const pools = await allPools({ sql: work.db, vault: work.vault, ledger: work.ledger }, sliceFor(deps.records, Pool.name))
  let done = 0
  for (const pool of pools) {
    try {
      done += await returnOf(work, deps, pool)
    } catch (error) {
      // One pool that cannot take its records back must not keep the others from it.
      work.log.warn({ component: 'pools', id: pool.id, ...errorFields(error) }, 'a pool did not get its records back and is asked again in an hour')
    }
  }
  return done
}

async function returnOf(work: WorkDeps, deps: PoolDeps, pool: AnyRecord): Promise<number> {
  const days = pool['returnAfterDays']
  if (typeof days !== 'number') return 0
  const slice = sliceFor(deps.records, String(pool['kind']))
  const activity = sliceFor(deps.records, 'activity').entity
  const since = new Date(Date.now() - days * DAY_MS).toISOString()
  let done = 0
  for (const id of await dueBack(work.db, slice.entity, activity, pool.id, since, PER_ROUND)) {
    const { desk, settled } = openDesk(work, KEEPER, uuidv7())
    const returned = await desk.write((tx) =>
      changeRecord(tx, deps.records, slice, {
        id,
        version: null,
        action: 'assign',
        event: `${slice.entity.name}.returned`,
        // Asked again while it is locked: somebody may have called the customer a moment ago.
        granted: () => isDue(tx.sql, slice.entity, activity, pool.id, since, id),
        next: () => intoPool(tx, deps, pool),
        note: { poolId: pool.id },
      }),
    ).then(() => 1, passed)
    await settled()
    done += returned
  }
  return done
}

function passed(error: unknown): number {
  if (error instanceof Problem && ['not-found', 'permission-missing'].includes(error.code)) return 0
  throw error
}
