import { pinyin, polyphonic } from 'pinyin-pro'
import { isAscii, normalise } from './text.ts'

/** How a name sounds. All in lower-case ASCII without tones or spaces; ü is written v, with u and yu among `fulls`. */
export interface Pinyin {
  /** The best reading, e.g. `wangxiaoming`; '' when the text is plain ASCII, which already says how it sounds. */
  full: string
  /** Its first letters, e.g. `wxm`; of Latin names of two words or more the first letters of the words. */
  initials: string
  /** Every reading worth finding it by, the best first: 单 is read shan as a surname and dan by whoever does not know. */
  fulls: readonly string[]
  allInitials: readonly string[]
  /** Syllables apart, then two spaces and the text: 李安 (li an) sorts before 李安安 and that before 连 (lian), and people of one name stay together. */
  sort: string
}

const HAN = /\p{Script=Han}+/gu
const MARKS = /\p{M}+/gu
const NOT_LETTER = /[^a-z0-9]+/g
const MAX_READINGS = 4
// The longest Chinese personal name: a two-character surname and a given name of two (or a hyphenated pair of surnames).
const LONGEST_NAME = 4

/** Characters of given names that are honestly read in two ways, so both must find the person. Toneless. */
const ALSO: ReadonlyMap<string, string> = new Map(Object.entries({ 乐: 'yue', 茜: 'xi', 晟: 'cheng', 曾: 'zeng', 覃: 'tan', 朝: 'zhao', 长: 'zhang', 行: 'hang', 都: 'du', 单: 'shan', 重: 'zhong' }))
/** First characters of compound surnames that change their reading although the character alone does not. */
const COMPOUND = '万尉长子句'
/** Where the library's surname table is wrong, or knows only the simplified character. */
const SURNAMES: Readonly<Record<string, readonly string[]>> = {
  ...{ 单于: ['chan', 'yu'], 單于: ['chan', 'yu'], 尉遲: ['yu', 'chi'], 長孫: ['zhang', 'sun'], 萬俟: ['mo', 'qi'], 樂正: ['yue', 'zheng'], 澹臺: ['tan', 'tai'] },
  ...{ 區: ['ou'], 單: ['shan'], 員: ['yun'], 繆: ['miao'], 蓋: ['ge'], 樂: ['yue'] },
}
const SURNAME_HEADS = new Set(Object.keys(SURNAMES).map((surname) => surname.slice(0, 1)))

const oddSurnames = new Map<string, boolean>()

function isOddSurname(character: string): boolean {
  let odd = oddSurnames.get(character)
  if (odd === undefined) {
    odd = COMPOUND.includes(character) || SURNAME_HEADS.has(character) || ask(character, 'head')[0] !== ask(character, 'off')[0]
    oddSurnames.set(character, odd)
  }
  return odd
}

function ask(han: string, surname: 'head' | 'off'): string[] {
  return pinyin(han, { type: 'array', toneType: 'none', surname, v: true })
}

/** The syllable of a character that has one reading whatever stands beside it, tones aside; null for the others. Filled as characters turn up. */
const only = new Map<string, string | null>()

function onlyReading(character: string): string | null {
  let syllable = only.get(character)
  if (syllable === undefined) {
    const readings = new Set(polyphonic(character, { type: 'array', toneType: 'none' })[0])
    syllable = readings.size === 1 ? (ask(character, 'off')[0] ?? null) : null
    only.set(character, syllable)
  }
  return syllable
}

/** The syllables of a run. Most names need no dictionary of words, which is five times dearer. */
function read(characters: readonly string[]): string[] {
  const syllables: string[] = []
  for (const character of characters) {
    const syllable = onlyReading(character)
    if (syllable === null) return ask(characters.join(''), 'off')
    syllables.push(syllable)
  }
  return syllables
}

