import { createHash } from 'node:crypto'
import { lengthPrefixed, Problem, uuidv7 } from '../../kernel/base/index.ts'
import type { Sql } from '../../kernel/db/types.ts'
import type { Cell, Vault } from '../../kernel/vault/index.ts'
import { instant, type Authority, type Part } from '../access/index.ts'

export type HookState = 'active' | 'paused' | 'disabled'
export type HookReason = 'failing' | 'gone' | 'ended'

/** What is sealed. */
export interface HookWords {
  name: string
  url: string
  secret: string
  /** The secret before, for a day after it was replaced. */
  before: { secret: string; until: string } | null
  events: readonly string[]
  fields: Readonly<Record<string, readonly string[]>>
  scopes: readonly string[]
  expiresAt: string
}

export interface Hook {
  id: string
  version: number
  personId: string
  principalId: string
  state: HookState
  reason: HookReason | null
  createdAt: string
  updatedAt: string
  words: HookWords
}

type Row = Omit<Hook, 'words'> & { sealed: Buffer; mac: Buffer }

export interface Signing {
  vault: Vault
  authority: Authority
}

const COLUMNS = 'h.id, h.version, h.person_id AS "personId", h.principal_id AS "principalId", h.state, h.reason, h.sealed, h.created_at AS "createdAt", h.updated_at AS "updatedAt", h.mac'

const parts = (h: Omit<Row, 'mac'>): Part[] => [h.id, h.version, h.personId, h.principalId, h.state, h.reason, instant(h.createdAt), instant(h.updatedAt), createHash('sha256').update(h.sealed).digest()]

const cellOf = (h: Pick<Hook, 'id' | 'version' | 'personId' | 'principalId'>): Cell => ({ table: 'webhook', compartment: 'main', rowId: h.id, rowVersion: h.version, bound: lengthPrefixed([h.personId, h.principalId]) })

function rowOf(s: Signing, { words, ...hook }: Hook): Row {
  const row = { ...hook, sealed: s.vault.seal(s.vault.ownerKey(hook.personId), cellOf(hook), Buffer.from(JSON.stringify(words))) }
  return { ...row, mac: s.authority.mac('webhook', parts(row)) }
}

/** Throws Problem seal-broken for a row that is not ours, key-unavailable. */
function opened(s: Signing, { mac, ...row }: Row): Hook {
  s.authority.check('webhook', row.id, parts(row), mac)
  const { sealed, ...hook } = row
  return { ...hook, words: JSON.parse(s.vault.open(s.vault.ownerKey(row.personId), cellOf(row), sealed).toString()) as HookWords } // our own bytes, authenticated
}

export async function insertHook(sql: Sql, s: Signing, words: Omit<Hook, 'id' | 'version' | 'reason' | 'state'>, nextLeaf: number): Promise<Hook> {
  const hook: Hook = { ...words, id: uuidv7(), version: 1, state: 'active', reason: null }
  const r = rowOf(s, hook)
  await sql.query('INSERT INTO webhook (id, version, person_id, principal_id, state, reason, sealed, created_at, updated_at, mac) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)', [r.id, r.version, r.personId, r.principalId, r.state, r.reason, r.sealed, r.createdAt, r.updatedAt, r.mac])
  await sql.query('INSERT INTO webhook_progress (webhook_id, next_leaf, mac) VALUES ($1, $2, $3)', [hook.id, nextLeaf, leafMac(s, hook.id, nextLeaf)])
  return hook
}

/** Writes the next version. Throws Problem version-stale when another one is there. */
export async function updateHook(sql: Sql, s: Signing, before: Hook, change: Partial<Pick<Hook, 'state' | 'reason' | 'words'>>, at: Date): Promise<Hook> {
  const hook: Hook = { ...before, ...change, version: before.version + 1, updatedAt: at.toISOString() }
  const r = rowOf(s, hook)
  const done = await sql.query('UPDATE webhook SET version = $3, state = $4, reason = $5, sealed = $6, updated_at = $7, mac = $8 WHERE id = $1 AND version = $2 RETURNING 1 AS done', [r.id, before.version, r.version, r.state, r.reason, r.sealed, r.updatedAt, r.mac])
  if (done.length === 0) throw new Problem('version-stale')
  return hook
}

export async function deleteHook(sql: Sql, id: string): Promise<void> {
  await sql.query('DELETE FROM webhook WHERE id = $1', [id])
}

export async function hookById(sql: Sql, s: Signing, id: string): Promise<Hook | null> {
  const [row] = await sql.query<Row>(`SELECT ${COLUMNS} FROM webhook h WHERE h.id = $1`, [id])
  return row ? opened(s, row) : null
}

/** Of one person, or of all; newest first. */
export async function listHooks(sql: Sql, s: Signing, personId: string | null): Promise<Hook[]> {
  const rows = await sql.query<Row>(`SELECT ${COLUMNS} FROM webhook h WHERE $1::uuid IS NULL OR h.person_id = $1 ORDER BY h.id DESC`, [personId])
  return rows.map((r) => opened(s, r))
}

/** Active ones that have something to do now, in a ledger of `size` leaves; one that stands beyond its end was moved on by somebody else, which its MAC will show. One that is not ours is told of (authority.tampered) and left alone; the others go on. */
export async function dueHooks(sql: Sql, s: Signing, size: number): Promise<Hook[]> {
  const rows = await sql.query<Row>(
    `SELECT ${COLUMNS} FROM webhook h JOIN webhook_progress p ON p.webhook_id = h.id WHERE h.state = 'active' AND p.next_at <= now()
       AND (p.next_leaf <> $1 OR EXISTS (SELECT FROM webhook_delivery d WHERE d.webhook_id = h.id AND d.state = 'waiting' AND d.next_at <= now())) ORDER BY p.next_at`,
    [size],
  )
  return rows.flatMap((r) => {
    try {
      return [opened(s, r)]
    } catch (error) {
      if (error instanceof Problem) return []
      throw error
    }
  })
}

export const leafMac = (s: Signing, id: string, leaf: number): Buffer => s.authority.mac('webhook_progress', [id, leaf])
