import type { OperationResult, Side } from './rounds.ts'
import { median } from './rounds.ts'

/** One line of the published JSON (docs/contract.md BENCH): requests or rows per second, and what sealed is of them. */
export interface ResultRow {
  name: string
  rows: number
  concurrency: number
  bare: number
  bareWithAudit: number
  sealed: number
  /** sealed / bare */
  ratio: number
  /** sealed / bareWithAudit */
  ratioToAudit: number
  /** Of the sealed side; null where there is no single request. */
  p95Ms: number | null
  unit: string
  /** The other sides' 95th percentiles, and the processor time one request costs each server process. */
  more?: { p95Ms: Record<'bare' | 'bareWithAudit', number>; cpuMicros: Record<'bare' | 'bareWithAudit' | 'sealed', number>; rounds: Record<Side, number[]> }
}

/** A figure beside the operations. */
export interface Figure {
  name: string
  value: number | string
  unit: string
}

const round = (value: number, digits: number): number => Number(value.toFixed(digits))

export function resultRow({ operation, concurrency, sides }: OperationResult, rows: number): ResultRow {
  const { bare, audit, sealed } = sides
  const [a, b, c] = [median(bare.rates), median(audit.rates), median(sealed.rates)]
  return {
    ...{ name: operation, rows, concurrency, bare: round(a, 1), bareWithAudit: round(b, 1), sealed: round(c, 1) },
    ...{ ratio: round(c / a, 3), ratioToAudit: round(c / b, 3), p95Ms: round(sealed.p95, 2), unit: 'requests/s' },
    more: {
      p95Ms: { bare: round(bare.p95, 2), bareWithAudit: round(audit.p95, 2) },
      cpuMicros: { bare: Math.round(bare.cpuMicros), bareWithAudit: Math.round(audit.cpuMicros), sealed: Math.round(sealed.cpuMicros) },
      rounds: { bare: bare.rates.map(Math.round), audit: audit.rates.map(Math.round), sealed: sealed.rates.map(Math.round) },
    },
  }
}

export function importRow(rows: number, bare: number, bareWithAudit: number, sealed: number): ResultRow {
  const [a, b, c] = [Math.round(bare), Math.round(bareWithAudit), Math.round(sealed)]
  return { name: 'import', rows, concurrency: 1, bare: a, bareWithAudit: b, sealed: c, ratio: round(c / a, 3), ratioToAudit: round(c / b, 3), p95Ms: null, unit: 'rows/s' }
}

const HEAD = ['operation', 'at once', 'bare (i)', 'with audit (ii)', 'sealed', '÷ (i)', '÷ (ii)', 'p95 ms (i) (ii) sealed', 'cpu µs (i) (ii) sealed', 'unit']

function cells(row: ResultRow): string[] {
  const whole = (n: number): string => n.toLocaleString('en-US', { maximumFractionDigits: n < 100 ? 1 : 0 })
  const p95 = row.more ? [row.more.p95Ms.bare, row.more.p95Ms.bareWithAudit, row.p95Ms ?? 0].map((n) => n.toFixed(1)).join(' ') : ''
  const cpu = row.more ? [row.more.cpuMicros.bare, row.more.cpuMicros.bareWithAudit, row.more.cpuMicros.sealed].join(' ') : ''
  return [row.name, String(row.concurrency), whole(row.bare), whole(row.bareWithAudit), whole(row.sealed), row.ratio.toFixed(2), row.ratioToAudit.toFixed(2), p95, cpu, row.unit]
}

/** The one table, then the figures beside it. */
export function tableOf(results: readonly ResultRow[], figures: readonly Figure[]): string {
  const shown = figures.map((f) => [f.name, typeof f.value === 'number' ? f.value.toLocaleString('en-US', { maximumFractionDigits: 2 }) : f.value, f.unit])
  return [...aligned([HEAD, ...results.map(cells)], [1, 2, 3, 4, 5, 6, 7, 8]), '', ...aligned(shown, [1])].join('\n')
}

function aligned(rows: readonly (readonly string[])[], right: readonly number[]): string[] {
  const widths = (rows[0] ?? []).map((_cell, i) => Math.max(...rows.map((r) => (r[i] ?? '').length)))
  return rows.map((r) => r.map((cell, i) => (right.includes(i) ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0))).join('  ').trimEnd())
}
