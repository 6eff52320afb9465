import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { uuidv7 } from '../base/index.ts'
import { lensRow, openLens, type Condition, type Lens, type LensQuery, type LensTable } from './index.ts'

// A person's firm is shown through a link; who may see the person need not see the firm.

const firms: LensTable = {
  entity: 'firm',
  columns: [{ name: 'owner_id', field: 'ownerId', use: 'plain', type: 'uuid', many: false }, { name: 'name', field: 'name', use: 'text', type: 'text', many: false }],
}
const linked = (name: string, use: 'text' | 'pinyin' | 'initials' | 'sort') => ({ name, field: 'firmId', use, type: 'text', many: false, linked: 'firm' }) as const
const people: LensTable = {
  entity: 'person',
  columns: [
    { name: 'firm_id', field: 'firmId', use: 'plain', type: 'uuid', many: false },
    { name: 'name', field: 'name', use: 'text', type: 'text', many: false },
    { name: 'name__pinyin', field: 'name', use: 'pinyin', type: 'text', many: false },
    linked('firm_id__shown', 'text'), linked('firm_id__pinyin', 'pinyin'), linked('firm_id__initials', 'initials'), linked('firm_id__sort', 'sort'),
  ],
}

const [me, her] = [uuidv7(), uuidv7()]
const mine: Condition = { field: 'ownerId', op: 'eq', value: me }
const everything: Condition = { and: [] }
const ids = { a: uuidv7(), b: uuidv7(), x: uuidv7(), y: uuidv7() }
const nameOf = new Map(Object.entries(ids).map(([name, id]) => [id, name]))

let lens: Lens
beforeAll(async () => {
  lens = await openLens({ tables: [firms, people], memoryLimitMb: 200 })
  await lens.fill('firm', [lensRow(firms, { id: ids.a, version: 1, fields: { ownerId: me, name: 'Aurora' } }), lensRow(firms, { id: ids.b, version: 1, fields: { ownerId: her, name: '北京软件' } })])
  const person = (id: string, firmId: string, name: string, firm: string) => {
    const row = lensRow(people, { id, version: 1, fields: { name, firmId } })
    const shown = lensRow(people, { id, version: 1, fields: { firmId: firm } })
    return { ...row, values: row.values.map((v, i) => (people.columns[i]!.linked ? shown.values[i]! : v)) }
  }
  await lens.fill('person', [person(ids.x, ids.a, 'Xenia', 'Aurora'), person(ids.y, ids.b, 'Yolanda', '北京软件')])
})
afterAll(() => lens.close())

async function find(more: Partial<LensQuery>): Promise<string[]> {
  const answer = await lens.search({ entity: 'person', scope: everything, sort: [], limit: 10, count: true, ...more })
  return answer.ids.map((id) => nameOf.get(id)!)
}
const text = (terms: string): Partial<LensQuery> => ({ text: { terms, fields: ['name', 'firmId'] } })
const part = (value: string): Partial<LensQuery> => ({ where: { field: 'firmId', op: 'contains', value } })

describe('what a link shows', () => {
  it.each(['北京', '软件', 'beijing', 'bjrj', 'beijingruanjiam'])('finds by %s only those whose linked row may be seen', async (terms) => {
    expect(await find({ ...text(terms), links: { firmId: everything } })).toEqual(['y'])
    expect(await find({ ...text(terms), links: { firmId: mine } })).toEqual([])
    expect(await find(text(terms))).toEqual([])
  })

  it('still finds by the row’s own text, and by links that may be seen', async () => {
    expect(await find({ ...text('yolanda'), links: { firmId: mine } })).toEqual(['y'])
    expect(await find({ ...text('aurora'), links: { firmId: mine } })).toEqual(['x'])
    expect(await find({ ...text('xenia aurora'), links: { firmId: mine } })).toEqual(['x'])
    expect(await find({ ...text('yolanda 北京'), links: { firmId: mine } })).toEqual([])
  })

  it('is empty in a condition, and under its negation', async () => {
    for (const links of [{ firmId: mine }, undefined]) {
      const more = links ? { links } : {}
      expect(await find({ ...part('软件'), ...more })).toEqual([])
      expect((await find({ where: { not: { field: 'firmId', op: 'contains', value: '软件' } }, ...more })).toSorted()).toEqual(['x', 'y'])
    }
    expect(await find({ ...part('软件'), links: { firmId: everything } })).toEqual(['y'])
  })

  it('orders nothing that may not be seen: it comes last both ways', async () => {
    for (const direction of ['asc', 'desc'] as const) expect(await find({ sort: [{ field: 'firmId', direction }], links: { firmId: mine } })).toEqual(['x', 'y'])
    expect(await find({ sort: [{ field: 'firmId', direction: 'desc' }], links: { firmId: everything } })).toEqual(['y', 'x'])
  })

  it('keeps its order from page to page', async () => {
    const first = await lens.search({ entity: 'person', scope: everything, sort: [{ field: 'firmId', direction: 'asc' }], limit: 1, count: false, links: { firmId: mine } })
    const second = await lens.search({ entity: 'person', scope: everything, sort: [{ field: 'firmId', direction: 'asc' }], limit: 1, count: false, links: { firmId: mine }, after: first.lastKey! })
    expect([...first.ids, ...second.ids].map((id) => nameOf.get(id))).toEqual(['x', 'y'])
    // A cursor carries the values it is ordered by: none of what may not be seen.
    expect(JSON.stringify(second.keys)).not.toContain('beijing')
  })

  it('heeds what was written to the linked row a moment ago', async () => {
    await lens.apply('firm', [lensRow(firms, { id: ids.b, version: 2, fields: { ownerId: me, name: '北京软件' } })])
    expect(await find({ ...text('beijing'), links: { firmId: mine } })).toEqual(['y'])
    await lens.apply('firm', [lensRow(firms, { id: ids.b, version: 3, fields: { ownerId: her, name: '北京软件' } })])
    expect(await find({ ...text('beijing'), links: { firmId: mine } })).toEqual([])
  })
})
