import { describe, expect, it } from 'vitest'
import {
  defineEntity, email, exactForm, exactKeys, findColumns, flag, handle, lastDigits, many, middle, oneOf, phone, ref, snake, tail4Of, text, textsOf, time, whole,
  type AnyRecord, type Field, type FieldWords, type PhoneValue, type RecordOf,
} from './index.ts'

const base = { plural: 'things', table: 'things', about: 'person', keep: { years: 3, since: 'updatedAt' } } as const
const Person = defineEntity('entity-person', {
  ...base,
  fields: {
    fullName: text(20, { class: 'personal', edit: true, find: ['text', 'pinyin', 'sort'] }),
    nickname: text(20, { class: 'personal', edit: true, find: ['text'], optional: true }),
    emails: many(email({ class: 'personal', edit: true, find: ['exact', 'text'] })),
    phones: many(phone({ class: 'personal', edit: true, find: ['exact', 'tail4'], mask: middle })),
    handles: many(handle({ class: 'personal', edit: true, find: ['exact'] })),
    nationalId: text(32, { class: 'sensitive', edit: true, find: ['exact'], mask: lastDigits(4), optional: true }),
    pin: text(8, { class: 'secret' }),
    stage: oneOf(['active', 'former'], { class: 'internal', edit: true, initial: 'active' }),
    grade: oneOf(['a', 'b'], { class: 'internal', edit: true }),
    companyId: ref('company', { class: 'internal', edit: true, optional: true, show: 'name' }),
    doNotCall: flag({ class: 'internal', edit: true }),
    lastActivityAt: time({ class: 'internal' }),
  },
})

const ID = '0190a1b2-c3d4-7e5f-8a6b-0c1d2e3f4a5b'
const AT = '2026-11-24T06:00:00.000Z'
const phoneOf = (value: string | null, digits: string): PhoneValue => ({ value, typed: digits, digits, extension: null, label: '', valid: value !== null })
const personOf = (over: Partial<AnyRecord> = {}): AnyRecord => ({
  id: ID, version: 1, createdAt: AT, updatedAt: AT, deletedAt: null, ownerId: ID, departmentId: ID, custom: {},
  fullName: '王小明', nickname: null, nationalId: null, stage: 'active', grade: 'a', companyId: null, doNotCall: false, lastActivityAt: null,
  emails: [], phones: [], handles: [], pin: '1234', ...over,
})

