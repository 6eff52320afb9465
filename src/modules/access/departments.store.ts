import { lengthPrefixed, Problem } from '../../kernel/base/index.ts'
import type { Sql } from '../../kernel/db/types.ts'
import type { Vault } from '../../kernel/vault/types.ts'
import { instant, type Authority, type Part } from './authority.ts'

export interface DepartmentRow {
  id: string
  organisationId: string
  parentId: string | null
  version: number
  createdAt: string
}

export interface SealedDepartment extends DepartmentRow {
  sealed: Buffer
  mac: Buffer
}

const COLUMNS = 'id, organisation_id AS "organisationId", parent_id AS "parentId", version, created_at AS "createdAt", sealed, mac'

const parts = (d: DepartmentRow): Part[] => [d.id, d.organisationId, d.parentId, d.version, instant(d.createdAt)]

export function checkDepartment(authority: Authority, row: DepartmentRow & { mac: Uint8Array }): DepartmentRow {
  authority.check('department', row.id, parts(row), row.mac)
  return row
}

const cell = (d: DepartmentRow) => ({ table: 'department', compartment: 'main', rowId: d.id, rowVersion: d.version, bound: lengthPrefixed([d.organisationId]) })

export function departmentName(vault: Vault, row: SealedDepartment): string {
  const opened: unknown = JSON.parse(vault.open(vault.ownerKey(row.organisationId), cell(row), row.sealed).toString())
  return (opened as { name: string }).name // our own bytes, authenticated
}

function sealName(vault: Vault, row: DepartmentRow, name: string): Buffer {
  return vault.seal(vault.ownerKey(row.organisationId), cell(row), Buffer.from(JSON.stringify({ name })))
}

export async function insertDepartment(sql: Sql, deps: { vault: Vault; authority: Authority }, row: DepartmentRow, name: string): Promise<void> {
  await sql.query('INSERT INTO department (id, organisation_id, parent_id, version, created_at, sealed, mac) VALUES ($1, $2, $3, $4, $5, $6, $7)', [
    row.id, row.organisationId, row.parentId, row.version, row.createdAt,
    sealName(deps.vault, row, name), deps.authority.mac('department', parts(row)),
  ])
}

/** Writes the next version. Throws version-stale when somebody else did first. */
export async function saveDepartment(sql: Sql, deps: { vault: Vault; authority: Authority }, before: SealedDepartment, change: { parentId?: string; name?: string }): Promise<DepartmentRow> {
  const name = change.name ?? departmentName(deps.vault, before)
  const next: DepartmentRow = { ...before, parentId: change.parentId ?? before.parentId, version: before.version + 1 }
  const done = await sql.query('UPDATE department SET parent_id = $3, version = $4, sealed = $5, mac = $6 WHERE id = $1 AND version = $2 RETURNING id', [
    next.id, before.version, next.parentId, next.version,
    sealName(deps.vault, next, name), deps.authority.mac('department', parts(next)),
  ])
  if (done.length === 0) throw new Problem('version-stale')
  return next
}

/** The department itself and those above it, nearest first. A circle planted in the database ends it. */
export function withThoseAbove(departments: readonly Pick<DepartmentRow, 'id' | 'parentId'>[], id: string): string[] {
  const parents = new Map(departments.map((d) => [d.id, d.parentId]))
  const out: string[] = []
  for (let at: string | null = id; at !== null && parents.has(at) && !out.includes(at); at = parents.get(at) ?? null) out.push(at)
  return out
}

/** Every department, checked. */
export async function loadDepartments(sql: Sql, authority: Authority): Promise<SealedDepartment[]> {
  const rows = await sql.query<SealedDepartment>(`SELECT ${COLUMNS} FROM department ORDER BY created_at, id`)
  for (const row of rows) checkDepartment(authority, row)
  return rows
}
