import { describe, expect, it } from 'vitest'
import { planOf, type Planned } from './index.ts'

const FOUNDER = '0192b1a0-0000-7000-8000-000000000001'
const RUN = '0192b1a0-0000-7000-8000-000000000009'
const plan = planOf({ id: RUN, day: '2026-11-24', founderId: FOUNDER })
const of = (noun: string, from = plan): Planned[] => from.records.filter((r) => r.noun === noun)
const counts = (records: readonly Planned[]): Record<string, number> => Object.fromEntries(Object.entries(Object.groupBy(records, (r) => r.noun)).map(([noun, list]) => [noun, list?.length ?? 0]))

describe('the plan of the demonstration company', () => {
  it('is as large as it says', () => {
    expect(counts(plan.records)).toMatchObject({ pipeline: 2, company: 600, contact: 5000, deal: 400, lead: 800, contract: 120, activity: 12_000 })
    expect(plan.staff.colleagues).toHaveLength(20)
    expect(new Set(plan.staff.colleagues.map((c) => c.role))).toEqual(new Set(['manager', 'rep', 'analyst', 'administrator']))
  })

  it('is the same for the same run and day; another run has other ids, another day other times, and the rest stays', () => {
    expect(planOf({ id: RUN, day: '2026-11-24', founderId: FOUNDER })).toEqual(plan)
    const other = planOf({ id: FOUNDER, day: '2026-11-24', founderId: FOUNDER })
    expect(new Set([...plan.records, ...other.records].map((r) => r.id)).size).toBe(plan.records.length * 2)
    expect(of('contact', other).map((r) => r.input['fullName'])).toEqual(of('contact').map((r) => r.input['fullName']))
    const later = planOf({ id: RUN, day: '2027-02-01', founderId: FOUNDER })
    expect(Math.max(...later.records.map((r) => r.at))).toBeGreaterThan(Date.parse('2027-01-28'))
  })

  it('lies in the eighteen months before its day, each record after those it points at, with ids in the order of their times', () => {
    const begin = Date.parse('2025-05-24')
    const end = Date.parse('2026-11-24')
    const known = new Set([FOUNDER, ...plan.staff.colleagues.map((c) => c.id)])
    for (const r of plan.records) {
      expect(r.at).toBeGreaterThanOrEqual(begin)
      expect(r.at).toBeLessThan(end)
      let last = r.at
      for (const move of r.moves) {
        expect(move.at).toBeGreaterThanOrEqual(last)
        expect(move.at).toBeLessThan(end)
        last = move.at
      }
      expect(Number.parseInt(r.id.replaceAll('-', '').slice(0, 12), 16)).toBe(r.at)
      expect(known.has(r.ownerId)).toBe(true)
      const links = ['companyId', 'dealId', 'contactId', 'pipelineId', 'recordId', 'parentId', 'poolId'].map((name) => r.input[name] ?? r.filled?.[name])
      for (const id of [...links, ...((r.input['contactIds'] as string[] | undefined) ?? [])]) if (id) expect(known.has(String(id))).toBe(true)
      known.add(r.id)
    }
    expect(known.size).toBe(plan.records.length + 21)
  })

  it('reaches nobody: addresses of example.com, numbers kept free for fiction or that no operator has, companies that say they are examples', () => {
    const text = JSON.stringify(plan)
    for (const [address] of text.matchAll(/[\w.+-]+@[\w.-]+/g)) expect(address).toMatch(/@(?:demo\.)?example\.com$/)
    for (const [, url] of text.matchAll(/"https?:\/\/([^"/]+)"/g)) expect(url).toMatch(/\.example$/)
    const phones = plan.records.flatMap((r) => (r.input['phones'] as { typed: string }[] | undefined) ?? [])
    expect(phones.length).toBeGreaterThan(4_000)
    for (const { typed } of phones) expect(typed).toMatch(/^(?:\+1 \d{3} 555 01\d\d|\+86 154 \d{4} \d{4})$/)
    for (const c of of('company')) expect(String(c.input['name'])).toMatch(/示例|Example/)
  })

  it('has Chinese and English people, and deals in every state', () => {
    const chinese = of('contact').filter((c) => /\p{Script=Han}/u.test(String(c.input['fullName']))).length
    expect(chinese).toBeGreaterThan(2_500)
    expect(chinese).toBeLessThan(4_500)
    const stages = new Map(of('pipeline').flatMap((p) => (p.input['stages'] as { id: string; kind: string }[]).map((s) => [s.id, s.kind])))
    const ends = Object.groupBy(of('deal'), (d) => stages.get(String(d.moves.at(-1)?.patch['stageId'] ?? d.input['stageId'])) ?? 'none')
    for (const kind of ['open', 'won', 'lost']) expect(ends[kind]?.length).toBeGreaterThan(50)
  })
})
