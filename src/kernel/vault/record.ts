import { lengthPrefixed, Problem } from '../base/index.ts'
import { decodeFields, encodeFields, type AnyRecord, type CustomValues, type Entity } from '../entity/index.ts'
import type { Cell, OwnerKey, Vault } from './types.ts'

/** The columns of one row as the database keeps them: plain ones by name, and the sealed compartments. */
export type RowColumns = { id: string; version: number; main: Buffer; sensitive: Buffer | null; custom: Buffer | null } & Record<string, unknown>

type Opener = Pick<Vault, 'open'>
type Sealer = Pick<Vault, 'seal'>

/** The database answers times with six decimals; records carry three. A time whose microseconds were touched stays as it is and breaks the seal. */
function milliseconds(value: unknown): unknown {
  return typeof value === 'string' && value.length === 27 && value.endsWith('000Z') ? `${value.slice(0, 23)}Z` : value
}

const textOf = (value: unknown): string | null => (value === null || value === undefined ? null : String(milliseconds(value)))

/**
 * Canonical bytes of the plain columns that hold something, by name, and of which compartments there are; bound into every
 * compartment, so changing a column or taking a compartment away in the database makes the row unreadable. A column that
 * a later version adds is null in old rows and changes nothing for them.
 */
function boundOf(entity: Entity, value: (field: string, column: string) => unknown, has: { sensitive: boolean; custom: boolean }): Buffer {
  const parts = [has.sensitive ? 'sensitive' : null, has.custom ? 'custom' : null]
  for (const c of entity.plain) {
    const text = textOf(value(c.field, c.column))
    if (text !== null) parts.push(c.column, text)
  }
  return lengthPrefixed(parts)
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
  const custom = splitCustom(record.custom, sensitiveCustom)
  const sensitive: Record<string, unknown> = encodeFields(entity, entity.sealed.sensitive, record)
  if (Object.keys(custom.closed).length > 0) sensitive['custom'] = custom.closed
  const has = { sensitive: Object.keys(sensitive).length > 0, custom: Object.keys(custom.open).length > 0 }
  const bound = boundOf(entity, (field) => record[field], has)
  const cell = (compartment: string): Cell => ({ table: entity.table, compartment, rowId: record.id, rowVersion: record.version, bound })
  const seal = (compartment: string, value: object): Buffer => vault.seal(key, cell(compartment), Buffer.from(JSON.stringify(value)))
  const row: RowColumns = {
    id: record.id,
    version: record.version,
    main: seal('main', encodeFields(entity, entity.sealed.main, record)),
    sensitive: has.sensitive ? seal('sensitive', sensitive) : null,
    custom: has.custom ? seal('custom', custom.open) : null,
  }
  for (const c of entity.plain) row[c.column] = record[c.field] ?? null
  return row
}

function parse(bytes: Buffer): Record<string, unknown> {
  const value: unknown = JSON.parse(bytes.toString('utf8'))
  if (typeof value !== 'object' || value === null) throw new Problem('seal-broken')
  return value as Record<string, unknown> // checked on the line before
}

/** Takes over the sealed fields the entity declares; one that is plain by now, or gone, is not taken from an old blob. */
function take(entity: Entity, opened: Record<string, unknown>, blob: Record<string, unknown>): void {
  for (const [field, value] of Object.entries(decodeFields(entity, blob))) {
    if (entity.sealed.main.includes(field) || entity.sealed.sensitive.includes(field)) opened[field] = value
  }
}

/** Opens a whole row: all its columns are needed, the sealed ones too. Throws Problem seal-broken when any compartment or any plain column is not what was sealed, or one is missing. */
export function openRecord(vault: Opener, entity: Entity, key: OwnerKey, row: RowColumns): AnyRecord {
  const bound = boundOf(entity, (_field, column) => row[column], { sensitive: row.sensitive !== null, custom: row.custom !== null })
  const cell = (compartment: string): Cell => ({ table: entity.table, compartment, rowId: row.id, rowVersion: row.version, bound })
  const opened: Record<string, unknown> = { id: row.id, version: row.version, custom: {} }
  for (const c of entity.plain) opened[c.field] = milliseconds(row[c.column] ?? null)
  for (const [name, f] of Object.entries(entity.fields)) opened[name] ??= f.many ? [] : null
  take(entity, opened, parse(vault.open(key, cell('main'), row.main)))
  if (row.custom) opened['custom'] = parse(vault.open(key, cell('custom'), row.custom))
  if (row.sensitive) {
    const { custom, ...fields } = parse(vault.open(key, cell('sensitive'), row.sensitive))
    take(entity, opened, fields)
    if (custom) opened['custom'] = { ...(opened['custom'] as CustomValues), ...(custom as CustomValues) }
  }
  return opened as AnyRecord
}
