import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Problem } from '../base/index.ts'
import { Binder } from './binder.ts'
import { compile } from './compile.ts'
import { layoutOf } from './layout.ts'
import { openLens } from './engine.ts'
import { EVERYTHING, id } from './lens.fixture.ts'
import { sortKey } from './pinyin.ts'
import { lensRow, type RecordForLens } from './project.ts'
import { normalise } from './text.ts'
import type { Condition, Lens, LensColumn, LensOp, LensTable } from './types.ts'

const column = (field: string, use: LensColumn['use'], type: LensColumn['type'] = 'text', many = false): LensColumn => ({ name: `${field}_${use}`.toLowerCase(), field, use, type, many })

const table: LensTable = {
  entity: 'thing',
  columns: [
    column('name', 'text'),
    column('name', 'pinyin'),
    column('name', 'sort'),
    column('note', 'text'),
    column('tags', 'text', 'text', true),
    column('stage', 'plain'),
    column('owner', 'plain', 'uuid'),
    column('links', 'plain', 'uuid', true),
    column('score', 'plain', 'integer'),
    column('at', 'plain', 'time'),
    column('vip', 'plain', 'boolean'),
  ],
}

type Kind = 'sorted' | 'text' | 'texts' | 'word' | 'uuid' | 'uuids' | 'number' | 'time' | 'flag'
const KINDS: Readonly<Record<string, Kind>> = { name: 'sorted', note: 'text', tags: 'texts', stage: 'word', owner: 'uuid', links: 'uuids', score: 'number', at: 'time', vip: 'flag', 'custom.hue': 'texts', 'custom.size': 'number', 'custom.none': 'texts' }

// Few values, so that comparisons hit; with everything that SQL or LIKE could take for its own.
const TEXTS = ['a', 'A', 'ab', 'b%', '_', '%', '\\', "'", '"', "'; DROP TABLE thing; --", '王小明', '小明', 'ＡＢ', '  ', '', 'x\u001fy', 'x\u001ey', '$1', '\\%', 'éa', 'a b']
const WORDS = ['active', 'Active', 'dormant', 'x y']
const IDS = [id(1), id(2), id(3)]
const NUMBERS = [-1, 0, 1, 2.5, 3, 2 ** 52]
const TIMES = ['2026-01-01', '2026-01-01T00:00:00Z', '2026-01-01T00:00:00.001Z', '2026-01-01T00:00:00.000001Z', '2026-01-01T08:00:00.5+08:00', '2025-12-31T23:59:59.999999Z']

const some = <T>(values: readonly T[]) => fc.constantFrom(...values)
const valueOf: Readonly<Record<Kind, fc.Arbitrary<unknown>>> = { sorted: some(TEXTS), text: some(TEXTS), texts: some(TEXTS), word: some(WORDS), uuid: some(IDS), uuids: some(IDS), number: some(NUMBERS), time: some(TIMES), flag: fc.boolean() }

const record: fc.Arbitrary<RecordForLens['fields']> = fc.record({
  name: fc.option(some(TEXTS)),
  note: fc.option(some(TEXTS)),
  tags: fc.array(some(TEXTS), { maxLength: 3 }),
  stage: fc.option(some(WORDS)),
  owner: fc.option(some(IDS)),
  links: fc.array(some(IDS), { maxLength: 2 }),
  score: fc.option(some(NUMBERS.filter(Number.isSafeInteger))),
  at: fc.option(some(TIMES)),
  vip: fc.option(fc.boolean()),
})
const custom = fc.record({ hue: fc.array(some(TEXTS), { maxLength: 2 }), size: fc.option(some(NUMBERS)) })

const EQUAL: readonly LensOp[] = ['eq', 'ne', 'in', 'isEmpty']
const ORDER: readonly LensOp[] = ['lt', 'lte', 'gt', 'gte', 'between']
const PART: readonly LensOp[] = ['contains', 'startsWith', 'endsWith']
const OPS: Readonly<Record<Kind, readonly LensOp[]>> = { sorted: [...EQUAL, ...ORDER, ...PART], text: [...EQUAL, ...ORDER, ...PART], texts: [...EQUAL, ...ORDER, ...PART], word: [...EQUAL, ...ORDER, ...PART], uuid: EQUAL, uuids: EQUAL, number: [...EQUAL, ...ORDER], time: [...EQUAL, ...ORDER], flag: EQUAL }

