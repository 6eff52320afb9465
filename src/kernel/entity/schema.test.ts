import { describe, expect, it } from 'vitest'
import type { ZodType } from 'zod'
import { createSchema, defineEntity, email, flag, lastDigits, many, oneOf, patchSchema, phone, ref, text, time, viewSchema } from './index.ts'

const Person = defineEntity('schema-person', {
  plural: 'things',
  table: 'things',
  about: 'person',
  keep: { years: 3, since: 'updatedAt' },
  fields: {
    fullName: text(20, { class: 'personal', edit: true }),
    nickname: text(20, { class: 'personal', edit: true, optional: true }),
    emails: many(email({ class: 'personal', edit: true }), 3),
    phones: many(phone({ class: 'personal', edit: true })),
    nationalId: text(32, { class: 'sensitive', edit: true, mask: lastDigits(4), optional: true }),
    pin: text(8, { class: 'secret' }),
    stage: oneOf(['active', 'former'], { class: 'internal', edit: true, initial: 'active' }),
    companyId: ref('company', { class: 'internal', edit: true, optional: true }),
    doNotCall: flag({ class: 'internal', edit: true }),
    dueAt: time({ class: 'internal', edit: true }),
    lastActivityAt: time({ class: 'internal' }),
  },
})
const ID = '0190a1b2-c3d4-7e5f-8a6b-0c1d2e3f4a5b'
const [create, patch, view] = [createSchema(Person), patchSchema(Person), viewSchema(Person)]
const refused = (schema: ZodType, value: unknown): string => schema.safeParse(value).error?.issues.map((i) => `${i.path.join('.')}:${i.code}`).join(' ') ?? 'accepted'

describe('creating', () => {
  it('takes the editable fields, and only what must be there must be', () => {
    expect(create.parse({ fullName: ' 王小明 ' })).toEqual({ fullName: '王小明' })
    expect(create.parse({ fullName: 'x', nickname: null, emails: [], stage: 'former', companyId: ID.toUpperCase(), doNotCall: true, dueAt: '2026-11-24T14:00:00+08:00', custom: { a: 1, b: 'x', c: null } })).toEqual({
      fullName: 'x', nickname: null, emails: [], stage: 'former', companyId: ID, doNotCall: true, dueAt: '2026-11-24T06:00:00.000Z', custom: { a: 1, b: 'x', c: null },
    })
    expect(refused(create, {})).toBe('fullName:invalid_type')
  })

  it.each(['pin', 'lastActivityAt', 'id', 'version', 'createdAt', 'departmentId', 'masks', 'can', 'main', '__proto__x'])('refuses %s by name', (name) => {
    expect(refused(create, { fullName: 'x', [name]: 'x' })).toBe(':unrecognized_keys')
    expect(refused(patch, { [name]: 'x', doNotCall: true })).toBe(':unrecognized_keys')
  })

  it.each([
    ['no name', { fullName: '  ' }],
    ['a name too long', { fullName: 'x'.repeat(21) }],
    ['a NUL', { fullName: 'a\u0000b' }],
    ['an escape', { fullName: 'a\u001b[31m' }],
    ['null for what must be', { fullName: null }],
    ['not one of them', { fullName: 'x', stage: 'gone' }],
    ['no id', { fullName: 'x', companyId: '1' }],
    ['no time', { fullName: 'x', dueAt: 'tomorrow' }],
    ['a time without a zone', { fullName: 'x', dueAt: '2026-11-24T14:00:00' }],
    ['too many', { fullName: 'x', emails: Array.from({ length: 4 }, () => ({ value: 'a@b' })) }],
    ['one for many', { fullName: 'x', emails: { value: 'a@b' } }],
    ['an empty phone', { fullName: 'x', phones: [{ value: '', typed: '' }] }],
    ['a phone of nothing', { fullName: 'x', phones: [{}] }],
    ['a phone with a key too many', { fullName: 'x', phones: [{ value: '+861', owner: 'x' }] }],
    ['a custom key that is none', { fullName: 'x', custom: { 'A b': 1 } }],
    ['a custom object', { fullName: 'x', custom: { a: { b: 1 } } }],
  ])('refuses %s', (_name, body) => {
    expect(refused(create, body)).not.toBe('accepted')
  })

  it('takes nothing from a prototype', () => {
    const out = create.parse({ fullName: 'x', custom: JSON.parse('{"__proto__":"x","a":1}') as object }) // an own key of that name
    expect(out['custom']).toEqual({ a: 1 })
    expect(Object.getPrototypeOf(out['custom'])).toBe(Object.prototype)
  })

  it('takes a phone by what was typed, also where the client sends back what it read', () => {
    for (const p of [{ value: '+8613812345678' }, { value: null, typed: '12345' }, { value: '', typed: '12345' }, { value: '+861', typed: '1', digits: '1', extension: null, label: 'work', valid: true }]) expect(refused(create, { fullName: 'x', phones: [p] })).toBe('accepted')
  })
})

describe('changing', () => {
  it('needs one field at least; null clears an optional one only', () => {
    expect(refused(patch, {})).not.toBe('accepted')
    expect(patch.parse({ nickname: null })).toEqual({ nickname: null })
    expect(patch.parse({ dueAt: null })).toEqual({ dueAt: null })
    for (const body of [{ fullName: null }, { fullName: '' }, { stage: null }, { emails: null }, { doNotCall: null }]) expect(refused(patch, body), JSON.stringify(body)).not.toBe('accepted')
  })
})

describe('showing', () => {
  const shown = { id: ID, version: 1, createdAt: 'x', updatedAt: 'x', deletedAt: null, ownerId: ID, departmentId: ID, masks: {}, can: { edit: [], reveal: [], delete: false } }

  it('has no place for a secret, and may leave any field out or null', () => {
    expect(view.parse({ ...shown, pin: '1234', fullName: null })).toEqual({ ...shown, fullName: null })
    expect(refused(view, shown)).toBe('accepted')
  })

  it('never lacks masks and can', () => {
    const { masks: _masks, ...rest } = shown
    expect(refused(view, rest)).toBe('masks:invalid_type')
  })
})
