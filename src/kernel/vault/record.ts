import { lengthPrefixed, Problem } from '../base/index.ts'
import type { AnyRecord, CustomValues, Entity } from '../entity/index.ts'
import type { Cell, OwnerKey, Vault } from './types.ts'

/** The columns of one row as the database keeps them: plain ones by name, and the sealed compartments. */
export type RowColumns = { id: string; version: number; main: Buffer; sensitive: Buffer | null; custom: Buffer | null } & Record<string, unknown>

type Opener = Pick<Vault, 'open'>
type Sealer = Pick<Vault, 'seal'>

const textOf = (value: unknown): string | null => (value === null || value === undefined ? null : String(value))

/** Canonical bytes of the plain columns, bound into every compartment: changing one in the database makes the row unreadable. */
function boundOf(entity: Entity, value: (field: string, column: string) => unknown): Buffer {
  return lengthPrefixed(entity.plain.map((c) => textOf(value(c.field, c.column))))
}

const isEmpty = (v: unknown): boolean => v === null || v === undefined || v === '' || (Array.isArray(v) && v.length === 0)

function pick(record: AnyRecord, fields: readonly string[]): Record<string, unknown> {
  const out: Record<string, unknown> = {}
  for (const f of fields) if (!isEmpty(record[f])) out[f] = record[f]
  return out
}

function splitCustom(custom: CustomValues, sensitiveKeys: ReadonlySet<string>): { open: CustomValues; closed: CustomValues } {
  const open: CustomValues = {}
  const closed: CustomValues = {}
  for (const [k, v] of Object.entries(custom)) {
    if (v === null || v === '') continue
    if (sensitiveKeys.has(k)) closed[k] = v
    else open[k] = v
  }
  return { open, closed }
}

/**
 * The row of a record: plain columns, and one sealed blob for each compartment that holds something (`main` always).
 * `sensitiveCustom` names the custom fields of class sensitive; they go into the sensitive compartment.
 */
export function sealRecord(vault: Sealer, entity: Entity, key: OwnerKey, record: AnyRecord, sensitiveCustom: ReadonlySet<string> = new Set()): RowColumns {
  const bound = boundOf(entity, (field) => record[field])
  const cell = (compartment: string): Cell => ({ table: entity.table, compartment, rowId: record.id, rowVersion: record.version, bound })
  const seal = (compartment: string, value: object): Buffer => vault.seal(key, cell(compartment), Buffer.from(JSON.stringify(value)))
  const custom = splitCustom(record.custom, sensitiveCustom)
  const sensitive: Record<string, unknown> = pick(record, entity.sealed.sensitive)
  if (Object.keys(custom.closed).length > 0) sensitive['custom'] = custom.closed
  const row: RowColumns = {
    id: record.id,
    version: record.version,
    main: seal('main', pick(record, entity.sealed.main)),
    sensitive: Object.keys(sensitive).length > 0 ? seal('sensitive', sensitive) : null,
    custom: Object.keys(custom.open).length > 0 ? seal('custom', custom.open) : null,
  }
  for (const c of entity.plain) row[c.column] = record[c.field] ?? null
  return row
}

function parse(bytes: Buffer): Record<string, unknown> {
  const value: unknown = JSON.parse(bytes.toString('utf8'))
  if (typeof value !== 'object' || value === null) throw new Problem('seal-broken')
  return value as Record<string, unknown> // checked on the line before
}

/** Opens a whole row. Throws Problem seal-broken when any compartment or any plain column is not what was sealed. */
export function openRecord(vault: Opener, entity: Entity, key: OwnerKey, row: RowColumns): AnyRecord {
  const bound = boundOf(entity, (_field, column) => row[column])
  const cell = (compartment: string): Cell => ({ table: entity.table, compartment, rowId: row.id, rowVersion: row.version, bound })
  const opened: Record<string, unknown> = { id: row.id, version: row.version, custom: {} }
  for (const c of entity.plain) opened[c.field] = row[c.column] ?? null
  for (const [name, f] of Object.entries(entity.fields)) opened[name] ??= f.many ? [] : null
  Object.assign(opened, parse(vault.open(key, cell('main'), row.main)))
  if (row.custom) opened['custom'] = parse(vault.open(key, cell('custom'), row.custom))
  if (row.sensitive) {
    const { custom, ...fields } = parse(vault.open(key, cell('sensitive'), row.sensitive))
    Object.assign(opened, fields)
    if (custom) opened['custom'] = { ...(opened['custom'] as CustomValues), ...(custom as CustomValues) }
  }
  return opened as AnyRecord
}
