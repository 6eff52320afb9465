/** Between the values of a `many` column, and around them. Never part of a value: `normalise` turns control characters into spaces. */
export const VALUE_MARK = '\x1f'

const ASCII = /^[\x00-\x7f]*$/
const HIDDEN = /[\u200b-\u200f\u2060\ufeff\u00ad]/g
const BLANK = /[\s\p{Cc}]+/gu
// Unified ideographs are their own NFKC form; the compatibility ones (U+F900 on) are not.
const PLAIN = /^[!-@[-~\u3400-\u4dbf\u4e00-\u9fff]+(?: [!-@[-~\u3400-\u4dbf\u4e00-\u9fff]+)*$/

/**
 * The form in which the lens keeps and compares text: NFKC (so full-width becomes half-width), lower case, no control or zero-width
 * characters, single spaces, no space at either end. Idempotent; '' for text with nothing visible in it.
 */
export function normalise(text: string): string {
  // Most values are lower-case ASCII and Chinese characters already, and NFKC costs ten times this test.
  if (PLAIN.test(text)) return text
  const folded = ASCII.test(text) ? text.toLowerCase() : fold(text)
  return folded.replace(BLANK, ' ').trim()
}

function fold(text: string): string {
  const once = text.normalize('NFKC').replace(HIDDEN, '').toLowerCase()
  // Lower-casing can leave a decomposed character (İ), which a second pass composes; without it normalise would not be idempotent.
  return once.normalize('NFKC').toLowerCase()
}

export function isAscii(text: string): boolean {
  return ASCII.test(text)
}

const EXTENSION = /(?:;?ext(?:ension)?\.?=?|[x#,;]|转|分机).*$/i

/** The last four digits of the base number, without its extension; null when there are fewer than four. Accepts E.164 and numbers as typed. */
export function tail4(phone: string): string | null {
  const digits = phone.normalize('NFKC').replace(EXTENSION, '').replace(/\D/g, '')
  return digits.length < 4 ? null : digits.slice(-4)
}

/** One word the searcher typed. */
export interface Term {
  text: string
  /** The four digits to compare with the end of phone numbers, when it looks like a number of four digits or more. */
  tail: string | null
}

const NUMBER = /^[+(]?\d[\d\s().\-/]*$/
const BREAK = /[\s,;、]+/

/** Splits what was typed into the words that must all be found. A phone number typed with spaces stays one word. */
export function termsOf(typed: string): Term[] {
  const text = normalise(typed)
  if (NUMBER.test(text) && text.replace(/\D/g, '').length >= 4) return [{ text, tail: tail4(text) }]
  return text
    .split(BREAK)
    .filter((word) => word !== '')
    .map((word) => ({ text: word, tail: NUMBER.test(word) ? tail4(word) : null }))
}
