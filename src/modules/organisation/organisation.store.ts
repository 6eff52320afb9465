import { lengthPrefixed, Problem, type Locale } from '../../kernel/base/index.ts'
import type { Sql, Tx } from '../../kernel/db/types.ts'
import type { Cell, Vault } from '../../kernel/vault/types.ts'
import { instant, type Authority, type Part } from '../access/index.ts'
import { defaultSettings, type OrganisationSettings } from './settings.ts'

/** Columns of the one row. */
export interface OrganisationRow {
  id: string
  version: number
  country: string
  locale: Locale
  createdAt: string
}

/** What is sealed in it. Instances from before there were settings have none and count by the defaults of their country. */
interface Words {
  name: string
  settings?: Omit<OrganisationSettings, 'locale'>
}

export type OrganisationFacts = OrganisationRow & OrganisationSettings & { name: string }

interface Signing {
  vault: Vault
  authority: Authority
}

const parts = (o: OrganisationRow): Part[] => [o.id, o.version, o.country, o.locale, instant(o.createdAt)]

const cell = (o: OrganisationRow): Cell => ({ table: 'organisation', compartment: 'main', rowId: o.id, rowVersion: o.version, bound: lengthPrefixed([o.country]) })

const seal = (s: Signing, o: OrganisationRow, words: Words): Buffer => s.vault.seal(s.vault.ownerKey(o.id), cell(o), Buffer.from(JSON.stringify(words)))

export async function insertOrganisation(tx: Tx, s: Signing, o: OrganisationRow, name: string): Promise<void> {
  await tx.query('INSERT INTO organisation (id, version, country, locale, created_at, sealed, mac) VALUES ($1, $2, $3, $4, $5, $6, $7)', [o.id, o.version, o.country, o.locale, o.createdAt, seal(s, o, { name }), s.authority.mac('organisation', parts(o))])
}

const SELECT = 'SELECT id, version, country, locale, created_at AS "createdAt", sealed, mac FROM organisation'

/** The one organisation of this instance, or null before set-up. `lock` keeps it until the transaction ends. Throws Problem seal-broken. */
export async function loadOrganisation(sql: Sql, s: Signing, lock = false): Promise<OrganisationFacts | null> {
  const [row] = await sql.query<OrganisationRow & { sealed: Buffer; mac: Buffer }>(lock ? `${SELECT} FOR UPDATE` : SELECT)
  if (!row) return null
  const { sealed, mac, ...o } = row
  s.authority.check('organisation', o.id, parts(o), mac)
  const { name, settings } = JSON.parse(s.vault.open(s.vault.ownerKey(o.id), cell(o), sealed).toString()) as Words // our own bytes, authenticated
  return { ...defaultSettings(o.country, o.locale), ...settings, ...o, name }
}

/** Writes the next version. Throws Problem version-stale when somebody else did first. */
export async function saveOrganisation(tx: Tx, s: Signing, next: OrganisationFacts): Promise<void> {
  const { name, timeZone, workingDays, fiscalYearStart, baseCurrency } = next
  const sealed = seal(s, next, { name, settings: { timeZone, workingDays, fiscalYearStart, baseCurrency } })
  const done = await tx.query('UPDATE organisation SET version = $2, locale = $3, sealed = $4, mac = $5 WHERE id = $1 AND version = $6 RETURNING 1 AS done', [next.id, next.version, next.locale, sealed, s.authority.mac('organisation', parts(next)), next.version - 1])
  if (done.length === 0) throw new Problem('version-stale')
}
