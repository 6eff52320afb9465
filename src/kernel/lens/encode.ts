import { isUuid } from '../base/index.ts'
import { CUSTOM_PREFIX, hayExpression, sqlType, type Column, type Layout } from './layout.ts'
import { micros } from './leaf.ts'
import { Signature, SIGNATURE_WORDS } from './signature.ts'
import { VALUE_MARK } from './text.ts'
import type { LensRow } from './types.ts'
import { MAX_VERSION } from './versions.ts'

type Value = LensRow['values'][number]

/**
 * Rows travel to DuckDB as one text a column, split there. A data chunk filled from JavaScript costs the event loop 10–18 µs a row and
 * a gigabyte of buffers until they are collected; this costs it 2–4 µs, and the splitting runs on DuckDB's threads.
 */
export const ROW_MARK = '\x1e'
const ANY_MARK = /[\x00\x1e\x1f]/
const MARKS = /[\x00\x1e\x1f]/g

/** The statement that takes `encodeRows`' parameters. */
export function insertRows(layout: Layout): string {
  const names = layout.columns.map(({ sql }) => sql)
  const words = layout.hayFields ? Array.from({ length: SIGNATURE_WORDS }, (_, word) => `"s${word}"`) : []
  const values = layout.columns.map((column) => `nullif(${column.sql}, '')::${sqlType(column)}`)
  const derived = layout.hayFields ? [...words.map((word) => `${word}::BIGINT`), hayExpression(layout)] : []
  return `INSERT INTO ${layout.table} SELECT ${['"_id"::UUID', ...values, ...derived].join(', ')} FROM (${splitting(['"_id"', ...names, ...words])})`
}

/** The statement that takes one row's `encodeRow`: splitting costs more than the row itself when there is only one. */
export function insertRow(layout: Layout): string {
  const values = layout.columns.map((column, at) => `nullif($${at + 2}, '')::${sqlType(column)}`)
  const next = layout.columns.length + 2
  const words = layout.hayFields ? Array.from({ length: SIGNATURE_WORDS }, (_, word) => `$${next + word}::BIGINT`) : []
  const hay = layout.hayFields ? [`$${next + SIGNATURE_WORDS}`] : []
  return `INSERT INTO ${layout.table} VALUES (${['$1::UUID', ...values, ...words, ...hay].join(', ')})`
}

/** The id, one text a column, and where the table has them the signature and the haystack (the same as hayExpression makes). */
export function encodeRow(layout: Layout, row: LensRow): string[] {
  const texts = layout.columns.map((column) => encode(column, row.values[column.index] ?? null))
  if (!layout.hayFields) return [row.id, ...texts]
  const words = signatures(layout, texts.map((text) => [text]), 1).map(([word]) => word ?? '0')
  const of = (column: Column): string => texts[layout.columns.indexOf(column)] ?? ''
  const singles = layout.textColumns.filter((column) => !column.many).map((column) => VALUE_MARK + of(column))
  const lists = layout.textColumns.filter((column) => column.many).map(of)
  return [row.id, ...texts, ...words, [...singles, VALUE_MARK, ...lists].join('')]
}

/** The statement that takes `encodeCustom`'s parameters. */
export function insertCustom(layout: Layout): string {
  return `INSERT INTO ${layout.customTable} SELECT a::UUID, b, nullif(c, ''), nullif(d, '')::DOUBLE FROM (${splitting(['a', 'b', 'c', 'd'])})`
}

/** Nothing but the splitting: nullif of an unnest makes DuckDB unnest twice, row by row, for ten times the price. */
function splitting(names: readonly string[]): string {
  return `SELECT ${names.map((name, at) => `unnest(string_split($${at + 1}, chr(${ROW_MARK.charCodeAt(0)}))) AS ${name}`).join(', ')}`
}

/** One text a column, the id first and the signature last. */
export function encodeRows(layout: Layout, rows: readonly LensRow[]): string[] {
  const columns = layout.columns.map((column) => rows.map((row) => encode(column, row.values[column.index] ?? null)))
  const signature = layout.hayFields ? signatures(layout, columns, rows.length) : []
  return [rows.map(({ id }) => id), ...columns, ...signature].map((column) => column.join(ROW_MARK))
}

