import { DuckDBUUIDValue, type DuckDBValue } from '@duckdb/node-api'
import { Binder } from './binder.ts'
import { compile } from './compile.ts'
import type { Layout } from './layout.ts'
import { guardsOf, isEverything } from './links.ts'
import { all, found, rank, reachOf, type Reach } from './match.ts'
import { afterKeys, keysOf, named, orderBy } from './order.ts'
import { invalid } from './problems.ts'
import type { Readers } from './readers.ts'
import { termsOf, type Term } from './text.ts'
import { TYPO_RANK, typoPass } from './typo.ts'
import type { LensKey, LensQuery } from './types.ts'

export interface Page {
  ids: string[]
  count: number | null
  keys: LensKey[]
  lastKey: LensKey | null
}

interface Found {
  readonly ids: string[]
  readonly keys: LensKey[]
  /** All matches of the pass, whatever the page. */
  readonly total: number
}

const NOTHING: Found = { ids: [], keys: [], total: 0 }
// Each term is a scan; people type a handful.
const MAX_TERMS = 10
/** Whoever finds so many typed it right, and need not wait for the second pass. */
const FOUND_ENOUGH = 5

/** A query, and what each statement for it begins with. */
interface Question extends LensQuery {
  binder(): Binder
}

/** Answers a query from one table. `live` is the number of its rows, `layouts` all tables by entity. Throws Problem invalid or field-unknown. */
export async function search(readers: Readers, layout: Layout, query: LensQuery, live: number, layouts: ReadonlyMap<string, Layout> = new Map()): Promise<Page> {
  const terms = query.text ? termsOf(query.text.terms) : []
  if (terms.length > MAX_TERMS) throw invalid('text', 'too-many-terms')
  const guards = guardsOf(layout, query.links, layouts)
  const question: Question = { ...query, binder: () => new Binder(guards, layouts) }
  if (terms.length === 0) return list(readers, layout, question, live)
  return find(readers, layout, question, { terms, reach: reachOf(layout, query.text?.fields ?? []) })
}

function filterOf(layout: Layout, query: Question, binder: Binder): string {
  return all([query.scope, ...(query.where ? [query.where] : [])].map((condition) => compile(condition, layout, binder)))
}

/** Without text: the page and the count are two statements, since the page can stop early and the count need not sort. */
async function list(readers: Readers, layout: Layout, query: Question, live: number): Promise<Page> {
  const [page, total] = await Promise.all([listPage(readers, layout, query), query.count ? listCount(readers, layout, query, live) : null])
  return answer(page, total, query)
}

async function listPage(readers: Readers, layout: Layout, query: Question): Promise<Found> {
  const binder = query.binder()
  const filter = filterOf(layout, query, binder)
  const keys = keysOf(layout, query.sort, null, binder)
  const after = query.after ? ` AND ${afterKeys(keys, query.after, binder)}` : ''
  const sql = `SELECT ${keys.map((key) => key.sql).join(', ')} FROM ${layout.table} WHERE ${filter}${after} ORDER BY ${orderBy(keys)} ${window(query.limit, query.offset)}`
  return foundIn(await readers.rows(binder.statement(sql), binder.values), keys.length, 0)
}

async function listCount(readers: Readers, layout: Layout, query: Question, live: number): Promise<number> {
  if (isEverything(query.scope) && (!query.where || isEverything(query.where))) return live
  const binder = query.binder()
  const filter = filterOf(layout, query, binder)
  return numberOf((await readers.rows(binder.statement(`SELECT count(*) FROM ${layout.table} WHERE ${filter}`), binder.values))[0]?.[0] ?? 0)
}

interface Wanted {
  readonly terms: readonly Term[]
  readonly reach: Reach
}

/**
 * With text: exact matches, and misspelt names after them when the exact ones are few. Whether they follow depends on nothing but the
 * number of the caller's own rows that match, so every page of one search agrees.
 */
