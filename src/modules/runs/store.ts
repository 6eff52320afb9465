import { lengthPrefixed, Problem } from '../../kernel/base/index.ts'
import type { Sql } from '../../kernel/db/types.ts'
import type { Cell, Vault } from '../../kernel/vault/index.ts'

export type RunKind = 'import' | 'export' | 'bulk' | 'transfer' | 'tag-rename'
export type RunState = 'queued' | 'running' | 'done' | 'failed'

/** One import or export. `words` is what was asked and, at the end, what came of it. */
export interface Run<W> {
  id: string
  kind: RunKind
  personId: string
  version: number
  state: RunState
  createdAt: string
  words: W
}

interface Row extends Omit<Run<never>, 'words'> {
  words: Buffer
}

const COLUMNS = 'id, kind, person_id AS "personId", version, state, created_at AS "createdAt", words'

const cellOf = (r: Omit<Run<unknown>, 'words'>): Cell => ({ table: 'run', compartment: 'words', rowId: r.id, rowVersion: r.version, bound: lengthPrefixed([r.kind, r.personId, r.state]) })

const seal = (vault: Vault, r: Run<unknown>): Buffer => vault.seal(vault.ownerKey(r.personId), cellOf(r), Buffer.from(JSON.stringify(r.words)))

function opened<W>(vault: Vault, row: Row): Run<W> {
  const words = JSON.parse(vault.open(vault.ownerKey(row.personId), cellOf(row), row.words).toString()) as W // our own bytes, authenticated
  return { ...row, words }
}

export async function insertRun(sql: Sql, vault: Vault, run: Run<unknown>): Promise<void> {
  await sql.query('INSERT INTO run (id, kind, person_id, version, state, created_at, words) VALUES ($1, $2, $3, $4, $5, $6, $7)', [run.id, run.kind, run.personId, run.version, run.state, run.createdAt, seal(vault, run)])
}

/** Throws Problem not-found; a run of another person is not found either. */
export async function findRun<W>(sql: Sql, vault: Vault, kind: RunKind, id: string, personId: string | null): Promise<Run<W>> {
  const [row] = await sql.query<Row>(`SELECT ${COLUMNS} FROM run WHERE id = $1 AND kind = $2 AND ($3::uuid IS NULL OR person_id = $3)`, [id, kind, personId])
  if (!row) throw new Problem('not-found')
  return opened(vault, row)
}

/** Compare-and-set on the version: of two workers that take a run up, one wins. Returns null for the other. */
export async function moveRun<W>(sql: Sql, vault: Vault, run: Run<W>, state: RunState, words: W): Promise<Run<W> | null> {
  const next: Run<W> = { ...run, version: run.version + 1, state, words }
  const done = await sql.query('UPDATE run SET version = $3, state = $4, words = $5 WHERE id = $1 AND version = $2 RETURNING 1 AS done', [run.id, run.version, next.version, state, seal(vault, next)])
  return done.length === 1 ? next : null
}

/** Runs that a stopped or killed process left unfinished, oldest first. */
export async function unfinishedRuns(sql: Sql): Promise<{ id: string; kind: RunKind }[]> {
  return sql.query("SELECT id, kind FROM run WHERE state IN ('queued', 'running') ORDER BY created_at")
}

export async function expiredRuns(sql: Sql): Promise<{ id: string }[]> {
  return sql.query("DELETE FROM run WHERE created_at < now() - interval '24 hours' AND state IN ('done', 'failed') RETURNING id")
}

export async function countUnfinished(sql: Sql, personId: string): Promise<number> {
  const [row] = await sql.query<{ n: number }>("SELECT count(*) AS n FROM run WHERE person_id = $1 AND state IN ('queued', 'running')", [personId])
  return row?.n ?? 0
}
