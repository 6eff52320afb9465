/** `node bench/lens.ts [ROWS …]`: the lens alone, without HTTP, database or keys. Prints one table; 100,000 and 1,000,000 rows unless told otherwise. */
import { once } from 'node:events'
import { uuidv7 } from '../src/kernel/base/index.ts'
import { lensRow, openLens, pinyinOf, type Lens, type LensQuery, type LensRow } from '../src/kernel/lens/index.ts'
import { contacts, EVERYTHING, query, TEXT_FIELDS } from '../src/kernel/lens/lens.fixture.ts'
import { generateContacts, type GeneratedContact } from '../test/build/chinese.ts'

export interface LensFigure {
  name: string
  rows: number
  p50: number
  /** Null where there is one measurement. */
  p95: number | null
  /** Processor time of one, all threads together: what stays true on a busy machine. */
  cpu: number | null
  unit: 'ms' | 'rows/s' | 'MB' | 'µs'
  /** What a query found, so that a fast wrong answer shows. */
  found: number | null
}

const BATCH = 2000
const OWNERS = 200
const DEPARTMENTS = 20
const ROUNDS = 40

const person = (n: number): string => `01900000-0000-7000-8000-${n.toString(16).padStart(12, '0')}`

function row(n: number, rows: number, contact: GeneratedContact): LensRow {
  // Filled newest first, as the product does.
  const at = Date.UTC(2026, 0, 1) - n * 1000
  const times = { createdAt: new Date(at).toISOString(), updatedAt: new Date(at + 500).toISOString() }
  const place = { ownerId: person((n * 7919) % OWNERS), departmentId: person(1000 + ((n * 7919) % DEPARTMENTS)), stage: n % 5 === 0 ? 'dormant' : 'active', score: n % rows, vip: n % 50 === 0 }
  return lensRow(contacts, { id: uuidv7(at), version: 1, fields: { ...contact, ...times, ...place } })
}

interface Filled {
  lens: Lens
  ids: string[]
  figures: LensFigure[]
  settled: () => LensFigure[]
}

/** Growth of the resident set; the ids the bench itself keeps are not the lens's. */
function grown(before: number, rows: number): number {
  return (process.memoryUsage.rss() - before) / 1e6 - (rows * 60) / 1e6
}

async function fill(rows: number): Promise<Filled> {
  settle()
  const before = process.memoryUsage.rss()
  const lens = await openLens({ tables: [contacts], memoryLimitMb: 1200 })
  const ids: string[] = []
  let [deriving, filling, used] = [0, 0, 0]
  let batch: GeneratedContact[] = []
  const flush = async (): Promise<void> => {
    const t0 = performance.now()
    const made = batch.map((contact, k) => row(ids.length + k, rows, contact))
    const t1 = performance.now()
    const from = process.cpuUsage()
    await lens.fill('contact', made)
    const { user, system } = process.cpuUsage(from)
    used += user + system
    deriving += t1 - t0
    filling += performance.now() - t1
    ids.push(...made.map((each) => each.id))
    batch = []
  }
  for (const contact of generateContacts(rows, 1, { zh: 0.7 })) if (batch.push(contact) === BATCH) await flush()
  if (batch.length > 0) await flush()
  lens.setComplete('contact', rows)
  settle()
  const one = (name: string, value: number, unit: LensFigure['unit']): LensFigure => ({ name, rows, p50: value, p95: null, cpu: null, unit, found: null })
  const figures = [
    one('fill', Math.round((rows / filling) * 1000), 'rows/s'),
    one('fill, processor time of a row', used / rows, 'µs'),
    one('derive (normalise, pinyin, sort key)', (deriving / rows) * 1000, 'µs'),
    one('memory when filled', grown(before, rows), 'MB'),
  ]
  return { lens, ids, figures, settled: () => [one('memory when settled', grown(before, rows), 'MB')] }
}

function settle(): void {
  globalThis.gc?.()
}

