import { isSupportedCountry, parsePhoneNumberFromString, type CountryCode, type PhoneNumber } from 'libphonenumber-js/max'

export type { CountryCode }

/** A telephone number as typed and as understood. */
export interface ParsedPhone {
  /** E.164 when `valid`, else null. */
  value: string | null
  /** As it stood in the form or file, outer space removed. */
  typed: string
  /** Digits of the extension, which E.164 has no place for. */
  extension: string | null
  /** The typed digits in ASCII without the extension. */
  digits: string
  /** The last four of the base digits (fewer when there are fewer); the extension never counts. */
  tail4: string
  valid: boolean
}

/** ISO 3166-1 alpha-2 code of a country whose numbering plan is known, or null. */
export function phoneCountry(code: string): CountryCode | null {
  const upper = code.trim().toUpperCase()
  return isSupportedCountry(upper) ? upper : null
}

/**
 * Understands a number in the numbering plan of `country` unless it says its own. Never throws, never loses what was typed.
 *
 * `max` metadata: `min` knows lengths only and calls 492 of the 830 numbers of the legacy file valid, `mobile` 443; `max`
 * agrees with libphonenumber proper on 474.
 */
export function parsePhone(typed: string, country: CountryCode): ParsedPhone {
  const text = typed.trim()
  const plain = spelling(text, country)
  const number = plain.length <= longestNumber ? (parsePhoneNumberFromString(plain, country) ?? null) : null
  const extension = number ? (number.ext ? asciiDigits(number.ext) : null) : trailingExtension(plain)
  const all = asciiDigits(plain)
  const digits = extension ? all.slice(0, all.length - extension.length) : all
  const value = number ? e164(number) : null
  return { value, typed: text, extension, digits, tail4: (value ?? digits).slice(-4), valid: value !== null }
}

/** Numbers longer than this are none; it also bounds the work a hostile cell can cause. */
const longestNumber = 80

function e164(number: PhoneNumber): string | null {
  return number.isValid() ? number.number : null
}

/** ASCII digits and signs, and the Chinese ways to write an extension in the words the library reads. */
function spelling(text: string, country: CountryCode): string {
  // Beyond Latin-1 stand full-width forms, Chinese words and the many dashes; most numbers have none.
  const folded = /[^\x20-\x7e]/.test(text) ? fold(text) : text
  // A spreadsheet took the number for a decimal.
  const whole = /^\+?\d{7,15}\.0$/.test(folded) ? folded.slice(0, -2) : folded
  if (country !== 'CN' && !/^\(?(?:\+|00)86/.test(whole)) return whole
  return whole.replace(dashedExtension, '$1 ext. $2')
}

/** 0571-88886666-123 and 400-800-8888-123: in China a third or fourth group is the extension. */
const dashedExtension = /^((?:\(?(?:\+|00)86\)?[- ]?)?(?:\(?0?(?:10|2\d|[3-9]\d{2})\)?[- ]?\d{7,8}|[48]00[- ]?\d{3}[- ]?\d{4}))-(\d{1,6})$/

function fold(text: string): string {
  return text
    .normalize('NFKC')
    .replace(/[\u2010-\u2015\u2212\u30fc\ufe58]/g, '-')
    .replace(/[\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff\u00ad]/g, '')
    // Before the extension is looked for: between its signs a run of ten thousand spaces would be tried in every way to part it.
    .replace(/\s+/g, ' ')
    .replace(/ ?(?:转接?|轉|分机号?|分機號?|內線|内线) ?[:.]? ?(?=\d)/g, ' ext. ')
    .trim()
}

/** The extension of what the library does not take for a number at all, in the shapes it would read. */
function trailingExtension(text: string): string | null {
  const found = /\d[^\dx#]*?(?:;ext=|,,|\b|[\s,]*)(?:ext(?:ensi[oó]n?|n)?|xtn?|x|#|int|доб|anexo)[:.]?[\s,-]*(\d{1,20})#?$/i.exec(text.slice(0, 200))
  return found?.[1] ?? null
}

/** Digits as ASCII; Arabic-Indic ones too, as the library reads them (full-width ones are folded before). */
function asciiDigits(text: string): string {
  if (!/[\u0660-\u06f9]/.test(text)) return text.replace(/[^0-9]/g, '')
  return text.replace(/[\u0660-\u0669\u06f0-\u06f9]/g, (d) => String(d.charCodeAt(0) & 0xf)).replace(/[^0-9]/g, '')
}
