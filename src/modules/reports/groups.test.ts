import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { LensGroup } from '../../kernel/lens/index.ts'
import { SMALLEST_GROUP, tableOf, type Reading } from './groups.ts'

const reading: Reading = { keys: ['stage'], currency: true, measures: [{ name: 'won', money: false }, { name: 'amount', money: true }] }
const group = fc.record({ stage: fc.constantFrom('a', 'b', 'c', 'd', null), currency: fc.constantFrom('CNY', 'USD', ''), count: fc.integer({ min: 1, max: 12 }), hidden: fc.nat({ max: 12 }), won: fc.nat({ max: 12 }), minor: fc.integer({ min: 1, max: 1000 }) })
const groups: fc.Arbitrary<LensGroup[]> = fc
  .uniqueArray(group, { maxLength: 10, selector: (g) => `${g.stage} ${g.currency}` })
  .map((all) => all.map((g) => ({ keys: [g.stage, g.currency], count: g.count, seen: Math.max(0, g.count - g.hidden), measures: [Math.min(g.won, g.count), g.minor] })))

describe('the table of a report', () => {
  it('tells everything to whoever may see every row', () => {
    fc.assert(
      fc.property(groups, (all) => {
        const seen = all.map((g) => ({ ...g, seen: g.count }))
        const table = tableOf(seen, reading)
        expect(table.withheld).toBe(0)
        expect(table.total?.count).toBe(all.reduce((n, g) => n + g.count, 0))
        for (const row of table.rows) {
          const parts = all.filter((g) => g.keys[0] === row.key?.['stage'])
          expect(row.count).toBe(parts.reduce((n, g) => n + g.count, 0))
          expect(row.numbers['won']).toBe(parts.reduce((n, g) => n + (g.measures[0] ?? 0), 0))
          expect(row.amounts['amount']).toEqual(parts.filter((g) => g.keys[1] !== '').map((g) => ({ currency: g.keys[1], minor: g.measures[1] })))
        }
      }),
    )
  })

  it('tells nobody of fewer than five rows, one of which they may not see: not by a group, nor by what is left when all the others are taken from the total', () => {
    fc.assert(
      fc.property(groups, (all) => {
        const table = tableOf(all, reading)
        for (const row of table.rows) {
          const parts = row.key === null ? null : all.filter((g) => g.keys[0] === row.key?.['stage'])
          const unseen = parts === null || parts.some((g) => g.seen < g.count)
          if (unseen) expect(row.count).toBeGreaterThanOrEqual(SMALLEST_GROUP)
          const won = row.numbers['won']
          if (unseen && won !== null && won !== undefined) for (const n of [won, row.count - won]) expect(n === 0 || n >= SMALLEST_GROUP).toBe(true)
          if (unseen) {
            for (const { currency } of row.amounts['amount'] ?? []) {
              const rows = (parts ?? all).filter((g) => g.keys[1] === currency).reduce((n, g) => n + g.count, 0)
              expect(rows).toBeGreaterThanOrEqual(SMALLEST_GROUP)
            }
          }
        }
        const shown = table.rows.reduce((n, r) => n + r.count, 0)
        if (table.total) expect(table.total.count).toBe(shown)
      }),
      { numRuns: 2_000 },
    )
  })

  const table = (groups: [stage: string, currency: string, count: number, seen: number, won: number, minor: number][], words = reading) =>
    tableOf(groups.map(([stage, currency, count, seen, won, minor]) => ({ keys: [stage, currency], count, seen, measures: [won, minor] })), words)

  it('does not tell a single amount by taking the rows that say their currency from the total', () => {
    const { rows, total } = table([['a', 'CNY', 5, 0, 5, 500], ['b', 'CNY', 1, 0, 1, 77], ['b', 'USD', 10, 0, 10, 900]])
    expect(rows.map((r) => r.amounts['amount'])).toEqual([[{ currency: 'CNY', minor: 500 }], [{ currency: 'USD', minor: 900 }]])
    expect(total?.amounts['amount']).toEqual([{ currency: 'USD', minor: 900 }])
  })

  it('does not tell a small number by taking the rows that say theirs from the total', () => {
    const { rows, total } = table([['a', 'CNY', 10, 0, 5, 500], ['b', 'CNY', 10, 0, 3, 500]])
    expect(rows.map((r) => r.numbers['won'])).toEqual([5, null])
    expect(total?.numbers['won']).toBeNull()
  })

  it('does not tell a sum over one of the rows of a large group', () => {
    const words: Reading = { ...reading, measures: [reading.measures[0]!, { name: 'amount', money: true, rows: 'won' }] }
    const { rows, total } = table([['a', 'CNY', 10, 0, 1, 77]], words)
    expect(rows[0]).toMatchObject({ count: 10, numbers: { won: null }, amounts: { amount: [] } })
    expect(total?.amounts['amount']).toEqual([])
  })

  it('does not tell one unseen row to somebody who sees all the others of its group', () => {
    const { rows, total } = table([['a', 'CNY', 6, 5, 6, 577], ['b', 'CNY', 9, 9, 9, 900]])
    expect(rows.map((r) => r.key?.['stage'])).toEqual(['b'])
    expect(total).toBeNull()
  })
})