async function timed(name: string, rows: number, ask: (round: number) => Promise<number>, rounds = ROUNDS): Promise<LensFigure> {
  const times: number[] = []
  let found = 0
  let used = process.cpuUsage()
  for (let round = -3; round < rounds; round++) {
    if (round === 0) used = process.cpuUsage()
    const start = performance.now()
    found = await ask(Math.max(0, round))
    if (round >= 0) times.push(performance.now() - start)
  }
  times.sort((a, b) => a - b)
  const { user, system } = process.cpuUsage(used)
  return { name, rows, p50: times[rounds >> 1] ?? 0, p95: times[Math.floor(rounds * 0.95)] ?? 0, cpu: (user + system) / 1000 / rounds, unit: 'ms', found }
}

const MINE = { or: [{ field: 'ownerId', op: 'eq', value: person(7) }, { field: 'departmentId', op: 'in', value: [person(1003), person(1004)] }] } as const
const TEAM = { field: 'ownerId', op: 'in', value: Array.from({ length: 60 }, (_, n) => person(n)) } as const
const SOME_FIELDS = TEXT_FIELDS.filter((field) => field !== 'emails')

/** Everything that is asked: by name. All count, all in pages of 50. */
const QUESTIONS: readonly [string, Partial<LensQuery>][] = [
  ['substring zh, 2 characters', { text: { terms: '小明', fields: TEXT_FIELDS } }],
  ['substring zh, common', { text: { terms: '科技', fields: TEXT_FIELDS } }],
  ['substring en, 4 letters', { text: { terms: 'smit', fields: TEXT_FIELDS } }],
  ['substring, 1 letter', { text: { terms: 'a', fields: TEXT_FIELDS } }],
  ['full pinyin', { text: { terms: 'wangxiaoming', fields: TEXT_FIELDS } }],
  ['pinyin of the given name', { text: { terms: 'xiaoming', fields: TEXT_FIELDS } }],
  ['initials', { text: { terms: 'wxm', fields: TEXT_FIELDS } }],
  ['e-mail', { text: { terms: 'WANGXIAOMING@mail', fields: TEXT_FIELDS } }],
  ['last four digits', { text: { terms: '8000', fields: TEXT_FIELDS } }],
  ['two words', { text: { terms: '小明 北京', fields: TEXT_FIELDS } }],
  ['zh, one field hidden', { text: { terms: '小明', fields: SOME_FIELDS } }],
  ['en, one field hidden', { text: { terms: 'smit', fields: SOME_FIELDS } }],
  ['zh, own or two departments', { scope: MINE, text: { terms: '小明', fields: TEXT_FIELDS } }],
  ['en, 60 owners', { scope: TEAM, text: { terms: 'smit', fields: TEXT_FIELDS } }],
  ['typo zh (wangxiaomign)', { text: { terms: 'wangxiaomign', fields: TEXT_FIELDS } }],
  ['typo en (johnsno)', { text: { terms: 'johnsno', fields: TEXT_FIELDS } }],
  ['typo, same sound (王晓茗)', { text: { terms: '王晓茗', fields: TEXT_FIELDS } }],
  ['nothing (qqqq)', { text: { terms: 'qqqq', fields: TEXT_FIELDS } }],
  ['list, newest first', {}],
  ['list, by name', { sort: [{ field: 'fullName', direction: 'asc' }] }],
  ['list, by name, 60 owners', { scope: TEAM, sort: [{ field: 'fullName', direction: 'desc' }] }],
  ['list, own or two departments', { scope: MINE }],
  ['filter and count', { where: { and: [{ field: 'stage', op: 'eq', value: 'dormant' }, { field: 'city', op: 'eq', value: '北京' }] } }],
]

async function ask(lens: Lens, rows: number): Promise<LensFigure[]> {
  const out: LensFigure[] = []
  for (const [name, parts] of QUESTIONS) {
    const asked = query({ scope: EVERYTHING, ...parts })
    out.push(await timed(name, rows, async () => (await lens.search(asked)).count ?? 0))
  }
  const first = await lens.search(query({ sort: [{ field: 'fullName', direction: 'asc' }], offset: rows >> 1, limit: 1 }))
  const after = first.lastKey ?? []
  out.push(await timed('list, by name, page in the middle', rows, async () => (await lens.search(query({ sort: [{ field: 'fullName', direction: 'asc' }], after, count: false }))).ids.length))
  return out
}

