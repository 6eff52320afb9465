import type { CellProblem, ContactDraft, RowOptions } from './draft.ts'
import { readCsv, type CsvProfile, type CsvRow, type CsvSource } from './read/index.ts'
import { toContact } from './row.ts'
import type { CustomFieldProposal, Mapping } from './target.ts'

/** A row of the file, read and cleaned; nothing of it was looked up or written yet. */
export interface TakenRow {
  row: number
  /** What the reader says of the record. */
  problem: CsvRow['problem']
  /** Null: rejected. */
  contact: ContactDraft | null
  /** What cleaning says of its cells. */
  problems: CellProblem[]
  extraFields: readonly CustomFieldProposal[]
}

export interface RowsWords {
  profile: CsvProfile
  mapping: Mapping
  options: RowOptions
}

/** Rows that are matched and written together. */
export const BATCH = 500

/** The rows of a file that `inspectCsv` accepted, a batch at a time. Throws Problem import-file-unreadable when it is another file now. */
export async function* takenRows(open: CsvSource, { profile, mapping, options }: RowsWords): AsyncGenerator<TakenRow[]> {
  let batch: TakenRow[] = []
  for await (const row of readCsv(open, profile)) {
    batch.push(takenRow(row, mapping, options))
    if (batch.length < BATCH) continue
    yield batch
    batch = []
  }
  if (batch.length > 0) yield batch
}

function takenRow({ row, cells, problem }: CsvRow, mapping: Mapping, options: RowOptions): TakenRow {
  if (!cells) return { row, problem, contact: null, problems: [], extraFields: [] }
  return { row, problem, ...toContact({ row, cells }, mapping, options) }
}
