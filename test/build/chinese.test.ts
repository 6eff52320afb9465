import { createHash } from 'node:crypto'
import { pinyin } from 'pinyin-pro'
import { expect, test } from 'vitest'
import { parsePhone } from '../../src/modules/contact-points/phone.ts'
import { generateCompanies, generateContacts, givenNameWeights, surnameWeights, wangXiaoming } from './chinese.ts'
import { random } from '../../src/modules/demo/plan/random.ts'

test('a seed means the same people for ever', () => {
  const hash = createHash('sha256')
  for (const contact of generateContacts(10_000, 42)) hash.update(JSON.stringify(contact))
  expect(hash.digest('hex')).toBe('d74778ee354deba89e54fa68c4858fa6fd2759da37fcd6c4c9076201ea75579f')
  expect([...generateCompanies(3, 1)]).toEqual([...generateCompanies(3, 1)])
  expect([...generateContacts(50, 1)].slice(1)).not.toEqual([...generateContacts(50, 2)].slice(1))
})

test('begins with 王小明, in every set', () => {
  for (const options of [{}, { zh: 0 }, { zh: 1 }]) expect(generateContacts(3, 9, options).next().value).toEqual(wangXiaoming)
  expect(wangXiaoming.spelling).toBe('wangxiaoming')
})

test('mixes locales as asked', () => {
  const share = (zh: number) => [...generateContacts(5000, 3, { zh })].filter((c) => c.locale === 'zh').length / 5000
  expect(share(1)).toBe(1)
  expect(share(0)).toBe(1 / 5000)
  expect(Math.abs(share(0.8) - 0.8)).toBeLessThan(0.03)
})

test('numbers are valid but for some landlines, and every address is its own', () => {
  const people = [...generateContacts(20_000, 5)]
  for (const { locale, phones } of people) {
    const [first, ...others] = phones
    if (first !== undefined) expect(parsePhone(first, locale === 'zh' ? 'CN' : 'US').valid).toBe(true)
    for (const phone of others) expect(parsePhone(phone, 'CN').digits.length).toBeGreaterThan(9)
  }
  const emails = people.flatMap((p) => p.emails)
  expect(new Set(emails).size).toBe(emails.length)
})

test('names follow the weights told to the attacker', () => {
  const people = [...generateContacts(100_000, 11, { zh: 1 })].slice(1)
  const surnames = surnameWeights()
  const givenNames = givenNameWeights()
  for (const weights of [surnames, givenNames]) expect([...weights.values()].reduce((a, b) => a + b)).toBeCloseTo(1, 9)
  const share = (test: (name: string) => boolean) => people.filter((p) => test(p.fullName)).length / people.length
  for (const [name, p] of [...surnames].slice(0, 10)) expect(Math.abs(share((n) => n.startsWith(name)) - p)).toBeLessThan(0.005)
  for (const name of ['伟', '小明', '建华', '子涵']) expect(Math.abs(share((n) => n.endsWith(name) && surnames.has(n.slice(0, -name.length))) - (givenNames.get(name) ?? 0))).toBeLessThan(0.003)
})

test('spellings are the pinyin a search would use', () => {
  const different = [...generateContacts(2000, 13, { zh: 1 })].filter((c) => {
    const read = pinyin(c.fullName, { toneType: 'none', type: 'array', surname: 'head', v: true }).join('')
    return read !== c.spelling
  })
  // Readings of single characters are a matter of the word they stand in.
  expect(different.length).toBeLessThan(60)
})

test('the generator of numbers is sfc32', () => {
  const from = random(1)
  const values = Array.from({ length: 100_000 }, () => from.below(10))
  for (let digit = 0; digit < 10; digit++) expect(Math.abs(values.filter((v) => v === digit).length - 10_000)).toBeLessThan(500)
})
