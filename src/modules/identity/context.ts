import type { Db } from '../../kernel/db/types.ts'
import type { Ledger, LedgerEvent } from '../../kernel/ledger/types.ts'
import type { OwnerKey, Vault } from '../../kernel/vault/types.ts'
import type { Sql, Tx } from '../../kernel/db/types.ts'
import { compileGrants, createAuthority, loadDepartments, withThoseAbove, type Authority, type RoleRegistry } from '../access/index.ts'
import type { Grants } from '../../kernel/work/types.ts'
import type { ListedPerson, LoadedPerson } from './person.rows.ts'
import type { Signing } from './people.store.ts'

/** What identity needs to know of pools, whose noun they are. */
export interface PoolSource {
  /** Pools open to somebody, by the departments they are in: their own and those above it. */
  openTo(sql: Sql, departments: () => Promise<readonly string[]>): Promise<readonly string[]>
  /** Departments that some pool is open to. */
  departments(sql: Sql): Promise<readonly string[]>
}

/** What app.ts hands over. */
export interface IdentityDeps {
  db: Db
  vault: Vault
  ledger: Ledger
  registry: RoleRegistry
  /** None where there are no pools. */
  pools?: PoolSource
  /** Fakeable; the system clock by default. */
  clock?: () => Date
}

export interface Context extends Signing {
  db: Db
  ledger: Ledger
  registry: RoleRegistry
  authority: Authority
  /** Pools open to the people of a department. */
  poolsOf(sql: Sql, departmentId: string): Promise<readonly string[]>
  /** Departments that some pool is open to. */
  pooled(sql: Sql): Promise<readonly string[]>
  now(): Date
}

export function contextOf(deps: IdentityDeps): Context {
  const { db, vault, ledger, registry } = deps
  const authority = createAuthority({ vault, ledger })
  const poolsOf = async (sql: Sql, departmentId: string): Promise<readonly string[]> => deps.pools?.openTo(sql, async () => withThoseAbove(await loadDepartments(sql, authority), departmentId)) ?? []
  return { db, vault, ledger, registry, authority, poolsOf, pooled: async (sql) => deps.pools?.departments(sql) ?? [], now: deps.clock ?? (() => new Date()) }
}

/** `grantsOf` with the pools open to the person: for whoever is going to look at rows. */
export async function rowGrantsOf(c: Pick<Context, 'registry' | 'poolsOf' | 'db'>, person: LoadedPerson, only: ReadonlySet<string> | null = null): Promise<Grants> {
  return grantsOf(c, person, only, await c.poolsOf(c.db, person.departmentId))
}

export function grantsOf(c: Pick<Context, 'registry'>, person: LoadedPerson, only: ReadonlySet<string> | null = null, pools: readonly string[] = []): Grants {
  const place = { personId: person.id, departmentId: person.departmentId, below: person.below }
  return compileGrants(c.registry, { place, roles: person.roles.map((r) => r.role), only, pools })
}

export const keyOf = (vault: Vault, person: Pick<ListedPerson, 'id'>): OwnerKey => vault.ownerKey(person.id)

/** One transaction before sign-in, where there is no desk: its events go in last, like everywhere. */
export async function recorded<T>(c: Pick<Context, 'db' | 'ledger'>, fn: (tx: Tx, record: (event: LedgerEvent) => void) => Promise<T>): Promise<T> {
  const done = await c.db.tx(async (tx) => {
    const events: LedgerEvent[] = []
    const value = await fn(tx, (e) => events.push(e))
    return { value, ids: await c.ledger.recordMany(tx, events) }
  })
  c.ledger.committed(done.ids)
  return done.value
}