/** The readings of a run of Chinese characters, the best first; each is a list of syllables. */
function readingsOf(han: string): string[][] {
  const characters = [...han]
  const asWords = read(characters)
  if (characters.length > LONGEST_NAME) return [asWords]
  const [first = ''] = characters
  // A surname with one reading cannot be mistaken for the beginning of a word.
  if (!isOddSurname(first) && onlyReading(first) !== null) return variants(characters, [asWords])
  const fixed = SURNAMES[han.slice(0, 2)] ?? SURNAMES[han.slice(0, 1)]
  const asName = fixed ? [...fixed, ...read(characters.slice(fixed.length))] : ask(han, 'head')
  // Four characters that begin with no odd surname are more often a firm (重庆银行) than a person.
  return variants(characters, characters.length < LONGEST_NAME || isOddSurname(first) ? [asName, asWords] : [asWords, asName])
}

/** Adds the second readings of ambiguous characters and the other spellings of ü, up to a few. */
function variants(characters: readonly string[], readings: string[][]): string[][] {
  const best = readings[0] ?? []
  for (let at = 0; at < best.length; at++) {
    const syllable = best[at] ?? ''
    const also = ALSO.get(characters[at] ?? '')
    if (also !== undefined && also !== syllable) addVariant(readings, at, also)
    if (syllable.includes('v')) for (const spelling of umlauts(syllable)) addVariant(readings, at, spelling)
  }
  return readings
}

function addVariant(readings: string[][], at: number, syllable: string): void {
  for (const reading of readings.slice(0, 2)) readings.push(reading.with(at, syllable))
}

function umlauts(syllable: string): string[] {
  const vowel = syllable.indexOf('v')
  if (vowel < 0) return []
  return [syllable.replace('v', 'u'), ...(vowel === syllable.length - 1 ? [syllable.replace('v', 'yu')] : [])]
}

/** Reads a name or any other text. Holds on to no text, only to what it learnt of single characters. */
export function pinyinOf(name: string): Pinyin {
  const text = normalise(name)
  if (isAscii(text)) return latin('', text)
  const runs = text.match(HAN)
  if (runs === null) return unaccented(text)
  if (runs[0] === text) return compose(readingsOf(text), text)
  return compose(mixed(text), text)
}

function unaccented(text: string): Pinyin {
  const plain = text.normalize('NFD').replace(MARKS, '')
  return latin(plain.replace(NOT_LETTER, ''), plain)
}

/** Latin names: `sound` is the text without diacritics, '' when it has none, so that jose finds José. */
function latin(sound: string, plain: string): Pinyin {
  const words = plain.split(/[^\p{L}\p{N}]+/u).filter((word) => word !== '')
  const initials = words.length < 2 ? '' : words.map((word) => word[0] ?? '').join('')
  const letters = isAscii(initials) ? initials : ''
  return { full: sound, initials: letters, fulls: sound === '' ? [] : [sound], allInitials: letters === '' ? [] : [letters], sort: plain }
}

/** Text of several scripts: each Chinese run in its best reading, every other word as it stands. */
function mixed(text: string): string[][] {
  const parts = text.split(/(\p{Script=Han}+)/u)
  const best: string[] = []
  for (const [at, part] of parts.entries()) {
    if (at % 2 === 1) best.push(...(readingsOf(part)[0] ?? []))
    else best.push(...part.normalize('NFD').replace(MARKS, '').split(NOT_LETTER))
  }
  return [best]
}

function compose(readings: readonly string[][], text: string): Pinyin {
  const fulls: string[] = []
  const allInitials: string[] = []
  let sort = ''
  for (const reading of readings) {
    let [full, initials, apart] = ['', '', '']
    for (const syllable of reading) {
      // A character nobody knows a reading of comes back as itself.
      if (syllable === '' || !isAscii(syllable)) continue
      full += syllable
      initials += syllable[0]
      apart += apart === '' ? syllable : ` ${syllable}`
    }
    if (sort === '') sort = apart
    if (full !== '' && fulls.length < MAX_READINGS && !fulls.includes(full)) fulls.push(full)
    if (initials !== '' && allInitials.length < MAX_READINGS && !allInitials.includes(initials)) allInitials.push(initials)
  }
  return { full: fulls[0] ?? '', initials: allInitials[0] ?? '', fulls, allInitials, sort: sort === '' ? text : `${sort}  ${text}` }
}

/** What a text sorts by: Chinese by its pinyin among Latin letters, Latin by its lower case without diacritics. */
export function sortKey(text: string): string {
  return pinyinOf(text).sort
}
