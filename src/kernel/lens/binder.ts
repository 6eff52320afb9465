import { listValue, type DuckDBValue } from '@duckdb/node-api'
import type { Column, Layout } from './layout.ts'

/** SQL that holds where the caller may look at what a column shows: `TRUE` for the row's own. */
export type Guards = (column: Column, binder: Binder) => string

const OWN_ONLY: Guards = ({ linked }) => (linked === null ? 'TRUE' : 'FALSE')

/**
 * A statement under construction: SQL text on one side, values on the other. No value ever becomes part of the text. Bind a value only
 * where its placeholder is written: DuckDB refuses values that nothing refers to.
 */
export class Binder {
  readonly values: DuckDBValue[] = []
  readonly #texts = new Map<string, string>()
  readonly #sets = new Map<string, string>()
  readonly #named = new Map<object, string>()
  readonly #guards: Guards
  /** All tables, by entity: where links lead. */
  readonly layouts: ReadonlyMap<string, Layout>

  constructor(guards: Guards = OWN_ONLY, layouts: ReadonlyMap<string, Layout> = new Map()) {
    this.#guards = guards
    this.layouts = layouts
  }

  /** SQL that holds where the caller may look at what the column shows. */
  guard(column: Column): string {
    return this.#guards(column, this)
  }

  /** A test of a column, where the caller may look at what it shows; it is not even made where they may not, since a value bound and not used is refused. */
  guarded(column: Column, test: () => string): string {
    const guard = this.guard(column)
    return guard === 'TRUE' ? test() : guard === 'FALSE' ? 'FALSE' : `(${test()} AND ${guard})`
  }

  /** A set of rows that the statement names, made once for all who ask for it. Returns its name. */
  set(name: string, make: (binder: Binder) => string): string {
    if (!this.#sets.has(name)) this.#sets.set(name, make(this))
    return name
  }

  /** The same for a set that only `of` describes: one name for each object. */
  setOf(of: object, make: (binder: Binder) => string): string {
    const name = this.#named.get(of) ?? `"_set_${this.#named.size}"`
    this.#named.set(of, name)
    return this.set(name, make)
  }

  /** The statement with its sets, and more of them, before it. */
  statement(select: string, more: readonly string[] = []): string {
    const all = [...[...this.#sets].map(([name, sql]) => `${name} AS MATERIALIZED (${sql})`), ...more]
    return all.length === 0 ? select : `WITH ${all.join(', ')} ${select}`
  }

  /** The same text is one parameter, however often it is compared with. */
  text(value: string): string {
    const known = this.#texts.get(value)
    if (known !== undefined) return known
    const placeholder = this.#add(value, 'VARCHAR')
    this.#texts.set(value, placeholder)
    return placeholder
  }

  uuid(value: string): string {
    return this.#add(value, 'UUID')
  }

  /** Whole numbers as BIGINT, so that they compare with a BIGINT column without a cast of the column. */
  number(value: number): string {
    return Number.isSafeInteger(value) ? this.#add(BigInt(value), 'BIGINT') : this.#add(value, 'DOUBLE')
  }

  boolean(value: boolean): string {
    return this.#add(value, 'BOOLEAN')
  }

  /** Many values as one parameter, so that a scope of a thousand owners is not a thousand parameters. */
  texts(values: readonly string[]): string {
    return this.#add(listValue([...values]), 'VARCHAR[]')
  }

  #add(value: DuckDBValue, type: string): string {
    this.values.push(value)
    return `$${this.values.length}::${type}`
  }
}
