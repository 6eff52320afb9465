import type { ReadLimits } from './limits.ts'

const quote = 0x22
const lf = 0x0a
const cr = 0x0d
const space = 0x20

export type RecordCode = 'quote-broken' | 'row-too-long' | 'nul-byte'

/** One record. `cells` is null when it is rejected for `code`. `literalQuote`: a quote inside an unquoted cell was kept as typed. */
export interface CsvRecord {
  cells: string[] | null
  code: RecordCode | null
  literalQuote: boolean
}

/**
 * Cuts text into records (RFC 4180; LF, CRLF or CR; quoted newlines; a last line without newline), whatever pieces the text
 * arrives in. An empty line is no record.
 *
 * A record with broken quotes is rejected **by its first line**, and reading goes on at the very next line. `csv-parse` with
 * `skip_records_with_error` goes on inside the broken quotes instead and swallows the good rows up to the next quote: 5 of 7
 * rows of the test "loses no row after broken quotes". It is the oracle for well-formed files in the tests.
 */
export class RecordReader {
  readonly #delimiter: number
  readonly #limits: ReadLimits
  #held = ''
  #at = 0
  #discarding = false
  #skipLf = false
  #sawNul = false
  #literalQuote = false

  constructor(delimiter: string, limits: ReadLimits) {
    this.#delimiter = delimiter.charCodeAt(0)
    this.#limits = limits
  }

  /** The records that end within what has arrived so far. */
  push(text: string): CsvRecord[] {
    if (!this.#sawNul) this.#sawNul = text.includes('\0')
    this.#held = this.#held.slice(this.#at) + text
    this.#at = 0
    return this.#records(false)
  }

  /** The records left when no more text comes. */
  end(): CsvRecord[] {
    return this.#records(true)
  }

  #records(last: boolean): CsvRecord[] {
    const found: CsvRecord[] = []
    while (this.#at < this.#held.length) {
      if (this.#skipLf) {
        this.#skipLf = false
        if (this.#held.charCodeAt(this.#at) === lf) {
          this.#at++
          continue
        }
      }
      if (this.#discarding) this.#discard()
      else if (isNewline(this.#held.charCodeAt(this.#at))) this.#endLine(this.#at)
      else {
        const record = this.#record(last)
        if (!record) break
        found.push(record)
      }
    }
    return found
  }

  /** Reads one record at the present place and moves past it; null when it needs more text. */
  #record(last: boolean): CsvRecord | null {
    const start = this.#at
    const cells: string[] = []
    this.#literalQuote = false
    const end = this.#cells(start, last, cells)
    const overLong = this.#limits.maxRecordChars
    if (end === needsMore) {
      if (this.#held.length - start <= overLong + 2) return null
      return this.#reject(start, 'row-too-long')
    }
    if (end < 0) return this.#reject(start, -end - start > overLong ? 'row-too-long' : 'quote-broken')
    if (end - start > overLong) return this.#reject(start, 'row-too-long')
    if (this.#sawNul && this.#held.slice(start, end).includes('\0')) {
      this.#endLine(end)
      return { cells: null, code: 'nul-byte', literalQuote: false }
    }
    this.#endLine(end)
    return { cells, code: null, literalQuote: this.#literalQuote }
  }

  /**
   * Fills `cells` and returns where the record's line ends. Returns −p when the quotes are broken at p (p > 0 always: a quote
   * came before), `needsMore` when the text ends first.
   */
  #cells(start: number, last: boolean, cells: string[]): number {
    const text = this.#held
    for (let at = start; ; at++) {
      let from = at
      while (text.charCodeAt(from) === space) from++
      if (text.charCodeAt(from) !== quote) {
        const end = this.#bareEnd(at)
        if (end === text.length && !last) return needsMore
        cells.push(text.slice(at, end))
        at = end
      } else {
        const close = closingQuote(text, from + 1)
        if (close < 0 || (close === text.length - 1 && !last)) return last ? -text.length : needsMore
        const inside = text.slice(from + 1, close)
        cells.push(inside.includes('"') ? inside.replaceAll('""', '"') : inside)
        at = close + 1
        while (text.charCodeAt(at) === space) at++
        if (at >= text.length && !last) return needsMore
      }
      if (at >= text.length || isNewline(text.charCodeAt(at))) return at
      if (text.charCodeAt(at) !== this.#delimiter) return -at
      if (at === text.length - 1 && !last) return needsMore
    }
  }

  #bareEnd(from: number): number {
    const text = this.#held
    const delimiter = this.#delimiter
    let at = from
    for (; at < text.length; at++) {
      const c = text.charCodeAt(at)
      if (c === delimiter || c === lf || c === cr) break
      if (c === quote) this.#literalQuote = true
    }
    return at
  }

  /** Rejects the line at `start`. A record that ran over its first line was quoted, so the quotes are to blame, not its length. */
  #reject(start: number, code: RecordCode): CsvRecord {
    this.#at = start
    const end = nextNewline(this.#held, start)
    const overran = end - start <= this.#limits.maxRecordChars && end < this.#held.length
    this.#discard()
    return { cells: null, code: code === 'row-too-long' && overran ? 'quote-broken' : code, literalQuote: false }
  }

  /** Drops the rest of this line, which may end in text still to come. */
  #discard(): void {
    const end = nextNewline(this.#held, this.#at)
    this.#discarding = end === this.#held.length
    if (this.#discarding) this.#at = end
    else this.#endLine(end)
  }

  /** Moves past the line end at `at`; the LF of a CRLF may still be to come. */
  #endLine(at: number): void {
    this.#skipLf = this.#held.charCodeAt(at) === cr
    this.#at = Math.min(at + 1, this.#held.length)
  }
}

const needsMore = Number.MIN_SAFE_INTEGER

function isNewline(c: number): boolean {
  return c === lf || c === cr
}

function nextNewline(text: string, from: number): number {
  for (let at = from; at < text.length; at++) if (isNewline(text.charCodeAt(at))) return at
  return text.length
}

/** Where the quoted cell that begins at `from` closes, doubled quotes skipped; −1 when it does not. */
function closingQuote(text: string, from: number): number {
  for (let at = text.indexOf('"', from); at >= 0; at = text.indexOf('"', at + 2)) {
    if (text.charCodeAt(at + 1) !== quote) return at
  }
  return -1
}
