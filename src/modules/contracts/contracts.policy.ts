import { Problem } from '../../kernel/base/index.ts'
import type { RecordOf } from '../../kernel/entity/index.ts'
import type { Contract } from './contracts.entity.ts'

export type ContractRecord = RecordOf<typeof Contract>
type Status = ContractRecord['status']

const invalid = (path: string, code: string): Problem => new Problem('invalid', { errors: [{ path, code }] })

/** What somebody may make of a contract by hand. Renewed is made by renewing alone, and is the end. */
const NEXT: Readonly<Record<Status, readonly Status[]>> = {
  draft: ['active', 'expired', 'terminated'],
  active: ['expired', 'terminated'],
  expired: ['active', 'terminated'],
  terminated: ['active', 'expired'],
  renewed: [],
}

/** Throws Problem invalid for a period that ends before it begins. Both days belong to it. */
export function checkPeriod({ startsOn, endsOn }: Pick<ContractRecord, 'startsOn' | 'endsOn'>): void {
  if (startsOn !== null && endsOn !== null && endsOn < startsOn) throw invalid('endsOn', 'before-start')
}

const isOver = (endsOn: string | null, today: string): boolean => endsOn !== null && endsOn < today

/** Throws Problem contract-status, or invalid for a status that the period gives the lie. */
export function checkStatus(before: ContractRecord | null, next: ContractRecord, today: string): void {
  if (before?.status === next.status) return
  if (next.status === 'renewed' || (before && !NEXT[before.status].includes(next.status))) throw new Problem('contract-status')
  if (next.status === 'active' && isOver(next.endsOn, today)) throw invalid('status', 'ended')
  if (next.status === 'expired' && !isOver(next.endsOn, today)) throw invalid('status', 'not-ended')
}

/** A contract in force whose last day is moved ends, or goes on, with it. */
export function followPeriod(before: ContractRecord | null, next: ContractRecord, today: string): ContractRecord {
  const inForce = next.status === 'active' || next.status === 'expired'
  // A status that was said by hand is checked, not mended.
  if (!before || !inForce || before.status !== next.status || before.endsOn === next.endsOn) return next
  return { ...next, status: isOver(next.endsOn, today) ? 'expired' : 'active' }
}

export const mayRenew = (c: ContractRecord): boolean => c.status === 'active' || c.status === 'expired'

/** As long again, from the day after: twelve months for twelve months, days where the period is no whole months. Null where there is no end. */
export function nextPeriod({ startsOn, endsOn }: Pick<ContractRecord, 'startsOn' | 'endsOn'>): { startsOn: string; endsOn: string | null } | null {
  if (endsOn === null) return null
  const from = Temporal.PlainDate.from(endsOn).add({ days: 1 })
  if (startsOn === null) return { startsOn: from.toString(), endsOn: null }
  const first = Temporal.PlainDate.from(startsOn)
  const months = first.until(from, { largestUnit: 'months' })
  const length = months.days === 0 ? { months: months.months } : { days: first.until(from, { largestUnit: 'days' }).days }
  return { startsOn: from.toString(), endsOn: from.add(length).subtract({ days: 1 }).toString() }
}

/** The day somebody is reminded, or null. */
export function remindOn({ endsOn, noticeDays }: Pick<ContractRecord, 'endsOn' | 'noticeDays'>): string | null {
  return endsOn === null || noticeDays === null ? null : Temporal.PlainDate.from(endsOn).subtract({ days: noticeDays }).toString()
}

export type Due = 'expire' | 'remind' | null

/** What is due for a contract in force on this day. */
export function dueOn(c: ContractRecord, today: string): Due {
  if (c.status !== 'active' || c.deletedAt !== null) return null
  if (isOver(c.endsOn, today)) return 'expire'
  const day = remindOn(c)
  return day !== null && day <= today ? 'remind' : null
}