/** Of the same columns the haystack is made of. */
function signatures(layout: Layout, columns: readonly (readonly string[])[], rows: number): string[][] {
  const out: string[][] = Array.from({ length: SIGNATURE_WORDS }, () => [])
  const signature = new Signature()
  for (let row = 0; row < rows; row++) {
    signature.clear()
    for (const { index } of layout.textColumns) signature.add(columns[index]?.[row] ?? '')
    for (let word = 0; word < SIGNATURE_WORDS; word++) out[word]?.push(String(signature.word(word)))
  }
  return out
}

export function encodeCustom(rows: readonly LensRow[]): string[] | null {
  const ids: string[] = []
  const fields: string[] = []
  const texts: string[] = []
  const numbers: string[] = []
  for (const row of rows) {
    for (const { field, value } of row.custom ?? []) {
      if (value === null || value === '') continue
      ids.push(row.id)
      fields.push(clean(field.startsWith(CUSTOM_PREFIX) ? field.slice(CUSTOM_PREFIX.length) : field))
      texts.push(typeof value === 'string' ? clean(value) : '')
      numbers.push(typeof value === 'number' ? String(value) : '')
    }
  }
  return ids.length === 0 ? null : [ids, fields, texts, numbers].map((column) => column.join(ROW_MARK))
}

/** Rows whose shape would spoil the batch they travel in. Throws TypeError, naming the column and never the value. */
export function checkRow(layout: Layout, row: LensRow): void {
  if (!isUuid(row.id)) throw new TypeError(`lens ${layout.entity}: a row's id is not a lower-case uuid`)
  if (!Number.isSafeInteger(row.version) || row.version < 0 || row.version >= MAX_VERSION) throw new TypeError(`lens ${layout.entity}: a row's version is not a whole number`)
  if (row.values.length !== layout.columns.length) throw new TypeError(`lens ${layout.entity}: a row has ${row.values.length} values for ${layout.columns.length} columns`)
  for (const column of layout.columns) {
    const value = row.values[column.index] ?? null
    if (value !== null && !fits(column, value)) throw new TypeError(`lens ${layout.entity}: wrong type in ${column.sql}`)
  }
}

function fits(column: Column, value: NonNullable<Value>): boolean {
  if (Array.isArray(value)) return column.many
  switch (column.type) {
    case 'text':
      return typeof value === 'string'
    case 'uuid':
      return isUuid(value)
    case 'boolean':
      return typeof value === 'boolean'
    case 'time':
      return typeof value === 'string' ? micros(value) !== null : typeof value === 'number' && Number.isSafeInteger(1000 * value)
    case 'integer':
      return Number.isSafeInteger(value)
  }
}

/** A value as text; '' for none, which the statement turns into NULL. */
function encode(column: Column, value: Value): string {
  if (value === null) return ''
  if (typeof value === 'object') return encodeMany(column, value)
  if (column.many) return encodeMany(column, String(value).split(VALUE_MARK))
  if (column.type === 'time') return instant(value)
  // A uuid was checked, letter by letter.
  return typeof value === 'string' && column.type === 'text' ? clean(value) : String(value)
}

/** Microseconds, as text. Whole milliseconds are taken too. */
function instant(value: string | number | boolean): string {
  return String(typeof value === 'string' ? micros(value) : 1000 * Number(value))
}

function encodeMany(column: Column, values: readonly string[]): string {
  const [only] = values
  if (values.length === 1 && only !== undefined && column.type !== 'time') return only === '' ? '' : `${VALUE_MARK}${clean(only)}${VALUE_MARK}`
  const kept = values.map((value) => (column.type === 'time' ? instant(value) : clean(value))).filter((value) => value !== '')
  return kept.length === 0 ? '' : `${VALUE_MARK}${kept.join(VALUE_MARK)}${VALUE_MARK}`
}

/** A mark inside a value would move every value after it to another row: the one thing that must not be left to the caller. */
function clean(text: string): string {
  return ANY_MARK.test(text) ? text.replace(MARKS, ' ') : text
}
