import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { contacts, find, id, numbers, opened, query, row, TEXT_FIELDS } from './lens.fixture.ts'
import { pinyinOf, sortKey } from './pinyin.ts'
import { normalise, tail4, termsOf } from './text.ts'
import { TYPO_RANK } from './typo.ts'
import type { Lens, LensKey, LensQuery } from './types.ts'

const PEOPLE = [
  row(1, { fullName: '王小明', emails: ['Wang.Xiaoming@Example.com', 'xm@corp.cn'], phones: ['+8613812345678'], company: '北京小明科技有限公司', title: '销售总监', city: '北京', tags: ['VIP', '展会'], source: '网站', stage: 'active', ownerId: id(901), score: 10 }),
  row(2, { fullName: '王小民', emails: ['min@x.cn'], phones: ['+8613900004321'], company: '上海贸易', city: '上海', stage: 'dormant', ownerId: id(902), score: 20 }),
  row(3, { fullName: '单雄信', phones: ['+861085670000'], company: '重庆银行', stage: 'active', ownerId: id(901) }),
  row(4, { fullName: 'John Smith', emails: ['j.smith@acme.example'], phones: ['(541) 754-3010 x22'], company: 'Acme 100% Inc.', title: 'CEO', city: 'London', stage: 'active', ownerId: id(902), score: -5 }),
  row(5, { fullName: 'Johanna Smythe', emails: ['js@x.example'], company: 'a_b\\c', stage: 'active', ownerId: id(901), vip: true }, { custom: { hobby: 'Chess & Go', size: 7 } }),
  row(6, { fullName: 'José García', company: 'Smith Brothers', stage: 'former', ownerId: id(903) }),
  row(7, { fullName: '吕布', company: 'smith', stage: 'active', ownerId: id(901) }),
  row(8, { fullName: 'Smith', stage: 'active', ownerId: id(903) }),
  row(9, { fullName: '欧阳小明', stage: 'active', ownerId: id(902) }),
]

let lens: Lens
beforeAll(async () => (lens = await opened(PEOPLE)))
afterAll(() => lens.close())

const search = async (terms: string, parts: Partial<LensQuery> = {}, fields = TEXT_FIELDS) => numbers((await lens.search(find(terms, parts, fields))).ids)

/** Without those found by a typo. */
async function exactly(terms: string, parts: Partial<LensQuery> = {}, fields = TEXT_FIELDS): Promise<number[]> {
  const { ids, keys } = await lens.search(find(terms, parts, fields))
  return numbers(ids.filter((_, at) => Number(keys[at]?.[0]) < TYPO_RANK))
}

describe('a person is found by', () => {
  test.each<[string, string, number[]]>([
    ['part of a Chinese name', '小明', [1, 9]],
    ['the whole Chinese name', '王小明', [1]],
    ['full pinyin', 'wangxiaoming', [1]],
    ['pinyin in two words', 'Wang Xiaoming', [1]],
    ['pinyin of the given name', 'xiaoming', [9, 1]],
    ['part of the pinyin', 'angxia', [2, 1, 9]],
    ['initials', 'wxm', [2, 1]],
    ['the surname reading', 'shanxiongxin', [3]],
    ['the reading of one who does not know it', 'danxiongxin', [3]],
    ['ü written u', 'lubu', [7]],
    ['ü written v', 'lvbu', [7]],
    ['a compound surname', 'ouyang', [9]],
    ['part of a Latin name', 'mith', [8, 7, 6, 4]],
    ['a name without its accents', 'garcia', [6]],
    ['initials of a Latin name', 'jg', [6]],
    ['part of an e-mail in any case', 'SMITH@ACME', [4]],
    ['the second e-mail', 'xm@corp', [1]],
    ['part of a company', '科技有限', [1]],
    ['a company in pinyin', 'chongqing', [3]],
    ['full-width letters', 'ＡＣＭＥ', [4]],
    ['a tag', 'vip', [1]],
    ['title and city together', 'ceo london', [4]],
    ['words of different fields', '小明 北京 vip', [1]],
    ['the last four digits', '5678', [1]],
    ['the whole number', '138 1234 5678', [1]],
    ['the last four digits before an extension', '3010', [4]],
    ['a number as typed', '(541) 754-3010', [4]],
    ['a percent sign, which is only itself', '100%', [4]],
    ['an underscore, which is only itself', 'a_b', [5]],
    ['a backslash, which is only itself', 'b\\c', [5]],
  ])('%s: %s', async (_, terms, expected) => expect((await exactly(terms)).toSorted()).toEqual(expected.toSorted()))

  test.each(['%', '_', "' OR 1=1 --", '"', '\\', '$1'])('nothing but itself: %j', async (terms) => expect((await search(terms)).length).toBeLessThanOrEqual(1))
  test.each(['678', '85670000', '1234'])('no digits but the last four: %s', async (terms) => expect(await search(terms, {}, ['phones'])).toEqual(terms === '85670000' ? [3] : []))
  test('all the words, not one of them', async () => expect(await exactly('小明 上海')).toEqual([]))
  test('a custom field that may be searched', async () => {
    expect(await search('chess', {}, ['custom.hobby'])).toEqual([5])
    expect(await search('chess', {}, ['custom.size', 'fullName'])).toEqual([])
  })
  test('everyone when nothing was typed', async () => expect(await search(' ，')).toHaveLength(PEOPLE.length))
  test('no more than ten words', async () => expect(lens.search(find('a b c d e f g h i j k'))).rejects.toMatchObject({ code: 'invalid' }))
})

