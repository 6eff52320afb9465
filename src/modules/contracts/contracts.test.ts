import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { checkPeriod, dueOn, nextPeriod, remindOn, type ContractRecord } from './contracts.policy.ts'

const DAY_MS = 86_400_000
const day = fc.date({ min: new Date('2000-01-01T00:00:00Z'), max: new Date('2060-12-31T00:00:00Z'), noInvalidDate: true }).map((d) => d.toISOString().slice(0, 10))
const daysBetween = (a: string, b: string): number => (Date.parse(b) - Date.parse(a)) / DAY_MS

describe('the period that follows', () => {
  it.each([
    ['2025-01-01', '2025-12-31', '2026-01-01', '2026-12-31'],
    ['2024-03-15', '2025-03-14', '2025-03-15', '2026-03-14'],
    ['2024-01-01', '2024-01-31', '2024-02-01', '2024-02-29'], // a month for a month, though it is shorter
    ['2023-03-01', '2024-02-29', '2024-03-01', '2025-02-28'], // leap day
    ['2025-11-01', '2026-01-31', '2026-02-01', '2026-04-30'],
    ['2026-01-01', '2026-01-10', '2026-01-11', '2026-01-20'],
    ['2026-05-05', '2026-05-05', '2026-05-06', '2026-05-06'],
  ])('%s to %s: %s to %s', (startsOn, endsOn, from, to) => {
    expect(nextPeriod({ startsOn, endsOn })).toEqual({ startsOn: from, endsOn: to })
  })

  it('is open where there was no beginning, and none where there is no end', () => {
    expect(nextPeriod({ startsOn: null, endsOn: '2026-01-31' })).toEqual({ startsOn: '2026-02-01', endsOn: null })
    expect(nextPeriod({ startsOn: '2026-01-31', endsOn: null })).toBeNull()
  })

  it('begins the day after, lies before nothing, and is as long again but for the lengths of months', () => {
    fc.assert(
      // A short February in place of a long month, and a leap day: four days at most.
      fc.property(day, fc.nat({ max: 4000 }), (startsOn, length) => {
        const endsOn = new Date(Date.parse(startsOn) + length * DAY_MS).toISOString().slice(0, 10)
        const next = nextPeriod({ startsOn, endsOn })!
        checkPeriod(next)
        return daysBetween(endsOn, next.startsOn) === 1 && Math.abs(daysBetween(next.startsOn, next.endsOn!) - length) <= 4
      }),
      { numRuns: 5_000 },
    )
  })
})

describe('what is due', () => {
  const contract = (c: Partial<ContractRecord>): ContractRecord => ({ status: 'active', deletedAt: null, endsOn: '2026-03-31', noticeDays: 30, ...c }) as ContractRecord // what the rules look at

  it('a notice on its day and until the end, and the end the day after the last', () => {
    expect(remindOn(contract({}))).toBe('2026-03-01')
    expect(['2026-02-28', '2026-03-01', '2026-03-31', '2026-04-01'].map((today) => dueOn(contract({}), today))).toEqual([null, 'remind', 'remind', 'expire'])
  })

  it('nothing of what is not in force, has no end, or asks for no notice', () => {
    for (const status of ['draft', 'expired', 'terminated', 'renewed'] as const) expect(dueOn(contract({ status }), '2026-05-01')).toBeNull()
    expect(dueOn(contract({ endsOn: null }), '2030-01-01')).toBeNull()
    expect(dueOn(contract({ noticeDays: null }), '2026-03-31')).toBeNull()
    expect(dueOn(contract({ deletedAt: '2026-01-01T00:00:00.000Z' }), '2026-05-01')).toBeNull()
    expect(dueOn(contract({ noticeDays: 0 }), '2026-03-31')).toBe('remind')
  })
})
