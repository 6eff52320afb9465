import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { batchMaker } from './batch.ts'
import { contacts, find, id, numbers, opened, query, row } from './lens.fixture.ts'
import { MAX_VERSION, Versions } from './versions.ts'
import type { Lens, LensRow } from './types.ts'

let lens: Lens
beforeEach(async () => {
  lens = await opened()
})
afterEach(() => lens.close())

const named = (n: number, fullName: string, version = 1): LensRow => row(n, { fullName }, { version })
const found = async (terms: string) => numbers((await lens.search(find(terms, {}, ['fullName']))).ids)
const all = async () => numbers((await lens.search(query())).ids).toSorted((a, b) => a - b)

describe('a write', () => {
  test('is found when it resolves, and its former text no more', async () => {
    await lens.apply('contact', [named(1, 'before')])
    expect(await found('before')).toEqual([1])
    await lens.apply('contact', [named(1, 'after', 2)])
    expect([await found('before'), await found('after'), await all()]).toEqual([[], [1], [1]])
  })

  test('of an older version is ignored; of the same version is taken again', async () => {
    await lens.apply('contact', [named(1, 'third', 3)])
    await lens.apply('contact', [named(1, 'second', 2)])
    expect(await found('third')).toEqual([1])
    await lens.apply('contact', [named(1, 'third anew', 3)])
    expect([await found('anew'), await all()]).toEqual([[1], [1]])
  })

  test('with several versions of a row keeps the newest, in whatever order they came', async () => {
    await Promise.all([lens.apply('contact', [named(1, 'two', 2), named(1, 'one', 1)]), lens.apply('contact', [named(1, 'four', 4)]), lens.apply('contact', [named(1, 'three', 3)])])
    expect([await found('four'), await found('three'), await all()]).toEqual([[1], [], [1]])
  })

  test('races with hundreds of others and none is lost', async () => {
    const jobs = Array.from({ length: 600 }, (_, n) => lens.apply('contact', [named(n % 200, `v${Math.floor(n / 200)}`, 1 + ((n * 7) % 3))]))
    await Promise.all(jobs)
    expect(await all()).toHaveLength(50)
    expect((await lens.search(query({ limit: 0 }))).count).toBe(200)
    expect(lens.status().rows).toBe(200)
  })

  test('brings and drops custom fields with the row', async () => {
    const hobby = (n: number) => query({ where: { field: 'custom.hobby', op: 'eq', value: `h${n}` } })
    await lens.apply('contact', [row(1, { fullName: 'a' }, { custom: { hobby: 'h1' } }), row(2, { fullName: 'b' }, { custom: { hobby: 'h1' } })])
    expect((await lens.search(hobby(1))).count).toBe(2)
    await lens.apply('contact', [row(1, { fullName: 'a' }, { version: 2, custom: { hobby: 'h2' } })], [id(2)])
    expect([(await lens.search(hobby(1))).count, (await lens.search(hobby(2))).count]).toEqual([0, 1])
    await lens.apply('contact', [row(1, { fullName: 'a' }, { version: 3 })])
    expect((await lens.search(hobby(2))).count).toBe(0)
  })

  test('takes custom fields with or without their prefix', async () => {
    await lens.apply('contact', [{ ...named(1, 'a'), custom: [{ field: 'custom.size', value: 3 }, { field: 'hue', value: 'red' }, { field: 'none', value: null }] }])
    expect((await lens.search(query({ where: { and: [{ field: 'custom.size', op: 'gte', value: 3 }, { field: 'custom.hue', op: 'eq', value: 'Red' }, { field: 'custom.none', op: 'isEmpty' }] } }))).count).toBe(1)
  })

  test('of one row, of a few and of many store the same', async () => {
    const people = Array.from({ length: 12 }, (_, n) => row(n, { fullName: n % 2 ? `单小明${n}` : null, emails: [`A${n}@x.cn`, `b${n}@y.cn`], phones: ['13800001234'], company: 'Acme 重庆', city: 'Köln', tags: n % 3 ? ['VIP', '展会'] : [], stage: 'active', score: n, vip: n % 2 === 0 }))
    const wanted = async () => {
      const terms = ['小明', 'shanxiaoming', 'dxm', 'b3@y', 'acme', 'chongqing', 'köln', 'vip', '1234', 'a1', '单小明1', 'zz']
      return Promise.all(terms.map(async (each) => [each, (await lens.search(find(each))).keys]))
    }
    for (const person of people.slice(0, 4)) await lens.apply('contact', [person])
    await lens.apply('contact', people.slice(4, 6))
    await lens.apply('contact', people.slice(6))
    const apart = await wanted()
    await lens.close()
    lens = await opened(people)
    expect(apart).toEqual(await wanted())
  })

  test('that waits for company is found by the next question, with all that came before it', async () => {
    const names = Array.from({ length: 40 }, (_, n) => lens.apply('contact', [named(n % 8, `name ${n}`, 1 + n)]))
    await Promise.all(names)
    expect((await lens.search(query())).count).toBe(8)
    await lens.apply('contact', [named(1, 'renamed', 100)])
    expect([await found('renamed'), await found('name 33')]).toEqual([[1], []])
  })

  test('is written without a question, too', async () => {
    await lens.apply('contact', [named(1, 'a')])
    await vi.waitFor(() => expect(lens.status().rows).toBe(1), { timeout: 20_000 })
  })

  test('of more rows than may wait resolves when they are written', async () => {
    await lens.apply('contact', Array.from({ length: 600 }, (_, n) => named(n, 'x')))
    expect(lens.status().rows).toBe(600)
  })

  test('of more rows than a batch is taken whole', async () => {
    await lens.apply('contact', Array.from({ length: 5000 }, (_, n) => named(n, 'x')), [id(1), id(4999)])
    expect(lens.status().rows).toBe(4998)
  })
})

