import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Problem, uuidv7 } from '../base/index.ts'
import { defineEntity, flag, lastDigits, many, email, oneOf, ref, text, time, type AnyRecord } from '../entity/index.ts'
import { vaultIn } from './fixture.ts'
import { openRecord, sealRecord, type RowColumns } from './record.ts'
import type { OwnerKey, Vault } from './types.ts'

const words = {
  plural: 'people',
  table: 'people',
  about: 'person',
  keep: { years: 3, since: 'lastActivityAt' },
} as const
const fields = {
  fullName: text(200, { class: 'personal', edit: true, find: ['text'] }),
  emails: many(email({ class: 'personal', edit: true, find: ['exact'] })),
  source: text(80, { class: 'confidential', edit: true, optional: true }),
  nationalId: text(32, { class: 'sensitive', edit: true, find: ['exact'], mask: lastDigits(4), optional: true }),
  stage: oneOf(['active', 'dormant'], { class: 'internal', edit: true }),
  companyId: ref('company', { class: 'internal', edit: true, optional: true }),
  lastActivityAt: time({ class: 'internal' }),
  doNotCall: flag({ class: 'internal', edit: true }),
}
const Person = defineEntity('person', { ...words, fields })

const AT = '2026-11-24T06:00:00.000Z'
function personOf(over: Partial<AnyRecord> = {}): AnyRecord {
  return {
    id: uuidv7(),
    version: 3,
    createdAt: AT,
    updatedAt: AT,
    deletedAt: null,
    ownerId: uuidv7(),
    departmentId: uuidv7(),
    fullName: '王小明',
    emails: [{ value: 'a@example.com', label: 'work' }],
    source: null,
    nationalId: '110101199003071234',
    stage: 'active',
    companyId: null,
    lastActivityAt: AT,
    doNotCall: false,
    custom: { note: 'likes tea', bank: '6222020200112233445' },
    ...over,
  }
}

async function keyed(): Promise<{ vault: Vault; key: OwnerKey }> {
  const { vault } = await vaultIn()
  const [key] = await vault.createOwnerKeys([uuidv7()])
  return { vault, key: key! }
}

const SENSITIVE = new Set(['bank'])

describe('a record', () => {
  it('opens to what was sealed; nothing sealed is in a plain column', async () => {
    const { vault, key } = await keyed()
    const record = personOf()
    const row = sealRecord(vault, Person, key, record, SENSITIVE)
    expect(openRecord(vault, Person, key, row)).toEqual(record)
    expect(Object.keys(row).sort()).toEqual(['company_id', 'created_at', 'custom', 'deleted_at', 'department_id', 'do_not_call', 'id', 'last_activity_at', 'main', 'owner_id', 'sensitive', 'stage', 'updated_at', 'version'])
    const bytes = Buffer.concat(Object.values(row).map((v) => (Buffer.isBuffer(v) ? v : Buffer.from(String(v)))))
    for (const value of ['王小明', 'a@example.com', '110101199003071234', 'likes tea', '6222020200112233445']) expect(bytes.includes(value), value).toBe(false)
  })

  it('opens whatever its texts and custom values are', async () => {
    const { vault, key } = await keyed()
    const word = fc.string({ unit: 'grapheme', minLength: 1 })
    const custom = fc.dictionary(fc.stringMatching(/^[a-z][a-zA-Z0-9_]{0,9}$/), fc.oneof(word, fc.integer(), fc.boolean()))
    fc.assert(
      fc.property(word, fc.option(word), fc.option(word), custom, fc.array(fc.record({ value: word, label: fc.string() })), (fullName, source, nationalId, values, emails) => {
        const record = personOf({ fullName, source, nationalId, custom: values, emails })
        const half = new Set(Object.keys(values).filter((_k, i) => i % 2 === 0))
        expect(openRecord(vault, Person, key, sealRecord(vault, Person, key, record, half))).toEqual(record)
      }),
      { numRuns: 60 },
    )
  })

  it('opens from the six decimals PostgreSQL answers', async () => {
    const { vault, key } = await keyed()
    const record = personOf()
    const row = sealRecord(vault, Person, key, record)
    for (const c of ['created_at', 'updated_at', 'last_activity_at']) row[c] = '2026-11-24T06:00:00.000000Z'
    expect(openRecord(vault, Person, key, row)).toEqual(record)
  })

  it('keeps a sensitive custom value out of the custom compartment', async () => {
    const { vault, key } = await keyed()
    const only = sealRecord(vault, Person, key, personOf({ nationalId: null, custom: { bank: '6222' } }), SENSITIVE)
    expect([only.sensitive === null, only.custom === null]).toEqual([false, true])
    const none = sealRecord(vault, Person, key, personOf({ nationalId: null, custom: { note: 'x' } }), SENSITIVE)
    expect([none.sensitive === null, none.custom === null]).toEqual([true, false])
    expect(openRecord(vault, Person, key, only).custom).toEqual({ bank: '6222' })
  })

  it('does not confuse a field with a custom value of the same name', async () => {
    const { vault, key } = await keyed()
    const record = personOf({ custom: { nationalId: 'custom one', fullName: 'custom too' } })
    expect(openRecord(vault, Person, key, sealRecord(vault, Person, key, record, new Set(['nationalId'])))).toEqual(record)
  })
})