describe('defineEntity refuses', () => {
  const personal = { class: 'personal' } as const
  const without = (field: Field, over: object): Field => ({ ...field, ...over }) // what a cast or plain JavaScript could make
  const cases: [string, string, Record<string, Field>][] = [
    ['a base field', 'updatedAt is a base field', { updatedAt: time({ class: 'internal' }) }],
    ['a field named like a compartment', 'main is a base field', { main: oneOf(['a'], { class: 'internal' }) }],
    ['another one', 'sensitive is a base field', { sensitive: text(9, personal) }],
    ['a field named like what an answer carries', 'masks is a base field', { masks: text(9, personal) }],
    ['a name that makes no column', 'first-name is not a camelCase word', { 'first-name': text(9, personal) }],
    ['two spellings of one column', 'full_name is not a camelCase word', { fullName: text(9, personal), full_name: text(9, personal) }],
    ['a name out of the prototype', '__proto__ is not a camelCase word', Object.fromEntries([['__proto__', text(9, personal)]])],
    ['no class', 'a states no class', { a: without(text(9, personal), { class: undefined }) }],
    ['a class that is none', 'a states no class', { a: without(text(9, personal), { class: 'persnal' }) }],
    ['plain text', 'a is internal, but only ids', { a: text(9, { class: 'internal' }) }],
    ['public text', 'a is public, but only ids', { a: text(9, { class: 'public' }) }],
    ['a plain e-mail', 'a is internal, but only ids', { a: email({ class: 'internal' }) }],
    ['several plain values', 'a is internal, but only ids', { a: many(oneOf(['x'], { class: 'internal' })) }],
    ['a secret that is found', 'a is secret: neither found nor edited', { a: text(9, { class: 'secret', find: ['exact'] }) }],
    ['a secret that is edited', 'a is secret: neither found nor edited', { a: text(9, { class: 'secret', edit: true }) }],
    ['a sensitive field found by a part', 'a is sensitive: only an exact match', { a: text(9, { class: 'sensitive', mask: whole, find: ['exact', 'text'] }) }],
    ['a sensitive field found by its tail', 'a is sensitive: only an exact match', { a: phone({ class: 'sensitive', mask: middle, find: ['tail4'] }) }],
    ['a sensitive field without a mask', 'a is sensitive and states no mask', { a: text(9, { class: 'sensitive' }) }],
    ['exact for what is not near-unique', 'a: exact is for near-unique text', { a: oneOf(['x'], { class: 'internal', find: ['exact'] }) }],
    ['a tail of what is no phone', 'a: tail4 is for phones', { a: text(9, { class: 'personal', find: ['tail4'] }) }],
  ]
  it.each(cases)('%s', (_name, fault, fields) => {
    expect(() => defineEntity('x', { ...base, fields })).toThrow(fault)
  })

  it.each(['lastSeenAt', '', 'id', 'toString', 'ownerId', 'name', 'stage'])('a retention that begins at %j, which is no time of it', (since) => {
    const fields = { name: text(9, personal), stage: oneOf(['a'], { class: 'internal' }), seenAt: time({ class: 'internal' }) }
    expect(() => defineEntity('x', { ...base, keep: { years: 1, since }, fields })).toThrow('keep.since names no field')
    expect(() => defineEntity('x', { ...base, keep: { years: 1, since: 'seenAt' }, fields })).not.toThrow()
  })

  it('all of it at once', () => {
    const fields = { id: text(9, { class: 'internal' }), a: text(9, { class: 'sensitive', find: ['text'] }) }
    expect(() => defineEntity('x', { ...base, keep: { years: 1, since: 'never' }, fields })).toThrow(/x: id is a base field.*id is internal.*a is sensitive: only.*a is sensitive and states no mask.*keep\.since/)
  })
})

describe('the compiler refuses', () => {
  it('a field without a class, or with one that is none', () => {
    // @ts-expect-error: no class
    text(9, {})
    // @ts-expect-error: no class
    email({ edit: true, find: ['exact'] })
    // @ts-expect-error: no such class
    text(9, { class: 'persnal' })
    // @ts-expect-error: no such way to find
    text(9, { class: 'personal', find: ['prefix'] })
    // @ts-expect-error: edit is true or silence
    text(9, { class: 'personal', edit: 'yes' })
    // @ts-expect-error: words without a class
    const words: FieldWords = { edit: true }
    expect(words.edit).toBe(true)
  })

  it('a record of another shape', () => {
    type PersonRecord = RecordOf<typeof Person>
    const name: PersonRecord['fullName'] = 'x'
    const nickname: PersonRecord['nickname'] = null
    const stage: PersonRecord['stage'] = 'former'
    // @ts-expect-error: not one of them
    const wrong: PersonRecord['stage'] = 'gone'
    // @ts-expect-error: not optional
    const none: PersonRecord['fullName'] = null
    expect([name, nickname, stage, wrong, none]).toHaveLength(5)
  })
})

describe('an entity', () => {
  it('keeps in plain columns ids, times, flags and closed enumerations, and nothing else', () => {
    expect(Person.plain.map((c) => c.column)).toEqual(['created_at', 'updated_at', 'deleted_at', 'owner_id', 'department_id', 'company_id', 'do_not_call', 'grade', 'last_activity_at', 'stage'])
    expect(Person.sealed).toEqual({ main: ['fullName', 'nickname', 'emails', 'phones', 'handles', 'pin'], sensitive: ['nationalId'] })
    const all = [...Person.plain.map((c) => c.field), ...Person.sealed.main, ...Person.sealed.sensitive]
    for (const name of Object.keys(Person.fields)) expect(all.filter((f) => f === name)).toEqual([name])
  })

  it('is silent by default: not editable, not found, not masked, one value', () => {
    const field = text(9, { class: 'personal' })
    expect([field.edit, field.find, field.mask, field.optional, field.many, field.initial]).toEqual([false, [], null, false, false, null])
  })

  it.each([['fullName', 'full_name'], ['a', 'a'], ['lastActivityAt', 'last_activity_at'], ['idA1', 'id_a1']])('names the column of %s %s', (name, column) => {
    expect(snake(name)).toBe(column)
  })
})