describe('a typo', () => {
  test.each<[string, string, number[]]>([
    ['two letters swapped', 'wangxiaomign', [1]],
    ['swapped in the given name', 'xiaomign', [9, 1]],
    ['one letter missing', 'wangxiaoing', [1]],
    ['one letter too many', 'johnn smith', [4]],
    ['a wrong letter in a Latin name', 'smjth', [8, 4]],
    ['two wrong letters in a long word', 'wongxiaomin', [1, 2]],
    ['a nasal mistaken', '王小明', [2]],
    ['another character of the same sound', '王晓明', [1]],
    ['a traditional character', '單雄信', [3]],
    ['a typo in one word, the other right', 'jihn smith', [4]],
  ])('%s: %s', async (_, terms, expected) => expect(await search(terms)).toEqual(expect.arrayContaining(expected)))

  test('is forgiven only in names', async () => {
    expect(await search('londom')).toEqual([])
    expect(await search('j.smiht@acme.example')).toEqual([])
  })
  test('is not forgiven in short words or numbers', async () => {
    expect(await search('wxn')).toEqual([])
    expect(await search('5679')).toEqual([])
  })
  test('comes after what matches, and only when that does not fill the page', async () => {
    expect(await search('smith')).toEqual([8, 7, 6, 4])
    expect(await search('johanna')).toEqual([5])
    expect(await search('smythe', { limit: 1 })).toEqual([5])
    // smythe is two away from smith in six letters: too far.
    expect(await search('smythe')).toEqual([5])
    expect((await search('xiaomin')).slice(0, 3).toSorted()).toEqual([1, 2, 9])
  })
})

describe('ranking', () => {
  test('whole value, then beginning, then the rest; newest first among equals', async () => expect(await search('smith')).toEqual([8, 7, 6, 4]))
  test('is left to the caller who sorts', async () => {
    expect(await search('smith', { sort: [{ field: 'createdAt', direction: 'asc' }] })).toEqual([4, 6, 7, 8])
    expect(await exactly('小明', { sort: [{ field: 'fullName', direction: 'asc' }] })).toEqual([9, 1])
  })
})

describe('a field that is not allowed', () => {
  test.each(TEXT_FIELDS)('%s is never matched, in whatever company', async (hidden) => {
    const fields = TEXT_FIELDS.filter((field) => field !== hidden)
    const only: Record<string, string> = { fullName: '雄信', emails: 'corp.cn', phones: '5678', company: 'acme 100', title: '销售总监', city: 'london', tags: '展会', source: '网站' }
    const terms = only[hidden] ?? ''
    expect(await search(terms, {}, TEXT_FIELDS)).not.toEqual([])
    const answer = await lens.search(find(terms, {}, fields))
    expect({ ids: answer.ids, count: answer.count }).toEqual({ ids: [], count: 0 })
  })
  test('does not rank', async () => {
    // Number 7 is first only for a company that is exactly what was typed; its name is another.
    expect(await search('smith', {}, ['fullName'])).toEqual([8, 4])
    expect((await lens.search(find('smith', {}, ['fullName', 'emails']))).keys.map((key) => key[0])).toEqual([0, 2])
  })
  test('gives no pinyin, initials or typo', async () => {
    for (const terms of ['wangxiaoming', 'wxm', 'wangxiaomign', '王晓明']) expect(await search(terms, {}, ['emails', 'city', 'tags'])).toEqual([])
  })
  test('and no field at all finds nothing', async () => expect(await search('smith', {}, [])).toEqual([]))
})

