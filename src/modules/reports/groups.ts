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
  measures: readonly { name: string; money: boolean }[]
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
 * Puts the groups together that hold rows the caller may not see and are too small; and, as long as these together are too small, the
 * next smallest with them: what one group hides must not be the total less the others.
 */
function withhold(gathered: readonly Gathered[]): { shown: Gathered[]; rest: Gathered | null } {
  const small = (g: Gathered): boolean => unseenOf(g) > 0 && countOf(g) < SMALLEST_GROUP
  const hidden = gathered.filter(small)
  if (hidden.length === 0) return { shown: [...gathered], rest: null }
  const others = gathered.filter((g) => !small(g)).sort((a, b) => countOf(a) - countOf(b))
  const total = (): number => hidden.reduce((n, g) => n + countOf(g), 0)
  while (total() < SMALLEST_GROUP && others.length > 0) hidden.push(others.shift()!)
  const shown = gathered.filter((g) => !hidden.includes(g))
  return { shown, rest: { key: null, parts: hidden.flatMap((g) => g.parts) } }
}

function rowOf(g: Gathered, reading: Reading): ReportRow {
  const unseen = unseenOf(g) > 0
  const numbers: ReportRow['numbers'] = {}
  const amounts: ReportRow['amounts'] = {}
  for (const [at, { name, money }] of reading.measures.entries()) {
    if (money) amounts[name] = amountsOf(g, at, unseen)
    else numbers[name] = told(g.parts.reduce((n, p) => n + (p.group.measures[at] ?? 0), 0), countOf(g), unseen)
  }
  return { key: g.key, count: countOf(g), numbers, amounts }
}

/** A number close to none or to all tells of the few that are, or are not. */
function told(n: number, of: number, unseen: boolean): number | null {
  const few = (m: number): boolean => m > 0 && m < SMALLEST_GROUP
  return unseen && (few(n) || few(of - n)) ? null : n
}

function amountsOf(g: Gathered, at: number, unseen: boolean): Amount[] {
  const byCurrency = new Map<string, { minor: number; rows: number }>()
  for (const { currency, group } of g.parts) {
    if (currency === null) continue
    const sum = byCurrency.get(currency) ?? { minor: 0, rows: 0 }
    byCurrency.set(currency, { minor: sum.minor + (group.measures[at] ?? 0), rows: sum.rows + group.count })
  }
  return [...byCurrency].filter(([, sum]) => !unseen || sum.rows >= SMALLEST_GROUP).map(([currency, { minor }]) => ({ currency, minor }))
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
  const tooSmall = rest !== null && countOf(rest) < SMALLEST_GROUP
  const rows = [...shown, ...(rest && !tooSmall ? [rest] : [])].map((g) => rowOf(g, reading))
  const { key: _, ...total } = rowOf(whole, reading)
  return { rows, total: tooSmall ? null : total, withheld: gathered.length - shown.length }
}
