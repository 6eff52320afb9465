import { pinyinOf } from './pinyin.ts'
import { normalise, tail4 } from './text.ts'
import type { LensColumn, LensRow, LensTable } from './types.ts'

/** A record's values by field, as people wrote them: text, numbers, ISO times, or lists of text for fields of several values. */
export type FieldValues = Readonly<Record<string, string | number | boolean | null | undefined | readonly string[]>>

export interface RecordForLens {
  readonly id: string
  readonly version: number
  readonly fields: FieldValues
  readonly custom?: Readonly<Record<string, string | number | null | readonly string[]>>
}

/** Turns an opened record into a row of the lens: normalised, read in pinyin, cut to last digits, whatever each column is for. */
export function lensRow(table: LensTable, record: RecordForLens): LensRow {
  const read = reader()
  const values = table.columns.map((column) => valueOf(column, record.fields[column.field] ?? null, read))
  const custom = Object.entries(record.custom ?? {}).flatMap(([field, value]) => customOf(field, value))
  return { id: record.id, version: record.version, values, ...(custom.length > 0 ? { custom } : {}) }
}

type Read = typeof pinyinOf

/** A name is read once for its pinyin, initials and sort columns. */
function reader(): Read {
  let last: { text: string; pinyin: ReturnType<Read> } | null = null
  return (text) => {
    if (last?.text !== text) last = { text, pinyin: pinyinOf(text) }
    return last.pinyin
  }
}

function valueOf(column: LensColumn, value: NonNullable<FieldValues[string]> | null, read: Read): LensRow['values'][number] {
  if (value === null) return null
  if (column.type !== 'text') return value
  const texts = typeof value === 'object' ? value : [String(value)]
  switch (column.use) {
    case 'pinyin':
      return listOrNull(texts.flatMap((text) => read(text).fulls))
    case 'initials':
      return listOrNull(texts.flatMap((text) => read(text).allInitials))
    case 'tail4':
      return listOrNull(texts.flatMap((text) => tail4(text) ?? []))
    case 'sort':
      return read(texts[0] ?? '').sort || null
    case 'plain':
      // Enumerations are compared as they are, by SQL and by the lens alike.
      return column.many ? listOrNull(texts) : texts.join(' ') || null
    default:
      return column.many ? listOrNull(texts.map(normalise).filter((text) => text !== '')) : normalise(texts.join(' ')) || null
  }
}

function listOrNull(texts: readonly string[]): readonly string[] | null {
  return texts.length === 0 ? null : [...new Set(texts)]
}

function customOf(field: string, value: string | number | null | readonly string[]): { field: string; value: string | number }[] {
  if (value === null) return []
  if (typeof value === 'number') return [{ field, value }]
  return (typeof value === 'string' ? [value] : value).map(normalise).flatMap((text) => (text === '' ? [] : [{ field, value: text }]))
}
