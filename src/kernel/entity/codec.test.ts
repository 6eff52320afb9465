import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeFields, defineEntity, email, encodeFields, handle, many, oneOf, phone, text } from './index.ts'
import { checkTags } from './tags.ts'

const Person = defineEntity('codec-person', {
  plural: 'codec-people',
  table: 'codec_people',
  about: 'person',
  keep: { years: 1, since: 'updatedAt' },
  fields: {
    fullName: text(200, { class: 'personal', edit: true, optional: true }),
    emails: many(email({ class: 'personal', edit: true })),
    phones: many(phone({ class: 'personal', edit: true })),
    handles: many(handle({ class: 'personal', edit: true })),
    doNotContact: many(oneOf(['email', 'phone'], { class: 'personal', edit: true })),
  },
})
const fields = Object.keys(Person.fields)

const words = fc.string({ maxLength: 12, unit: 'grapheme' })
const record = fc.record({
  fullName: fc.string({ minLength: 1, unit: 'grapheme' }),
  emails: fc.array(fc.record({ value: words, label: words }), { minLength: 1 }),
  phones: fc.array(fc.record({ value: fc.option(words, { nil: null }), typed: words, digits: words, extension: fc.option(fc.stringMatching(/^\d{1,5}$/), { nil: null }), label: words, valid: fc.boolean() }), { minLength: 1 }),
  handles: fc.array(fc.record({ kind: words, value: words }), { minLength: 1 }),
  doNotContact: fc.array(fc.constantFrom('email', 'phone'), { minLength: 1 }),
})

describe('the compact form inside a seal', () => {
  it('gives back every record, however odd its phones are', () => {
    fc.assert(
      fc.property(record, (r) => {
        const stored: unknown = JSON.parse(JSON.stringify(encodeFields(Person, fields, r)))
        // A phone without typed text cannot come in; the codec then takes its number for what was typed.
        const expected = { ...r, phones: r.phones.map((p) => ({ ...p, typed: p.typed || (p.value ?? '') })) }
        expect(decodeFields(Person, stored as Record<string, unknown>)).toEqual(expected)
      }),
      { numRuns: 2000 },
    )
  })

  it('keeps the absence of digits apart from digits that follow from what was typed', () => {
    const phones = [{ value: null, typed: '0', digits: '', extension: null, label: '', valid: false }]
    expect(decodeFields(Person, encodeFields(Person, fields, { phones }))).toEqual({ phones })
  })

  it('is half the size of the plain form for an ordinary contact', () => {
    const r = {
      fullName: '张天宇',
      emails: [{ value: 'zhang_tianyu.1@example.com', label: '' }],
      phones: [{ value: '+8613697068878', typed: '13697068878', digits: '13697068878', extension: null, label: 'mobile', valid: true }],
      handles: [],
      doNotContact: [],
    }
    expect(JSON.stringify(encodeFields(Person, fields, r)).length).toBeLessThan(JSON.stringify(r).length / 2)
  })

  it('leaves out what is empty and ignores a tag no field has', () => {
    expect(encodeFields(Person, fields, { fullName: '', emails: [], phones: null })).toEqual({})
    expect(decodeFields(Person, { '??': 'old' })).toEqual({})
  })

  it('refuses two fields of one tag', () => {
    expect(() => checkTags(['a', 'b', 'a'])).toThrow('share a tag')
  })
})
