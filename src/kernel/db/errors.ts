import pg from 'pg'
import { Problem } from '../base/index.ts'

/**
 * A statement PostgreSQL refused. It carries the SQLSTATE and the names involved, never the DETAIL, the parameters or
 * the driver's error: those hold values, and errors end up in logs.
 */
export class SqlError extends Error {
  readonly sqlState: string
  readonly table: string | undefined
  readonly column: string | undefined
  readonly constraint: string | undefined

  constructor(from: { sqlState: string; message: string; table?: string | undefined; column?: string | undefined; constraint?: string | undefined }) {
    super(`${from.sqlState} ${from.message}`)
    this.name = 'SqlError'
    this.sqlState = from.sqlState
    this.table = from.table
    this.column = from.column
    this.constraint = from.constraint
  }
}

/** True for a breach of this unique constraint or index, or of any when none is named. */
export function isUniqueViolation(error: unknown, constraint?: string): boolean {
  return error instanceof SqlError && error.sqlState === '23505' && (constraint === undefined || error.constraint === constraint)
}

/** True for 1 / 0, by which a statement of ours that must not be committed fails. */
export function isDivisionByZero(error: unknown): boolean {
  return error instanceof SqlError && error.sqlState === '22012'
}

// PostgreSQL appendix A. Class 08 is the connection, 53 resources (disk, memory, connections), 57 intervention (shutdown,
// time limits), 58 the system, XX corruption, F0 configuration files; 55P03 a lock not had in time, 25P03/25P04 a transaction left idle or run too long.
const UNAVAILABLE = /^(08|53|57|58|XX|F0|55P03|25P0[34])/
// A page or an index whose checksum or structure does not hold; waiting does not help.
const DAMAGED = new Set(['XX001', 'XX002'])
// Only these classes have messages made of names. Class 22 quotes the value it could not read.
const NAMES_ONLY = /^(0A|23|25|2B|40|42|55|P0001)/

/** Translates whatever the driver threw. Idempotent. */
export function translate(error: unknown): Error {
  if (error instanceof Problem || error instanceof SqlError) return error
  if (error instanceof RangeError || error instanceof TypeError) return error
  // Not from PostgreSQL means the socket: ECONNREFUSED, ENOENT, "Connection terminated unexpectedly", a timeout of ours.
  if (!(error instanceof pg.DatabaseError)) return unavailable((error as NodeJS.ErrnoException).code ?? 'connection lost')
  const state = error.code ?? 'XX000'
  if (DAMAGED.has(state)) return new Problem('database-damaged', { cause: new Error(state) })
  if (UNAVAILABLE.test(state)) return unavailable(state)
  const message = NAMES_ONLY.test(state) ? error.message : 'statement refused'
  return new SqlError({ sqlState: state, message, table: error.table, column: error.column, constraint: error.constraint })
}

function unavailable(code: string): Problem {
  return new Problem('database-unavailable', { cause: new Error(code) })
}
