import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { EVERYTHING, opened, row } from './lens.fixture.ts'
import type { Lens, LensGroup, LensGroupQuery, LensRow } from './types.ts'

const STAGES = ['active', 'dormant', 'former', null]
const OWNERS = ['11111111-1111-4111-8111-111111111111', '22222222-2222-4222-8222-222222222222']
const BOUNDS = ['2026-01-01T00:00:00.000Z', '2026-02-01T00:00:00.000Z', '2026-03-01T00:00:00.000Z']
const TIMES = ['2025-12-31T23:59:59.999Z', '2026-01-01T00:00:00.000Z', '2026-01-31T23:59:59.999Z', '2026-02-01T00:00:00.000Z', '2026-08-01T00:00:00.000Z']

interface Plain {
  stage: string | null
  ownerId: string
  score: number | null
  source: string | null
  createdAt: string
  vip: boolean
}

const record: fc.Arbitrary<Plain> = fc.record({
  stage: fc.constantFrom(...STAGES),
  ownerId: fc.constantFrom(...OWNERS),
  score: fc.option(fc.integer({ min: -1_000_000_000_000, max: 1_000_000_000_000 }), { nil: null }),
  source: fc.constantFrom(null, 'Fair', '展会'),
  createdAt: fc.constantFrom(...TIMES),
  vip: fc.boolean(),
})

const stretch = (at: string): number => BOUNDS.filter((b) => b <= at).length - 1

/** The same in the plainest way. */
function naive(records: readonly Plain[], by: (r: Plain) => (string | number | null)[]): LensGroup[] {
  const groups = new Map<string, { keys: (string | number | null)[]; rows: Plain[] }>()
  for (const r of records) {
    const keys = by(r)
    const group = groups.get(JSON.stringify(keys)) ?? { keys, rows: [] }
    group.rows.push(r)
    groups.set(JSON.stringify(keys), group)
  }
  return [...groups.values()].map(({ keys, rows }) => ({
    keys,
    count: rows.length,
    seen: rows.filter((r) => r.ownerId === OWNERS[0]).length,
    measures: [
      rows.reduce((sum, r) => sum + (r.score ?? 0), 0),
      rows.filter((r) => r.stage === 'active').reduce((sum, r) => sum + (r.score ?? 0), 0),
      rows.filter((r) => r.stage === 'active').length,
    ],
  }))
}

const sorted = (groups: readonly LensGroup[]): string[] => groups.map((g) => JSON.stringify(g)).sort()

describe('putting rows together', () => {
  let lens: Lens
  beforeAll(async () => {
    lens = await opened()
    lens.setComplete('contact', 0)
  })
  afterAll(() => lens.close())

  const measures: LensGroupQuery['measures'] = [{ sum: 'score' }, { sum: 'score', where: { field: 'stage', op: 'eq', value: 'active' } }, { count: { field: 'stage', op: 'eq', value: 'active' } }]
  const seen = { field: 'ownerId', op: 'eq', value: OWNERS[0] } as const

  it('counts and adds what a plain loop counts and adds, by value and by stretch of time', async () => {
    let next = 0
    let before: LensRow[] = []
    await fc.assert(
      fc.asyncProperty(fc.array(record, { maxLength: 40 }), async (records) => {
        const rows = records.map((r) => row(next++, { ...r }))
        await lens.apply('contact', rows, before.map((r) => r.id))
        before = rows
        const ask = (by: LensGroupQuery['by']) => lens.aggregate({ entity: 'contact', scope: EVERYTHING, seen, by, measures })
        expect(sorted(await ask([{ field: 'stage' }, { field: 'ownerId' }]))).toEqual(sorted(naive(records, (r) => [r.stage, r.ownerId])))
        expect(sorted(await ask([{ field: 'createdAt', bounds: BOUNDS }]))).toEqual(sorted(naive(records, (r) => [stretch(r.createdAt)])))
        expect(sorted(await ask([{ field: 'source' }]))).toEqual(sorted(naive(records, (r) => [r.source?.toLowerCase() ?? null])))
        const [total] = await ask([])
        expect(total?.count).toBe(records.length)
      }),
      { numRuns: 60 },
    )
  })

  it('stays inside the scope and the question', async () => {
    const mine = { source: 'scoped', createdAt: '2026-05-01T00:00:00.000Z' }
    await lens.apply('contact', [row(900_000, { ...mine, stage: 'active', ownerId: OWNERS[0], score: 5 }), row(900_001, { ...mine, stage: 'active', ownerId: OWNERS[1], score: 7 }), row(900_002, { ...mine, stage: 'former', ownerId: OWNERS[0], score: 11 })])
    const groups = await lens.aggregate({ entity: 'contact', scope: { and: [seen, { field: 'source', op: 'eq', value: 'scoped' }, { field: 'createdAt', op: 'gt', value: '2026-04-01' }] }, where: { field: 'stage', op: 'eq', value: 'active' }, by: [], measures: [{ sum: 'score' }] })
    expect(groups).toEqual([{ keys: [], count: 1, seen: 1, measures: [5] }])
  })

  it('takes a percentage of each row, rounded half up', async () => {
    await lens.apply('contact', [row(910_000, { source: 'p', score: 50 }), row(910_001, { source: 'p', score: 49 })])
    const groups = await lens.aggregate({ entity: 'contact', scope: { field: 'source', op: 'eq', value: 'p' }, by: [], measures: [{ sum: 'score', percent: 'score' }] })
    // 50 % of 50 = 25; 49 % of 49 = 24.01
    expect(groups[0]?.measures).toEqual([25 + 24])
  })

  it('refuses what it cannot tell exactly or by one value', async () => {
    const ask = (change: Partial<LensGroupQuery>) => lens.aggregate({ entity: 'contact', scope: EVERYTHING, by: [], measures: [], ...change })
    await expect(ask({ by: [{ field: 'tags' }] })).rejects.toMatchObject({ code: 'invalid' })
    await expect(ask({ by: [{ field: 'nothing' }] })).rejects.toMatchObject({ code: 'field-unknown' })
    await expect(ask({ measures: [{ sum: 'stage' }] })).rejects.toMatchObject({ code: 'invalid' })
    await lens.apply('contact', [row(920_000, { source: 'big', score: Number.MAX_SAFE_INTEGER }), row(920_001, { source: 'big', score: Number.MAX_SAFE_INTEGER })])
    await expect(ask({ scope: { field: 'source', op: 'eq', value: 'big' }, measures: [{ sum: 'score' }] })).rejects.toMatchObject({ code: 'invalid', extra: {} })
  })

  it('is not answered while rows may be missing', async () => {
    const warming = await opened()
    await expect(warming.aggregate({ entity: 'contact', scope: EVERYTHING, by: [], measures: [] })).rejects.toMatchObject({ code: 'lens-warming' })
    await warming.close()
  })
})
