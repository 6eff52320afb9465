import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Recurrence } from './activities.entity.ts'
import { anchorOf, nextDue } from './recurrence.ts'

const ZONES = ['UTC', 'Asia/Shanghai', 'America/New_York', 'Europe/Berlin', 'Australia/Lord_Howe', 'Pacific/Apia']
const rule = (r: Partial<Recurrence> & Pick<Recurrence, 'every'>): Recurrence => ({ interval: 1, until: null, day: null, ...r })

/** Wall clock of an instant, by another library than the code under test uses. */
function wall(iso: string, zone: string): { date: string; time: string; year: number; month: number; day: number } {
  const parts = new Intl.DateTimeFormat('en-CA', { timeZone: zone, year: 'numeric', month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' }).formatToParts(new Date(iso))
  const of = (type: string): string => parts.find((p) => p.type === type)!.value
  return { date: `${of('year')}-${of('month')}-${of('day')}`, time: `${of('hour')}:${of('minute')}:${of('second')}`, year: Number(of('year')), month: Number(of('month')), day: Number(of('day')) }
}

const daysIn = (year: number, month: number): number => new Date(Date.UTC(year, month, 0)).getUTCDate()
const dayNumber = (date: string): number => Date.parse(`${date}T00:00:00Z`) / 86_400_000

describe('a task that comes back', () => {
  it('is due on the last day of a month that is too short, and on its own day again after it', () => {
    const monthly = rule({ every: 'month', day: 31 })
    const dues: string[] = ['2027-01-31T01:00:00.000Z']
    for (let i = 0; i < 5; i++) dues.push(nextDue(monthly, dues.at(-1)!, dues.at(-1)!, 'UTC')!)
    expect(dues.map((d) => d.slice(0, 10))).toEqual(['2027-01-31', '2027-02-28', '2027-03-31', '2027-04-30', '2027-05-31', '2027-06-30'])
  })

  it('of the 29th of February comes on the 28th in common years, and on the 29th in leap years', () => {
    const yearly = rule({ every: 'year', day: 29 })
    const dues: string[] = ['2096-02-29T10:00:00.000Z']
    for (let i = 0; i < 8; i++) dues.push(nextDue(yearly, dues.at(-1)!, dues.at(-1)!, 'UTC')!)
    // 2100 is no leap year.
    expect(dues.map((d) => d.slice(0, 10))).toEqual(['2096-02-29', '2097-02-28', '2098-02-28', '2099-02-28', '2100-02-28', '2101-02-28', '2102-02-28', '2103-02-28', '2104-02-29'])
  })

  it('counts its days where the organisation is, not in UTC', () => {
    // The 31st of January, 08:30 in Shanghai: still the 31st at 00:30 UTC. A quarter of an hour before midnight UTC it is the 1st there.
    expect(anchorOf('2027-01-31T00:30:00.000Z', 'Asia/Shanghai')).toBe(31)
    expect(anchorOf('2027-01-31T23:45:00.000Z', 'Asia/Shanghai')).toBe(1)
    expect(nextDue(rule({ every: 'month', day: 31 }), '2027-01-30T23:30:00.000Z', '2027-01-30T23:30:00.000Z', 'Asia/Shanghai')).toBe('2027-02-27T23:30:00.000Z')
  })

  it('keeps its hour over a change of clocks', () => {
    expect(nextDue(rule({ every: 'week' }), '2027-03-25T08:00:00.000Z', '2027-03-25T08:00:00.000Z', 'Europe/Berlin')).toBe('2027-04-01T07:00:00.000Z')
  })

  it('passes over what was missed, and ends with its last day', () => {
    expect(nextDue(rule({ every: 'day' }), '2020-01-01T09:00:00.000Z', '2027-05-05T12:00:00.000Z', 'UTC')).toBe('2027-05-06T09:00:00.000Z')
    expect(nextDue(rule({ every: 'day', until: '2027-05-06' }), '2027-05-05T09:00:00.000Z', '2027-05-05T09:00:00.000Z', 'UTC')).toBe('2027-05-06T09:00:00.000Z')
    expect(nextDue(rule({ every: 'day', until: '2027-05-05' }), '2027-05-05T09:00:00.000Z', '2027-05-05T09:00:00.000Z', 'UTC')).toBeNull()
    expect(nextDue(rule({ every: 'year', interval: 365 }), '9900-01-01T00:00:00.000Z', '9900-01-01T00:00:00.000Z', 'UTC')).toBeNull()
  })

  it('is due at the first time of its rule after it was due and done, for any rule, day, zone and delay', () => {
    const instants = fc.integer({ min: Date.UTC(1990, 0, 1), max: Date.UTC(2150, 0, 1) }).map((ms) => new Date(ms - (ms % 1000)).toISOString())
    const rules = fc.record({ every: fc.constantFrom('day' as const, 'week' as const, 'month' as const, 'year' as const), interval: fc.integer({ min: 1, max: 40 }) })
    fc.assert(
      fc.property(rules, instants, fc.integer({ min: -400, max: 4000 }), fc.constantFrom(...ZONES), (words, due, lateDays, zone) => {
        const r: Recurrence = { ...words, until: null, day: words.every === 'month' || words.every === 'year' ? anchorOf(due, zone) : null }
        const done = new Date(Date.parse(due) + lateDays * 86_400_000).toISOString()
        const next = nextDue(r, due, done, zone)!
        const bound = Math.max(Date.parse(due), Date.parse(done))
        expect(Date.parse(next)).toBeGreaterThan(bound)
        const [a, b] = [wall(due, zone), wall(next, zone)]
        // Skipped and doubled hours move the wall clock by an hour at most (Lord Howe: half of one), and never across a day here unless near midnight.
        const off = Math.abs(Date.parse(`1970-01-01T${a.time}Z`) - Date.parse(`1970-01-01T${b.time}Z`))
        expect(off === 0 || off <= 3_600_000 || off >= 23 * 3_600_000 || zone === 'Pacific/Apia').toBe(true)
        if (off !== 0) return
        if (r.every === 'day' || r.every === 'week') {
          const unit = r.interval * (r.every === 'week' ? 7 : 1)
          // Apia left out the 30th of December 2011: what was meant for it is due on the 31st.
          if (b.date !== '2011-12-31') expect((dayNumber(b.date) - dayNumber(a.date)) % unit).toBe(0)
        } else {
          const months = (b.year - a.year) * 12 + b.month - a.month
          expect(months % (r.interval * (r.every === 'year' ? 12 : 1))).toBe(0)
          if (b.date !== '2011-12-31') expect(b.day).toBe(Math.min(a.day, daysIn(b.year, b.month)))
        }
        // None was passed over: one step back there is nothing after the bound.
        const longest = { day: 1, week: 7, month: 31, year: 366 }[r.every] * r.interval * 86_400_000
        expect(Date.parse(next) - bound).toBeLessThanOrEqual(longest + 26 * 3_600_000 + 3 * 86_400_000)
      }),
      { numRuns: 2_000 },
    )
  })
})
