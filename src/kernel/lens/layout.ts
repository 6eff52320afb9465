import type { LensColumn, LensTable } from './types.ts'
import { SIGNATURE_WORDS, signatureColumn } from './signature.ts'
import { VALUE_MARK } from './text.ts'

/** A column as stored: `sql` is its quoted name, `index` its place in a row's `values`. */
export interface Column {
  readonly sql: string
  readonly index: number
  readonly field: string
  readonly use: LensColumn['use']
  readonly type: LensColumn['type']
  /** Stored as VARCHAR with VALUE_MARK around every value. Pinyin, initials and tail4 always are: one name may have several readings. */
  readonly many: boolean
  /** The entity whose field it shows through a link; null for the row's own. */
  readonly linked: string | null
}

/** One table of the lens, with everything a query needs to know about it. */
export interface Layout {
  readonly entity: string
  readonly table: string
  readonly customTable: string
  readonly columns: readonly Column[]
  readonly fields: ReadonlyMap<string, readonly Column[]>
  /** Columns free text can match, in any of their fields. */
  readonly textColumns: readonly Column[]
  /** Fields whose text is all in the haystack column; null when there is none because it would not pay. */
  readonly hayFields: readonly string[] | null
  /** What "newest first" means here: the creation time, or null when ids (time-ordered) have to do. */
  readonly newest: Column | null
}

export const ID = '"_id"'
export const HAY = '"_hay"'
export const CUSTOM_PREFIX = 'custom.'

/** Every table can be filtered by id, which is how a scope names shared records. */
const ID_COLUMN: Column = { sql: ID, index: -1, field: 'id', use: 'plain', type: 'uuid', many: false, linked: null }

const SAFE_NAME = /^[a-z][a-z0-9_]{0,60}$/
/** A noun of two words has a hyphen; its tables are always named in quotes. */
const SAFE_ENTITY = /^[a-z][a-z0-9_-]{0,60}$/
const TEXT_USES: readonly LensColumn['use'][] = ['text', 'pinyin', 'initials']
const STORED_MANY: readonly LensColumn['use'][] = ['pinyin', 'initials', 'tail4']

/** Reads a table declaration. Throws a plain Error that names everything wrong with it: a wrong declaration must stop the boot. */
export function layoutOf(table: LensTable): Layout {
  const wrong: string[] = []
  if (!SAFE_ENTITY.test(table.entity)) wrong.push(`entity name ${table.entity}`)
  const columns = table.columns.map((column, index) => columnOf(column, index, wrong))
  if (new Set(columns.map((column) => column.sql)).size !== columns.length) wrong.push('two columns of one name')
  if (wrong.length > 0) throw new Error(`lens table ${table.entity}: ${wrong.join('; ')}`)
  const textColumns = columns.filter((column) => TEXT_USES.includes(column.use))
  return {
    entity: table.entity,
    table: `"${table.entity}"`,
    customTable: `"${table.entity}__custom"`,
    columns,
    fields: Map.groupBy(columns.some((column) => column.field === 'id') ? columns : [...columns, ID_COLUMN], (column) => column.field),
    textColumns,
    // One or two columns are scanned as fast as a haystack of them, and would be stored twice for nothing.
    hayFields: textColumns.length > 2 ? [...new Set(textColumns.map((column) => column.field))] : null,
    newest: columns.find((column) => column.field === 'createdAt' && column.type === 'time') ?? null,
  }
}

function columnOf(column: LensColumn, index: number, wrong: string[]): Column {
  if (!SAFE_NAME.test(column.name)) wrong.push(`column name ${column.name}`)
  const textual = TEXT_USES.includes(column.use) || column.use === 'tail4' || column.use === 'sort'
  if (textual && column.type !== 'text') wrong.push(`column ${column.name} must be text to be used for ${column.use}`)
  return { sql: `"${column.name}"`, index, field: column.field, use: column.use, type: column.type, many: column.many || STORED_MANY.includes(column.use), linked: column.linked ?? null }
}

/** What a column is in DuckDB. Times are microseconds since 1970. */
export function sqlType(column: Column): 'VARCHAR' | 'UUID' | 'BIGINT' | 'BOOLEAN' {
  if (column.many || column.type === 'text') return 'VARCHAR'
  return column.type === 'uuid' ? 'UUID' : column.type === 'boolean' ? 'BOOLEAN' : 'BIGINT'
}

/**
 * Compression of the columns every query reads: bit-packed UUIDs made a filtered sort 25 times slower, dictionary-coded sort keys three
 * times, a coded haystack twice. The rest is left to DuckDB, whose dictionaries make repeated texts both small and fast.
 */
const RAW = "USING COMPRESSION 'uncompressed'"

export function createTables(layout: Layout): string[] {
  const columns = layout.columns.map((column) => {
    const type = sqlType(column)
    return `${column.sql} ${type} ${type === 'UUID' || column.use === 'sort' ? RAW : ''}`
  })
  const signature = Array.from({ length: SIGNATURE_WORDS }, (_, word) => `${signatureColumn(word)} BIGINT ${RAW}`)
  const hay = layout.hayFields ? [...signature, `${HAY} VARCHAR ${RAW}`] : []
  return [
    `CREATE TABLE ${layout.table} (${[`${ID} UUID ${RAW}`, ...columns, ...hay].join(', ')})`,
    `CREATE TABLE ${layout.customTable} ("row" UUID ${RAW}, field VARCHAR, text VARCHAR, number DOUBLE)`,
  ]
}

/** The haystack of a row: every searchable text with VALUE_MARK on both sides, so that whole values and prefixes can be told apart in it. */
export function hayExpression(layout: Layout): string {
  const mark = `chr(${VALUE_MARK.charCodeAt(0)})`
  const singles = layout.textColumns.filter((column) => !column.many).flatMap((column) => [mark, column.sql])
  const lists = layout.textColumns.filter((column) => column.many).map((column) => column.sql)
  return `concat(${[...singles, mark, ...lists].join(', ')})`
}
