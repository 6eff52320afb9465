import { randomBytes } from 'node:crypto'
import { lengthPrefixed, Problem, uuidv7 } from '../../kernel/base/index.ts'
import type { Sql, Tx } from '../../kernel/db/types.ts'
import type { Cell, Vault } from '../../kernel/vault/types.ts'
import { instant, type Part } from '../access/index.ts'
import { checkedPerson, PERSON_COLUMNS, type LoadedPerson, type Person, type PersonRow } from './person.rows.ts'
import type { Signing } from './people.store.ts'

export interface ApiToken {
  id: string
  personId: string
  version: number
  digest: Buffer
  tokenEpoch: number
  scopes: readonly string[]
  createdBy: string
  /** The token it was made with, and is revoked with. */
  viaToken: string | null
  createdAt: string
  expiresAt: string
  revokedAt: string | null
}

export type SealedToken = ApiToken & { sealed: Buffer }

const PREFIX = 'sbk_'

export const looksLikeToken = (text: string): boolean => /^sbk_[A-Za-z0-9_-]{43}$/.test(text)

export const tokenDigest = (vault: Vault, token: string): Buffer => vault.mac('session', lengthPrefixed(['token', token]))

const parts = (t: ApiToken): Part[] => [
  t.id, t.personId, t.version, t.digest, t.tokenEpoch, lengthPrefixed([...t.scopes].sort()), t.createdBy, t.viaToken,
  instant(t.createdAt), instant(t.expiresAt), instant(t.revokedAt),
]

// Revoking moves the version but not the name, so the seal is bound to the first version.
const cell = (t: Pick<ApiToken, 'id' | 'personId'>): Cell => ({ table: 'api_token', compartment: 'main', rowId: t.id, rowVersion: 1, bound: lengthPrefixed([t.personId]) })

export function tokenName(vault: Vault, t: SealedToken): string {
  return (JSON.parse(vault.open(vault.ownerKey(t.personId), cell(t), t.sealed).toString()) as { name: string }).name // our own bytes, authenticated
}

export interface TokenWords {
  name: string
  scopes: readonly string[]
  createdBy: string
  viaToken: string | null
  at: Date
  expiresAt: Date
}