describe('a removal', () => {
  test('drops the row and says so in counts', async () => {
    await lens.apply('contact', [named(1, 'a'), named(2, 'b')])
    await lens.apply('contact', [], [id(1), id(3)])
    expect([await all(), lens.status().rows]).toEqual([[2], 1])
  })
  test('keeps late writes of what was removed out, and lets a restored row in', async () => {
    await lens.apply('contact', [named(1, 'a', 3)])
    await lens.apply('contact', [], [{ id: id(1), version: 4 }])
    for (const version of [1, 3, 4]) await lens.apply('contact', [named(1, 'late', version)])
    expect(await all()).toEqual([])
    await lens.apply('contact', [named(1, 'restored', 5)])
    expect(await found('restored')).toEqual([1])
  })
  test('that was undone before it arrived does nothing', async () => {
    await lens.apply('contact', [named(1, 'restored', 5)])
    await lens.apply('contact', [], [{ id: id(1), version: 4 }])
    expect(await all()).toEqual([1])
  })
  test('by erasure is for ever', async () => {
    await lens.apply('contact', [named(1, 'a', 3)], [{ id: id(1), version: MAX_VERSION }])
    await lens.apply('contact', [named(1, 'late', 99)])
    await lens.fill('contact', [named(1, 'late', 99)])
    expect(await all()).toEqual([])
  })
})

describe('filling', () => {
  test('yields to what was written live, newer or removed, before or after it', async () => {
    await lens.apply('contact', [named(1, 'live', 2), named(2, 'live', 1)], [id(3)])
    await lens.fill('contact', [named(1, 'old', 1), named(2, 'old', 1), named(3, 'old', 1), named(4, 'old', 1)])
    expect([await found('live'), await found('old')]).toEqual([[2, 1], [4]])
    await lens.apply('contact', [named(4, 'live', 2)])
    await lens.fill('contact', [named(4, 'old', 1), named(2, 'newer', 2)])
    expect([await found('live'), await found('old'), await found('newer')]).toEqual([[4, 1], [], [2]])
  })

  test('and live writes at the same time end as the newest of each row', async () => {
    const fills = Array.from({ length: 20 }, (_, k) => lens.fill('contact', Array.from({ length: 500 }, (_, n) => named(500 * k + n, `fill`, 1))))
    const lives: Promise<void>[] = []
    for (let n = 0; n < 10_000; n += 100) {
      lives.push(lens.apply('contact', [named(n, 'live', 2)], n % 200 === 0 ? [id(n + 1)] : []))
      await new Promise((resolve) => setImmediate(resolve))
    }
    await Promise.all([...fills, ...lives])
    const live = await lens.search(find('live', { limit: 200 }, ['fullName']))
    expect(live.count).toBe(100)
    expect(lens.status().rows).toBe(10_000 - 50)
    expect((await lens.search(query({ limit: 0, where: { field: 'fullName', op: 'eq', value: 'fill' } }))).count).toBe(9_850)
  })

  test('goes on under live writes without a pause', async () => {
    let filled = false
    const filling = lens.fill('contact', Array.from({ length: 6000 }, (_, n) => named(n, 'fill'))).then(() => (filled = true))
    let batches = 0
    const live = async (k: number): Promise<void> => {
      // A removal has each of them wait for its batch.
      for (; !filled && batches < 2000; batches++) await lens.apply('contact', [named(10_000 + 10 * batches + k, 'live')], [id(9_000)])
    }
    await Promise.all([filling, live(1), live(2), live(3), live(4)])
    expect(batches).toBeLessThan(200)
  })

  test('says complete only when its owner does', async () => {
    await lens.fill('contact', [named(1, 'a')])
    expect(await lens.search(query())).toMatchObject({ complete: false, count: 1 })
    expect(lens.status()).toMatchObject({ rows: 1, complete: false })
    lens.setComplete('contact', 1)
    expect((await lens.search(find('a'))).complete).toBe(true)
    expect(lens.status()).toEqual({ rows: 1, total: 1, complete: true })
  })
})

