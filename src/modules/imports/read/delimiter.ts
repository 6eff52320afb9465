import type { ReadLimits } from './limits.ts'
import { RecordReader } from './records.ts'

export const delimiters = [',', ';', '\t', '|'] as const
export type Delimiter = (typeof delimiters)[number]

const sampleRecords = 100

/** The delimiter that cuts the sample into most columns most evenly; a comma when none does (a table of one column). */
export function findDelimiter(sample: string, whole: boolean, limits: ReadLimits): Delimiter {
  let best: Delimiter = ','
  let bestScore = 0
  for (const delimiter of delimiters) {
    const reader = new RecordReader(delimiter, limits)
    const records = reader.push(sample)
    if (whole) records.push(...reader.end())
    const score = evenness(records.slice(0, sampleRecords).map((r) => r.cells?.length ?? 0))
    if (score > bestScore) {
      best = delimiter
      bestScore = score
    }
  }
  return best
}

function evenness(widths: readonly number[]): number {
  const header = widths[0] ?? 0
  if (header < 2) return 0
  return (widths.filter((width) => width === header).length / widths.length) * header
}

/** Excel's own first line `sep=;`, which names the delimiter and is no record. */
export function separatorLine(text: string): { delimiter: Delimiter; length: number } | null {
  const found = /^sep=([,;\t|])(?:\r\n|\n|\r)/i.exec(text)
  const delimiter = delimiters.find((d) => d === found?.[1])
  return found && delimiter ? { delimiter, length: found[0].length } : null
}