async function write(lens: Lens, ids: readonly string[]): Promise<LensFigure[]> {
  const rows = ids.length
  const people = [...generateContacts(4000, 2)]
  let turn = 0
  const changed = (count: number, fresh: boolean): LensRow[] =>
    Array.from({ length: count }, () => {
      turn++
      const made = row(turn, rows, people[turn % people.length] ?? fail())
      return { ...made, version: 1 + turn, id: fresh ? uuidv7() : (ids[(turn * 7919) % rows] ?? fail()) }
    })
  const apply = async (count: number, fresh: boolean): Promise<number> => {
    await lens.apply('contact', changed(count, fresh))
    return count
  }
  const figures = [await timed('write one new row', rows, () => apply(1, true), 200), await timed('change one row', rows, () => apply(1, false), 200)]
  figures.push(await timed('change 16 rows at once', rows, async () => (await Promise.all(Array.from({ length: 16 }, () => apply(1, false)))).length, 100))
  figures.push(await timed('change 1,000 rows in one call', rows, () => apply(1000, false), 20))
  return [...figures, ...(await underWrites(lens, rows, () => apply(100, false)))]
}

/** How a search fares while rows change as fast as they can. */
async function underWrites(lens: Lens, rows: number, change: () => Promise<number>): Promise<LensFigure[]> {
  let [stop, count] = [false, 0]
  const start = performance.now()
  const writing = (async () => {
    while (!stop) {
      count += await change()
      await new Promise((resolve) => setImmediate(resolve))
    }
  })()
  const asked = query({ text: { terms: '小明', fields: TEXT_FIELDS } })
  const search = await timed('substring zh while rows change', rows, async () => (await lens.search(asked)).count ?? 0, 60)
  stop = true
  await writing
  return [search, { name: 'rows changed meanwhile', rows, p50: Math.round((count / (performance.now() - start)) * 1000), p95: null, cpu: null, unit: 'rows/s', found: null }]
}

function fail(): never {
  throw new Error('the bench ran out of rows')
}

function reading(): LensFigure {
  const names = [...generateContacts(20_000, 3, { zh: 0.9 })].map((each) => each.fullName)
  for (const name of names) pinyinOf(name)
  const start = performance.now()
  for (const name of names) pinyinOf(name)
  return { name: 'pinyin of a name', rows: names.length, p50: ((performance.now() - start) * 1000) / names.length, p95: null, cpu: null, unit: 'µs', found: null }
}

/** Fills a lens with generated contacts and measures it. Run node with --expose-gc, or the memory is that of uncollected garbage too. */
export async function benchLens(rows: number): Promise<LensFigure[]> {
  const pinyin = reading()
  const { lens, ids, figures, settled } = await fill(rows)
  const asked = await ask(lens, rows)
  // The allocator gives pages back after ten seconds.
  await new Promise((resolve) => setTimeout(resolve, 12_000))
  await lens.search(query())
  settle()
  const memory = settled()
  const written = await write(lens, ids)
  settle()
  await lens.close()
  return [pinyin, ...figures, ...memory, ...asked, ...written]
}

export function lensTable(figures: readonly LensFigure[]): string {
  const cell = (value: number | null): string => (value === null ? '' : value >= 1000 ? Math.round(value).toLocaleString('en') : value.toFixed(1))
  const lines = figures.map((each) => `${each.rows.toLocaleString('en').padStart(10)}  ${each.name.padEnd(38)} ${cell(each.p50).padStart(10)} ${cell(each.p95).padStart(8)} ${cell(each.cpu).padStart(8)} ${each.unit.padEnd(7)} ${each.found === null ? '' : each.found.toLocaleString('en').padStart(9)}`)
  return [`${'rows'.padStart(10)}  ${'what'.padEnd(38)} ${'p50'.padStart(10)} ${'p95'.padStart(8)} ${'cpu'.padStart(8)} ${'unit'.padEnd(7)} ${'found'.padStart(9)}`, ...lines, ''].join('\n')
}

if (import.meta.main) {
  const sizes = process.argv.slice(2).map(Number).filter((size) => size > 0)
  for (const size of sizes.length > 0 ? sizes : [100_000, 1_000_000]) {
    if (!process.stdout.write(lensTable(await benchLens(size)))) await once(process.stdout, 'drain')
  }
}
