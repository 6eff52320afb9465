/** A column of the lens, derived from an entity's `find` words. All text is already normalised (NFKC, lower case, trimmed). */
export interface LensColumn {
  /** SQL-safe name, e.g. `full_name`, `full_name__pinyin`, `full_name__initials`, `phones__tail4`, `owner_id`. */
  name: string
  /** The field it comes from, e.g. `fullName`. */
  field: string
  use: 'text' | 'pinyin' | 'initials' | 'sort' | 'tail4' | 'exact' | 'plain'
  type: 'text' | 'uuid' | 'integer' | 'time' | 'boolean'
  /** Several values, stored joined by U+001F (and one before and after), e.g. e-mails, tags. */
  many: boolean
}

export interface LensTable {
  entity: string
  columns: readonly LensColumn[]
}

/** A row for the lens. `values` is in the order of the table's columns. Custom fields travel beside it. */
export interface LensRow {
  id: string
  version: number
  values: readonly (string | number | boolean | null | readonly string[])[]
  custom?: readonly { field: string; value: string | number | null }[]
}

export type LensOp = 'eq' | 'ne' | 'in' | 'lt' | 'lte' | 'gt' | 'gte' | 'contains' | 'startsWith' | 'endsWith' | 'between' | 'isEmpty'

/** The closed condition language after the gate has checked every field of it; also what a policy's row scope compiles to. */
export type Condition =
  | { and: readonly Condition[] }
  | { or: readonly Condition[] }
  | { not: Condition }
  | { field: string; op: LensOp; value?: unknown }

export interface LensQuery {
  entity: string
  /** Row scope of the caller, resolved in PostgreSQL per request; ANDed with `where`. */
  scope: Condition
  where?: Condition
  /** Free text: every term must match in one of these fields (any of their text, pinyin, initials, tail4 columns). */
  text?: { terms: string; fields: readonly string[] }
  sort: readonly { field: string; direction: 'asc' | 'desc' }[]
  limit: number
  offset?: number
  count: boolean
  /** Write position this answer must include (read your writes). */
  position?: string
}

export interface LensAnswer {
  ids: string[]
  count: number | null
  complete: boolean
}

export interface Lens {
  /** Applies rows after commit; resolves when a search would find them. `removed` ids are dropped. */
  apply(entity: string, rows: readonly LensRow[], removed?: readonly string[]): Promise<void>
  /** Bulk filling, newest first; rows already present with a newer version win. */
  fill(entity: string, rows: readonly LensRow[]): Promise<void>
  search(query: LensQuery): Promise<LensAnswer>
  /** `warming` until the owner of the filling says it is done. */
  setComplete(entity: string, total: number): void
  status(): { rows: number; total: number; complete: boolean }
  close(): Promise<void>
}
