import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../test/harness/postgres.ts'
import { findColumns, type AnyRecord } from '../../kernel/entity/index.ts'
import { lensRow, openLens, type Lens } from '../../kernel/lens/index.ts'
import type { Condition } from '../../kernel/lens/types.ts'
import { BELOW, Client, client, DEPARTMENT, ELSEWHERE, ME, OTHER } from './fixture.ts'
import { instantText, toCheck, toSql } from './predicate.ts'

const PEOPLE = [ME, OTHER]
const DEPARTMENTS = [DEPARTMENT, BELOW, ELSEWHERE]
const STAGES = ['active', 'dormant', 'former']
const TIMES = ['2026-01-01T00:00:00.000000Z', '2026-01-01T00:00:00.001000Z', '2026-06-30T12:00:00.000000Z', '2027-01-01T00:00:00.000000Z']
const orNull = <T>(a: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(a, { nil: null })

const record: fc.Arbitrary<AnyRecord> = fc
  .record({
    id: fc.uuid({ version: 4 }),
    ownerId: fc.constantFrom(...PEOPLE),
    departmentId: fc.constantFrom(...DEPARTMENTS),
    companyId: orNull(fc.constantFrom(...PEOPLE)),
    stage: fc.constantFrom(...STAGES),
    vip: orNull(fc.boolean()),
    deletedAt: orNull(fc.constantFrom(...TIMES)),
    lastSeenAt: orNull(fc.constantFrom(...TIMES)),
    createdAt: fc.constantFrom(...TIMES),
  })
  .map((r) => client(r))

const leafOf = (field: string, values: readonly unknown[], ops: readonly string[]): fc.Arbitrary<Condition> =>
  fc.constantFrom(...ops).chain((op) => {
    const one = fc.constantFrom(...values)
    const value = op === 'in' ? fc.array(one, { maxLength: 3 }) : op === 'between' ? fc.tuple(one, one) : op === 'isEmpty' ? fc.constant(undefined) : one
    return value.map((v) => ({ field, op, ...(v === undefined ? {} : { value: v }) }) as Condition)
  })

const EQUAL = ['eq', 'ne', 'in', 'isEmpty']
const TIME = [...EQUAL, 'lt', 'lte', 'gt', 'gte', 'between']
const leaf = fc.oneof(
  leafOf('ownerId', PEOPLE, EQUAL),
  leafOf('departmentId', DEPARTMENTS, EQUAL),
  leafOf('companyId', PEOPLE, EQUAL),
  leafOf('stage', STAGES, EQUAL),
  leafOf('vip', [true, false], ['eq', 'ne', 'isEmpty']),
  leafOf('deletedAt', TIMES, TIME),
  leafOf('lastSeenAt', TIMES, TIME),
  leafOf('createdAt', [...TIMES, '2026-01-01T00:00:00Z', '2026-06-30T14:00:00+02:00'], TIME),
)

export const conditions: fc.Arbitrary<Condition> = fc.letrec<{ c: Condition }>((tie) => ({
  c: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    leaf,
    fc.array(tie('c'), { maxLength: 3 }).map((and) => ({ and })),
    fc.array(tie('c'), { maxLength: 3 }).map((or) => ({ or })),
    tie('c').map((not) => ({ not })),
  ),
})).c

describe('the predicate language', () => {
  let test: TestDatabase
  let lens: Lens
  const table = { entity: Client.name, columns: findColumns(Client) }
  beforeAll(async () => {
    lens = await openLens({ tables: [table], memoryLimitMb: 200 })
    test = await createTestDatabase({ empty: true })
    const types: Record<string, string> = { uuid: 'uuid', enumeration: 'text', flag: 'boolean', time: 'timestamptz' }
    await test.admin.query(`CREATE TABLE client (id uuid PRIMARY KEY, ${Client.plain.map((c) => `${c.column} ${types[c.kind]}`).join(', ')})`)
  })
  afterAll(async () => {
    await lens.close()
    await test.drop()
  })

  let before: readonly AnyRecord[] = []
  async function save(records: readonly AnyRecord[]): Promise<void> {
    const plain = (r: AnyRecord) => ({ id: r.id, version: r.version, fields: Object.fromEntries(Client.plain.map((c) => [c.field, r[c.field] as string | boolean | null])) })
    const gone = before.filter((b) => !records.some((r) => r.id === b.id)).map((b) => ({ id: b.id, version: b.version + 1 }))
    await lens.apply(Client.name, records.map((r) => lensRow(table, plain(r))), gone)
    before = records
    await test.admin.query('TRUNCATE client')
    const columns = ['id', ...Client.plain.map((c) => c.column)]
    for (const r of records) {
      const values = [r.id, ...Client.plain.map((c) => r[c.field] ?? null)]
      await test.admin.query(`INSERT INTO client (${columns.join(', ')}) VALUES (${columns.map((_, i) => `$${i + 1}`).join(', ')})`, values)
    }
  }

  it('says the same as a check of one record, as SQL and in the lens, however it is nested and negated', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(record, { minLength: 8, maxLength: 24, selector: (r) => r.id }), fc.array(conditions, { minLength: 12, maxLength: 12 }), async (records, several) => {
        await save(records)
        for (const condition of several) {
          const { text, params } = toSql(Client, condition, 2, 't')
          const rows = await test.admin.query<{ id: string }>(`SELECT id FROM client t WHERE $1::int = 1 AND ${text}`, [1, ...params])
          const check = toCheck(Client, condition)
          const wanted = records.filter(check).map((r) => r.id).sort()
          expect(rows.map((r) => r.id).sort(), text).toEqual(wanted)
          const found = await lens.search({ entity: Client.name, scope: condition, sort: [], limit: 100, count: false })
          expect([...found.ids].sort(), text).toEqual(wanted)
        }
      }),
      { numRuns: 40 },
    )
  })

  it('refuses what is not a plain column, and what does not fit it', () => {
    for (const bad of [{ field: 'fullName', op: 'eq', value: 'x' }, { field: 'nothing', op: 'eq', value: 'x' }, { field: 'stage', op: 'contains', value: 'x' }, { field: 'ownerId', op: 'lt', value: ME }] as Condition[]) {
      expect(() => toCheck(Client, bad)).toThrow('predicate')
      expect(() => toSql(Client, { and: [bad] })).toThrow('predicate')
    }
  })

  it('never splices a value into SQL', () => {
    const { text, params } = toSql(Client, { field: 'stage', op: 'in', value: ["'; DROP TABLE client; --"] }, 5)
    expect(text).toBe('stage = ANY ($5::text[])')
    expect(params).toEqual([["'; DROP TABLE client; --"]])
  })

  it('compares instants, not their spelling', () => {
    expect(instantText('2026-01-01T00:00:00Z')).toBe('2026-01-01T00:00:00.000000Z')
    expect(instantText('2026-06-30T14:00:00.5+02:00')).toBe('2026-06-30T12:00:00.500000Z')
  })
})
