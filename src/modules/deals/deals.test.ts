import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Stage } from '../pipelines/index.ts'
import { entered, priced, reasoned, stageFor, type DealRecord } from './deals.policy.ts'

const ids = ['a', 'b', 'c', 'won', 'lost']
const stages: Stage[] = ids.map((id, i) => ({ id, name: id, kind: id === 'won' ? 'won' : id === 'lost' ? 'lost' : 'open', probability: id === 'won' ? 100 : id === 'lost' ? 0 : 10 * (i + 1), stuckAfterDays: null }))
const blank = { title: 'x', pipelineId: 'p', stageId: '', status: 'open', stageSince: null, closedAt: null, amount: null, lines: [], probability: null, lostReason: null, history: [], reached: [] } as unknown as DealRecord // what the rules look at

const stageOf = (id: string): Stage => stages.find((s) => s.id === id)!
const move = (before: DealRecord | null, stageId: string, at: number, more: Partial<DealRecord> = {}): DealRecord => {
  const asked = { ...(before ?? blank), ...more, stageId, ...(stageId === 'lost' ? { lostReason: 'r' } : {}) }
  return reasoned(before, entered(before, asked, stageOf(stageId), new Date(at).toISOString(), `by${at % 3}`))
}

describe('moves', () => {
  it('whatever the way: the last stage decides, the history is the way, and each stage was reached once', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...ids), { minLength: 1, maxLength: 40 }), (way) => {
        let deal: DealRecord | null = null
        for (const [i, id] of way.entries()) if (deal?.stageId !== id) deal = move(deal, id, i)
        const last = stageOf(way.at(-1)!)
        const steps = way.filter((id, i) => id !== way[i - 1])
        expect(deal).toMatchObject({ status: last.kind, probability: last.probability, stageId: last.id })
        expect(deal!.history.map((h) => h.stageId)).toEqual(steps)
        expect(deal!.reached).toEqual([...new Set(way)])
        expect(deal!.closedAt === null).toBe(last.kind === 'open')
        expect(deal!.lostReason === null).toBe(last.kind !== 'lost')
      }),
    )
  })

  it('odds given with the move count, in an open stage only', () => {
    const open = move(null, 'a', 1)
    expect(move(open, 'b', 2, { probability: 77 }).probability).toBe(77)
    expect(move(open, 'won', 2, { probability: 77 }).probability).toBe(100)
    expect(move(null, 'b', 2, { probability: 0 }).probability).toBe(0)
  })

  it('keeps the newest of a very long history', () => {
    let deal = move(null, 'a', 0)
    for (let i = 1; i <= 700; i++) deal = move(deal, i % 2 ? 'b' : 'a', i)
    expect(deal.history).toHaveLength(500)
    expect(deal.history.at(-1)).toEqual({ stageId: 'a', at: new Date(700).toISOString(), by: 'by1' })
  })
})

describe('the stage', () => {
  it('is the one asked for, the first open one where none is, and never one of another pipeline', () => {
    expect(stageFor(null, { ...blank, stageId: 'won' }, stages).id).toBe('won')
    expect(stageFor(null, { ...blank, stageId: null as never }, stages).id).toBe('a')
    expect(stageFor({ ...blank, stageId: 'gone' }, { ...blank, stageId: 'gone' }, stages).id).toBe('a')
    expect(() => stageFor({ ...blank, stageId: 'a' }, { ...blank, stageId: 'gone' }, stages)).toThrow('invalid')
  })
})

describe('the amount', () => {
  const line = { name: 'x', quantity: 2, unitPrice: { minor: 50, currency: 'CNY' }, discountPercent: 0 }
  it('is what was given without lines, their sum with them, and never something else beside them', () => {
    const amount = { minor: 7, currency: 'USD' }
    expect(priced(null, { ...blank, amount }).amount).toEqual(amount)
    expect(priced(null, { ...blank, lines: [line] }).amount).toEqual({ minor: 100, currency: 'CNY' })
    const with100 = { ...blank, lines: [line], amount: { minor: 100, currency: 'CNY' } }
    expect(priced(with100, { ...with100, lines: [line, line] }).amount?.minor).toBe(200)
    expect(() => priced(with100, { ...with100, amount })).toThrow('invalid')
    expect(() => priced(null, { ...blank, lines: [line], amount })).toThrow('invalid')
  })
})