describe('what is found', () => {
  it('has lens columns for what find says; sensitive and secret fields have none', () => {
    const names = findColumns(Person).filter((c) => c.use !== 'plain').map((c) => `${c.name} ${c.use}${c.many ? ' many' : ''}`)
    expect(names).toEqual([
      'full_name text', 'full_name__pinyin pinyin', 'full_name__initials initials', 'full_name__sort sort', 'nickname text', 'emails text many', 'phones exact many', 'phones__tail4 tail4 many', 'handles exact many',
      'company_id__shown text', 'company_id__pinyin pinyin', 'company_id__initials initials', 'company_id__sort sort',
    ])
    const Hidden = defineEntity('entity-hidden', { ...base, fields: { patronId: ref('person', { class: 'sensitive', mask: whole, show: 'fullName' }) } })
    expect(findColumns(Hidden).filter((c) => c.use !== 'plain')).toEqual([])
  })

  it('has a blind key for every exact value, once, and none for what is empty', () => {
    const record = personOf({
      emails: [{ value: ' A@Example.com', label: '' }, { value: 'a@example.com', label: 'work' }],
      phones: [phoneOf('+8613812345678', '13812345678'), phoneOf(null, '12345')],
      handles: [{ kind: 'wechat', value: 'Wang' }, { kind: 'qq', value: '  ' }],
      nationalId: '11010119900307123x',
    })
    expect(exactKeys(Person, record)).toEqual([
      { index: 'things.emails', value: 'a@example.com' },
      { index: 'things.phones', value: '+8613812345678' },
      { index: 'things.phones', value: '12345' },
      { index: 'things.handles', value: 'wang' },
      { index: 'things.national_id', value: '11010119900307123x' },
    ])
    expect(exactKeys(Person, personOf())).toEqual([])
  })

  it.each([
    ['phone', '+86 138-1234 5678', '+8613812345678'],
    ['phone', '＋８６１３８', '+86138'],
    ['phone', '138+1234', '1381234'],
    ['email', ' Ａ@Example.COM ', 'a@example.com'],
    ['text', 'ABC-1', 'abc-1'],
    ['text', '  ', ''],
  ] as const)('asks for a %s %j as %j', (kind, value, form) => {
    expect(exactForm(kind, value)).toBe(form)
    expect(exactForm(kind, form)).toBe(form)
  })

  it('shows the texts of any value', () => {
    const { fields } = Person
    expect(textsOf(fields.fullName, '王小明')).toEqual(['王小明'])
    expect(textsOf(fields.nickname, null)).toEqual([])
    expect(textsOf(fields.emails, [{ value: 'a@b', label: 'x' }])).toEqual(['a@b'])
    expect(textsOf(fields.phones, [phoneOf('+861', '1'), phoneOf(null, '22')])).toEqual(['+861', '22'])
    expect(textsOf(fields.handles, [{ kind: 'wechat', value: 'w' }])).toEqual(['w'])
    expect([tail4Of(phoneOf('+8613812345678', '')), tail4Of(phoneOf(null, '123'))]).toEqual(['5678', '123'])
  })
})

describe('a mask', () => {
  it.each([
    [middle, '13812345678', '138****5678'],
    [middle, '1234567', '****'],
    [middle, '', '****'],
    [lastDigits(4), '110101199003071234', '****1234'],
    [lastDigits(4), '12345678', '****5678'],
    [lastDigits(4), '1234567', '****'],
    [lastDigits(4), '12345', '****'],
    [whole, 'anything', '****'],
  ])('%# of %j is %j', (mask, value, shown) => {
    expect(mask(value)).toBe(shown)
  })
})
