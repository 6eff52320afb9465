import { lengthPrefixed, Problem } from '../../kernel/base/index.ts'
import type { Sql } from '../../kernel/db/types.ts'
import type { Cell, Vault } from '../../kernel/vault/index.ts'
import type { ViewWords } from './views.contract.ts'

export interface ViewRow {
  id: string
  personId: string
  /** Plural, as in an address. */
  noun: string
  version: number
  createdAt: string
  updatedAt: string
  departments: string[]
}

export interface StoredView extends ViewRow {
  words: Buffer
}

export interface View extends ViewRow {
  words: ViewWords
}

const COLUMNS = 'id, person_id AS "personId", noun, version, created_at AS "createdAt", updated_at AS "updatedAt", departments, words'

const cellOf = (v: ViewRow): Cell => ({ table: 'saved_view', compartment: 'words', rowId: v.id, rowVersion: v.version, bound: lengthPrefixed([v.personId, v.noun, ...[...v.departments].sort()]) })

const seal = (vault: Vault, v: View): Buffer => vault.seal(vault.ownerKey(v.personId), cellOf(v), Buffer.from(JSON.stringify(v.words)))

/** Throws Problem seal-broken for a view that was changed, given to somebody else or shared by other hands; key-unavailable. */
export function openView(vault: Vault, row: StoredView): View {
  return { ...row, words: JSON.parse(vault.open(vault.ownerKey(row.personId), cellOf(row), row.words).toString()) as ViewWords } // our own bytes, authenticated
}

/** Views of a person and those shared with one of these departments, newest first. */
export async function listViews(sql: Sql, personId: string, departments: readonly string[], limit: number): Promise<StoredView[]> {
  return sql.query<StoredView>(`SELECT ${COLUMNS} FROM saved_view WHERE person_id = $1 OR departments && $2::uuid[] ORDER BY id DESC LIMIT $3`, [personId, departments, limit])
}

/** One of the same, or null. */
export async function findView(sql: Sql, id: string, personId: string, departments: readonly string[]): Promise<StoredView | null> {
  const [row] = await sql.query<StoredView>(`SELECT ${COLUMNS} FROM saved_view WHERE id = $1 AND (person_id = $2 OR departments && $3::uuid[])`, [id, personId, departments])
  return row ?? null
}

/** Locks a view of the person's own. Throws Problem not-found, version-stale. */
export async function lockView(sql: Sql, id: string, personId: string, version: number): Promise<StoredView> {
  const [row] = await sql.query<StoredView>(`SELECT ${COLUMNS} FROM saved_view WHERE id = $1 AND person_id = $2 FOR UPDATE`, [id, personId])
  if (!row) throw new Problem('not-found')
  if (row.version !== version) throw new Problem('version-stale', { extra: { version: row.version } })
  return row
}

export async function countViews(sql: Sql, personId: string): Promise<number> {
  const [row] = await sql.query<{ n: number }>('SELECT count(*) AS n FROM saved_view WHERE person_id = $1', [personId])
  return row?.n ?? 0
}

export async function countShared(sql: Sql, personId: string): Promise<number> {
  const [row] = await sql.query<{ n: number }>('SELECT count(*)::int AS n FROM saved_view WHERE person_id = $1 AND departments <> $2::uuid[]', [personId, []])
  return row?.n ?? 0
}

/** Locks what a person shares with others. */
export function sharedViews(sql: Sql, personId: string): Promise<StoredView[]> {
  return sql.query<StoredView>(`SELECT ${COLUMNS} FROM saved_view WHERE person_id = $1 AND departments <> $2::uuid[] ORDER BY id FOR UPDATE`, [personId, []])
}

/** Writes a view under another owner. */
export async function giveView(sql: Sql, vault: Vault, v: View): Promise<void> {
  await sql.query('UPDATE saved_view SET person_id = $2, version = $3, updated_at = $4, words = $5 WHERE id = $1', [v.id, v.personId, v.version, v.updatedAt, seal(vault, v)])
}

export async function insertView(sql: Sql, vault: Vault, v: View): Promise<void> {
  await sql.query('INSERT INTO saved_view (id, person_id, noun, version, created_at, updated_at, departments, words) VALUES ($1, $2, $3, $4, $5, $6, $7::uuid[], $8)', [v.id, v.personId, v.noun, v.version, v.createdAt, v.updatedAt, v.departments, seal(vault, v)])
}

export async function saveView(sql: Sql, vault: Vault, v: View): Promise<void> {
  await sql.query('UPDATE saved_view SET version = $2, updated_at = $3, departments = $4::uuid[], words = $5 WHERE id = $1', [v.id, v.version, v.updatedAt, v.departments, seal(vault, v)])
}

export async function deleteView(sql: Sql, id: string): Promise<void> {
  await sql.query('DELETE FROM saved_view WHERE id = $1', [id])
}