describe('rows outside the scope', () => {
  const mine = { field: 'ownerId', op: 'eq', value: id(901) } as const
  test('are neither found nor counted, and rank nothing', async () => {
    const answer = await lens.search(find('smith', { scope: mine }))
    expect(numbers(answer.ids)).toEqual([7])
    expect(answer.count).toBe(1)
  })
  test('do not decide whether typos are forgiven', async () => {
    // Everybody's exact matches for this would fill the page; of mine none matches exactly.
    expect(await search('wangxiaoming', { scope: { field: 'ownerId', op: 'eq', value: id(902) }, limit: 1 })).toEqual([2])
    expect(await exactly('wangxiaoming', { scope: { field: 'ownerId', op: 'eq', value: id(902) }, limit: 1 })).toEqual([])
    expect(await search('wangxiaoming', { limit: 1 })).toEqual([1])
  })
  test('nobody sees nothing', async () => expect(await lens.search(find('smith', { scope: { or: [] } }))).toMatchObject({ ids: [], count: 0 }))
})

describe('lists', () => {
  const list = async (parts: Partial<LensQuery>) => numbers((await lens.search(query(parts))).ids)
  test('newest first unless sorted', async () => expect(await list({})).toEqual([9, 8, 7, 6, 5, 4, 3, 2, 1]))
  test('names by pinyin and letters', async () => expect(await list({ sort: [{ field: 'fullName', direction: 'asc' }] })).toEqual([5, 4, 6, 7, 9, 3, 8, 2, 1]))
  test('empty values last in both directions', async () => {
    expect((await list({ sort: [{ field: 'score', direction: 'asc' }] })).slice(0, 4)).toEqual([4, 1, 2, 9])
    expect((await list({ sort: [{ field: 'score', direction: 'desc' }] })).slice(0, 4)).toEqual([2, 1, 4, 9])
  })
  test('by a flag, a custom field, the first of several values', async () => {
    expect((await list({ sort: [{ field: 'vip', direction: 'desc' }] }))[0]).toBe(5)
    expect((await list({ sort: [{ field: 'custom.size', direction: 'asc' }] }))[0]).toBe(5)
    expect((await list({ sort: [{ field: 'emails', direction: 'asc' }] })).slice(0, 4)).toEqual([4, 5, 2, 1])
  })
  test('an unknown field is refused in sort', async () => {
    await expect(list({ sort: [{ field: 'secret', direction: 'asc' }] })).rejects.toMatchObject({ code: 'field-unknown' })
    await expect(list({ sort: [{ field: 'phones', direction: 'asc' }] })).rejects.toMatchObject({ code: 'invalid' })
  })
  test('a page of no rows still counts', async () => {
    expect(await lens.search(query({ limit: 0 }))).toMatchObject({ ids: [], count: 9, lastKey: null })
    expect(await lens.search(find('smith', { limit: 0 }))).toMatchObject({ ids: [], count: 4 })
  })
  test('no count unless asked', async () => expect((await lens.search(query({ count: false }))).count).toBeNull())
})

describe('keys', () => {
  test('of another query are refused', async () => {
    const cases: LensKey[] = [[], [1], ['x', id(1)], [1, 'x'], [null, null, null], [true, id(1)]]
    for (const after of cases) await expect(lens.search(query({ after })), JSON.stringify(after)).rejects.toMatchObject({ code: 'invalid' })
  })
})

// What follows compares with the plainest possible reading, over many generated people.
const SYLLABLES = ['王', '李', '小', '明', '单', '伟', 'an', 'Li', 'Smith', 'x', 'é', ' ']
const word = fc.array(fc.constantFrom(...SYLLABLES), { minLength: 1, maxLength: 4 }).map((parts) => parts.join(''))
const person = fc.record({
  fullName: fc.option(word),
  emails: fc.array(word, { maxLength: 2 }),
  phones: fc.array(fc.constantFrom('13800001234', '+86 10 5555 4321', '12'), { maxLength: 2 }),
  company: fc.option(word),
  title: fc.option(word),
  city: fc.option(word),
  tags: fc.array(word, { maxLength: 2 }),
  score: fc.option(fc.constantFrom(1, 2, 3)),
  stage: fc.constantFrom('a', 'b'),
})

