import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Problem } from '../../kernel/base/index.ts'
import type { CustomFieldWords } from '../../kernel/entity/index.ts'
import { actorWith, BELOW, Client, client, CUSTOM, DEPARTMENT, ELSEWHERE, ME, OTHER, registryWith, STRANGER, PLACE } from './fixture.ts'
import { checkEdit, checkFields, checkReveal, checkSort, checkWhere, checkWhereCounting, mayOn, revealValues, rowCondition, textFields, viewRecord, visibleFields } from './gate.ts'
import type { Role } from './roles.ts'
import { whyCan } from './why.ts'

type Who = ReturnType<typeof actorWith>
const rep = actorWith(['rep'])
const manager = actorWith(['manager'])
const administrator = actorWith(['administrator'])
const maskedRole: Role = {
  name: 'caller',
  title: { en: 'Caller', zh: '外呼' },
  entities: { contact: { rows: { read: 'all', create: 'own', edit: 'all' }, classes: { internal: 'read', personal: 'edit' }, fields: { phones: 'masked', emails: 'masked', source: 'read' } } },
  permissions: [],
}
const caller = actorWith(['caller'], { registry: registryWith(maskedRole) })

function code(fn: () => unknown): string {
  try {
    fn()
  } catch (error) {
    if (!(error instanceof Problem)) throw error
    return error.errors?.[0] ? `${error.code} ${error.errors[0].code}` : error.code
  }
  return 'passed'
}

describe('viewRecord', () => {
  it('leaves hidden fields out, sets masked ones to null with their masks beside the row', () => {
    const view = viewRecord(Client, client(), caller, CUSTOM)
    expect(view['phones']).toBeNull()
    expect(view.masks['phones']).toEqual(['138****5678'])
    expect(view.masks['emails']).toEqual(['****'])
    for (const hidden of ['salary', 'nationalId', 'pin']) expect(view).not.toHaveProperty(hidden)
    expect(view['custom']).toEqual({ hobby: 'chess' })
    expect(JSON.stringify(view)).not.toMatch(/13812345678|ming@example|110101|6222|undeclared/)
    expect(view.can).toEqual({ edit: ['fullName', 'custom.hobby'], reveal: [], delete: false })
  })

  it('a custom field that is not declared is not shown, whatever the record holds', () => {
    expect(viewRecord(Client, client(), manager)['custom']).toEqual({})
  })

  it('says what a manager may reveal and delete, and what a rep may not', () => {
    const seen = viewRecord(Client, client(), manager, CUSTOM)
    expect(seen.can.reveal).toEqual(['nationalId', 'custom.bank'])
    expect(seen.can.delete).toBe(true)
    expect(seen.can.edit).toContain('ownerId')
    expect(seen.masks['nationalId']).toEqual(['****1234'])
    expect(seen['custom']).toEqual({ hobby: 'chess', bank: null, size: 3 })
    expect(viewRecord(Client, client(), rep, CUSTOM).can.reveal).toEqual([])
    expect(viewRecord(Client, client(), rep, CUSTOM).can.edit).not.toContain('ownerId')
  })

  it.each([
    ['a foreign row for a rep', rep, client({ ownerId: OTHER })],
    ['a row elsewhere for a manager', manager, client({ ownerId: OTHER, departmentId: ELSEWHERE })],
    ['any row for an administrator', administrator, client()],
  ])('shows nothing but id and version of %s', (_name, actor, record) => {
    expect(viewRecord(Client, record, actor, CUSTOM)).toEqual({ id: record.id, version: 1, masks: {}, can: { edit: [], reveal: [], delete: false } })
  })
})

