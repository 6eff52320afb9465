import { unreadable } from '../problems.ts'
import type { CsvSource } from './chunks.ts'
import { findDelimiter, separatorLine, type Delimiter } from './delimiter.ts'
import { decode, findEncoding, type Encoding } from './encoding.ts'
import { readHeader } from './header.ts'
import { defaultLimits, type ReadLimits } from './limits.ts'
import { RecordReader, type CsvRecord, type RecordCode } from './records.ts'

export type RowCode = RecordCode | 'row-ragged' | 'cell-too-long' | 'quote-literal'

/** One data record. `cells` stand in the order of the header, null when the row is rejected; `quote-literal` alone is only a remark. */
export interface CsvRow {
  /** Record number, 1 = the first data record. A line that broken quotes make unreadable is a record of its own. */
  row: number
  cells: readonly string[] | null
  problem: { code: RowCode; column: string | null } | null
}

export interface CsvOptions {
  encoding?: Encoding | 'auto'
  delimiter?: Delimiter | 'auto'
  limits?: Partial<ReadLimits>
}

/** What one look at the whole file found; `readCsv` needs it, and with it cannot fail half-way. */
export interface CsvProfile {
  encoding: Encoding
  delimiter: Delimiter
  header: readonly string[]
  bytes: number
  /** rows = good + rejected. */
  rows: number
  rejected: number
  /** The first good rows, for the mapping to look at. */
  sample: readonly (readonly string[])[]
  limits: ReadLimits
}

const sampleRows = 50

/**
 * Reads the whole file twice, keeps none of it, and refuses what cannot be read as a whole before anything is written:
 * Problem import-file-unreadable with `reason`. Memory is bounded by the limits, whatever the file.
 */
export async function inspectCsv(open: CsvSource, options: CsvOptions = {}): Promise<CsvProfile> {
  const limits = { ...defaultLimits, ...options.limits }
  const { encoding, bytes } = await findEncoding(open, options.encoding)
  const table = await startTable(open, encoding, options.delimiter ?? 'auto', limits)
  const profile = { encoding, delimiter: table.delimiter, header: table.header, bytes, rows: 0, rejected: 0, sample: [] as (readonly string[])[], limits }
  for await (const row of table.rows()) {
    profile.rows++
    if (!row.cells) profile.rejected++
    else if (profile.sample.length < sampleRows) profile.sample.push(row.cells)
  }
  return profile
}

/** The rows of a file that `inspectCsv` accepted. Throws Problem import-file-unreadable when it is another file now. */
export async function* readCsv(open: CsvSource, profile: CsvProfile): AsyncGenerator<CsvRow> {
  const table = await startTable(open, profile.encoding, profile.delimiter, profile.limits)
  if (table.header.join('\0') !== profile.header.join('\0')) throw unreadable('changed-while-read')
  let rows = 0
  for await (const row of table.rows()) {
    rows = row.row
    yield row
  }
  if (rows !== profile.rows) throw unreadable('changed-while-read')
}

interface Table {
  delimiter: Delimiter
  header: string[]
  rows(): AsyncGenerator<CsvRow>
}

async function startTable(open: CsvSource, encoding: Encoding, wanted: Delimiter | 'auto', limits: ReadLimits): Promise<Table> {
  const texts = decode(open, encoding)
  let sample = await nextText(texts)
  const line = separatorLine(sample)
  if (line) sample = sample.slice(line.length)
  // The sample is the whole file when the next piece is the decoder's empty last one.
  const second = await nextText(texts)
  const delimiter = wanted !== 'auto' ? wanted : (line?.delimiter ?? findDelimiter(sample, second === '', limits))
  const reader = new RecordReader(delimiter, limits)
  const records = recordsOf(reader, texts, [sample, second])
  const first = await records.next()
  try {
    const header = readHeader(first.done ? undefined : first.value, limits)
    return { delimiter, header, rows: () => numbered(records, header, limits) }
  } catch (problem) {
    await records.return(undefined)
    throw problem
  }
}

async function nextText(texts: AsyncGenerator<string>): Promise<string> {
  const next = await texts.next()
  return next.done ? '' : next.value
}

async function* recordsOf(reader: RecordReader, texts: AsyncGenerator<string>, begun: readonly string[]): AsyncGenerator<CsvRecord> {
  try {
    for (const text of begun) yield* reader.push(text)
    for await (const text of texts) yield* reader.push(text)
    yield* reader.end()
  } finally {
    // A reader that stops early must still close the file.
    await texts.return(undefined)
  }
}

async function* numbered(records: AsyncGenerator<CsvRecord>, header: readonly string[], limits: ReadLimits): AsyncGenerator<CsvRow> {
  let row = 0
  for await (const record of records) yield asRow(record, ++row, header, limits)
}

function asRow(record: CsvRecord, row: number, header: readonly string[], limits: ReadLimits): CsvRow {
  const { cells, code } = record
  if (!cells) return rejected(row, code ?? 'quote-broken')
  // Excel ends lines with empty cells nobody typed.
  while (cells.length > header.length && cells.at(-1) === '') cells.pop()
  if (cells.length !== header.length) return rejected(row, 'row-ragged')
  const tooLong = cells.findIndex((cell) => cell.length > limits.maxCellChars)
  if (tooLong >= 0) return rejected(row, 'cell-too-long', header[tooLong])
  return { row, cells, problem: record.literalQuote ? { code: 'quote-literal', column: null } : null }
}

function rejected(row: number, code: RowCode, column?: string): CsvRow {
  return { row, cells: null, problem: { code, column: column ?? null } }
}
