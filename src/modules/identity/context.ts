import type { Db } from '../../kernel/db/types.ts'
import type { Ledger, LedgerEvent } from '../../kernel/ledger/types.ts'
import type { OwnerKey, Vault } from '../../kernel/vault/types.ts'
import type { Tx } from '../../kernel/db/types.ts'
import { compileGrants, createAuthority, type Authority, type RoleRegistry } from '../access/index.ts'
import type { Grants } from '../../kernel/work/types.ts'
import type { ListedPerson, LoadedPerson } from './person.rows.ts'
import type { Signing } from './people.store.ts'

/** What app.ts hands over. */
export interface IdentityDeps {
  db: Db
  vault: Vault
  ledger: Ledger
  registry: RoleRegistry
  /** Fakeable; the system clock by default. */
  clock?: () => Date
}

export interface Context extends Signing {
  db: Db
  ledger: Ledger
  registry: RoleRegistry
  authority: Authority
  now(): Date
}

export function contextOf(deps: IdentityDeps): Context {
  const { db, vault, ledger, registry } = deps
  return { db, vault, ledger, registry, authority: createAuthority({ vault, ledger }), now: deps.clock ?? (() => new Date()) }
}

export function grantsOf(c: Pick<Context, 'registry'>, person: LoadedPerson, only: ReadonlySet<string> | null = null): Grants {
  const place = { personId: person.id, departmentId: person.departmentId, below: person.below }
  return compileGrants(c.registry, { place, roles: person.roles.map((r) => r.role), only })
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