function operand(kind: Kind, op: LensOp): fc.Arbitrary<unknown> {
  const one = fc.option(valueOf[kind], { freq: 8 })
  if (op === 'in') return fc.array(one, { maxLength: 12 })
  if (op === 'between') return fc.tuple(one, one)
  return op === 'isEmpty' ? fc.constantFrom(undefined, true, false) : one
}

const leaf: fc.Arbitrary<Condition> = some(Object.keys(KINDS)).chain((field) => {
  const kind = KINDS[field] ?? 'text'
  return some(OPS[kind]).chain((op) => operand(kind, op).map((value) => ({ field, op, value })))
})
const { condition } = fc.letrec<{ condition: Condition }>((tie) => ({
  condition: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    leaf,
    fc.record({ and: fc.array(tie('condition'), { maxLength: 3 }) }),
    fc.record({ or: fc.array(tie('condition'), { maxLength: 3 }) }),
    fc.record({ not: tie('condition') }),
  ),
}))

/** The language as its description in types.ts has it, one record at a time, in the plainest way. */
function holds(condition: Condition, record: RecordForLens): boolean {
  if ('and' in condition) return condition.and.every((part) => holds(part, record))
  if ('or' in condition) return condition.or.some((part) => holds(part, record))
  if ('not' in condition) return !holds(condition.not, record)
  if ('linked' in condition) throw new Error('links have tests of their own')
  const { field, op, value } = condition
  const kind = KINDS[field] ?? 'text'
  const raw = field.startsWith('custom.') ? record.custom?.[field.slice(7)] : record.fields[field]
  const held = (Array.isArray(raw) ? raw : [raw]).flatMap((each: unknown) => canonical(kind, each, op) ?? [])
  const wanted = (Array.isArray(value) ? value : [value]).map((each: unknown) => canonical(kind, each, op))
  if (op === 'isEmpty') return (held.length === 0) === (value !== false)
  if (op === 'ne') return !holds({ field, op: 'eq', value }, record)
  if (op === 'eq' || op === 'in') return wanted.some((each) => (each === null ? held.length === 0 : held.includes(each)))
  return held.some((each) => compare(op, each, wanted))
}

type Plain = string | number | boolean

function canonical(kind: Kind, value: unknown, op: LensOp): Plain | null {
  if (value === null || value === undefined) return null
  if (kind === 'time') return [...TIMES].map((time) => [instant(time), time] as const).find(([, time]) => time === value)?.[0] ?? null
  if (typeof value !== 'string') return typeof value === 'number' || typeof value === 'boolean' ? value : null
  if (kind === 'word' || kind === 'uuid' || kind === 'uuids') return value || null
  return (kind === 'sorted' && ORDER.includes(op) ? sortKey(value) : normalise(value)) || null
}

/** Microseconds, read without the code under test. */
function instant(time: string): number {
  return { '2026-01-01': 0, '2026-01-01T00:00:00Z': 0, '2026-01-01T00:00:00.001Z': 1000, '2026-01-01T00:00:00.000001Z': 1, '2026-01-01T08:00:00.5+08:00': 500_000, '2025-12-31T23:59:59.999999Z': -1 }[time] ?? Number.NaN
}

function compare(op: LensOp, held: Plain, wanted: readonly (Plain | null)[]): boolean {
  const [first, second] = [wanted[0] ?? null, wanted[1] ?? null]
  if (op === 'between') return (first === null || order(held, first) >= 0) && (second === null || order(held, second) <= 0)
  if (op === 'contains') return String(held).includes(String(first ?? ''))
  if (op === 'startsWith') return String(held).startsWith(String(first ?? ''))
  if (op === 'endsWith') return String(held).endsWith(String(first ?? ''))
  if (first === null) return false
  const sign = order(held, first)
  return op === 'lt' ? sign < 0 : op === 'lte' ? sign <= 0 : op === 'gt' ? sign > 0 : sign >= 0
}

/** Texts by their bytes, as DuckDB orders them. */
function order(a: Plain, b: Plain): number {
  return typeof a === 'string' && typeof b === 'string' ? Buffer.compare(Buffer.from(a), Buffer.from(b)) : Number(a) - Number(b)
}

let lens: Lens
let records: RecordForLens[]

