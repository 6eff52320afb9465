import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { cleanLine, cleanText, cleanTitle, cleanTyped, readFlag, readStage, splitTags, splitValues } from './clean.ts'
import { csvLine, defuseCsvCell, undefuseCsvCell } from './csv-out.ts'
import { readDate } from './dates.ts'
import { joinName } from './names.ts'

test.each([
  ['  Ann\u3000 Lee ', 'Ann Lee'],
  ['ＡＮＮ　李', 'ANN 李'],
  ['王\u200b小\u202e明\ufeff', '王小明'],
  ['a\tb\r\nc\0d', 'a b cd'],
  ['ﬁnn', 'finn'],
  ['e\u0301', 'é'],
  ['plain name', 'plain name'],
])('a name %j is cleaned to %j', (typed, name) => {
  expect(cleanLine(typed)).toBe(name)
})

test('a company keeps its Chinese punctuation, a text its lines, a number its signs', () => {
  expect(cleanTitle('星河（中国）有限公司　ＡＢ１２')).toBe('星河（中国）有限公司 AB12')
  expect(cleanText(' one\r\ntwo\0\rthree，ＡＢ \n')).toBe('one\ntwo\nthree，ＡＢ')
  expect(cleanTyped('\t１３８\0００ ')).toBe('１３８ ００')
})

test('cleaning is done once and for all, and leaves no control character', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 40 }), (typed) => {
      for (const clean of [cleanLine, cleanTitle, cleanText, cleanTyped]) {
        const once = clean(typed)
        expect(clean(once)).toBe(once)
        expect(once).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u007f]/)
      }
    }),
    { numRuns: 5000 },
  )
})

test('tags and several values in a cell', () => {
  expect(splitTags('football-fan, musician')).toEqual(['football-fan', 'musician'])
  expect(splitTags('老客户；展会、VIP,vip|')).toEqual(['老客户', '展会', 'VIP'])
  const digits = (part: string) => part.replace(/\D/g, '').length >= 5
  expect(splitValues('13800138000/13900139000、010-62345678', digits)).toEqual(['13800138000', '13900139000', '010-62345678'])
  expect(splitValues('213-373-4253, x12', digits)).toEqual(['213-373-4253, x12'])
  expect(splitValues('  ', digits)).toEqual([])
})

test('flags and stages', () => {
  expect(['true', 'YES', '1', '是', '√'].map(readFlag)).toEqual([true, true, true, true, true])
  expect(['false', 'No', '0', '否'].map(readFlag)).toEqual([false, false, false, false])
  expect(readFlag('2024-01-01')).toBeNull()
  expect(['Active', '休眠', '已流失'].map(readStage)).toEqual(['active', 'dormant', 'former'])
  expect(['warm', 'cold', 'hot', 'in-contract', 'constructor'].map(readStage)).toEqual([null, null, null, null, null])
})

test.each([
  ['小明', '王', '', '王小明'],
  ['娜娜', '欧阳', '', '欧阳娜娜'],
  ['철수', '김', '', '김철수'],
  ['太郎', '山田', '', '山田太郎'],
  ['Ann', 'Lee', '', 'Ann Lee'],
  ['Ann', 'Lee', 'B.', 'Ann B. Lee'],
  ['小明', 'Wang', '', '小明 Wang'],
  ['', '王', '', '王'],
  ['Ann', '', '', 'Ann'],
])('%s and %s are joined to the name they make', (first, last, middle, name) => {
  expect(joinName(first, last, middle)).toBe(name)
})