describe('filling with rows another thread made ready', () => {
  const make = batchMaker(contacts)
  const custom = (n: number, text: string, version = 1): LensRow => ({ ...named(n, text, version), custom: [{ field: 'custom.seat', value: `seat ${text}` }] })
  const seats = async (text: string) => numbers((await lens.search(query({ where: { field: 'custom.seat', op: 'eq', value: `seat ${text}` } }))).ids).toSorted((a, b) => a - b)

  test('gives the same as filling with the rows', async () => {
    const rows = Array.from({ length: 2500 }, (_, n) => (n % 3 === 0 ? custom(n, `name${n}`) : named(n, n % 7 === 0 ? '王小明' : `name${n}`)))
    const other = await opened()
    await other.fill('contact', rows)
    await lens.fillBatch('contact', make(rows))
    for (const terms of ['name24', 'wxm', '小明', 'wangxiaomin']) {
      const ask = find(terms, { limit: 100, sort: [{ field: 'fullName', direction: 'asc' }] })
      expect(await lens.search(ask)).toEqual(await other.search(ask))
    }
    expect(await seats('name2400')).toEqual([2400])
    expect(lens.status().rows).toBe(2500)
    await other.close()
  })

  test('yields to what was written live, newer or removed, before or after it', async () => {
    await lens.apply('contact', [custom(1, 'live', 2), custom(2, 'live', 1)], [id(3), { id: id(5), version: MAX_VERSION }])
    await lens.fillBatch('contact', make([custom(1, 'old', 1), custom(2, 'old', 1), custom(3, 'old', 1), custom(4, 'old', 1), custom(5, 'old', 9)]))
    expect([await found('live'), await found('old'), await seats('live'), await seats('old')]).toEqual([[2, 1], [4], [1, 2], [4]])
    await lens.apply('contact', [custom(4, 'live', 2)])
    await lens.fillBatch('contact', make([custom(4, 'old', 1), custom(2, 'newer', 2), named(6, 'fresh')]))
    expect([await found('live'), await found('old'), await found('newer'), await seats('live'), await seats('newer'), await all()]).toEqual([[4, 1], [], [2], [1, 4], [2], [1, 2, 4, 6]])
  })

  test('takes a row that is in it twice once, and two batches of one row as the newer', async () => {
    await lens.fillBatch('contact', make([named(1, 'first'), named(1, 'second')]))
    await Promise.all([lens.fillBatch('contact', make([named(2, 'older', 1)])), lens.fillBatch('contact', make([named(2, 'newer', 2)])), lens.fillBatch('contact', make([named(2, 'older', 1)]))])
    expect([await found('first'), await found('second'), await found('newer'), await found('older'), await all()]).toEqual([[1], [], [2], [], [1, 2]])
  })

  test('of nothing does nothing; of a row that would spoil its neighbours is refused where it is made', async () => {
    await lens.fillBatch('contact', make([]))
    expect(() => make([named(1, 'good'), { ...named(2, 'bad'), values: ['one'] }])).toThrow(TypeError)
    expect(await all()).toEqual([])
  })
})

