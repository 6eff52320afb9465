import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { pinyinOf, sortKey } from './pinyin.ts'
import { maskOf, Signature } from './signature.ts'
import { normalise, tail4, termsOf, VALUE_MARK } from './text.ts'

describe('normalise', () => {
  test.each([
    ['  Wang  Xiao\tMing\n', 'wang xiao ming'],
    ['ＷＡＮＧ　小明', 'wang 小明'],
    ['１３８－１２３４', '138-1234'],
    ['ﬁne', 'fine'],
    ['a\u200bb\ufeff', 'ab'],
    ['a\u0000b\u001fc\u001ed', 'a b c d'],
    ['', ''],
    ['\u3000', ''],
    ['Ünal', 'ünal'],
  ])('%j becomes %j', (typed, kept) => expect(normalise(typed)).toBe(kept))

  test('is idempotent, and leaves no mark, no upper case and no space at the ends', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 30 }), (text) => {
        const once = normalise(text)
        expect(normalise(once)).toBe(once)
        expect(once).not.toMatch(/[\u0000-\u001f]|^ | $| {2}/)
      }),
      { numRuns: 2000 },
    )
  })
})

describe('tail4', () => {
  test.each([
    ['+8613812345678', '5678'],
    ['138-1234-5678', '5678'],
    ['(541) 754-3010 x123', '3010'],
    ['5417543010ext. 99', '3010'],
    ['010-6552 9988 转 801', '9988'],
    ['555-1234;ext=77', '1234'],
    ['１２３４', '1234'],
    ['911', null],
    ['', null],
  ])('of %j is %j', (phone, tail) => expect(tail4(phone)).toBe(tail))
})

describe('termsOf', () => {
  test('splits at spaces and commas of any width, and drops what is empty', () => {
    expect(termsOf(' Wang　小明，北京、 a,b ').map(({ text }) => text)).toEqual(['wang', '小明', '北京', 'a', 'b'])
    expect(termsOf(' ,, ')).toEqual([])
  })
  test('a phone number typed with spaces is one term', () => {
    expect(termsOf('138 1234 5678')).toEqual([{ text: '138 1234 5678', tail: '5678' }])
    expect(termsOf('+1 (541) 754-3010')).toEqual([{ text: '+1 (541) 754-3010', tail: '3010' }])
  })
  test('fewer than four digits are only text', () => expect(termsOf('123 wang')).toEqual([{ text: '123', tail: null }, { text: 'wang', tail: null }]))
})

describe('pinyinOf', () => {
  test.each([
    ['王小明', 'wangxiaoming', 'wxm'],
    ['单雄信', 'shanxiongxin', 'sxx'],
    ['曾国藩', 'zengguofan', 'zgf'],
    ['仇英', 'qiuying', 'qy'],
    ['解晓东', 'xiexiaodong', 'xxd'],
    ['尉迟恭', 'yuchigong', 'ycg'],
    ['万俟卨', 'moqixie', 'mqx'],
    ['长孙无忌', 'zhangsunwuji', 'zswj'],
    ['单于', 'chanyu', 'cy'],
    ['欧阳娜娜', 'ouyangnana', 'oynn'],
    ['查良镛', 'zhaliangyong', 'zly'],
    ['朴树', 'piaoshu', 'ps'],
    ['區小明', 'ouxiaoming', 'oxm'],
    ['尉遲恭', 'yuchigong', 'ycg'],
    ['長孫無忌', 'zhangsunwuji', 'zswj'],
    ['張三', 'zhangsan', 'zs'],
    ['吕布', 'lvbu', 'lb'],
    ['重庆银行', 'chongqingyinhang', 'cqyh'],
    ['王Tom', 'wangtom', 'wt'],
    ['José García', 'josegarcia', 'jg'],
    ['John Smith', '', 'js'],
    ['Cher', '', ''],
    ['たなか', '', ''],
    ['', '', ''],
  ])('reads %s as %s (%s)', (name, full, initials) => expect(pinyinOf(name)).toMatchObject({ full, initials }))

  test('keeps the other readings people try', () => {
    expect(pinyinOf('单小明').fulls).toEqual(['shanxiaoming', 'danxiaoming'])
    expect(pinyinOf('单小明').allInitials).toEqual(['sxm', 'dxm'])
    expect(pinyinOf('吕布').fulls).toEqual(['lvbu', 'lubu', 'lyubu'])
    expect(pinyinOf('张乐乐').fulls).toContain('zhangyueyue')
  })

  test('never fails, and gives only lower-case ASCII letters and digits', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 12 }), (text) => {
        const { fulls, allInitials } = pinyinOf(text)
        for (const reading of [...fulls, ...allInitials]) expect(reading).toMatch(/^[a-z0-9]+$/)
        expect(fulls.length).toBeLessThanOrEqual(4)
      }),
      { numRuns: 2000 },
    )
  })
})

test('a signature has every bit that any part of any of its texts asks for', () => {
  const text = fc.string({ unit: fc.oneof(fc.constantFrom('a', 'b', '王', '小', '😀', 'é'), fc.string({ minLength: 1, maxLength: 1 })), maxLength: 20 }).map((each) => each.replaceAll(VALUE_MARK, ''))
  fc.assert(
    fc.property(fc.array(text, { minLength: 1, maxLength: 4 }), fc.nat(), fc.nat(), fc.nat(), (texts, which, from, length) => {
      const signature = new Signature()
      for (const each of [texts.slice(0, 1), texts.slice(1)]) signature.add(VALUE_MARK + each.join(VALUE_MARK) + VALUE_MARK)
      const whole = texts[which % texts.length] ?? ''
      const part = whole.slice(from % (whole.length + 1)).slice(0, 1 + (length % 6))
      for (const { word, bits } of maskOf(part)) expect(BigInt(signature.word(word)) & BigInt(bits)).toBe(BigInt(bits))
    }),
    { numRuns: 3000 },
  )
  expect(maskOf('a')).toEqual([])
  expect(maskOf('小明').length).toBeGreaterThan(0)
})

test('Chinese names sort by pinyin, syllable by syllable, among Latin ones', () => {
  const names = ['连战', 'Liu', '李安', '阿Q', 'Álvaro', 'Zoe', '张三', '李安安', 'bob']
  expect(names.sort((a, b) => (sortKey(a) < sortKey(b) ? -1 : 1))).toEqual(['阿Q', 'Álvaro', 'bob', '李安', '李安安', '连战', 'Liu', '张三', 'Zoe'])
})