describe('checkWhere', () => {
  const leaf = (field: string, op: string, value?: unknown) => ({ field, op, ...(value === undefined ? {} : { value }) })
  it.each<readonly [string, Who, unknown, string]>([
    ['hidden', caller, leaf('salary', 'eq', 'x'), 'field-unknown field-unknown'],
    ['unknown', caller, leaf('nothing', 'eq', 'x'), 'field-unknown field-unknown'],
    ['secret', manager, leaf('pin', 'eq', '0000'), 'field-unknown field-unknown'],
    ['of the prototype', manager, leaf('constructor', 'eq', 'x'), 'field-unknown field-unknown'],
    ['any field, for an administrator', administrator, leaf('ownerId', 'eq', ME), 'field-unknown field-unknown'],
    ['custom, not declared', manager, leaf('custom.undeclared', 'eq', 'x'), 'field-unknown field-unknown'],
    ['hidden, deep inside', caller, { not: { and: [{ or: [leaf('fullName', 'contains', '明'), leaf('salary', 'isEmpty')] }] } }, 'field-unknown field-unknown'],
    ['masked, exact', caller, leaf('emails', 'eq', 'a@b.c'), 'passed'],
    ['masked, in', caller, leaf('phones', 'in', ['+8613812345678']), 'passed'],
    ['masked, in a dictionary', caller, leaf('phones', 'in', Array.from({ length: 11 }, (_, i) => `+861381234567${i}`)), 'invalid too-many'],
    ...['ne', 'isEmpty', 'contains', 'startsWith', 'endsWith'].map((op) => [`masked, ${op}`, caller, leaf('emails', op, op === 'isEmpty' ? undefined : 'a'), 'invalid masked'] as const),
    ['sensitive, exact', manager, leaf('nationalId', 'eq', '110101199003071234'), 'passed'],
    ['sensitive, contains', manager, leaf('nationalId', 'contains', '1101'), 'invalid op-invalid'],
    ['sensitive custom, exact', manager, leaf('custom.bank', 'eq', '6222'), 'passed'],
    ['sensitive custom, order', manager, leaf('custom.bank', 'lt', '6222'), 'invalid op-invalid'],
    ['not found by anything', manager, leaf('salary', 'eq', '100'), 'invalid not-searchable'],
    ['custom without find', manager, leaf('custom.silent', 'eq', 'x'), 'invalid not-searchable'],
    ['part of a name', rep, leaf('fullName', 'contains', '明'), 'passed'],
    ['last digits of a phone', rep, leaf('phones', 'endsWith', '5678'), 'passed'],
    ['part of a phone', rep, leaf('phones', 'contains', '345'), 'invalid op-invalid'],
    ['a link by part of its name', rep, leaf('companyId', 'contains', '北京'), 'passed'],
    ['a link by part of its name, the name being hidden', caller, leaf('companyId', 'contains', '北京'), 'field-unknown field-unknown'],
    ['a stage that does not exist', rep, leaf('stage', 'eq', 'zombie'), 'invalid value-invalid'],
    ['an id that is none', rep, leaf('ownerId', 'eq', 'x'), 'invalid value-invalid'],
    ['a time that is none', rep, leaf('createdAt', 'gt', 'yesterday'), 'invalid value-invalid'],
    ['a number', rep, leaf('custom.size', 'between', [1, 5]), 'passed'],
    ['text for a number', rep, leaf('custom.size', 'gt', '1'), 'invalid value-invalid'],
    ['an empty part', rep, leaf('fullName', 'contains', ' '), 'invalid value-invalid'],
    ['a list for one value', rep, leaf('fullName', 'eq', ['a']), 'invalid value-invalid'],
    ['an object for a value', rep, leaf('fullName', 'eq', { $ne: null }), 'invalid value-invalid'],
    ['an op that does not exist', rep, leaf('fullName', 'regex', '.*'), 'invalid op-invalid'],
    ['no condition at all', rep, 'fullName = 1', 'invalid condition-invalid'],
    ['a leaf with more in it', rep, { ...leaf('fullName', 'eq', 'x'), sql: '1=1' }, 'invalid condition-invalid'],
    ['two connectives in one', rep, { and: [], or: [] }, 'invalid condition-invalid'],
  ])('%s', (_name, actor, where, expected) => {
    expect(code(() => checkWhere(Client, where, actor, CUSTOM))).toBe(expected)
  })

  it('bounds depth and leaves', () => {
    let deep: unknown = leaf('stage', 'eq', 'active')
    for (let i = 0; i < 8; i++) deep = { not: deep }
    expect(code(() => checkWhere(Client, deep, rep))).toBe('invalid too-deep')
    const wide = { or: Array.from({ length: 51 }, () => leaf('stage', 'eq', 'active')) }
    expect(code(() => checkWhere(Client, { and: [wide, wide] }, rep))).toBe('invalid too-many')
    expect(code(() => checkWhere(Client, { or: Array.from({ length: 101 }, () => ({ and: [] })) }, rep))).toBe('invalid too-many')
  })

  it('counts what is asked of masked fields, for the rate limit', () => {
    const where = { or: [leaf('phones', 'in', ['a', 'b', 'c']), leaf('emails', 'eq', 'a@b.c'), leaf('fullName', 'contains', 'x')] }
    expect(checkWhereCounting(Client, where, caller).maskedMatches).toBe(4)
    expect(checkWhereCounting(Client, where, rep).maskedMatches).toBe(0)
  })

  it('an error never repeats what the caller sent', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 6 }), (word) => {
        try {
          checkWhere(Client, { field: word, op: 'eq', value: word }, rep)
        } catch (error) {
          expect(JSON.stringify((error as Problem).toJSON('r', 'en'))).not.toContain(JSON.stringify(word).slice(1, -1))
        }
      }),
      { examples: [['王小明的号码']] },
    )
  })

  it('isEmpty false is its negation', () => {
    expect(checkWhere(Client, leaf('source', 'isEmpty', false), rep)).toEqual({ not: { field: 'source', op: 'isEmpty' } })
  })
})