beforeAll(async () => {
  const bodies = fc.sample(fc.tuple(record, custom), { numRuns: 300, seed: 7 })
  records = bodies.map(([fields, custom], n) => ({ id: id(1000 + n), version: 1, fields, custom }))
  lens = await openLens({ tables: [table], memoryLimitMb: 200 })
  await lens.apply('thing', records.map((each) => lensRow(table, each)))
})
afterAll(() => lens.close())

const idsOf = async (where: Condition) => (await lens.search({ entity: 'thing', scope: EVERYTHING, where, sort: [], limit: 1000, count: true })).ids.toSorted()

test('every condition finds exactly the rows a plain reading of it holds for', async () => {
  await fc.assert(
    fc.asyncProperty(condition, async (where) => {
      expect(await idsOf(where)).toEqual(records.filter((each) => holds(where, each)).map((each) => each.id))
    }),
    { numRuns: 700 },
  )
})

test('each operation on each field alone, with every value', async () => {
  for (const [field, kind] of Object.entries(KINDS)) {
    for (const op of OPS[kind]) {
      const values = fc.sample(operand(kind, op), { numRuns: 8, seed: 3 })
      for (const value of values) {
        const where = { field, op, value }
        expect(await idsOf(where), JSON.stringify(where)).toEqual(records.filter((each) => holds(where, each)).map((each) => each.id))
      }
    }
  }
})

test('the scope and the condition both apply, and the count is of both', async () => {
  await fc.assert(
    fc.asyncProperty(condition, condition, async (scope, where) => {
      const answer = await lens.search({ entity: 'thing', scope, where, sort: [], limit: 7, count: true })
      const all = records.filter((each) => holds(scope, each) && holds(where, each))
      expect(answer.count).toBe(all.length)
      expect(answer.ids).toEqual(all.map((each) => each.id).toReversed().slice(0, 7))
    }),
    { numRuns: 150 },
  )
})

describe('values', () => {
  test('are bound, never part of the statement', () => {
    fc.assert(
      fc.property(condition, (where) => {
        const binder = new Binder()
        const sql = compile(where, layoutOf(table), binder)
        // What a statement consists of: names we gave, words of ours, parameters. A value of the pool that differs from these cannot be in it.
        expect(sql).not.toMatch(/DROP|王|小明|active|dormant|%|01900000|2026|"'"/)
        expect(sql.match(/'[^']*'/g)?.every((literal) => literal === "''") ?? true).toBe(true)
      }),
      { numRuns: 1000 },
    )
  })

  test('and field names come from the declaration', async () => {
    for (const field of ['nothing', 'name_text', '_id', '"_id"', 'name"; DROP TABLE "thing"; --', '__proto__', 'constructor']) {
      await expect(idsOf({ field, op: 'eq', value: 'x' })).rejects.toMatchObject({ code: 'field-unknown', status: 400 })
    }
    expect(await idsOf({ field: 'custom.x\' OR 1=1; --', op: 'eq', value: 'x' })).toEqual([])
  })

  test.each<Condition>([
    { field: 'score', op: 'eq', value: '1' },
    { field: 'score', op: 'contains', value: 'a' },
    { field: 'score', op: 'lt', value: Number.NaN },
    { field: 'owner', op: 'eq', value: 'me' },
    { field: 'owner', op: 'gt', value: id(1) },
    { field: 'at', op: 'lt', value: 'yesterday' },
    { field: 'vip', op: 'eq', value: 1 },
    { field: 'name', op: 'contains', value: 1 },
    { field: 'name', op: 'eq', value: { a: 1 } },
    { field: 'name', op: 'in', value: 'a' },
    { field: 'score', op: 'between', value: [1] },
    { field: 'vip', op: 'lt', value: true },
  ])('of the wrong shape are refused: %j', async (where) => {
    const refused = await idsOf(where).catch((error: unknown) => error)
    expect(refused).toBeInstanceOf(Problem)
    expect(refused).toMatchObject({ code: 'invalid', status: 400 })
  })
})

test('an id can be asked for without a column of it', async () => {
  expect(await idsOf({ field: 'id', op: 'in', value: [id(1000), id(1001), id(999_999)] })).toEqual([id(1000), id(1001)])
  const many = Array.from({ length: 500 }, (_, n) => id(1000 + 3 * n))
  expect(await idsOf({ or: [{ field: 'id', op: 'in', value: many }, { field: 'id', op: 'eq', value: id(1001) }] })).toHaveLength(101)
})