describe('a row tampered with in the database', () => {
  const tampered: [string, (row: RowColumns, old: RowColumns, other: RowColumns) => Partial<RowColumns>][] = [
    ['id', (_r, _o, other) => ({ id: other.id })],
    ['version', () => ({ version: 4 })],
    ['created_at', () => ({ created_at: '2020-01-01T00:00:00.000Z' })],
    ['updated_at', () => ({ updated_at: '2026-11-24T06:00:00.001Z' })],
    ['updated_at by a microsecond', () => ({ updated_at: '2026-11-24T06:00:00.000001Z' })],
    ['deleted_at', () => ({ deleted_at: AT })],
    ['owner_id', (_r, _o, other) => ({ owner_id: other['owner_id'] })],
    ['department_id', (_r, _o, other) => ({ department_id: other['department_id'] })],
    ['stage', () => ({ stage: 'dormant' })],
    ['stage to null', () => ({ stage: null })],
    ['company_id from null', (_r, _o, other) => ({ company_id: other.id })],
    ['last_activity_at to null', () => ({ last_activity_at: null })],
    ['do_not_call', () => ({ do_not_call: true })],
    ['two columns exchanged', (row) => ({ owner_id: row['department_id'], department_id: row['owner_id'] })],
    ['main of the version before', (_r, old) => ({ main: old.main })],
    ['sensitive of the version before', (_r, old) => ({ sensitive: old.sensitive })],
    ['custom of the version before', (_r, old) => ({ custom: old.custom })],
    ['main of another row', (_r, _o, other) => ({ main: other.main })],
    ['sensitive in the place of custom', (row) => ({ custom: row.sensitive })],
    ['sensitive taken away', () => ({ sensitive: null })],
    ['custom taken away', () => ({ custom: null })],
    ['all of custom and sensitive taken away', () => ({ custom: null, sensitive: null })],
    ['a plain text put in', () => ({ main: Buffer.from('{"fullName":"x"}') })],
  ]

  it.each(tampered)('does not open: %s', async (_name, change) => {
    const { vault, key } = await keyed()
    const record = personOf()
    const row = sealRecord(vault, Person, key, record, SENSITIVE)
    const old = sealRecord(vault, Person, key, { ...record, version: 2 }, SENSITIVE)
    const other = sealRecord(vault, Person, key, personOf(), SENSITIVE)
    expect(openRecord(vault, Person, key, row)).toEqual(record)
    expect(() => openRecord(vault, Person, key, { ...row, ...change(row, old, other) } as RowColumns)).toThrow(new Problem('seal-broken'))
  })

  it('does not open with a compartment put in that was not there', async () => {
    const { vault, key } = await keyed()
    const record = personOf({ nationalId: null, custom: {} })
    const row = sealRecord(vault, Person, key, record)
    const full = sealRecord(vault, Person, key, { ...record, nationalId: '1', custom: { a: 1 } })
    for (const change of [{ sensitive: full.sensitive }, { custom: full.custom }]) expect(() => openRecord(vault, Person, key, { ...row, ...change })).toThrow(new Problem('seal-broken'))
  })

  it('opens whole when rolled back whole: that is for the ledger to find', async () => {
    const { vault, key } = await keyed()
    const old = sealRecord(vault, Person, key, personOf({ version: 2 }), SENSITIVE)
    expect(openRecord(vault, Person, key, old).version).toBe(2)
  })
})

describe('an entity that changes', () => {
  it('still opens old rows after a plain column was added, and after its fields were put in another order', async () => {
    const { vault, key } = await keyed()
    const record = personOf()
    const row = sealRecord(vault, Person, key, record, SENSITIVE)
    const Later = defineEntity('person', {
      ...words,
      fields: { ...Object.fromEntries(Object.entries(fields).reverse()), lastActivityAt: fields.lastActivityAt, archivedAt: time({ class: 'internal' }), branchId: ref('branch', { class: 'internal', optional: true }) },
    })
    expect(openRecord(vault, Later, key, { ...row, archived_at: null, branch_id: null })).toEqual({ ...record, archivedAt: null, branchId: null })
    expect(() => openRecord(vault, Later, key, { ...row, archived_at: AT, branch_id: null })).toThrow(Problem)
  })

  it('finds a value where its class was before, and takes none that is plain by now', async () => {
    const { vault, key } = await keyed()
    const record = personOf()
    const row = sealRecord(vault, Person, key, record, SENSITIVE)
    const Later = defineEntity('person', { ...words, fields: { ...fields, fullName: text(200, { class: 'sensitive', mask: lastDigits(1) }), source: flag({ class: 'internal' }) } })
    expect(openRecord(vault, Later, key, row)['fullName']).toBe('王小明')
    const sealedSource = sealRecord(vault, Person, key, personOf({ source: 'fair' }))
    expect(openRecord(vault, Later, key, { ...sealedSource, source: null })['source']).toBe(null)
  })
})
