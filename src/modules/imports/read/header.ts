import { unreadable } from '../problems.ts'
import type { ReadLimits } from './limits.ts'
import type { CsvRecord } from './records.ts'

const longestName = 300

/**
 * The column names of the header record: trimmed, one line, no control characters; a column without a name is `#7` by its
 * place. Throws Problem import-file-unreadable when it is no header.
 */
export function readHeader(record: CsvRecord | undefined, limits: ReadLimits): string[] {
  if (!record) throw unreadable('header-missing')
  if (!record.cells) throw unreadable(record.code === 'row-too-long' ? 'line-too-long' : record.code === 'nul-byte' ? 'binary' : 'header-broken')
  if (record.cells.length > limits.maxColumns) throw unreadable('too-many-columns')
  const names = record.cells.map((cell) => cell.normalize('NFC').replace(/[\p{Cc}\u200b\ufeff\s]+/gu, ' ').trim())
  if (names.every((name) => name === '')) throw unreadable('header-missing')
  // Before anything looks into them: a name of a million characters would keep the process busy for minutes.
  if (names.some((name) => name.length > longestName)) throw unreadable('header-broken')
  if (names.some(looksLikeData)) throw unreadable('header-missing')
  const header = names.map((name, i) => name || `#${i + 1}`)
  if (new Set(header.map((name) => name.normalize('NFKC').toLowerCase())).size < header.length) throw unreadable('header-duplicate')
  return header
}

/** An address or a telephone number names no column: the file begins with its first person. */
function looksLikeData(name: string): boolean {
  return /^[^\s@]+@[^\s@]+\.[^\s@]+$/.test(name) || /^\+?[\d\s().-]*$/.test(name) && name.replace(/\D/g, '').length >= 7
}
