import type { LensGroup } from '../../kernel/lens/index.ts'

/** Fewer rows than this are not shown as a group to somebody who may not see the rows. */
export const SMALLEST_GROUP = 5

export interface Amount {
  currency: string
  minor: number
}

/** A row of a report. `key` null: the groups that are too small, together. */
export interface ReportRow {
  key: Record<string, string | number | null> | null
  count: number
  /** By name; null where a number so small would tell of one row. */
  numbers: Record<string, number | null>
  /** Sums by name and currency; a currency whose rows are too few is left out. */
  amounts: Record<string, Amount[]>
  /** The same in the organisation's base currency, of the amounts that are told; `unconverted` are currencies without a rate, which are not in it. */
  base?: Record<string, { amount: Amount; unconverted: string[] }>
}

/** How the columns of a LensGroup are to be read. */
export interface Reading {
  /** Names of the keys in order; the last group key is the currency where `currency` is set. */
  keys: readonly string[]
  currency: boolean
  /** Names of the measures in order: whether each is a number of rows or a sum of money. */
  measures: readonly {
    name: string
    money: boolean
    /** Of a sum over some of a group's rows: the number that says how many they are. */
    rows?: string
  }[]
}

interface Gathered {
  key: ReportRow['key']
  parts: { currency: string | null; group: LensGroup }[]
}

const countOf = (g: Gathered): number => g.parts.reduce((n, p) => n + p.group.count, 0)
const unseenOf = (g: Gathered): number => g.parts.reduce((n, p) => n + p.group.count - p.group.seen, 0)

/** Groups of one key in several currencies belong together. */
function gather(groups: readonly LensGroup[], reading: Reading): Gathered[] {
  const byKey = new Map<string, Gathered>()
  for (const group of groups) {
    const values = group.keys.slice(0, reading.keys.length)
    const id = JSON.stringify(values)
    const key = Object.fromEntries(reading.keys.map((name, at) => [name, values[at] as string | number | null])) // booleans are never grouped by
    const known = byKey.get(id) ?? { key, parts: [] }
    known.parts.push({ currency: reading.currency ? String(group.keys.at(-1) ?? '') || null : null, group })
    byKey.set(id, known)
  }
  return [...byKey.values()]
}

/**
 * Puts the groups together that hold rows the caller may not see, and too few of these; and, as long as these together are too few, the
 * next smallest with them: what one group hides must not be the total less the others. What the caller sees they can take away themselves,
 * so it does not make a group large.
 */
function withhold(gathered: readonly Gathered[]): { shown: Gathered[]; rest: Gathered | null } {
  const small = (g: Gathered): boolean => unseenOf(g) > 0 && unseenOf(g) < SMALLEST_GROUP
  const hidden = gathered.filter(small)
  if (hidden.length === 0) return { shown: [...gathered], rest: null }
  const others = gathered.filter((g) => unseenOf(g) >= SMALLEST_GROUP).sort((a, b) => countOf(a) - countOf(b))
  while (hidden.reduce((n, g) => n + unseenOf(g), 0) < SMALLEST_GROUP && others.length > 0) hidden.push(others.shift()!)
  const shown = gathered.filter((g) => !hidden.includes(g))
  return { shown, rest: { key: null, parts: hidden.flatMap((g) => g.parts) } }
}

function rowOf(g: Gathered, reading: Reading): ReportRow {
  const numbers: ReportRow['numbers'] = {}
  const amounts: ReportRow['amounts'] = {}
  for (const [at, { name, money }] of reading.measures.entries()) {
    if (money) amounts[name] = amountsOf(g, at, reading)
    else numbers[name] = told(g, at)
  }
  return { key: g.key, count: countOf(g), numbers, amounts }
}

/** Which of the counted rows the caller sees is not known here, so all they see is taken for counted. */
const few = (n: number, seen: number): boolean => n > 0 && n - seen < SMALLEST_GROUP

/** A number close to none or to all tells of the few that are, or are not. */
function told(g: Gathered, at: number): number | null {
  const n = g.parts.reduce((sum, p) => sum + (p.group.measures[at] ?? 0), 0)
  const seen = g.parts.reduce((sum, p) => sum + p.group.seen, 0)
  return unseenOf(g) > 0 && (few(n, seen) || few(countOf(g) - n, seen)) ? null : n
}

function amountsOf(g: Gathered, at: number, { measures }: Reading): Amount[] {
  const counted = measures.findIndex((m) => m.name === measures[at]?.rows)
  const byCurrency = new Map<string, { minor: number; rows: number; seen: number }>()
  for (const { currency, group } of g.parts) {
    if (currency === null) continue
    const sum = byCurrency.get(currency) ?? { minor: 0, rows: 0, seen: 0 }
    const rows = counted === -1 ? group.count : (group.measures[counted] ?? 0)
    byCurrency.set(currency, { minor: sum.minor + (group.measures[at] ?? 0), rows: sum.rows + rows, seen: sum.seen + group.seen })
  }
  return [...byCurrency].filter(([, { rows, seen }]) => unseenOf(g) === 0 || !few(rows, seen)).map(([currency, { minor }]) => ({ currency, minor }))
}

/** The total without what would tell, less the rows that say it, what the others do not say. */
function totalOf(whole: Gathered, groups: readonly Gathered[], reading: Reading): Omit<ReportRow, 'key'> {
  const { key: _, ...total } = rowOf(whole, reading)
  const silent = (says: (g: Gathered) => boolean): Gathered => ({ key: null, parts: groups.filter((g) => !says(g)).flatMap((g) => g.parts) })
  for (const [at, { name, money }] of reading.measures.entries()) {
    const says = (g: Gathered, currency: string): boolean => !g.parts.some((p) => p.currency === currency) || amountsOf(g, at, reading).some((a) => a.currency === currency)
    if (money) total.amounts[name] = (total.amounts[name] ?? []).filter(({ currency }) => says(silent((g) => says(g, currency)), currency))
    else if (told(silent((g) => told(g, at) !== null), at) === null) total.numbers[name] = null
  }
  return total
}

export interface ReportTable {
  rows: ReportRow[]
  /** Null when it would tell what is withheld. */
  total: Omit<ReportRow, 'key'> | null
  /** How many groups were too small to be shown. */
  withheld: number
}

/** The table of a report, as far as it may be told to somebody who sees `seen` of the `count` rows of each group. */
export function tableOf(groups: readonly LensGroup[], reading: Reading): ReportTable {
  const gathered = gather(groups, reading)
  const { shown, rest } = withhold(gathered)
  const whole: Gathered = { key: null, parts: gathered.flatMap((g) => g.parts) }
  const tooSmall = rest !== null && unseenOf(rest) < SMALLEST_GROUP
  const lines = [...shown, ...(rest && !tooSmall ? [rest] : [])]
  return { rows: lines.map((g) => rowOf(g, reading)), total: tooSmall ? null : totalOf(whole, lines, reading), withheld: gathered.length - shown.length }
}