describe('dates', () => {
  test.each([
    ['2024-08-13T18:04:34.666+00:00', '2024-08-13T18:04:34.666Z'],
    ['2024-08-14T11:37:45.65+00:00', '2024-08-14T11:37:45.650Z'],
    ['2024-03-05', '2024-03-05T00:00:00.000Z'],
    ['2024/3/5', '2024-03-05T00:00:00.000Z'],
    ['2024.3.5', '2024-03-05T00:00:00.000Z'],
    ['2024年3月5日', '2024-03-05T00:00:00.000Z'],
    ['２０２４年３月５日 星期二', '2024-03-05T00:00:00.000Z'],
    ['2024年3月5日 下午3:04', '2024-03-05T07:04:00.000Z'],
    ['2024年3月5日上午12时30分', '2024-03-04T16:30:00.000Z'],
    ['2024-03-05 08:09:10', '2024-03-05T00:09:10.000Z'],
    ['2024-03-05 08:09:10 +0800', '2024-03-05T00:09:10.000Z'],
    ['2024-03-05 08:09:10Z', '2024-03-05T08:09:10.000Z'],
    ['20240305', '2024-03-05T00:00:00.000Z'],
    ['5 Mar 2024', '2024-03-05T00:00:00.000Z'],
    ['5-Mar-2024', '2024-03-05T00:00:00.000Z'],
    ['March 5th, 2024', '2024-03-05T00:00:00.000Z'],
    ['Tue, 05 Mar 2024 10:00:00 +0000', '2024-03-05T10:00:00.000Z'],
    ['13/03/2024', '2024-03-13T00:00:00.000Z'],
    ['03/13/2024 1:30 PM', '2024-03-13T05:30:00.000Z'],
    ['05.03.2024', '2024-03-05T00:00:00.000Z'],
    ['1709596800', '2024-03-05T00:00:00.000Z'],
    ['1709596800123', '2024-03-05T00:00:00.123Z'],
  ])('%s is %s', (typed, at) => {
    expect(readDate(typed, 'mdy', 480)).toEqual({ at, ambiguous: false })
  })

  test('03/04/2024 follows the order and says that it is ambiguous', () => {
    expect(readDate('03/04/2024', 'mdy')).toEqual({ at: '2024-03-04T00:00:00.000Z', ambiguous: true })
    expect(readDate('03/04/2024', 'dmy')).toEqual({ at: '2024-04-03T00:00:00.000Z', ambiguous: true })
    expect(readDate('04/04/24', 'dmy')).toEqual({ at: '2024-04-04T00:00:00.000Z', ambiguous: false })
  })

  test.each(['', 'soon', '2024', '2024-13-01', '2024-02-30', '31/31/2024', '2024-03-05 25:00', '2024-03-05 10', '2024年3月', '0001-01-01', '99999999', '2024-03-051', '5 Foo 2024'])('%s is none', (typed) => {
    expect(readDate(typed, 'mdy')).toBeNull()
  })

  test('never throws, and reads its own form', () => {
    const unit = fc.constantFrom(...'0123456789/-.: T年月日上下午', 'Mar', '2024', 'pm', 'Z', '+08')
    fc.assert(
      fc.property(fc.string({ unit, maxLength: 24 }), (typed) => {
        const date = readDate(typed, 'dmy')
        if (date) expect(readDate(date.at, 'mdy')).toEqual({ at: date.at, ambiguous: false })
      }),
      { numRuns: 20_000 },
    )
  })
})

describe('cells for a spreadsheet', () => {
  test.each(['=1+1', '+1+1', '-2', '@SUM(A1)', '\t=1', '\r=1', '\n=1', '＝1', ' =1', "'=1", '+86 138 0013 8000', '+1;cmd', '+'])('%j is defused', (cell) => {
    expect(defuseCsvCell(cell)).toBe(`'${cell}`)
  })

  test.each(['', 'Ann', '13800138000', '+8613800138000', '+12133734253', 'a=b', "O'Hara", "'quoted'"])('%j stays', (cell) => {
    expect(defuseCsvCell(cell)).toBe(cell)
  })

  test('what is defused can be taken back, always', () => {
    const unit = fc.constantFrom(...`'=+-@\t\r\n ＝1a"`)
    fc.assert(
      fc.property(fc.string({ unit, maxLength: 8 }), (cell) => {
        expect(undefuseCsvCell(defuseCsvCell(cell))).toBe(cell)
      }),
      { numRuns: 20_000 },
    )
  })

  test('a line quotes what needs it', () => {
    expect(csvLine(['王小明', 'a,b', 'say "hi"', '=1,2', '+8613800138000', ' x'])).toBe(`王小明,"a,b","say ""hi""","'=1,2",+8613800138000," x"\r\n`)
  })
})
