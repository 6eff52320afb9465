/**
 * Cells a spreadsheet would run as a formula: one beginning with `=`, `+`, `-`, `@`, a tab or a line end, the full-width
 * forms included, which some spreadsheets fold. Values are stored as typed; the danger is the spreadsheet's, so it is
 * met where a file for one is written.
 */
const runsAsFormula = /^'*[\s\p{Cf}]*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20\u2212]/u

/** A plus sign and digits only is a number to a spreadsheet, not a call of anything: E.164 stays as it is, and reads back as itself. */
const e164 = /^\+[1-9]\d{6,14}$/

/**
 * A cell safe to open in a spreadsheet: an apostrophe goes before what would run. A cell that already begins with
 * apostrophes before a formula gets one more, so that `undefuseCsvCell` gives back exactly what was there.
 */
export function defuseCsvCell(value: string): string {
  return runsAsFormula.test(value) && !e164.test(value) ? `'${value}` : value
}

/** Takes back what `defuseCsvCell` added; for files this program wrote. */
export function undefuseCsvCell(cell: string): string {
  return cell.startsWith("'") && runsAsFormula.test(cell) ? cell.slice(1) : cell
}

/** One record of a CSV file (RFC 4180, CRLF), every cell defused. */
export function csvLine(cells: readonly string[]): string {
  return cells.map((cell) => quoteCell(defuseCsvCell(cell))).join(',') + '\r\n'
}

function quoteCell(cell: string): string {
  return /[",;\t\r\n|]|^\s|\s$/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell
}
