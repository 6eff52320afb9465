import { Problem } from '../../kernel/base/index.ts'
import type { Sql } from '../../kernel/db/index.ts'
import type { Entity } from '../../kernel/entity/index.ts'
import type { Ledger } from '../../kernel/ledger/index.ts'
import { openRecord, type Finding, type RowColumns, type Vault } from '../../kernel/vault/index.ts'

export interface RowDeps {
  sql: Sql
  vault: Vault
  ledger: Ledger
  entities: readonly Entity[]
}

const PAGE = 500
const TAIL_PAGE = 2_000
const AT_ONCE = 8
/** Reads lie between the writes of a row; after this many events without one the row is told instead of searched for ever. */
const MOST_EVENTS = 2_000

/** A row that fails, by kind; ids only. */
interface Failures {
  broken: string[]
  rolledBack: string[]
  unrecorded: string[]
}

/**
 * Opens every row and compares its version with the last write the ledger knows of: a whole old row put back in place opens
 * perfectly well, and only the ledger tells that it is old.
 */
export async function checkRows(deps: RowDeps): Promise<Finding[]> {
  const findings: Finding[] = []
  const imported = await importedHandles(deps)
  for (const entity of deps.entities) findings.push(...(await checkEntity({ ...deps, imported }, entity)))
  return findings
}

/** Leaves and newest checkpoint as the tables say: a ledger that does not sequence keeps no count of its own. */
export async function ledgerEdge(sql: Sql): Promise<{ size: number; checkpointAt: string | null }> {
  const [row] = await sql.query<{ size: number; checkpointAt: string | null }>('SELECT (SELECT coalesce(max(n) + 1, 0) FROM ledger_leaf) AS size, (SELECT max(at) FROM ledger_checkpoint) AS "checkpointAt"')
  return row ?? { size: 0, checkpointAt: null }
}

interface Checking extends RowDeps {
  /** Handles of everybody an import brought in. */
  imported: ReadonlySet<string>
}

/** An import writes one event for a whole batch, which names its rows by their handles. */
async function importedHandles({ ledger, sql }: RowDeps): Promise<Set<string>> {
  const handles = new Set<string>()
  const { size } = await ledgerEdge(sql)
  for (let from = 0; from < size; from += TAIL_PAGE) {
    for (const event of await ledger.tail(from, TAIL_PAGE)) {
      if (event.action.endsWith('.imported')) for (const handle of event.subjects) handles.add(handle.toString('base64'))
    }
  }
  return handles
}

async function checkEntity(deps: Checking, entity: Entity): Promise<Finding[]> {
  const failures: Failures = { broken: [], rolledBack: [], unrecorded: [] }
  let after = '00000000-0000-0000-0000-000000000000'
  for (;;) {
    const rows = await deps.sql.query<RowColumns>(`SELECT * FROM ${entity.table} WHERE id > $1 ORDER BY id LIMIT ${PAGE}`, [after])
    for (let i = 0; i < rows.length; i += AT_ONCE) await Promise.all(rows.slice(i, i + AT_ONCE).map((row) => checkRow(deps, entity, row, failures)))
    if (rows.length < PAGE) return told(entity, failures)
    after = rows.at(-1)?.id ?? after
  }
}

async function checkRow(deps: Checking, entity: Entity, row: RowColumns, failures: Failures): Promise<void> {
  try {
    openRecord(deps.vault, entity, deps.vault.ownerKey(String(row[entity.keyColumn])), row)
  } catch (error) {
    if (!(error instanceof Problem)) throw error
    failures.broken.push(row.id)
    return
  }
  const version = (await lastVersion(deps.ledger, entity, row.id)) ?? (deps.imported.has(deps.vault.ownerKey(String(row[entity.keyColumn])).handle.toString('base64')) ? 1 : null)
  if (version === null) failures.unrecorded.push(row.id)
  else if (version !== row.version) failures.rolledBack.push(row.id)
}

/** The version the newest write of a row left, as its sealed event says. */
async function lastVersion(ledger: Ledger, entity: Entity, id: string): Promise<number | null> {
  let beforeId: string | undefined
  for (let seen = 0; seen < MOST_EVENTS; seen += 100) {
    const entries = await ledger.timeline({ kind: entity.name, id }, { limit: 100, ...(beforeId === undefined ? {} : { beforeId }) })
    for (const { detail } of entries) {
      if (typeof detail === 'object' && detail !== null && 'version' in detail && typeof detail.version === 'number') return detail.version
    }
    if (entries.length < 100) return null
    beforeId = entries.at(-1)?.id
  }
  return null
}

function told(entity: Entity, failures: Failures): Finding[] {
  const findings: Finding[] = []
  const tell = (code: string, ids: string[], what: string, fix: string): void => {
    if (ids.length > 0) findings.push({ code, level: 'red', what: `${ids.length} ${entity.plural} ${what}, e.g. ${ids.slice(0, 3).join(', ')}.`, fix })
  }
  tell('row-broken', failures.broken, 'do not open: bytes, columns or key were changed', 'Keep a copy of this home as evidence; restore these rows from a backup.')
  tell('row-rolled-back', failures.rolledBack, 'are not the version the ledger recorded last', 'Somebody with write access to the database put old rows back: keep a copy as evidence, restore from a backup.')
  tell('row-unrecorded', failures.unrecorded, 'have no write in the ledger', 'Find out how they came into the database; the ledger knows of no such write.')
  return findings
}
