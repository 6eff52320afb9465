import type { Locale } from '../../kernel/base/index.ts'
import { isCurrency } from '../../kernel/entity/index.ts'

/** How the organisation counts days, years and money. */
export interface OrganisationSettings {
  locale: Locale
  /** IANA name. */
  timeZone: string
  /** ISO 8601: 1 is Monday. Rising, at least one. */
  workingDays: readonly number[]
  /** `MM-DD` on which the fiscal year begins. */
  fiscalYearStart: string
  /** ISO 4217. */
  baseCurrency: string
}

/** Countries with several zones, or whose first zone is not where most people are. */
const ZONES: Readonly<Record<string, string>> = { CN: 'Asia/Shanghai', US: 'America/New_York', CA: 'America/Toronto', AU: 'Australia/Sydney', BR: 'America/Sao_Paulo', DE: 'Europe/Berlin', ES: 'Europe/Madrid', MX: 'America/Mexico_City', MY: 'Asia/Kuala_Lumpur', NZ: 'Pacific/Auckland', PT: 'Europe/Lisbon', RU: 'Europe/Moscow', ID: 'Asia/Jakarta', CL: 'America/Santiago' }

const EURO = ['AT', 'BE', 'BG', 'CY', 'DE', 'EE', 'ES', 'FI', 'FR', 'GR', 'HR', 'IE', 'IT', 'LT', 'LU', 'LV', 'MT', 'NL', 'PT', 'SI', 'SK']
const CURRENCIES: Readonly<Record<string, string>> = { CN: 'CNY', HK: 'HKD', MO: 'MOP', TW: 'TWD', US: 'USD', GB: 'GBP', JP: 'JPY', KR: 'KRW', SG: 'SGD', MY: 'MYR', TH: 'THB', VN: 'VND', ID: 'IDR', PH: 'PHP', IN: 'INR', AU: 'AUD', NZ: 'NZD', CA: 'CAD', CH: 'CHF', SE: 'SEK', NO: 'NOK', DK: 'DKK', PL: 'PLN', CZ: 'CZK', HU: 'HUF', RO: 'RON', TR: 'TRY', BR: 'BRL', MX: 'MXN', ZA: 'ZAR', AE: 'AED', SA: 'SAR', IL: 'ILS', RU: 'RUB', UA: 'UAH' }

function zoneOf(country: string): string {
  const known = ZONES[country]
  if (known) return known
  const place = new Intl.Locale('und', { region: country }) as Intl.Locale & { getTimeZones(): string[] | undefined } // TypeScript's library lags behind
  const zones = place.getTimeZones() ?? []
  return zones.length === 1 ? zones[0]! : 'UTC'
}

/** What stands until an administrator says otherwise. A country without an entry counts in UTC and US dollars. */
export function defaultSettings(country: string, locale: Locale): OrganisationSettings {
  const currency = EURO.includes(country) ? 'EUR' : (CURRENCIES[country] ?? 'USD')
  return { locale, timeZone: zoneOf(country), workingDays: [1, 2, 3, 4, 5], fiscalYearStart: '01-01', baseCurrency: isCurrency(currency) ? currency : 'USD' }
}

/** An IANA name; an offset such as +08:00 knows no summer time and is none. */
export function isTimeZone(name: string): boolean {
  if (!/^[A-Za-z]/.test(name)) return false
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone.length > 0
  } catch {
    return false
  }
}

/** `MM-DD` of every year: there is no 29 February in most. */
export function isDayOfYear(text: string): boolean {
  if (!/^\d\d-\d\d$/.test(text)) return false
  const day = new Date(`2025-${text}T00:00:00.000Z`) // no leap year
  return !Number.isNaN(day.getTime()) && day.toISOString().slice(5, 10) === text
}

/** The calendar day of an instant where the organisation is, `YYYY-MM-DD`. */
export function dayIn(timeZone: string, at: Date): string {
  return Temporal.Instant.fromEpochMilliseconds(at.getTime()).toZonedDateTimeISO(timeZone).toPlainDate().toString()
}
