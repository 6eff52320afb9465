import { lengthPrefixed, type Locale } from '../../kernel/base/index.ts'
import type { Sql, Tx } from '../../kernel/db/types.ts'
import type { Cell } from '../../kernel/vault/types.ts'
import { instant, type Part } from '../access/index.ts'
import type { Signing } from './people.store.ts'

export interface Organisation {
  id: string
  version: number
  country: string
  locale: Locale
  createdAt: string
}

const parts = (o: Organisation): Part[] => [o.id, o.version, o.country, o.locale, instant(o.createdAt)]

const cell = (o: Organisation): Cell => ({ table: 'organisation', compartment: 'main', rowId: o.id, rowVersion: o.version, bound: lengthPrefixed([o.country]) })

export async function insertOrganisation(tx: Tx, s: Signing, o: Organisation, name: string): Promise<void> {
  const sealed = s.vault.seal(s.vault.ownerKey(o.id), cell(o), Buffer.from(JSON.stringify({ name })))
  await tx.query('INSERT INTO organisation (id, version, country, locale, created_at, sealed, mac) VALUES ($1, $2, $3, $4, $5, $6, $7)', [o.id, o.version, o.country, o.locale, o.createdAt, sealed, s.authority.mac('organisation', parts(o))])
}

/** The one organisation of this instance with its name, or null before set-up. */
export async function loadOrganisation(sql: Sql, s: Signing): Promise<(Organisation & { name: string }) | null> {
  const [row] = await sql.query<Organisation & { sealed: Buffer; mac: Buffer }>('SELECT id, version, country, locale, created_at AS "createdAt", sealed, mac FROM organisation')
  if (!row) return null
  const { sealed, mac, ...o } = row
  s.authority.check('organisation', o.id, parts(o), mac)
  const { name } = JSON.parse(s.vault.open(s.vault.ownerKey(o.id), cell(o), sealed).toString()) as { name: string } // our own bytes, authenticated
  return { ...o, name }
}
