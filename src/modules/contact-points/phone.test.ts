import { readFileSync } from 'node:fs'
import { parse } from 'csv-parse/sync'
import fc from 'fast-check'
import { parsePhoneNumberFromString } from 'libphonenumber-js/max'
import { describe, expect, test } from 'vitest'
import { parsePhone, phoneCountry } from './phone.ts'

const file = readFileSync(new URL('../../../test/data/legacy-crm-contacts.csv', import.meta.url))
const people = parse(file, { columns: true }) as Record<string, string>[] // csv-parse types columns loosely
const numbers = people.flatMap((p) => [p['phone_work'], p['phone_home'], p['phone_other']]).filter((n) => n !== undefined && n !== '') as string[]

describe('the 830 numbers of the legacy file', () => {
  test('474 are valid, and every one keeps its digits and extension', () => {
    const parsed = numbers.map((n) => parsePhone(n, 'US'))
    expect(parsed).toHaveLength(830)
    expect(parsed.filter((p) => p.valid)).toHaveLength(474)
    for (const [i, p] of parsed.entries()) {
      const [base = '', extension = null] = (numbers[i] ?? '').split(/ ?x/)
      const digits = base.replace(/\D/g, '')
      expect(p).toMatchObject({ typed: numbers[i], digits, extension, tail4: digits.slice(-4) })
      expect(p.value).toBe(p.valid ? `+1${digits.slice(-10)}` : null)
    }
    expect(parsed.filter((p) => p.extension !== null)).toHaveLength(489)
  })

  test('come in eight shapes, each with valid and invalid ones', () => {
    const shapes = new Map<string, Set<boolean>>()
    for (const n of numbers) {
      const shape = n.replace(/x\d+/, 'x').replace(/\d/g, '9')
      shapes.set(shape, (shapes.get(shape) ?? new Set()).add(parsePhone(n, 'US').valid))
    }
    expect([...shapes.values()].map((s) => s.size)).toEqual([2, 2, 2, 2, 2, 2, 2, 2])
  })
})

test.each([
  ['13800138000', 'CN', '+8613800138000', null],
  ['138 0013 8000', 'CN', '+8613800138000', null],
  ['138-0013-8000', 'CN', '+8613800138000', null],
  ['１３８００１３８０００', 'CN', '+8613800138000', null],
  ['＋８６－１３８００１３８０００', 'US', '+8613800138000', null],
  ['+86 138 0013 8000', 'US', '+8613800138000', null],
  ['(+86)13800138000', 'CN', '+8613800138000', null],
  ['0086 13800138000', 'CN', '+8613800138000', null],
  ['8613800138000', 'CN', '+8613800138000', null],
  ['电话：13800138000（王先生）', 'CN', '+8613800138000', null],
  ["'+8613800138000", 'US', '+8613800138000', null],
  ['13800138000.0', 'CN', '+8613800138000', null],
  ['010-62345678', 'CN', '+861062345678', null],
  ['（0571）8888—6666', 'CN', '+8657188886666', null],
  ['0571-88886666-123', 'CN', '+8657188886666', '123'],
  ['+86-571-88886666-123', 'US', '+8657188886666', '123'],
  ['０５７１－８８８８６６６６转８０１', 'CN', '+8657188886666', '801'],
  ['0571-88886666 分机号：801', 'CN', '+8657188886666', '801'],
  ['400-800-8888', 'CN', '+864008008888', null],
  ['400-800-8888-123', 'CN', '+864008008888', '123'],
  ['213-373-4253;ext=12', 'US', '+12133734253', '12'],
  ['213-373-4253,,12', 'US', '+12133734253', '12'],
  ['(213) 373-4253 ext. 0012', 'US', '+12133734253', '0012'],
  ['213 373 4253 #12', 'US', '+12133734253', '12'],
  ['+44 20 7946 0958', 'CN', '+442079460958', null],
] as const)('%s in %s is %s', (typed, country, value, extension) => {
  expect(parsePhone(typed, country)).toMatchObject({ typed, value, extension, valid: true, tail4: value.slice(-4) })
})

test.each([
  ['1-955-371-0847 x371', 'US', '19553710847', '371', '0847'],
  ['213-373-4253 x1234567890123', 'US', '2133734253', '1234567890123', '4253'],
  ['123 x9', 'US', '123', '9', '123'],
  ['12 分机 9', 'CN', '12', '9', '12'],
  ['88886666', 'CN', '88886666', null, '6666'],
  ['1.38001E+10', 'CN', '13800110', null, '0110'],
  ['to be asked', 'CN', '', null, ''],
  ['', 'CN', '', null, ''],
] as const)('%s in %s does not validate and is kept', (typed, country, digits, extension, tail4) => {
  expect(parsePhone(typed, country)).toEqual({ value: null, typed, extension, digits, tail4, valid: false })
})

test('agrees with libphonenumber on every North American area code and Chinese mobile prefix', () => {
  for (let prefix = 0; prefix < 1000; prefix++) {
    const tail = String((prefix * 7_654_321) % 10_000_000).padStart(7, '0')
    const american = `(${String(prefix).padStart(3, '0')}) ${tail.slice(0, 3)}-${tail.slice(3)}`
    const chinese = `1${String(prefix).padStart(3, '0')}${tail}`
    expect(parsePhone(american, 'US').valid).toBe(parsePhoneNumberFromString(american, 'US')?.isValid() ?? false)
    expect(parsePhone(chinese, 'CN').valid).toBe(parsePhoneNumberFromString(chinese, 'CN')?.isValid() ?? false)
  }
})

test('never throws, loses no digit, and E.164 reads as itself', () => {
  const unit = fc.constantFrom(...'0123456789+-() .x#,;/', 'ext', '转', '分机', '０', '９', '＋', '٣', '\u202d', '86', '138', '\0', 'é')
  const text = fc.oneof(fc.string({ unit, maxLength: 30 }), fc.string({ maxLength: 300 }))
  fc.assert(
    fc.property(text, fc.constantFrom('CN', 'US', 'GB', 'DE', 'BR'), (typed, country) => {
      const p = parsePhone(typed, country as 'CN')
      const ascii = typed.normalize('NFKC').replace(/[\u0660-\u0669\u06f0-\u06f9]/g, (d) => String(d.charCodeAt(0) & 15)).replace(/[^0-9]/g, '')
      const kept = p.digits + (p.extension ?? '')
      expect([ascii, ascii.slice(0, -1)]).toContain(kept) // the shorter one: a spreadsheet's `.0` dropped
      expect(p.valid).toBe(p.value !== null)
      if (p.value !== null) expect(parsePhone(p.value, 'US')).toMatchObject({ value: p.value, extension: null, tail4: p.tail4 })
    }),
    { numRuns: 20_000 },
  )
})

test('knows countries', () => {
  expect(phoneCountry('cn')).toBe('CN')
  expect(phoneCountry('XX')).toBeNull()
  expect(phoneCountry('__proto__')).toBeNull()
})