async function find(readers: Readers, layout: Layout, query: Question, wanted: Wanted): Promise<Page> {
  const { limit, offset = 0, after } = query
  const amongTypos = Number(after?.[0] ?? 0) >= TYPO_RANK
  const exact = amongTypos ? { ...NOTHING, total: query.count ? await countExact(readers, layout, query, wanted) : 0 } : await exactPass(readers, layout, query, wanted)
  if (!amongTypos && exact.total >= Math.min(limit, FOUND_ENOUGH)) return answer(exact, exact.total, query)
  const rest = { ...query, limit: limit - exact.ids.length, offset: amongTypos || after ? offset : Math.max(0, offset - exact.total) }
  const near = await typoPassRows(readers, layout, rest, wanted)
  const both: Found = { ids: [...exact.ids, ...near.ids], keys: [...exact.keys, ...near.keys], total: exact.total + near.total }
  return answer(both, both.total, query)
}

function answer(found: Found, total: number | null, { limit, count }: LensQuery): Page {
  return { ids: found.ids, count: count ? total : null, keys: found.keys, lastKey: found.ids.length < limit ? null : (found.keys.at(-1) ?? null) }
}

async function exactPass(readers: Readers, layout: Layout, query: Question, { terms, reach }: Wanted): Promise<Found> {
  const binder = query.binder()
  const predicate = all([filterOf(layout, query, binder), ...terms.map((term) => found(reach, term, binder))])
  const fit = query.sort.length > 0 ? '0' : rank(reach, terms, binder)
  const page = await ranked(readers, layout, query, { binder, predicate, fit })
  // An empty page says nothing of the total unless it was the first.
  if (page.ids.length > 0 || (!query.after && !query.offset && query.limit > 0)) return page
  return { ...page, total: await countExact(readers, layout, query, { terms, reach }) }
}

async function countExact(readers: Readers, layout: Layout, query: Question, { terms, reach }: Wanted): Promise<number> {
  const binder = query.binder()
  const predicate = all([filterOf(layout, query, binder), ...terms.map((term) => found(reach, term, binder))])
  return numberOf((await readers.rows(binder.statement(`SELECT count(*) FROM ${layout.table} WHERE ${predicate}`), binder.values))[0]?.[0] ?? 0)
}

async function typoPassRows(readers: Readers, layout: Layout, query: Question, { terms, reach }: Wanted): Promise<Found> {
  const binder = query.binder()
  const filter = filterOf(layout, query, binder)
  const typo = typoPass(reach, terms, binder)
  if (!typo) return NOTHING
  return ranked(readers, layout, query, { binder, predicate: all([filter, typo.predicate]), fit: query.sort.length > 0 ? String(TYPO_RANK) : typo.rank })
}

interface Pass {
  readonly binder: Binder
  readonly predicate: string
  readonly fit: string
}

/** One scan that yields the page and the total: the matches' keys are kept, and only the page's are sorted out. */
async function ranked(readers: Readers, layout: Layout, query: Question, { binder, predicate, fit }: Pass): Promise<Found> {
  const keys = keysOf(layout, query.sort, fit, binder)
  const outer = named(keys)
  const hits = `SELECT ${keys.map((key, at) => `${key.sql} AS k${at}`).join(', ')} FROM ${layout.table} WHERE ${predicate}`
  const after = query.after ? `WHERE ${afterKeys(outer, query.after, binder)}` : ''
  const sql = `SELECT ${outer.map((key) => key.sql).join(', ')}, (SELECT count(*) FROM hits) FROM hits ${after} ORDER BY ${orderBy(outer)} ${window(query.limit, query.offset)}`
  const rows = await readers.rows(binder.statement(sql, [`hits AS MATERIALIZED (${hits})`]), binder.values)
  return foundIn(rows, keys.length, numberOf(rows[0]?.[keys.length] ?? 0))
}

function window(limit: number, offset = 0): string {
  return `LIMIT ${whole(limit, 'limit')} OFFSET ${whole(offset, 'offset')}`
}

/** The only numbers that are written into a statement. */
function whole(number: number, name: string): number {
  if (!Number.isSafeInteger(number) || number < 0) throw invalid(name, 'not-a-whole-number')
  return number
}

/** The id is the last key of every order. */
function foundIn(rows: readonly DuckDBValue[][], keyCount: number, total: number): Found {
  const keys = rows.map((row) => row.slice(0, keyCount).map(keyValue))
  return { ids: keys.map((key) => String(key.at(-1))), keys, total }
}

function keyValue(value: DuckDBValue): string | number | null {
  if (value === null || typeof value === 'string' || typeof value === 'number') return value
  return value instanceof DuckDBUUIDValue ? value.toString() : Number(value)
}

function numberOf(value: DuckDBValue): number {
  return Number(value)
}
