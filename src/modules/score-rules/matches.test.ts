import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { AnyRecord } from '../../kernel/entity/index.ts'
import { openLens, type Lens } from '../../kernel/lens/index.ts'
import type { Condition } from '../../kernel/lens/types.ts'
import { ALL } from '../access/index.ts'
import { Lead } from '../leads/index.ts'
import { lensTable, toLensRow } from '../records/index.ts'
import { matches } from './matches.ts'

// A rule must hold for the very leads that a search by the same condition finds.

const WORDS = ['Trade fair', 'trade', 'Fair 展会', '展会', 'FAIR', 'x', '']
const TIMES = ['2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.001Z', '2026-06-30T12:00:00.000Z']
const word = fc.constantFrom(...WORDS)
const id = (n: number): string => `0000000${n}-0000-4000-8000-00000000000${n}`
const CUSTOM = [{ key: 'rank', type: 'number', class: 'confidential', find: ['exact'] }, { key: 'hobby', type: 'text', class: 'confidential', find: ['text'] }, { key: 'vip', type: 'flag', class: 'confidential', find: ['exact'] }] as const

const lead = fc.record({
  source: fc.option(word), companyName: fc.option(word), city: fc.option(word), tags: fc.array(word.filter((w) => w !== ''), { maxLength: 3 }),
  emails: fc.array(fc.constantFrom({ value: 'a@fair.example', label: '' }, { value: 'b@x.example', label: '' }), { maxLength: 2 }),
  status: fc.constantFrom('new', 'working', 'qualified'), score: fc.option(fc.integer({ min: 0, max: 5 })), collectedAt: fc.option(fc.constantFrom(...TIMES)),
  contactId: fc.option(fc.constantFrom(id(8), id(9))),
  custom: fc.record({ rank: fc.integer({ min: 0, max: 3 }), hobby: fc.constantFrom('golf', 'Golf club', 'tea'), vip: fc.boolean() }, { requiredKeys: [] }),
})

const text = (field: string): fc.Arbitrary<Condition> =>
  fc.oneof(
    fc.record({ field: fc.constant(field), op: fc.constantFrom('eq', 'ne', 'contains', 'startsWith', 'endsWith') as fc.Arbitrary<'eq'>, value: word.filter((w) => w !== '') }),
    fc.record({ field: fc.constant(field), op: fc.constant('in' as const), value: fc.array(word.filter((w) => w !== ''), { minLength: 1, maxLength: 3 }) }),
    fc.record({ field: fc.constant(field), op: fc.constant('isEmpty' as const) }),
  )
const ordered = (field: string, value: fc.Arbitrary<unknown>): fc.Arbitrary<Condition> =>
  fc.oneof(
    fc.record({ field: fc.constant(field), op: fc.constantFrom('eq', 'ne', 'lt', 'lte', 'gt', 'gte') as fc.Arbitrary<'eq'>, value }),
    fc.record({ field: fc.constant(field), op: fc.constant('between' as const), value: fc.tuple(value, value) }),
    fc.record({ field: fc.constant(field), op: fc.constant('isEmpty' as const) }),
  )
const small = fc.integer({ min: -1, max: 6 })
const leaf = fc.oneof(
  ...['source', 'companyName', 'city', 'tags', 'emails', 'custom.hobby'].map(text),
  ordered('score', small), ordered('custom.rank', small), ordered('collectedAt', fc.constantFrom(...TIMES, '2026-01-01T08:00:00.000+08:00')),
  fc.record({ field: fc.constant('status'), op: fc.constantFrom('eq', 'ne') as fc.Arbitrary<'eq'>, value: fc.constantFrom('new', 'working') }),
  fc.record({ field: fc.constant('contactId'), op: fc.constantFrom('eq', 'ne') as fc.Arbitrary<'eq'>, value: fc.constantFrom(id(8), id(7)) }),
  fc.record({ field: fc.constant('custom.vip'), op: fc.constantFrom('eq', 'ne') as fc.Arbitrary<'eq'>, value: fc.boolean() }),
)
const condition = fc.letrec<{ node: Condition }>((tie) => ({
  node: fc.oneof({ maxDepth: 3, withCrossShrink: true }, leaf, fc.record({ not: tie('node') }), fc.record({ and: fc.array(tie('node'), { maxLength: 3 }) }), fc.record({ or: fc.array(tie('node'), { maxLength: 3 }) })),
})).node

let lens: Lens
beforeAll(async () => {
  lens = await openLens({ tables: [lensTable(Lead)], memoryLimitMb: 100 })
})
afterAll(() => lens.close())

let version = 1
const whole = (part: object, n: number): AnyRecord => ({ ...Object.fromEntries(Object.entries(Lead.fields).map(([name, f]) => [name, f.initial ?? null])), id: id(n), version, createdAt: TIMES[0]!, updatedAt: TIMES[0]!, deletedAt: null, ownerId: id(8), departmentId: id(9), custom: {}, ...part })

it('holds for exactly the leads that a search by it finds', { timeout: 120_000 }, async () => {
  let held = 0
  await fc.assert(
    fc.asyncProperty(fc.array(lead, { minLength: 4, maxLength: 4 }), fc.array(condition, { minLength: 8, maxLength: 8 }), async (parts, conditions) => {
      version++
      const records = parts.map(whole)
      await lens.apply('lead', records.map((r) => toLensRow(Lead, r, {}, CUSTOM)))
      for (const where of conditions) {
        const { ids } = await lens.search({ entity: 'lead', scope: ALL, where, sort: [], limit: 10, count: false })
        const mine = records.filter((r) => matches(Lead, where, r)).map((r) => r.id)
        held += mine.length
        expect(mine.toSorted(), JSON.stringify(where)).toEqual([...ids].toSorted())
      }
    }),
    { numRuns: 60 },
  )
  expect(held).toBeGreaterThan(100)
})
