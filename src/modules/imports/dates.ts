import { cleanLine } from './clean.ts'

/** Order of day and month where the digits alone do not tell. */
export type DateOrder = 'mdy' | 'dmy'

export interface ReadDate {
  /** ISO 8601 UTC with milliseconds. A day without a time is its midnight in UTC, so that the day stays the day. */
  at: string
  /** Day and month could be the other way round; `order` decided. */
  ambiguous: boolean
}

interface Parts {
  year: number
  month: number
  day: number
}

const lastYear = 2199
const months = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec']

const weekday = /^(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*,?\s+/i
const yearFirst = /^(\d{4})(?:-(\d{1,2})-|\/(\d{1,2})\/|\.\s?(\d{1,2})\.\s?|年\s?(\d{1,2})\s?月\s?)(\d{1,2})\s?[日号]?(?=$|[\sT,(上下凌早晚中星周])/
const packed = /^(\d{4})(\d{2})(\d{2})(?=$|[\sT])/
const yearLast = /^(\d{1,2})([/.-])(\d{1,2})\2(\d{4}|\d{2})(?=$|[\s,T])/
const dayMonthName = /^(\d{1,2})(?:st|nd|rd|th)?[\s-]+([a-z]{3,9})\.?,?[\s-]+(\d{4})(?=$|[\s,T])/i
const monthNameDay = /^([a-z]{3,9})\.?\s+(\d{1,2})(?:st|nd|rd|th)?,?\s+(\d{4})(?=$|[\s,T])/i
const clock = /^(上午|下午|凌晨|早上|中午|晚上)?\s?(\d{1,2})(?:[:时点]\s?(\d{1,2}))?(?:[:分]\s?(\d{1,2})(?:[.,](\d{1,9}))?)?[分秒]?\s?([ap]\.?m\.?)?\s?(z|utc|gmt|[+-]\d{2}(?::?\d{2})?)?$/i

/**
 * Reads a date or time as people and programs write it: ISO 8601, `2024/3/5`, `2024.03.05`, `2024年3月5日 下午3:04`,
 * `20240305`, `3/5/2024`, `5 Mar 2024`, `March 5, 2024`, Unix seconds or milliseconds. A time without a zone is of
 * `utcOffsetMinutes`. Null when it is none, or no day of the calendar.
 */
export function readDate(cell: string, order: DateOrder, utcOffsetMinutes = 0): ReadDate | null {
  const text = cleanLine(cell)
  if (text.length < 6 || text.length > 60) return null
  const epoch = /^\d{13}$/.test(text) ? Number(text) : /^1\d{9}$/.test(text) ? Number(text) * 1000 : null
  // Thirteen digits reach beyond the last year that is read as a date.
  if (epoch !== null) return epoch < Date.UTC(lastYear + 1, 0) ? { at: new Date(epoch).toISOString(), ambiguous: false } : null
  const found = readDay(text.replace(weekday, ''), order)
  if (!found) return null
  const time = readClock(text.replace(weekday, '').slice(found.length).replace(/^[\s,T]+/, '').replace(/^\(?(?:星期|周)[一二三四五六日天]\)?\s*/, ''), utcOffsetMinutes)
  if (time === null) return null
  return { at: new Date(Date.UTC(found.year, found.month - 1, found.day) + time).toISOString(), ambiguous: found.ambiguous }
}

function readDay(text: string, order: DateOrder): (Parts & { length: number; ambiguous: boolean }) | null {
  let m = yearFirst.exec(text)
  if (m) return day(m[0], m[1], m[2] ?? m[3] ?? m[4] ?? m[5], m[6])
  m = packed.exec(text)
  if (m) return day(m[0], m[1], m[2], m[3])
  m = dayMonthName.exec(text)
  if (m) return day(m[0], m[3], monthNumber(m[2]), m[1])
  m = monthNameDay.exec(text)
  if (m) return day(m[0], m[3], monthNumber(m[1]), m[2])
  m = yearLast.exec(text)
  if (!m) return null
  const [whole, first = '', separator, second = '', year = ''] = m
  const full = year.length === 4 ? year : String(Number(year) + (Number(year) < 70 ? 2000 : 1900))
  // Dots are written only where the day stands first.
  const dayFirst = Number(first) > 12 || (Number(second) <= 12 && (separator === '.' || order === 'dmy'))
  const read = dayFirst ? day(whole, full, second, first) : day(whole, full, first, second)
  const ambiguous = separator !== '.' && Number(first) <= 12 && Number(second) <= 12 && Number(first) !== Number(second)
  return read && { ...read, ambiguous }
}

function monthNumber(name = ''): string {
  return String(months.indexOf(name.slice(0, 3).toLowerCase()) + 1)
}

function day(whole: string, y = '', m = '', d = ''): (Parts & { length: number; ambiguous: false }) | null {
  const [year, month, date] = [Number(y), Number(m), Number(d)]
  const at = new Date(Date.UTC(year, month - 1, date))
  const exists = year >= 1900 && year <= lastYear && at.getUTCMonth() === month - 1 && at.getUTCDate() === date
  return exists ? { year, month, day: date, length: whole.length, ambiguous: false } : null
}

/** Milliseconds after the day's midnight in UTC; null when the rest of the cell is no time. */
function readClock(rest: string, utcOffsetMinutes: number): number | null {
  if (rest === '') return 0
  const m = clock.exec(rest)
  if (!m || (m[3] === undefined && !m[1] && !m[6])) return null
  const [, half, h = '', min = '0', s = '0', fraction = '', meridiem = '', zone] = m
  let hour = Number(h)
  const afternoon = meridiem.toLowerCase().startsWith('p') || half === '下午' || half === '晚上' || (half === '中午' && hour < 11)
  if (afternoon && hour < 12) hour += 12
  if ((meridiem.toLowerCase().startsWith('a') || half === '凌晨' || half === '上午') && hour === 12) hour = 0
  if (hour > 23 || Number(min) > 59 || Number(s) > 60) return null
  const ms = Number(`0.${fraction || '0'}`) * 1000
  return ((hour * 60 + Number(min) - offsetMinutes(zone, utcOffsetMinutes)) * 60 + Number(s)) * 1000 + Math.trunc(ms)
}

function offsetMinutes(zone: string | undefined, otherwise: number): number {
  if (zone === undefined) return otherwise
  const m = /^([+-])(\d{2}):?(\d{2})?$/.exec(zone)
  if (!m) return 0
  const minutes = Number(m[2]) * 60 + Number(m[3] ?? 0)
  return m[1] === '-' ? -minutes : minutes
}
