import { type Books, type Colleague, sight } from './books.ts'

/** A report as plain SQL: what is counted, by what, and which figures beside the count. */
export interface NaiveReport {
  table: string
  where: string
  keys: Readonly<Record<string, string>>
  /** Numbers of rows for which something holds. */
  numbers?: Readonly<Record<string, string>>
  /** Sums of minor units, told by currency. */
  sums?: Readonly<Record<string, string>>
}

export interface NaiveRow {
  key: Record<string, string | number | null>
  count: number
  numbers: Record<string, number>
  /** By name and currency: the sum, and of how many rows it is. */
  amounts: Record<string, Record<string, { minor: number; rows: number }>>
}

type Sql = Record<string, string | number | null>

function rowsOf(books: Books, who: Colleague, r: NaiveReport, keys: Readonly<Record<string, string>>): NaiveRow[] {
  const sums = Object.entries(r.sums ?? {})
  const columns = [
    ...Object.entries(keys).map(([name, sql]) => `${sql} AS "key ${name}"`),
    ...(sums.length > 0 ? ['currency'] : []),
    'count(*) AS n',
    ...Object.entries(r.numbers ?? {}).map(([name, sql]) => `count(*) FILTER (WHERE ${sql}) AS "number ${name}"`),
    ...sums.flatMap(([name, sql]) => [`coalesce(sum(${sql}), 0) AS "sum ${name}"`, `count(${sql}) AS "rows ${name}"`]),
  ]
  const by = [...Object.keys(keys).map((name) => `"key ${name}"`), ...(sums.length > 0 ? ['currency'] : [])]
  const found = books.all<Sql>(`SELECT ${columns.join(', ')} FROM ${r.table} WHERE (${sight(who, r.table, true)}) AND (${r.where})${by.length > 0 ? ` GROUP BY ${by.join(', ')}` : ''}`)
  const rows = new Map<string, NaiveRow>()
  for (const part of found) {
    const key = Object.fromEntries(Object.keys(keys).map((name) => [name, part[`key ${name}`] ?? null]))
    const row: NaiveRow = rows.get(JSON.stringify(key)) ?? { key, count: 0, numbers: {}, amounts: Object.fromEntries(sums.map(([name]) => [name, {}])) }
    rows.set(JSON.stringify(key), row)
    row.count += Number(part['n'])
    for (const name of Object.keys(r.numbers ?? {})) row.numbers[name] = (row.numbers[name] ?? 0) + Number(part[`number ${name}`])
    for (const [name] of sums) if (part['currency']) row.amounts[name]![part['currency']] = { minor: Number(part[`sum ${name}`]), rows: Number(part[`rows ${name}`]) }
  }
  return [...rows.values()].filter((row) => row.count > 0 || by.length === 0)
}

/** The groups of a report over what somebody may count, and everything together. */
export function recompute(books: Books, who: Colleague, report: NaiveReport): { rows: NaiveRow[]; total: NaiveRow | null } {
  return { rows: rowsOf(books, who, report, report.keys), total: rowsOf(books, who, report, {})[0] ?? null }
}