describe('checkSort and checkFields', () => {
  it.each([
    ['fullName', rep, 'passed'], ['createdAt', rep, 'passed'], ['stage', rep, 'passed'], ['companyId', rep, 'passed'],
    ['companyId', caller, 'field-unknown field-unknown'], ['salary', caller, 'field-unknown field-unknown'], ['nothing', caller, 'field-unknown field-unknown'],
    ['phones', caller, 'invalid masked'], ['nationalId', manager, 'invalid masked'], ['emails', rep, 'invalid not-sortable'], ['custom.size', rep, 'passed'], ['custom.bank', manager, 'invalid masked'],
  ] as const)('sort by %s', (field, actor, expected) => {
    expect(code(() => checkSort(Client, [{ field, direction: 'asc' }], actor, CUSTOM))).toBe(expected)
  })
  it('fields', () => {
    expect(checkFields(Client, ['fullName', 'phones', 'fullName'], caller)).toEqual(['fullName', 'phones'])
    expect(code(() => checkFields(Client, ['salary'], caller))).toBe('field-unknown field-unknown')
    expect(visibleFields(Client, administrator)).toEqual([])
  })
})

describe('checkEdit', () => {
  it.each([
    ['an open field', rep, { fullName: '李雷' }, client(), 'passed'],
    ['a foreign row', rep, { fullName: '李雷' }, client({ ownerId: OTHER }), 'permission-missing'],
    ['a hidden field', caller, { salary: '1' }, client(), 'field-unknown field-unknown'],
    ['a read field', caller, { stage: 'former' }, client(), 'permission-missing read-only'],
    ['a field nobody writes', manager, { lastSeenAt: null }, client(), 'permission-missing read-only'],
    ['a base field', manager, { createdAt: 'x' }, client(), 'permission-missing read-only'],
    ['a masked field that holds a value', caller, { phones: [] }, client(), 'permission-missing masked'],
    ['a masked field set to what was shown', caller, { phones: null }, client(), 'permission-missing masked'],
    ['a masked field that holds nothing', rep, { nationalId: '110101199003071234' }, client({ nationalId: null }), 'passed'],
    ['a sensitive value, by a rep', rep, { nationalId: '1' }, client(), 'permission-missing masked'],
    ['a sensitive value, by one who may reveal it', manager, { nationalId: '110101199003070000' }, client(), 'passed'],
    ['bullets, by one who may reveal', manager, { nationalId: '****1234' }, client(), 'invalid masked-value'],
    ['bullets in an open field with a mask', rep, { phones: [{ value: '138****5678', label: '' }] }, client(), 'invalid masked-value'],
    ['a custom field', rep, { custom: { hobby: 'go' } }, client(), 'passed'],
    ['a masked custom field', rep, { custom: { bank: '1' } }, client(), 'permission-missing masked'],
    ['an undeclared custom field', rep, { custom: { undeclared: 'y' } }, client(), 'field-unknown field-unknown'],
    ['a new owner, by a rep', rep, { ownerId: OTHER }, client(), 'permission-missing'],
    ['a new owner, by a manager', manager, { ownerId: OTHER }, client(), 'passed'],
    ['the same owner', rep, { ownerId: ME }, client(), 'passed'],
    ['anything, by an administrator', administrator, { fullName: 'x' }, client(), 'permission-missing'],
    ['creating with a sensitive value', rep, { fullName: 'x', nationalId: '1' }, null, 'passed'],
    ['creating with a read field', caller, { fullName: 'x', stage: 'former' }, null, 'permission-missing read-only'],
  ] as const)('%s', (_name, actor, patch, record, expected) => {
    expect(code(() => checkEdit(Client, patch, record, actor, CUSTOM))).toBe(expected)
  })
})

describe('rows', () => {
  it('the rule for SQL and the lens is the rule for one record', () => {
    expect(rowCondition(rep, Client, 'read')).toEqual({ field: 'ownerId', op: 'eq', value: ME })
    expect(mayOn(Client, 'read', client({ ownerId: OTHER }), rep)).toBe(false)
    expect(mayOn(Client, 'assign', client({ ownerId: OTHER, departmentId: BELOW }), manager)).toBe(true)
    expect(mayOn(Client, 'assign', client({ ownerId: STRANGER, departmentId: ELSEWHERE }), manager)).toBe(false)
    expect(mayOn(Client, 'create', client({ ownerId: OTHER, departmentId: DEPARTMENT }), rep)).toBe(false)
  })
})