/** The text is given back once and kept nowhere. */
export async function createToken(tx: Tx, s: Signing, person: Pick<Person, 'id' | 'tokenEpoch'>, words: TokenWords): Promise<{ token: ApiToken; text: string }> {
  const text = PREFIX + randomBytes(32).toString('base64url')
  const t: ApiToken = {
    id: uuidv7(), personId: person.id, version: 1, digest: tokenDigest(s.vault, text), tokenEpoch: person.tokenEpoch,
    scopes: [...new Set(words.scopes)].sort(), createdBy: words.createdBy, viaToken: words.viaToken,
    createdAt: words.at.toISOString(), expiresAt: words.expiresAt.toISOString(), revokedAt: null,
  }
  const sealed = s.vault.seal(s.vault.ownerKey(person.id), cell(t), Buffer.from(JSON.stringify({ name: words.name })))
  await tx.query(
    `INSERT INTO api_token (id, person_id, version, digest, token_epoch, scopes, created_by, via_token, created_at, expires_at, revoked_at, sealed, mac)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
    [t.id, t.personId, t.version, t.digest, t.tokenEpoch, t.scopes, t.createdBy, t.viaToken, t.createdAt, t.expiresAt, t.revokedAt, sealed, s.authority.mac('api_token', parts(t))],
  )
  return { token: t, text }
}

const COLUMNS = `t.id, t.person_id AS "personId", t.version, t.digest, t.token_epoch AS "tokenEpoch", t.scopes, t.created_by AS "createdBy", t.via_token AS "viaToken",
  t.created_at AS "createdAt", t.expires_at AS "expiresAt", t.revoked_at AS "revokedAt", t.sealed, t.mac`

type TokenRow = SealedToken & { mac: Buffer }

function checked(s: Signing, { mac, ...t }: TokenRow): SealedToken {
  s.authority.check('api_token', t.id, parts(t), mac)
  return t
}

/** Of one person, or of all; newest first. */
export async function listTokens(sql: Sql, s: Signing, of: { personId: string | null; before: string | null; limit: number }): Promise<SealedToken[]> {
  const rows = await sql.query<TokenRow>(`SELECT ${COLUMNS} FROM api_token t WHERE ($1::uuid IS NULL OR t.person_id = $1) AND ($2::uuid IS NULL OR t.id < $2) ORDER BY t.id DESC LIMIT $3`, [of.personId, of.before, of.limit])
  return rows.map((r) => checked(s, r))
}

export async function tokenById(sql: Sql, s: Signing, id: string): Promise<SealedToken | null> {
  const [row] = await sql.query<TokenRow>(`SELECT ${COLUMNS} FROM api_token t WHERE t.id = $1`, [id])
  return row ? checked(s, row) : null
}

/** Revokes a token and every token that was made with it: a thief's copy must not outlive the one it came from. */
export async function revokeToken(tx: Tx, s: Signing, id: string, at: Date): Promise<SealedToken[]> {
  const rows = await tx.query<TokenRow>(
    `WITH RECURSIVE tree(id) AS (SELECT $1::uuid UNION SELECT c.id FROM api_token c JOIN tree ON c.via_token = tree.id)
     SELECT ${COLUMNS} FROM api_token t JOIN tree USING (id) WHERE t.revoked_at IS NULL FOR UPDATE OF t`,
    [id],
  )
  const revoked: SealedToken[] = []
  for (const row of rows) {
    const before = checked(s, row)
    const after: SealedToken = { ...before, version: before.version + 1, revokedAt: at.toISOString() }
    const done = await tx.query('UPDATE api_token SET version = $3, revoked_at = $4, mac = $5 WHERE id = $1 AND version = $2 RETURNING id', [after.id, before.version, after.version, after.revokedAt, s.authority.mac('api_token', parts(after))])
    if (done.length === 0) throw new Problem('conflict')
    revoked.push(after)
  }
  return revoked
}

export interface LoadedToken {
  token: ApiToken
  person: LoadedPerson
}

type TokenPersonRow = PersonRow & { token: Omit<ApiToken, 'digest'> & { digest: string; mac: string } }

const TOKEN = `json_build_object('id', t.id, 'personId', t.person_id, 'version', t.version, 'digest', encode(t.digest, 'hex'), 'tokenEpoch', t.token_epoch, 'scopes', t.scopes,
  'createdBy', t.created_by, 'viaToken', t.via_token, 'createdAt', t.created_at, 'expiresAt', t.expires_at, 'revokedAt', t.revoked_at, 'mac', encode(t.mac, 'hex')) AS token`

/** Token, person, roles, factors, departments and epoch in one statement, every MAC checked. Null: no such token. */
export async function loadToken(sql: Sql, s: Signing, digest: Buffer): Promise<LoadedToken | null> {
  const [row] = await sql.query<TokenPersonRow>(`SELECT ${TOKEN}, ${PERSON_COLUMNS} FROM api_token t JOIN person p ON p.id = t.person_id WHERE t.digest = $1`, [digest])
  if (!row) return null
  const { token: raw, ...personRow } = row
  const { mac, ...fields } = raw
  const token: ApiToken = { ...fields, digest: Buffer.from(raw.digest, 'hex') }
  s.authority.check('api_token', token.id, parts(token), Buffer.from(mac, 'hex'))
  return { token, person: checkedPerson(s.authority, personRow) }
}

export function isTokenAlive({ token, person }: LoadedToken, now: Date): boolean {
  return person.disabledAt === null && token.revokedAt === null && token.tokenEpoch === person.tokenEpoch && now.getTime() < Date.parse(token.expiresAt)
}
