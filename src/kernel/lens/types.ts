import type { Entity } from '../entity/index.ts'

/** A column of the lens, derived from an entity's `find` words. All text is already normalised (NFKC, lower case, trimmed). */
export interface LensColumn {
  /** SQL-safe name: lower-case letters, digits and _, e.g. `full_name`, `full_name__pinyin`, `full_name__initials`, `phones__tail4`, `owner_id`. */
  name: string
  /** The field it comes from, e.g. `fullName`. */
  field: string
  use: 'text' | 'pinyin' | 'initials' | 'sort' | 'tail4' | 'exact' | 'plain'
  type: 'text' | 'uuid' | 'integer' | 'time' | 'boolean'
  /** Several values, stored joined by U+001F (and one before and after), e.g. e-mails, tags. Pinyin, initials and tail4 may always have several. */
  many: boolean
  /** The entity whose field it shows, for what stands here of the row that the field's id points at. Each query says which of those rows it may look at. */
  linked?: string
}

export interface LensTable {
  entity: string
  columns: readonly LensColumn[]
}

/**
 * A row for the lens. `values` is in the order of the table's columns; `lensRow` makes it from a record. Times are ISO 8601 or milliseconds.
 * Texts of use `plain` are kept and compared as they are, all others normalised. Custom fields travel beside it, with or without `custom.`
 * before their key; flags as 0 and 1.
 */
export interface LensRow {
  id: string
  version: number
  values: readonly (string | number | boolean | null | readonly string[])[]
  custom?: readonly { field: string; value: string | number | null }[]
}

/**
 * Rows as the statement takes them, made by `batchMaker` on another thread: the texts of one column, ids first, joined into one. Each id once.
 */
export interface LensBatch {
  versions: readonly number[]
  columns: readonly string[]
  custom: readonly string[] | null
}

export type LensOp = 'eq' | 'ne' | 'in' | 'lt' | 'lte' | 'gt' | 'gte' | 'contains' | 'startsWith' | 'endsWith' | 'between' | 'isEmpty'

/**
 * The closed condition language after the gate has checked every field of it; also what a policy's row scope compiles to. Two-valued: an
 * empty field equals nothing, contains nothing and is neither before nor after anything, so `ne` holds for it and `not` is the exact
 * complement. `eq` null (or '') is isEmpty; isEmpty false is its opposite; null among the values of `in` is empty; an empty end of `between`
 * is open. Of a field of several values a comparison holds when it holds for one of them, and `ne` when eq does not. `{ and: [] }` is
 * everything, `{ or: [] }` nothing. Fields are the entity's, or `id`, or `custom.KEY`.
 */
export type Condition =
  | { and: readonly Condition[] }
  | { or: readonly Condition[] }
  | { not: Condition }
  | { field: string; op: LensOp; value?: unknown }
  | Linked

/** The plain link `linked` points at a record of `target` that is not deleted and for which `where` holds. A policy's word only: no caller can send it. */
export interface Linked {
  linked: string
  target: Entity
  where: Condition
}

/** Where a page ended: the values the order is made of, of its last row. Holds personal values: seal it before it leaves the server. */
export type LensKey = readonly (string | number | boolean | null)[]

export interface LensQuery {
  entity: string
  /** Row scope of the caller, resolved in PostgreSQL per request; ANDed with `where`. */
  scope: Condition
  where?: Condition
  /** By field: the rows of the linked entity that the caller may see. What a link shows counts for no other row, and for none where nothing is said. */
  links?: Readonly<Record<string, Condition>>
  /**
   * Free text: every term must match in one of these fields (any of their text, pinyin, initials, tail4 columns, or the text of
   * `custom.KEY`), and in no other. When few rows match exactly (fewer than 5, or than `limit`), names one or two typos away follow them.
   */
  text?: { terms: string; fields: readonly string[] }
  /** Empty: best match first where text is asked, then newest first. Empty values come last in both directions. */
  sort: readonly { field: string; direction: 'asc' | 'desc' }[]
  limit: number
  offset?: number
  /** Begin after this row: a key of the page before, with the same query. Stays right when rows come and go in between; offset does not. */
  after?: LensKey
  count: boolean
  /** Write position this answer must include (read your writes). */
  position?: string
}

export interface LensAnswer {
  ids: string[]
  count: number | null
  /** False while the lens warms, and after a write it could not take: rows may be missing from ids and count. */
  complete: boolean
  /** The order's values of each row of `ids`; any of them is an `after`. */
  keys: LensKey[]
  /** That of the last row; null when the page is not full, so there is no next one. */
  lastKey: LensKey | null
}

/** What rows are put together by: a field of one value, or the stretch its time, day or number falls in. `bounds`: where each stretch begins, rising. */
export type GroupTerm = { field: string } | { field: string; bounds: readonly (string | number)[] }

/** A sum of whole numbers (an amount in its minor units), all of it or the percentage that another field says, of all rows or those of a condition; or how many rows a condition holds for. */
export type Measure = { sum: string; percent?: string; where?: Condition } | { count: Condition }

export interface LensGroupQuery {
  entity: string
  scope: Condition
  where?: Condition
  /** Of the rows counted, those the caller may look at one by one; all of them when it is left out. */
  seen?: Condition
  by: readonly GroupTerm[]
  measures: readonly Measure[]
}

/** `keys` in the order of `by`; a stretch by the place of its beginning in `bounds`, -1 before them all; null where the field is empty. */
export interface LensGroup {
  keys: (string | number | boolean | null)[]
  count: number
  seen: number
  measures: number[]
}

/** A row dropped with its version keeps late writes of that and older versions out; MAX_VERSION (erasure) keeps everything out. */
export type LensRemoval = string | { id: string; version: number }

export interface Lens {
  /**
   * Applies rows after commit; resolves when a search would find them. Older versions than the lens has are ignored; the same version is
   * taken again, for values that came from another record. `removed` ids are dropped.
   */
  apply(entity: string, rows: readonly LensRow[], removed?: readonly LensRemoval[]): Promise<void>
  /** Bulk filling, newest first; rows already present in this version or a newer one, and rows removed meanwhile, win. Any size; a few thousand is best. */
  fill(entity: string, rows: readonly LensRow[]): Promise<void>
  /** The same with rows that another thread made ready. */
  fillBatch(entity: string, batch: LensBatch): Promise<void>
  search(query: LensQuery): Promise<LensAnswer>
  /** Groups in the order of their keys. Throws Problem lens-warming while a row may be missing: half a sum is a wrong one. */
  aggregate(query: LensGroupQuery): Promise<LensGroup[]>
  /** Answers say `complete: false` until the owner of the filling says it is done. */
  setComplete(entity: string, total: number): void
  status(): { rows: number; total: number; complete: boolean }
  /** Nouns a write of which was lost: their answers say `complete: false` until they are emptied and filled anew. */
  damaged(): string[]
  /** Takes every row of a noun out, after all that was asked for before; from then on its answers say `complete: false`. Throws Problem lens-unavailable. */
  empty(entity: string): Promise<void>
  close(): Promise<void>
}

/** The part of the log the lens uses. It is told kinds of errors and counts, never a value. */
export interface LensLog {
  error(fields: Readonly<Record<string, string | number>>, message: string): void
}