describe('over many people', () => {
  const people = fc.sample(person, { numRuns: 250, seed: 11 })
  let many: Lens
  beforeAll(async () => (many = await opened(people.map((fields, n) => row(n, fields)))))
  afterAll(() => many.close())

  function texts(fields: (typeof people)[number], field: string): string[] {
    const value: unknown = fields[field as keyof typeof fields] // the fields of `person`
    const raw = (Array.isArray(value) ? value : [value]).filter((each): each is string => typeof each === 'string')
    if (field === 'phones') return []
    const named = contacts.columns.some((column) => column.field === field && column.use === 'pinyin')
    const initials = contacts.columns.some((column) => column.field === field && column.use === 'initials')
    return raw.flatMap((text) => [normalise(text), ...(named ? pinyinOf(text).fulls : []), ...(initials ? pinyinOf(text).allInitials : [])])
  }

  function matches(fields: (typeof people)[number], typed: string, allowed: readonly string[]): boolean {
    return termsOf(typed).every(
      (term) => allowed.some((field) => texts(fields, field).some((text) => text.includes(term.text))) || (term.tail !== null && allowed.includes('phones') && fields.phones.some((phone) => tail4(phone) === term.tail)),
    )
  }

  test('the exact pass finds exactly what contains the words in the allowed fields', async () => {
    const typed = fc.oneof(word, fc.tuple(word, word).map((two) => two.join(' ')), fc.constantFrom('1234', '4321', 'w', 'wxm', 'lixiao', 'smith'))
    await fc.assert(
      fc.asyncProperty(typed, fc.oneof(fc.constant([...TEXT_FIELDS]), fc.subarray([...TEXT_FIELDS])), async (terms, allowed) => {
        fc.pre(termsOf(terms).length > 0)
        const answer = await many.search(find(terms, { limit: 250 }, allowed))
        const exact = answer.ids.filter((_, at) => Number(answer.keys[at]?.[0]) < TYPO_RANK)
        expect(numbers(exact).toSorted((a, b) => a - b)).toEqual(people.flatMap((fields, n) => (matches(fields, terms, allowed) ? [n] : [])))
        expect(new Set(answer.ids).size).toBe(answer.ids.length)
        expect(answer.count).toBe(answer.ids.length)
      }),
      { numRuns: 250 },
    )
  })

  const sort = fc.array(fc.record({ field: fc.constantFrom('fullName', 'company', 'score', 'stage', 'createdAt', 'tags'), direction: fc.constantFrom('asc' as const, 'desc' as const) }), { maxLength: 3 })
  const typed = fc.option(fc.constantFrom('li', '小明', 'smith', 'smiht', 'wangxiaomign', 'a'), { nil: undefined })

  test('pages by key and pages by offset put together are the whole, in one order', async () => {
    await fc.assert(
      fc.asyncProperty(sort, typed, fc.integer({ min: 20, max: 120 }), async (by, terms, limit) => {
        const base = { sort: by, limit, count: true, ...(terms ? { text: { terms, fields: TEXT_FIELDS } } : {}) }
        const byKey: string[] = []
        const byOffset: string[] = []
        let last: LensKey | null = null
        let count: number | null = null
        do {
          const page = await many.search(query({ ...base, ...(last ? { after: last } : {}) }))
          const same = await many.search(query({ ...base, offset: byKey.length }))
          byKey.push(...page.ids)
          byOffset.push(...same.ids)
          expect(count === null || page.count === count).toBe(true)
          count = page.count
          last = page.lastKey
        } while (last)
        expect(byOffset).toEqual(byKey)
        expect(byKey).toHaveLength(count ?? -1)
        expect(new Set(byKey).size).toBe(byKey.length)
      }),
      { numRuns: 60 },
    )
  })

  test('a sorted list is in the order of its values', async () => {
    const { ids } = await many.search(query({ sort: [{ field: 'fullName', direction: 'asc' }], limit: 250 }))
    const keys = numbers(ids).map((n) => people[n]?.fullName ?? null).map((name) => (name === null ? '' : sortKey(name)))
    const filled = keys.filter((key) => key !== '')
    expect(keys.slice(0, filled.length)).toEqual(filled.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))))
  })
})
