import { Problem } from '../../kernel/base/index.ts'
import { isCommon, unleet } from './common-passwords.ts'

const ALONE = 15
const WITH_SECOND_FACTOR = 8
const MOST = 256
const ROWS = ['abcdefghijklmnopqrstuvwxyz', '0123456789', '1234567890', 'qwertyuiop', 'asdfghjkl', 'zxcvbnm', '1qaz2wsx3edc4rfv5tgb']

export type PasswordFault = 'too-short' | 'too-long' | 'common' | 'context-word' | 'used-before'

export interface PasswordContext {
  /** Words a guesser would try first: organisation, name, e-mail. */
  words: readonly string[]
  secondFactor: boolean
}

const PRODUCT = ['sealbook', '密客']

/** Pieces of names and addresses of three characters and more (two for Chinese), lower case. */
function contextWords(words: readonly string[]): string[] {
  const pieces = [...PRODUCT, ...words].flatMap((w) => {
    const lower = w.normalize('NFKC').toLowerCase()
    return [lower, ...lower.split(/[^\p{L}\p{N}]+/u)]
  })
  return [...new Set(pieces)].filter((p) => p.length >= 3 || /^\p{Script=Han}{2,}$/u.test(p)).sort((a, b) => b.length - a.length)
}

/** One short piece over and over, or a run along the alphabet or the keyboard. */
function isPattern(s: string): boolean {
  for (let n = 1; n <= 4; n++) if (s.length >= n * 2 && s === s.slice(0, n).repeat(Math.ceil(s.length / n)).slice(0, s.length)) return true
  if (new Set(s).size < 4) return true
  return ROWS.some((row) => {
    const back = [...row].reverse().join('')
    return (row + row).includes(s) || (back + back).includes(s)
  })
}

const lettersOf = (s: string): string => s.replace(/[^\p{L}]/gu, '')
const undecorated = (s: string): string => s.replace(/^[^\p{L}]+|[^\p{L}]+$/gu, '')

function isGuessable(lower: string): boolean {
  const core = undecorated(lower)
  return [lower, unleet(lower), core, unleet(core), undecorated(unleet(core))].some((form) => form !== '' && (isCommon(form) || isPattern(form)))
}

/** True when nothing but a context word and decoration is there: `Acme-2026-Acme!!`. */
function isContextOnly(lower: string, words: readonly string[]): boolean {
  let rest = lower
  for (const w of words) rest = rest.replaceAll(w, '')
  return rest !== lower && lettersOf(rest).length < 4
}

/** NIST 800-63B-4 §3.1.1: length and a blocklist, no composition rules. */
export function passwordFault(password: string, context: PasswordContext): PasswordFault | null {
  const length = [...password.normalize('NFC')].length
  if (length < (context.secondFactor ? WITH_SECOND_FACTOR : ALONE)) return 'too-short'
  if (length > MOST) return 'too-long'
  const lower = password.normalize('NFKC').toLowerCase()
  if (isContextOnly(lower, contextWords(context.words)) || isContextOnly(unleet(lower), contextWords(context.words))) return 'context-word'
  return isGuessable(lower) ? 'common' : null
}

/** Throws Problem invalid, with the fault as the code of `path`. */
export function checkPassword(password: string, context: PasswordContext, path = 'password'): void {
  const fault = passwordFault(password, context)
  if (fault) throw new Problem('invalid', { errors: [{ path, code: `password-${fault}` }] })
}
