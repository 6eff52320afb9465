import { Problem } from '../../kernel/base/index.ts'
import type { CustomFieldWords, Entity } from '../../kernel/entity/index.ts'
import type { Actor } from '../../kernel/work/types.ts'
import { checkFields, checkSort, checkWhereCounting, departmentsBelow } from '../access/index.ts'
import type { VIEW_PARTS, ViewWords } from './views.contract.ts'

type Part = (typeof VIEW_PARTS)[number]

/** The noun of a view as its reader has it. */
export interface Reader {
  entity: Entity
  custom: readonly CustomFieldWords[]
  actor: Actor
}

/**
 * The very checks a search makes. A filter holds values: to somebody who sees a field masked it would tell the value that its author knew,
 * so it is refused like a hidden one. Throws Problem field-unknown or invalid.
 */
const CHECKS: Readonly<Record<Part, (words: ViewWords, reader: Reader, mine: boolean) => void>> = {
  where: ({ where }, { entity, actor, custom }, mine) => {
    if (where === undefined || where === null) return
    const { maskedMatches } = checkWhereCounting(entity, where, actor, custom)
    if (maskedMatches > 0 && !mine) throw new Problem('field-unknown')
  },
  sort: ({ sort }, { entity, actor, custom }) => void checkSort(entity, sort ?? [], actor, custom),
  columns: ({ columns }, { entity, actor, custom }) => void (columns && checkFields(entity, columns, actor, custom)),
  by: ({ by }, { entity, actor, custom }) => void (by && checkFields(entity, [by], actor, custom)),
}

/** Throws the first refusal: what is kept must be one's own to ask. */
export function checkWords(words: ViewWords, reader: Reader): void {
  for (const check of Object.values(CHECKS)) check(words, reader, true)
}

export interface Shown {
  words: Partial<ViewWords> & Pick<ViewWords, 'name' | 'kind'>
  refused: { part: Part; code: string }[]
}

/** A view as far as its reader's rights go, asked anew each time: a part that names what they may not see is left out, with the code a search would answer. */
export function shownTo(words: ViewWords, reader: Reader, mine: boolean): Shown {
  const shown: Shown = { words: { name: words.name, kind: words.kind }, refused: [] }
  for (const part of Object.keys(CHECKS) as Part[]) { // its own keys
    if (words[part] === undefined) continue
    try {
      CHECKS[part](words, reader, mine)
      Object.assign(shown.words, { [part]: words[part] })
    } catch (error) {
      if (!(error instanceof Problem)) throw error
      shown.refused.push({ part, code: error.code })
    }
  }
  return shown
}

/** A department and all above it: what is shared with one of them is shared with its people. `parents`: by id. */
export function departmentsAbove(parents: ReadonlyMap<string, string | null>, id: string): string[] {
  return [id, ...[...parents.keys()].filter((other) => departmentsBelow(parents, other).includes(id))]
}

/** A view is shared downwards: with one's own department and those below it. Throws Problem invalid. */
export function checkShared(parents: ReadonlyMap<string, string | null>, own: string, departments: readonly string[]): void {
  const allowed = new Set([own, ...departmentsBelow(parents, own)])
  for (const [i, id] of departments.entries()) if (!allowed.has(id)) throw new Problem('invalid', { errors: [{ path: `departments.${i}`, code: 'not-found' }] })
}
