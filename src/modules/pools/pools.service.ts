import { Problem } from '../../kernel/base/index.ts'
import type { Sql } from '../../kernel/db/types.ts'
import type { AnyRecord } from '../../kernel/entity/index.ts'
import type { Ledger } from '../../kernel/ledger/types.ts'
import type { Vault } from '../../kernel/vault/types.ts'
import type { Desk, Work } from '../../kernel/work/types.ts'
import { ALL, mayOn, rowCondition } from '../access/index.ts'
import { changeRecord, openRow, sliceFor, type Deriving, type RecordsDeps, type Slice, type Written } from '../records/index.ts'
import { Pool } from './pools.entity.ts'
import { claimedBy, heldIn } from './pools.store.ts'

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

const MOST_POOLS = 1_000

/** Every pool that opens. One that does not is open to nobody, and written down. */
export async function allPools(at: { sql: Sql; vault: Vault; ledger: Pick<Ledger, 'append'> }, slice: Slice): Promise<AnyRecord[]> {
  const stamps = await slice.store.page(at.sql, { scope: ALL, limit: MOST_POOLS })
  if (stamps.length === 0) return []
  const out: AnyRecord[] = []
  for (const row of await slice.store.full(at.sql, stamps.map((s) => s.id))) {
    try {
      out.push(slice.cache.get(row.id, row.stamp) ?? openRow(at.vault, slice, row, at.vault.ownerKey(row.key_id)))
    } catch (error) {
      if (!(error instanceof Problem)) throw error
      await at.ledger.append({ action: 'seal.refused', actor: null, object: { kind: Pool.name, id: row.id }, detail: { code: error.code } })
    }
  }
  return out
}

const departmentsOf = (pool: AnyRecord): string[] => pool['departments'] as string[] // the entity's type of this field

/** Asked where a person's rights are compiled, and again by every claim: from the sealed rows, never from a column. */
export class OpenPools {
  readonly #pools: (sql: Sql) => Promise<AnyRecord[]>

  constructor(deps: { vault: Vault; ledger: Pick<Ledger, 'append'>; slice: Slice }) {
    this.#pools = (sql) => allPools({ sql, vault: deps.vault, ledger: deps.ledger }, deps.slice)
  }

  /** Pools open to somebody, by the departments they are in: their own and those above it. */
  async openTo(sql: Sql, departments: () => Promise<readonly string[]>): Promise<readonly string[]> {
    const pools = await this.#pools(sql)
    if (pools.length === 0) return []
    const mine = new Set(await departments())
    return pools.filter((p) => departmentsOf(p).some((d) => mine.has(d))).map((p) => p.id)
  }

  /** Departments that some pool is open to. */
  async departments(sql: Sql): Promise<readonly string[]> {
    return (await this.#pools(sql)).flatMap(departmentsOf)
  }
}

export interface PoolDeps {
  records: RecordsDeps
  /** Pools open to the people of a department. */
  openTo(sql: Sql, departmentId: string): Promise<readonly string[]>
}

/** A pool that is there, opened in the caller's transaction. Throws Problem not-found. */
export async function poolById(work: Pick<Work, 'sql' | 'vault'>, records: RecordsDeps, id: string): Promise<AnyRecord> {
  const slice = sliceFor(records, Pool.name)
  const [row] = (await slice.store.full(work.sql, [id])).filter((r) => r['deleted_at'] === null)
  if (!row) throw new Problem('not-found')
  return openRow(work.vault, slice, row, work.vault.ownerKey(row.key_id))
}

/** Takes a record out of its pool for oneself. Of two who claim it at once one wins, the other gets claim-lost. */
export function claim(desk: Desk, deps: PoolDeps, slice: Slice, id: string): Promise<Written> {
  return desk.write(async (work) => {
    const { entity } = slice
    const row = await slice.store.find(work.sql, id, rowCondition(work.actor, entity, 'read'))
    if (!row) throw new Problem('not-found')
    const poolId = row['pool_id']
    if (typeof poolId !== 'string') throw new Problem('not-pooled')
    if (!(await deps.openTo(work.sql, work.actor.departmentId)).includes(poolId)) throw new Problem('permission-missing')
    const limit = (await poolById(work, deps.records, poolId))['claimLimitPerPerson'] as number | null // the entity's type of this field
    if (limit !== null && (await claimedBy(work.sql, entity, poolId, work.actor.personId)) >= limit) throw new Problem('claim-limit')
    const next = { ownerId: work.actor.personId, departmentId: work.actor.departmentId, poolId: null, pooledAt: null, claimedPoolId: poolId, claimedAt: work.at.toISOString() }
    const change = { id, version: null, action: 'assign', event: `${entity.name}.claimed`, granted: (before: AnyRecord) => before['poolId'] === poolId, next: () => next, note: { poolId } } as const
    return changeRecord(work, deps.records, slice, change).catch((error: unknown) => {
      // It was there a moment ago: whoever was faster has it.
      throw error instanceof Problem && ['not-found', 'permission-missing'].includes(error.code) ? new Problem('claim-lost') : error
    })
  })
}

/** What makes a record lie in a pool: its keeper is the owner of the pool, until somebody claims it. */
export async function intoPool(work: Work, deps: PoolDeps, pool: AnyRecord): Promise<Record<string, unknown>> {
  const keeper = await deps.records.place(work.sql, pool.ownerId)
  if (!keeper?.active) throw new Problem('pool-without-keeper')
  return { ownerId: pool.ownerId, departmentId: keeper.departmentId, poolId: pool.id, pooledAt: work.at.toISOString(), claimedPoolId: null, claimedAt: null }
}

async function targetPool(work: Work, deps: PoolDeps, slice: Slice, before: AnyRecord, asked: string | undefined): Promise<AnyRecord> {
  const poolId = asked ?? before['claimedPoolId']
  if (typeof poolId !== 'string') throw new Problem('invalid', { errors: [{ path: 'poolId', code: 'required' }] })
  const pool = await poolById(work, deps.records, poolId)
  if (pool['kind'] !== slice.entity.name) throw new Problem('invalid', { errors: [{ path: 'poolId', code: 'not-found' }] })
  // A pool of others would be a way to give records to them, which needs the right to assign.
  const may = poolId === before['claimedPoolId'] || mayOn(Pool, 'edit', pool, work.actor) || (await deps.openTo(work.sql, work.actor.departmentId)).includes(poolId)
  if (!may) throw new Problem('permission-missing')
  return pool
}

/** Puts a record of one's own, or one that one may edit, into a pool: by default the one it was claimed from. */
export function release(desk: Desk, deps: PoolDeps, slice: Slice, id: string, poolId: string | undefined): Promise<Written> {
  return desk.write((work) =>
    changeRecord(work, deps.records, slice, {
      id,
      version: null,
      action: 'edit',
      event: `${slice.entity.name}.released`,
      async next(before) {
        if (before['poolId'] !== null) throw new Problem('already-pooled')
        return intoPool(work, deps, await targetPool(work, deps, slice, before, poolId))
      },
    }),
  )
}
