import type { Binder } from './binder.ts'
import { CUSTOM_PREFIX, HAY, ID, type Column, type Layout } from './layout.ts'
import { maskOf, signatureColumn } from './signature.ts'
import { isAscii, VALUE_MARK, type Term } from './text.ts'

/** Where free text may look: exactly the columns of the fields the caller may search, nothing else of the row. */
export interface Reach {
  readonly layout: Layout
  readonly columns: readonly Column[]
  readonly tails: readonly Column[]
  readonly customFields: readonly string[]
  /** The haystack column may stand for `columns`: only when every field in it is allowed. */
  readonly hay: boolean
}

/** Unknown names are ignored: a name the entity does not have can match nothing. */
export function reachOf(layout: Layout, fields: readonly string[]): Reach {
  const allowed = new Set(fields)
  return {
    layout,
    columns: layout.textColumns.filter(({ field }) => allowed.has(field)),
    tails: layout.columns.filter(({ use, field }) => use === 'tail4' && allowed.has(field)),
    customFields: fields.filter((field) => field.startsWith(CUSTOM_PREFIX) && !layout.fields.has(field)).map((field) => field.slice(CUSTOM_PREFIX.length)),
    hay: layout.hayFields !== null && layout.hayFields.every((field) => allowed.has(field)),
  }
}

/** The columns that can hold a term: pinyin and initials are ASCII, so Chinese need not be looked for there. */
function columnsFor(reach: Reach, text: string): readonly Column[] {
  return isAscii(text) ? reach.columns : reach.columns.filter(({ use }) => use === 'text')
}

/** True where a text is in the haystack. Only rows whose signature has all its pairs of letters are looked through. */
export function inHay(text: string, binder: Binder): string {
  const test = `contains(${HAY}, ${binder.text(text)})`
  const bits = maskOf(text).map(({ word, bits }) => {
    const mask = binder.number(bits)
    return `(${signatureColumn(word)} & ${mask}) = ${mask}`
  })
  return bits.length === 0 ? test : `CASE WHEN ${bits.join(' AND ')} THEN ${test} ELSE FALSE END`
}

/** The haystack holds what links show too, so it can stand for the columns only where the caller may look at all of that. */
function hayAlone(reach: Reach, binder: Binder): boolean {
  return reach.hay && reach.columns.every((column) => binder.guard(column) === 'TRUE')
}

/** Tests of the columns that can hold a text, those behind one guard together: each guard costs a join. */
function inColumns(reach: Reach, text: string, binder: Binder, test: (column: Column) => string = ({ sql }) => `contains(${sql}, ${binder.text(text)})`): string[] {
  const byGuard = Map.groupBy(columnsFor(reach, text), (column) => binder.guard(column))
  byGuard.delete('FALSE')
  return [...byGuard].flatMap(([guard, columns]) => (guard === 'TRUE' ? columns.map(test) : [`(${guard} AND ${any(columns.map(test))})`]))
}

/** True where the term is in one of the reach's fields. */
export function found(reach: Reach, term: Term, binder: Binder): string {
  const tests: string[] = []
  if (hayAlone(reach, binder)) tests.push(inHay(term.text, binder))
  else if (reach.hay) tests.push(`(${inHay(term.text, binder)} AND ${any(inColumns(reach, term.text, binder))})`)
  else tests.push(...inColumns(reach, term.text, binder))
  if (term.tail !== null) tests.push(...tailTests(reach, term.tail, binder))
  if (reach.customFields.length > 0) {
    tests.push(`${ID} IN (SELECT "row" FROM ${reach.layout.customTable} WHERE field IN (SELECT unnest(${binder.texts(reach.customFields)})) AND contains(text, ${binder.text(term.text)}))`)
  }
  return any(tests)
}

function tailTests(reach: Reach, tail: string, binder: Binder): string[] {
  return reach.tails.map(({ sql }) => `contains(${sql}, ${binder.text(`${VALUE_MARK}${tail}${VALUE_MARK}`)})`)
}

export function any(tests: readonly string[]): string {
  return tests.length === 0 ? 'FALSE' : `(${tests.join(' OR ')})`
}

export function all(tests: readonly string[]): string {
  return tests.length === 0 ? 'TRUE' : `(${tests.join(' AND ')})`
}

/** How well a row that has all the terms fits: 0 a whole value is what was typed, 1 a value begins with it, 2 the rest. */
export function rank(reach: Reach, terms: readonly Term[], binder: Binder): string {
  const typed = terms.map(({ text }) => text).join(' ')
  const whole = [wholeValue(reach, typed, binder)]
  // Wang Xiaoming is one word in pinyin.
  if (terms.length > 1 && isAscii(typed)) whole.push(wholeValue(reach, typed.replaceAll(' ', ''), binder))
  const [only] = terms
  if (terms.length === 1 && only?.tail != null && only.text === only.tail) whole.push(...tailTests(reach, only.tail, binder))
  const begins = terms.length === 1 ? prefix(reach, typed, binder) : any([prefix(reach, typed, binder), all(terms.map(({ text }) => prefix(reach, text, binder)))])
  return `CASE WHEN ${any(whole)} THEN 0 WHEN ${begins} THEN 1 ELSE 2 END`
}

function wholeValue(reach: Reach, text: string, binder: Binder): string {
  const marked = `${VALUE_MARK}${text}${VALUE_MARK}`
  return standing(reach, text, marked, binder, ({ sql, many }) => (many ? `contains(${sql}, ${binder.text(marked)})` : `${sql} = ${binder.text(text)}`))
}

function prefix(reach: Reach, text: string, binder: Binder): string {
  const marked = `${VALUE_MARK}${text}`
  return standing(reach, text, marked, binder, ({ sql, many }) => (many ? `contains(${sql}, ${binder.text(marked)})` : `starts_with(${sql}, ${binder.text(text)})`))
}

/** True where a text stands in one of the reach's fields as `test` says; `marked` is how it then stands in the haystack. */
function standing(reach: Reach, text: string, marked: string, binder: Binder, test: (column: Column) => string): string {
  if (hayAlone(reach, binder)) return `contains(${HAY}, ${binder.text(marked)})`
  const tests = any(inColumns(reach, text, binder, (column) => `coalesce(${test(column)}, FALSE)`))
  return reach.hay ? `(contains(${HAY}, ${binder.text(marked)}) AND ${tests})` : tests
}
