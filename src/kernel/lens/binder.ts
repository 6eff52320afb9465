import { listValue, type DuckDBValue } from '@duckdb/node-api'

/**
 * A statement under construction: SQL text on one side, values on the other. No value ever becomes part of the text. Bind a value only
 * where its placeholder is written: DuckDB refuses values that nothing refers to.
 */
export class Binder {
  readonly values: DuckDBValue[] = []
  readonly #texts = new Map<string, string>()

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
