import { createHash, randomBytes } from 'node:crypto'
import { lengthPrefixed, uuidv7 } from '../../kernel/base/index.ts'
import type { Sql } from '../../kernel/db/types.ts'
import type { Cell, Vault } from '../../kernel/vault/index.ts'
import { instant, type Authority, type Part } from '../access/index.ts'

/** How much a calendar is told: titles, or only that something is at that time. */
export type FeedDetail = 'titles' | 'times'

export interface Feed {
  id: string
  personId: string
  /** The token without a text that whoever reads the calendar acts as. */
  principalId: string
  detail: FeedDetail
  createdAt: string
  words: { name: string; expiresAt: string }
}

type Row = Omit<Feed, 'words'> & { digest: Buffer; sealed: Buffer; mac: Buffer }

export interface Signing {
  vault: Vault
  authority: Authority
}

const COLUMNS = 'id, person_id AS "personId", principal_id AS "principalId", digest, detail, created_at AS "createdAt", sealed, mac'

const PREFIX = 'sbc_'

export const looksLikeFeed = (text: string): boolean => /^sbc_[A-Za-z0-9_-]{43}$/.test(text)

const digestOf = (vault: Vault, secret: string): Buffer => vault.mac('session', lengthPrefixed(['calendar', secret]))

const parts = (r: Omit<Row, 'mac'>): Part[] => [r.id, r.personId, r.principalId, r.digest, r.detail, instant(r.createdAt), createHash('sha256').update(r.sealed).digest()]

const cellOf = (r: Pick<Feed, 'id' | 'personId'>): Cell => ({ table: 'calendar_feed', compartment: 'main', rowId: r.id, rowVersion: 1, bound: lengthPrefixed([r.personId]) })

/** Throws Problem seal-broken for a row that is not ours. */
function opened(s: Signing, { mac, ...row }: Row): Feed {
  s.authority.check('calendar_feed', row.id, parts(row), mac)
  const { sealed, digest: _, ...feed } = row
  return { ...feed, createdAt: new Date(row.createdAt).toISOString(), words: JSON.parse(s.vault.open(s.vault.ownerKey(row.personId), cellOf(row), sealed).toString()) as Feed['words'] } // our own bytes, authenticated
}

/** The secret is given back once and kept nowhere. */
export async function insertFeed(sql: Sql, s: Signing, words: Omit<Feed, 'id'>): Promise<{ feed: Feed; secret: string }> {
  const secret = PREFIX + randomBytes(32).toString('base64url')
  const feed: Feed = { ...words, id: uuidv7() }
  const { words: named, ...plain } = feed
  const row = { ...plain, digest: digestOf(s.vault, secret), sealed: s.vault.seal(s.vault.ownerKey(feed.personId), cellOf(feed), Buffer.from(JSON.stringify(named))) }
  await sql.query('INSERT INTO calendar_feed (id, person_id, principal_id, digest, detail, created_at, sealed, mac) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)', [
    row.id, row.personId, row.principalId, row.digest, row.detail, row.createdAt, row.sealed, s.authority.mac('calendar_feed', parts(row)),
  ])
  return { feed, secret }
}

export async function feedBySecret(sql: Sql, s: Signing, secret: string): Promise<Feed | null> {
  const [row] = await sql.query<Row>(`SELECT ${COLUMNS} FROM calendar_feed WHERE digest = $1`, [digestOf(s.vault, secret)])
  return row ? opened(s, row) : null
}

export async function feedsOf(sql: Sql, s: Signing, personId: string): Promise<Feed[]> {
  return (await sql.query<Row>(`SELECT ${COLUMNS} FROM calendar_feed WHERE person_id = $1 ORDER BY id DESC`, [personId])).map((r) => opened(s, r))
}

export async function deleteFeed(sql: Sql, id: string): Promise<void> {
  await sql.query('DELETE FROM calendar_feed WHERE id = $1', [id])
}
