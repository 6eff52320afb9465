import type { Binder } from './binder.ts'
import type { Column } from './layout.ts'
import { all, any, found, inHay, type Reach } from './match.ts'
import { pinyinOf } from './pinyin.ts'
import { isAscii, VALUE_MARK, type Term } from './text.ts'

/** A distance no match has. */
/** The first rank of the second pass; exact matches rank below it. */
export const TYPO_RANK = 10
const FAR = 9
const SHORTEST = 4
const SHORTEST_GIVEN_NAME = 6
const TWO_TYPOS_FROM = 8
const WHOLE_NAME = 3
const NAME = /^[a-z][a-z'-]*$/

/** A predicate for rows that have every term, at least one of them misspelt, and their rank: 10 and the worst distance. */
export interface Typo {
  readonly predicate: string
  readonly rank: string
}

/**
 * The second pass of a text search: names one typo away from a word of 4 to 7 letters, or two from a longer one, by Damerau-Levenshtein
 * distance; and Chinese names that sound like what was typed (王小名 for 王小明), the typo of everyone who types by pinyin. Null when no
 * word is long enough, or no name may be searched. Rows the exact pass finds are left out.
 */
export function typoPass(reach: Reach, terms: readonly Term[], binder: Binder): Typo | null {
  const names = nameColumns(reach)
  const spellings = terms.map(spellingOf)
  if (names.length === 0 || spellings.every((spelling) => spelling === null)) return null
  const exact = terms.map((term) => `coalesce(${found(reach, term, binder)}, FALSE)`)
  const distances = spellings.map((spelling, at) => {
    const fuzzy = spelling ? least(names.map((column) => shownDistance(column, spelling, binder))) : `${FAR}`
    // Of one word alone the exact rows are left out below, so they need not be told apart here.
    return terms.length === 1 ? fuzzy : `CASE WHEN ${exact[at]} THEN 0 ELSE ${fuzzy} END`
  })
  const worst = distances.length === 1 ? `${distances[0]}` : `greatest(${distances.join(', ')})`
  return { predicate: all([...candidates(reach, terms, spellings, binder), `${worst} < ${FAR}`, `NOT ${all(exact)}`]), rank: `${TYPO_RANK} + ${worst}` }
}

/**
 * What every row of the second pass has in its haystack, which few others have: tested before the names are compared. Nothing where a word
 * may also be in a column outside the haystack.
 */
function candidates(reach: Reach, terms: readonly Term[], spellings: readonly (Spelling | null)[], binder: Binder): string[] {
  if (!reach.hay || reach.customFields.length > 0) return []
  return terms.flatMap(({ text, tail }, at) => {
    const spelling = spellings[at]
    const parts = [...(terms.length > 1 || !spelling ? [text] : []), ...(spelling ? intactParts(spelling) : [])]
    return tail === null ? [any(parts.map((part) => inHay(part, binder)))] : []
  })
}

/** A name is what has a pinyin; an entity without one has its single texts instead. */
function nameColumns(reach: Reach): readonly Column[] {
  const named = new Set(reach.columns.filter(({ use }) => use === 'pinyin').map(({ field }) => field))
  const texts = reach.columns.filter(({ use, many, field }) => (use === 'text' && !many && (named.size === 0 || named.has(field))) || (use === 'pinyin' && named.has(field)))
  return texts
}

interface Spelling {
  readonly letters: string
  readonly typos: number
  /** Typed in Chinese: only the sound can match, and the sound itself is already a hit. */
  readonly bySound: boolean
}

function spellingOf({ text }: Term): Spelling | null {
  const bySound = !isAscii(text)
  const letters = bySound ? pinyinOf(text).full : text
  // Addresses and numbers are not names.
  if (letters.length < SHORTEST || !NAME.test(letters)) return null
  return { letters, typos: bySound ? soundTypos(text) : letters.length < TWO_TYPOS_FROM ? 1 : 2, bySound }
}

/** In a whole name one letter of its sound may differ (min and ming are one to half of China); in two characters that finds too many. */
function soundTypos(text: string): number {
  return [...text].length < WHOLE_NAME ? 0 : 1
}

function least(distances: readonly string[]): string {
  return distances.length === 1 ? `${distances[0]}` : `least(${distances.join(', ')})`
}

/** What a link shows is near to nothing for who may not see it. */
function shownDistance(column: Column, spelling: Spelling, binder: Binder): string {
  const guard = binder.guard(column)
  if (guard === 'FALSE') return `${FAR}`
  const near = distance(column, spelling, binder)
  return guard === 'TRUE' ? near : `CASE WHEN ${guard} THEN ${near} ELSE ${FAR} END`
}

/** The smallest distance between the spelling and a word of the column, FAR when more than allowed. Null-safe. */
function distance(column: Column, spelling: Spelling, binder: Binder): string {
  if (column.use !== 'pinyin') return spelling.bySound ? `${FAR}` : wordDistance(column, spelling, binder)
  if (!spelling.bySound) return soundDistance(column, spelling, binder)
  const otherwise = spelling.typos === 0 ? `${FAR}` : soundDistance(column, spelling, binder)
  return `CASE WHEN coalesce(contains(${column.sql}, ${binder.text(spelling.letters)}), FALSE) THEN 0 ELSE ${otherwise} END`
}

/**
 * What at least one of must be in a word before its distance is computed (a thousand times dearer): its beginning, its end, or the whole
 * with the two letters swapped where they meet. With one typo that is certain; with two it misses words damaged at both ends.
 */
function intactParts({ letters, typos }: Spelling): string[] {
  if (typos === 0) return [letters]
  const size = Math.ceil(letters.length / (typos + 1))
  if (typos > 1) return [letters.slice(0, size), letters.slice(-size)]
  const swapped = letters.slice(0, size - 1) + letters.slice(size, size + 1) + letters.slice(size - 1, size) + letters.slice(size + 1)
  return [letters.slice(0, size), letters.slice(size), swapped]
}

function wordDistance(column: Column, spelling: Spelling, binder: Binder): string {
  return guarded(column, spelling, binder, amongWords(`string_split(${column.sql}, ' ')`, spelling, binder))
}

/**
 * Of a sound also the end counts, as long as what was typed give or take one and beginning like it: the given name alone. Most names have
 * one reading, and comparing it without making lists of it takes a third of the time.
 */
function soundDistance(column: Column, spelling: Spelling, binder: Binder): string {
  const { letters } = spelling
  const mark = `chr(${VALUE_MARK.charCodeAt(0)})`
  const trimmed = `trim(${column.sql}, ${mark})`
  const readings = `string_split(${trimmed}, ${mark})`
  const lengths = letters.length < SHORTEST_GIVEN_NAME ? [] : [-1, 0, 1].map((more) => letters.length + more)
  const ends = lengths.map((length) => `CASE WHEN length(${trimmed}) > ${length} AND starts_with(right(${trimmed}, ${length}), ${binder.text(letters.slice(0, 1))}) THEN ${between(`right(${trimmed}, ${length})`, letters, binder)} ELSE ${FAR} END`)
  const whole = `CASE WHEN abs(length(${trimmed}) - ${letters.length}) <= ${spelling.typos} THEN ${between(trimmed, letters, binder)} ELSE ${FAR} END`
  const tails = lengths.map((length) => `list_filter(list_transform(${readings}, lambda r: right(r, ${length})), lambda e: starts_with(e, ${binder.text(letters.slice(0, 1))}))`)
  const several = amongWords(`flatten([${[readings, ...tails].join(', ')}])`, spelling, binder)
  return guarded(column, spelling, binder, `CASE WHEN contains(${trimmed}, ${mark}) THEN ${several} ELSE ${allowed(`[${[whole, ...ends].join(', ')}]`, spelling)} END`)
}

function between(word: string, letters: string, binder: Binder): string {
  return `damerau_levenshtein(${word}, ${binder.text(letters)})`
}

function amongWords(words: string, spelling: Spelling, binder: Binder): string {
  const near = `list_filter(${words}, lambda w: abs(length(w) - ${spelling.letters.length}) <= ${spelling.typos})`
  return allowed(`list_transform(${near}, lambda w: ${between('w', spelling.letters, binder)})`, spelling)
}

/** The smallest of distances, FAR when that is more than allowed. */
function allowed(distances: string, { typos }: Spelling): string {
  return `list_min(list_append(list_filter(${distances}, lambda d: d <= ${typos}), ${FAR}))`
}

/** Computes distances only for rows that pass the two cheap tests. */
function guarded(column: Column, spelling: Spelling, binder: Binder, nearest: string): string {
  const intact = any(intactParts(spelling).map((part) => `contains(${column.sql}, ${binder.text(part)})`))
  return `CASE WHEN coalesce(${intact}, FALSE) THEN CASE WHEN ${alike(column, spelling, binder)} THEN ${nearest} ELSE ${FAR} END ELSE ${FAR} END`
}

/** A second test before distances: so many pairs of letters as a typo must leave are there. Each typo spoils three pairs at most. */
function alike(column: Column, { letters, typos }: Spelling, binder: Binder): string {
  const pairs = new Set(Array.from({ length: letters.length - 1 }, (_, at) => letters.slice(at, at + 2)))
  const shared = [...pairs].map((pair) => `contains(${column.sql}, ${binder.text(pair)})::INTEGER`).join(' + ')
  return `${shared} >= ${Math.max(typos, pairs.size - 3 * typos)}`
}
