import { lengthPrefixed, Problem } from '../../kernel/base/index.ts'
import { isDivisionByZero } from '../../kernel/db/index.ts'
import type { Sql } from '../../kernel/db/types.ts'
import type { Ledger } from '../../kernel/ledger/types.ts'
import type { Vault } from '../../kernel/vault/types.ts'
import { AuthorityMoved, type AuthorityCounter } from '../../kernel/work/index.ts'
import { instantText } from './predicate.ts'

export type Part = string | number | boolean | Uint8Array | null

/** Says and checks that a row which decides a right is one we wrote. */
export interface Authority {
  mac(table: string, parts: readonly Part[]): Buffer
  /** Throws Problem seal-broken and records `authority.tampered` when the row is not ours. */
  check(table: string, id: string, parts: readonly Part[], mac: Uint8Array): void
  /** For damage a MAC cannot show by itself (a row that should be there is not). Always throws. */
  tampered(table: string, id: string): never
}

const bytesOf = (p: Part): string | Uint8Array | null => (p === null || p instanceof Uint8Array ? p : String(p))
const REPEAT_MS = 60_000
const MOST_TOLD = 1_000

export function createAuthority(deps: { vault: Vault; ledger: Ledger }): Authority {
  const told = new Map<string, number>()
  const tell = (table: string, id: string): void => {
    const key = `${table} ${id}`
    const now = Date.now()
    // Told once a minute per row: a tampered session is asked for with every request, and the ledger must not become the flood.
    if (now - (told.get(key) ?? -REPEAT_MS) < REPEAT_MS) return
    if (told.size >= MOST_TOLD) told.clear()
    told.set(key, now)
    // The refusal does not wait for the ledger, and stands without it.
    deps.ledger.append({ action: 'authority.tampered', actor: null, object: { kind: table.replaceAll('_', '-'), id } }).catch(() => told.delete(key))
  }
  const mac = (table: string, parts: readonly Part[]): Buffer => deps.vault.mac('authority', lengthPrefixed([table, ...parts.map(bytesOf)]))
  const tampered = (table: string, id: string): never => {
    tell(table, id)
    throw new Problem('seal-broken')
  }
  return {
    mac,
    check(table, id, parts, expected) {
      if (!deps.vault.macEquals('authority', lengthPrefixed([table, ...parts.map(bytesOf)]), expected)) tampered(table, id)
    },
    tampered,
  }
}

/** A time as it stands in a MAC: the same whether it came from a column, from JSON, or from us. */
export function instant(value: string | null): string | null {
  return value === null ? null : instantText(value.replace(/\+00:00$/, 'Z'))
}

export async function currentEpoch(sql: Sql): Promise<number> {
  const [row] = await sql.prepared<{ epoch: number }>('SELECT epoch FROM authority_epoch', [])
  if (!row) throw new Error('authority_epoch is empty')
  return row.epoch
}

export const authorityCounter: AuthorityCounter = {
  current: currentEpoch,
  hold(tx, epoch) {
    // 1 / 0 where it is another, or none: an error of PostgreSQL, which no COMMIT behind it survives.
    tx.send('SELECT 1 / ((SELECT epoch FROM authority_epoch) IS NOT DISTINCT FROM $1::bigint)::int AS held', [epoch], (error) => (isDivisionByZero(error) ? new AuthorityMoved() : error))
  },
  async bump(sql) {
    await sql.query('UPDATE authority_epoch SET epoch = epoch + 1')
  },
}

/**
 * Lets one change of authority through at a time, so that what is judged is what is changed: two moves that are each
 * harmless may together make a circle or a way in. Throws AuthorityMoved when the actor's grants are no longer current.
 */
export async function lockAuthority(sql: Sql, epoch: number): Promise<void> {
  const [row] = await sql.query<{ epoch: number }>('SELECT epoch FROM authority_epoch FOR UPDATE')
  if (row?.epoch !== epoch) throw new AuthorityMoved()
}
