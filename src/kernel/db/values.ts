import pg from 'pg'

/** Object ids of pg_type. They are fixed in PostgreSQL's catalogue. */
export const BYTEA = 17
const INT8 = 20
const DATE = 1082
const TIMESTAMP = 1114
const TIMESTAMPTZ = 1184
const INTERVAL = 1186
const BYTEA_ARRAY = 1001
const INT8_ARRAY = 1016
const DATE_ARRAY = 1182
const TIMESTAMPTZ_ARRAY = 1185
const UUID_ARRAY = 2951
const TEXT_ARRAY = 1009

type Parser = (value: string) => unknown

/** `\x…` as PostgreSQL sends bytea in text form (bytea_output=hex). */
export function byteaFromHex(text: string): Buffer {
  return Buffer.from(text.slice(2), 'hex')
}

/** Whole numbers beyond 2^53 would be silently rounded, so they are an error instead. */
function int8(text: string): number {
  const n = Number(text)
  if (!Number.isSafeInteger(n)) throw new RangeError('int8 beyond the safe integers')
  return n
}

/**
 * `2026-03-01 09:30:00.12+00` → `2026-03-01T09:30:00.120000Z`. Always six digits: microseconds because a cursor made of
 * fewer would skip or repeat rows, and filled up so that the order of the texts is the order of the times.
 */
export function isoTime(text: string): string {
  const n = text.length
  if (n >= 22 && n <= 29 && text.charCodeAt(10) === 32 && text.endsWith('+00')) {
    const fraction = n === 22 ? '000000' : text.slice(20, n - 3).padEnd(6, '0')
    return `${text.slice(0, 10)}T${text.slice(11, 19)}.${fraction}Z`
  }
  const t = new Date(text)
  // Infinity, or before Christ: nothing of ours. It stays as it is, so that only the row it was planted in breaks its seal, and not every page that row is on.
  if (Number.isNaN(t.getTime())) return text
  return t.toISOString().replace('Z', '000Z')
}

const same: Parser = (text) => text
// The driver's own reader of `{a,b}` gives strings with quotes and nulls resolved.
const textArray = pg.types.getTypeParser(TEXT_ARRAY as number, 'text') as (value: string) => (string | null)[]
const arrayOf = (one: Parser): Parser => (text) => textArray(text).map((v) => (v === null ? null : one(v)))

const parsers = new Map<number, Parser>([
  // A connection of ours hands bytea over already decoded (wire.ts); text reaches this one through plain clients only.
  [BYTEA, (v: string | Buffer) => (typeof v === 'string' ? byteaFromHex(v) : v)] as [number, Parser],
  [INT8, int8],
  [TIMESTAMPTZ, isoTime],
  // Without a zone there is no UTC to convert to: text as PostgreSQL writes it.
  [DATE, same],
  [TIMESTAMP, same],
  [INTERVAL, same],
  [BYTEA_ARRAY, arrayOf(byteaFromHex)],
  [INT8_ARRAY, arrayOf(int8)],
  [TIMESTAMPTZ_ARRAY, arrayOf(isoTime)],
  [DATE_ARRAY, textArray],
  [UUID_ARRAY, textArray],
])

/** For `types` of a client; anything not listed keeps the driver's parser. */
export const valueTypes = {
  getTypeParser(oid: number, format?: string): Parser {
    return parsers.get(oid) ?? (pg.types.getTypeParser(oid, format as 'text') as Parser)
  },
}
