import { Problem } from '../../kernel/base/index.ts'
import type { AnyRecord, CustomFieldWords, Entity } from '../../kernel/entity/index.ts'
import type { Sql } from '../../kernel/db/types.ts'
import type { Work } from '../../kernel/work/types.ts'
import type { MatchBudget } from '../access/index.ts'
import { RecordCache } from './cache.ts'
import { recordStore, type RecordStore } from './store.ts'

/** What a rule of a noun works with, beside the record. */
export interface Deriving {
  work: Work
  deps: RecordsDeps
  /** An undo puts back fields that only the rule writes: it then checks that they still hold, and counts no step again. */
  undo: boolean
}

/** What a noun says beside its entity. */
export interface SliceWords {
  entity: Entity
  /** Turns accepted input into the stored shape (numbers parsed, addresses normalised). Throws Problem invalid. */
  normalise?(input: Record<string, unknown>): Record<string, unknown>
  /** The forms under which an asked value may stand in the blind index; the exact form of the field's kind by default. */
  exactForms?(field: string, value: string): string[]
  /**
   * The noun's own rules. They run in the transaction of every create and change, so patch, bulk, undo, import, delete (`next.deletedAt`) and restore
   * all pass them: the record as it is to be stored, from the one there was (null: a new one) and the one asked for. Applied to its own
   * result it changes nothing. Leaves id, version, times and owner alone. Throws Problem when what is asked for does not fit.
   */
  derive?(before: AnyRecord | null, next: AnyRecord, at: Deriving): Promise<AnyRecord> | AnyRecord
  /** For what hangs on records: it can be put under the key of another one. Not so a file, whose bytes are sealed as well. */
  rehangs?: boolean
  /** Fields that name what a record of this noun has become (a lead its contact): its history is told there, too. */
  becomes?: readonly string[]
  /** For what hangs on records: it stands in their timelines, at the time this plain field says (null: when it was made), and shows these fields. */
  timeline?: { at: string | null; shows: readonly string[] } | null
}

/** A noun as the records room works with it. */
export interface Slice extends Required<SliceWords> {
  store: RecordStore
  cache: RecordCache
}

const CACHED_RECORDS = 20_000

export function sliceOf(words: SliceWords): Slice {
  return {
    normalise: (input) => input,
    exactForms: (_field, value) => [value],
    derive: (_before, next) => next,
    timeline: null,
    rehangs: true,
    becomes: [],
    ...words,
    store: recordStore(words.entity),
    cache: new RecordCache(CACHED_RECORDS),
  }
}

export interface PersonPlace {
  id: string
  departmentId: string
  active: boolean
}

/** What the records room needs of its neighbours; app.ts hands it over. */
export interface RecordsDeps {
  slices: ReadonlyMap<string, Slice>
  /** How often each person may still ask masked fields this hour. */
  matches: MatchBudget
  /** Declared custom fields of an entity; the same array until one changes. */
  customFields(entity: string): readonly CustomFieldWords[]
  /** Where a person stands, or null; for owners other than the actor. */
  place(sql: Sql, personId: string): Promise<PersonPlace | null>
  /** The rules by which another person may or may not see a record. */
  explain(sql: Sql, personId: string, entity: Entity, record: AnyRecord, hangsOn: AnyRecord | null): Promise<object | null>
}

export function sliceFor(deps: RecordsDeps, entity: string): Slice {
  const slice = deps.slices.get(entity)
  if (!slice) throw new Error(`no slice for ${entity}`)
  return slice
}


/** The slice of a noun as addresses and requests name it. Throws Problem invalid. */
export function sliceOfNoun(deps: RecordsDeps, plural: string): Slice {
  for (const slice of deps.slices.values()) if (slice.entity.plural === plural) return slice
  throw new Problem('invalid', { errors: [{ path: 'noun', code: 'unknown-noun' }] })
}