describe('free text', () => {
  it('looks into readable fields only, and into a masked phone because its mask shows the last four', () => {
    expect(textFields(Client, rep, CUSTOM)).toEqual(['fullName', 'emails', 'phones', 'source', 'companyId', 'custom.hobby'])
    expect(textFields(Client, caller, CUSTOM)).toEqual(['fullName', 'phones', 'source', 'custom.hobby'])
    expect(textFields(Client, administrator, CUSTOM)).toEqual([])
  })
})

describe('reveal', () => {
  it('is for fields in sight and for those who hold the permission', () => {
    const fields = checkReveal(Client, ['nationalId', 'custom.bank'], manager, CUSTOM)
    expect(revealValues(client(), fields)).toEqual({ nationalId: '110101199003071234', 'custom.bank': '6222000011112222' })
    expect(code(() => checkReveal(Client, ['nationalId'], rep, CUSTOM))).toBe('permission-missing')
    expect(code(() => checkReveal(Client, ['pin'], manager, CUSTOM))).toBe('field-unknown field-unknown')
    expect(code(() => checkReveal(Client, ['ownerId'], manager, CUSTOM))).toBe('field-unknown field-unknown')
  })
})

describe('why', () => {
  it('names the rule that lets somebody see a record, and the one that does not', () => {
    const words = { place: PLACE, roles: ['rep', 'manager'] }
    const answer = whyCan(registryWith(), words, Client, client({ ownerId: OTHER, departmentId: BELOW }))
    expect(answer.rules.filter((r) => r.action === 'read')).toEqual([
      { role: 'rep', action: 'read', scope: 'own', holds: false, because: 'not-in-scope' },
      { role: 'manager', action: 'read', scope: 'department-and-below', holds: true, because: 'department-below' },
    ])
    expect(answer.may.read).toBe(true)
    expect(answer.fields['nationalId']).toBe('masked')
    const foreign = whyCan(registryWith(), words, Client, client({ ownerId: OTHER, departmentId: ELSEWHERE }))
    expect(new Set(Object.values(foreign.may))).toEqual(new Set([false]))
    expect(new Set(Object.values(foreign.fields))).toEqual(new Set(['hidden']))
  })

  it('names a denial', () => {
    const registry = registryWith({ name: 'frozen', title: { en: 'Frozen', zh: '冻结' }, entities: {}, permissions: [], deny: { rows: { contact: ['edit'] } } })
    const answer = whyCan(registry, { place: PLACE, roles: ['rep', 'frozen'] }, Client, client())
    expect(answer.rules.find((r) => r.because === 'denied')).toMatchObject({ role: 'frozen', action: 'edit' })
    expect(answer.may.edit).toBe(false)
  })
})

describe('no path shows more than another', () => {
  const words: readonly CustomFieldWords[] = CUSTOM
  const rights = ['hidden', 'masked', 'read', 'edit'] as const
  const fieldNames = Object.keys(Client.fields)

  it('for any role: view, filter, sort, text, projection and edit agree on every field', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom(...fieldNames), fc.constantFrom(...rights)), fc.constantFrom(...rights), (fields, personal) => {
        const made: Role = { name: 'made', title: { en: '', zh: '' }, permissions: [], entities: { contact: { rows: { read: 'all', edit: 'all' }, classes: { personal, internal: 'read' }, fields } } }
        const actor = actorWith(['made'], { registry: registryWith(made) })
        const view = viewRecord(Client, client(), actor, words)
        for (const name of fieldNames) {
          const right = actor.grants.field('contact', name)
          const seen = right !== 'hidden'
          expect(name in view).toBe(seen)
          expect(code(() => checkFields(Client, [name], actor, words)) === 'passed').toBe(seen)
          const asked = code(() => checkWhere(Client, { field: name, op: 'contains', value: 'x' }, actor, words))
          const sorted = code(() => checkSort(Client, [{ field: name, direction: 'asc' }], actor, words))
          if (!seen) for (const c of [asked, sorted, code(() => checkEdit(Client, { [name]: null }, client(), actor, words))]) expect(c).toBe('field-unknown field-unknown')
          if (right === 'masked') {
            expect(view[name]).toBeNull()
            for (const c of [asked, sorted]) expect(c).not.toBe('passed')
            if (name !== 'phones') expect(textFields(Client, actor, words)).not.toContain(name)
          }
          expect(view.can.edit.includes(name)).toBe(code(() => checkEdit(Client, { [name]: null }, client(), actor, words)) === 'passed')
        }
      }),
    )
  })
})