describe('values that could break out', () => {
  const nasty = ["'; drop table contact; --", 'a\u001eb', 'a\u001fb', 'a\u0000b', '\\', '"', '$1', '\ud800', '\u001e', '😀', 'x'.repeat(10_000)]
  test('stay where they are put, each in its own row', async () => {
    await lens.apply('contact', nasty.map((text, n) => ({ id: id(n), version: 1, values: contacts.columns.map((column) => (column.type !== 'text' ? null : column.many ? [text, 'other'] : text)), custom: [{ field: text, value: text }] })))
    await lens.apply('contact', [named(100, 'neighbour')])
    expect([await all(), await found('neighbour')]).toEqual([[...nasty.keys(), 100], [100]])
    for (const [n, text] of nasty.entries()) {
      const { ids } = await lens.search(query({ where: { field: 'fullName', op: 'eq', value: text } }))
      if (n !== 7 && n !== 8) expect(numbers(ids), JSON.stringify(text)).toContain(n)
      await lens.search(find(text))
      await lens.search(find(text, {}, [`custom.${text}`]))
    }
  })
  test('do not end a mark early in a field of several values', async () => {
    await lens.apply('contact', [row(1, { emails: ['a\u001fb@x'] })])
    expect((await lens.search(query({ where: { field: 'emails', op: 'eq', value: 'a' } }))).count).toBe(0)
  })
})

describe('a row of the wrong shape', () => {
  const good = named(1, 'a')
  test.each<[string, LensRow]>([
    ['no uuid', { ...good, id: 'x' }],
    ['upper-case uuid', { ...good, id: id(0xabc).toUpperCase() }],
    ['fraction of a version', { ...good, version: 1.5 }],
    ['too few values', { ...good, values: good.values.slice(1) }],
    ['a number for a text', { ...good, values: good.values.map((value, at) => (at === 5 ? 5 : value)) }],
    ['a text for a uuid', { ...good, values: good.values.map((value, at) => (at === 0 ? "'" : value)) }],
    ['a list where there is one value', { ...good, values: good.values.map((value, at) => (at === 11 ? ['a'] : value)) }],
  ])('is refused before it reaches anybody else: %s', async (_, bad) => {
    await expect(lens.apply('contact', [named(2, 'b'), bad])).rejects.toThrow(TypeError)
    await expect(lens.fill('contact', [bad])).rejects.toThrow(TypeError)
    await lens.apply('contact', [named(3, 'c')])
    expect(await all()).toEqual([3])
    expect(lens.status().rows).toBe(1)
  })
})

describe('closed', () => {
  test('it refuses everything as shutting down, and may be closed again', async () => {
    const last = lens.apply('contact', [named(1, 'a')])
    await lens.close()
    await last
    await expect(lens.search(query())).rejects.toMatchObject({ code: 'shutting-down', status: 503 })
    await expect(lens.apply('contact', [named(1, 'a')])).rejects.toMatchObject({ code: 'shutting-down' })
    await expect(lens.fill('contact', [named(1, 'a')])).rejects.toMatchObject({ code: 'shutting-down' })
    await lens.close()
  })
  test('while questions run, they end one way or the other', async () => {
    await lens.apply('contact', Array.from({ length: 2000 }, (_, n) => named(n, `name ${n}`)))
    const asked = Array.from({ length: 12 }, () => lens.search(find('name')).then(() => 'answered', (error: { code?: string }) => error.code))
    await lens.close()
    for (const outcome of await Promise.all(asked)) expect(['answered', 'shutting-down']).toContain(outcome)
  })
})

test('versions hold a hundred thousand rows, with removals, and forget none', () => {
  const versions = new Versions()
  for (let n = 0; n < 100_000; n++) versions.set(id(n * 977), n % 50, n % 3 > 0)
  for (let n = 0; n < 100_000; n++) expect(versions.get(id(n * 977))).toEqual({ live: n % 3 > 0, version: n % 50 })
  expect(versions.get(id(1))).toBeNull()
  expect(versions.live).toBe(66_666)
  versions.set(id(0), MAX_VERSION, false)
  expect(versions.get(id(0))).toEqual({ live: false, version: MAX_VERSION })
})
