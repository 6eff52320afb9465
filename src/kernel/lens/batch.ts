import { checkRow, encodeCustom, encodeRows, ROW_MARK } from './encode.ts'
import { layoutOf } from './layout.ts'
import type { LensBatch, LensRow, LensTable } from './types.ts'

/** Makes batches of a table's rows, on whichever thread. Throws TypeError for a row that would spoil its batch, naming the column and never the value. */
export function batchMaker(table: LensTable): (rows: readonly LensRow[]) => LensBatch {
  const layout = layoutOf(table)
  return (rows) => {
    for (const row of rows) checkRow(layout, row)
    return { versions: rows.map((row) => row.version), columns: encodeRows(layout, rows), custom: encodeCustom(rows) }
  }
}

export function idsOf(batch: LensBatch): string[] {
  return batch.versions.length === 0 ? [] : (batch.columns[0] ?? '').split(ROW_MARK)
}

/** The rows at these places, in their order. */
export function pickRows(batch: LensBatch, places: readonly number[]): LensBatch {
  const pick = (column: string): string => {
    const texts = column.split(ROW_MARK)
    return places.map((place) => texts[place] ?? '').join(ROW_MARK)
  }
  const ids = idsOf(batch)
  const kept = new Set(places.map((place) => ids[place]))
  return { versions: places.map((place) => batch.versions[place] ?? 0), columns: batch.columns.map(pick), custom: pickCustom(batch.custom, kept) }
}

function pickCustom(custom: readonly string[] | null, kept: ReadonlySet<string | undefined>): string[] | null {
  if (custom === null) return null
  const columns = custom.map((column) => column.split(ROW_MARK))
  const places = (columns[0] ?? []).flatMap((id, place) => (kept.has(id) ? [place] : []))
  return places.length === 0 ? null : columns.map((texts) => places.map((place) => texts[place] ?? '').join(ROW_MARK))
}
