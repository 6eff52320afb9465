import { createReadStream, readFileSync } from 'node:fs'
import { parse } from 'csv-parse/sync'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Problem } from '../../kernel/base/index.ts'
import { readMapFile } from './map-file.ts'
import { assertIdentifying, mapColumns, type MapOptions } from './mapping.ts'
import { inspectCsv, readCsv } from './read/index.ts'
import { toContact, type RowOptions, type RowResult } from './row.ts'

const legacy = new URL('../../../test/data/legacy-crm-contacts.csv', import.meta.url)

function targets(header: readonly string[], options?: MapOptions): string[] {
  return mapColumns(header, options).columns.map(({ target }) => {
    if (target.to === 'email' || target.to === 'phone') return `${target.to}:${target.label}`
    if (target.to === 'handle') return `handle:${target.kind}`
    if (target.to === 'doNotContact') return `doNotContact:${target.channel}`
    return target.to === 'none' ? `none:${target.why}` : target.to
  })
}

function make(header: string, cells: readonly string[], options: MapOptions & Partial<RowOptions> = {}): RowResult {
  return toContact({ row: 1, cells }, mapColumns(header.split(','), options), { country: 'CN', source: 'test', ...options })
}

describe('the legacy export', async () => {
  const open = () => createReadStream(legacy)
  const profile = await inspectCsv(open)
  const mapping = mapColumns(profile.header, { sample: profile.sample })
  const people = parse(readFileSync(legacy), { columns: true }) as Record<string, string>[] // csv-parse types columns loosely
  const results: RowResult[] = []
  for await (const { row, cells } of readCsv(open, profile)) results.push(toContact({ row, cells: cells ?? [] }, mapping, { country: 'US', source: 'old CRM' }))
  const contacts = results.flatMap((r) => r.contact ?? [])

  test('accounts for each of its 24 columns', () => {
    expect(mapping.preset).toBe('atomic')
    expect(mapping.columns).toHaveLength(24)
    expect(mapping.customFields.map((f) => f.key)).toEqual(['legacy_id', 'gender', 'last_seen', 'status', 'sales'])
    expect(mapping.unmappedColumns).toEqual(['has_newsletter', 'company_id', 'sales_id', 'nb_tasks'])
    expect(mapping.notTaken[0]).toEqual({ column: 'has_newsletter', why: 'consent-not-proven' })
    const mapped = mapping.columns.filter((c) => c.target.to !== 'custom' && c.target.to !== 'none')
    expect(mapped.length + mapping.customFields.length + mapping.unmappedColumns.length).toBe(24)
  })

  test('gives 500 contacts, 830 phones of which 474 are valid, and no other problem', () => {
    expect(contacts).toHaveLength(500)
    const phones = contacts.flatMap((c) => c.phones)
    expect(phones).toHaveLength(830)
    expect(phones.filter((p) => p.valid)).toHaveLength(474)
    expect(results.flatMap((r) => r.problems).every((p) => p.code === 'phone-invalid')).toBe(true)
    expect(results.flatMap((r) => r.extraFields)).toEqual([])
    expect(contacts.filter((c) => c.phones.length > 1)).toHaveLength(330)
    expect(contacts.filter((c) => c.fullName === 'Marlon Schmidt')).toHaveLength(3)
  })

  test('loses no value', () => {
    for (const [i, person] of people.entries()) {
      const c = contacts[i]
      expect(c?.fullName).toBe(`${person['first_name']} ${person['last_name']}`)
      expect(c?.emails).toEqual([{ value: person['email_other']?.toLowerCase(), label: 'other' }])
      expect(c?.companyName).toBe(person['company_name'])
      expect(c).toMatchObject({ title: person['title'], note: person['background'], source: 'old CRM', stage: 'active', doNotContact: [], handles: [] })
      expect(c?.tags).toEqual((person['tags'] ?? '').split(', ').filter((t) => t !== ''))
      expect(c?.collectedAt).toBe(new Date(person['first_seen'] ?? '').toISOString())
      expect(c?.custom).toEqual({ legacy_id: person['id'], gender: person['gender'], last_seen: person['last_seen'], status: person['status'], sales: person['sales'] })
      expect(JSON.stringify(c)).not.toContain('newsletter')
    }
  })
})

describe('headers', () => {
  test.each<[string, string, string[]]>([
    ['generic', '姓名*,手机号码（必填）,电子邮箱,公司名称,职务,标签,客户来源,创建时间,备注,微信号,性别', ['fullName', 'phone:mobile', 'email:other', 'companyName', 'title', 'tags', 'source', 'collectedAt', 'note', 'handle:wechat', 'custom']],
    ['generic', 'First Name,LAST_NAME,E-mail,Mobile Phone,Job Title,Title', ['firstName', 'lastName', 'email:other', 'phone:mobile', 'title', 'custom']],
    ['hubspot', 'Record ID,First Name,Last Name,Email,Phone Number,Mobile Phone Number,Lifecycle Stage,Lead Status,Contact owner,Create Date,Associated Company,Associated Company IDs,Marketing contact status,Unsubscribed from all email', ['custom', 'firstName', 'lastName', 'email:other', 'phone:work', 'phone:mobile', 'custom', 'custom', 'custom', 'collectedAt', 'companyName', 'none:foreign-key', 'none:consent-not-proven', 'doNotContact:email']],
    ['salesforce', 'Id,AccountId,LastName,FirstName,Salutation,MailingCity,Phone,Fax,MobilePhone,HomePhone,OtherPhone,Email,Title,LeadSource,OwnerId,HasOptedOutOfEmail,DoNotCall,CreatedDate,SystemModstamp', ['custom', 'none:foreign-key', 'lastName', 'firstName', 'custom', 'city', 'phone:work', 'phone:fax', 'phone:mobile', 'phone:home', 'phone:other', 'email:work', 'title', 'source', 'none:foreign-key', 'doNotContact:email', 'doNotContact:phone', 'collectedAt', 'none:derived']],
    ['zoho', 'Record Id,Contact Owner,First Name,Last Name,Account Name,Email,Secondary Email,Phone,Mobile,Home Phone,Created Time,Modified Time,Tag,Email Opt Out,Skype ID', ['custom', 'custom', 'firstName', 'lastName', 'companyName', 'email:work', 'email:other', 'phone:work', 'phone:mobile', 'phone:home', 'collectedAt', 'custom', 'tags', 'doNotContact:email', 'handle:skype']],
    ['fxiaoke', '姓名,客户名称,职务,部门,手机1,手机2,电话1,邮件,微信,负责人,归属部门,创建时间,生命状态', ['fullName', 'companyName', 'title', 'custom', 'phone:mobile', 'phone:mobile', 'phone:work', 'email:other', 'handle:wechat', 'custom', 'custom', 'collectedAt', 'custom']],
    ['xiaoshouyi', '联系人姓名,客户名称,职位,手机,电话,电子邮件,联系人所有人,创建日期,最新修改日', ['fullName', 'companyName', 'title', 'phone:mobile', 'phone:work', 'email:work', 'custom', 'collectedAt', 'custom']],
    ['generic', 'Name,E-mail 1 - Value,E-mail 2 - Value,Phone 1 - Value,Group Membership', ['fullName', 'email:other', 'email:other', 'phone:other', 'tags']],
    ['generic', '客户名称,联系电话', ['fullName', 'phone:other']],
    ['generic', '姓,名,邮箱2,身份证号,密码,是否同意接收营销短信,公司ID,护照号,#7', ['lastName', 'firstName', 'email:other', 'nationalId', 'none:secret', 'none:consent-not-proven', 'none:foreign-key', 'custom', 'none:unnamed']],
  ])('of a %s file: %s', (preset, header, expected) => {
    // `#7` stands for a column without a name only in its place, which the reader gives.
    expect(mapColumns(header.split(',')).preset).toBe(preset)
    expect(targets(header.split(','))).toEqual(expected)
  })

  test('a status is the stage only if its values are stages', () => {
    expect(targets(['Name', 'Status'], { sample: [['a', 'active'], ['b', 'Former'], ['c', '']] })[1]).toBe('stage')
    expect(targets(['Name', 'Status'], { sample: [['a', 'warm'], ['b', 'cold']] })[1]).toBe('custom')
  })

  test('custom fields have stable keys that never meet', () => {
    const fields = mapColumns(['姓名', '客户生日', 'A-B', 'A B', '生日', 'Größe', '!!!', '__proto__', 'x'.repeat(90)]).customFields
    expect(fields.map((f) => f.key)).toEqual(['ke_hu_sheng_ri', 'a_b', 'a_b_2', 'sheng_ri', 'gro_e', 'column', 'proto', 'x'.repeat(36)])
    expect(fields[3]?.label).toEqual({ en: 'Birthday', zh: '生日' })
    for (const f of fields) expect(f.key).toMatch(/^[a-z][a-z0-9_]{0,39}$/)
  })

  test('health, faith and numbers that open doors are sensitive and not found by text', () => {
    expect(mapColumns(['姓名', '护照号', '银行卡号', 'Religion']).customFields.map((f) => [f.class, f.find])).toEqual(Array(3).fill(['sensitive', []]))
  })

  test('a table that names nobody is refused', () => {
    expect(() => assertIdentifying(mapColumns(['sku', 'price']))).toThrow(Problem)
    expect(() => assertIdentifying(mapColumns(['sku', '手机']))).not.toThrow()
  })

  test('never throw, and every column goes somewhere', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.string({ minLength: 1, unit: 'grapheme' }), { minLength: 1, maxLength: 12 }), (header) => {
        const m = mapColumns(header)
        expect(m.columns.map((c) => c.name)).toEqual(header)
        expect(new Set(m.columns.map((c) => c.field.key)).size).toBe(header.length)
        for (const c of m.columns) expect(c.field.key).toMatch(/^[a-z][a-z0-9_]{0,39}$/)
      }),
      { numRuns: 2000 },
    )
  })
})

test('an export of ours comes back as it was', () => {
  const header = 'fullName,emails,phones,handles,companyId,title,note,stage,tags,doNotContact,custom.legacyId'
  const cells = ["'=1+1", 'a@x.example; b@x.example', "'+8613800138000; +12133734253", 'wechat:wxm; linkedin:https://x.example/in/a', '', "'-5", "''=x", 'dormant', 'VIP; 展会', 'email; sms', '7']
  const { contact, problems } = make(header, cells, { sample: [cells] })
  expect(mapColumns(header.split(',')).preset).toBe('sealbook')
  expect(problems).toEqual([])
  expect(contact).toMatchObject({
    fullName: '=1+1', title: '-5', note: "'=x", stage: 'dormant', tags: ['VIP', '展会'], doNotContact: ['email', 'sms'], custom: { legacyId: '7' },
    emails: [{ value: 'a@x.example' }, { value: 'b@x.example' }],
    phones: [{ value: '+8613800138000', typed: '+8613800138000' }, { value: '+12133734253' }],
    handles: [{ kind: 'wechat', value: 'wxm' }, { kind: 'linkedin', value: 'https://x.example/in/a' }],
  })
})

describe('a map file', () => {
  const header = ['Customer', 'Tel', 'Temp', 'ID card', 'Score']

  test('changes what it names', () => {
    const map = readMapFile(JSON.stringify({ version: 1, columns: { customer: 'companyName', Tel: 'phone:work', Temp: 'stage', 'ID card': { to: 'custom', key: 'tel', label: '证件', class: 'sensitive', find: ['exact'] }, Score: 'none' }, stages: { Warm: 'active', cold: 'dormant' }, dates: 'dmy' }))
    expect(targets(header, { map })).toEqual(['companyName', 'phone:work', 'stage', 'custom', 'none:not-wanted'])
    const mapping = mapColumns(header, { map })
    expect(mapping.customFields).toEqual([{ key: 'tel', label: { en: '证件', zh: '证件' }, type: 'text', class: 'sensitive', find: [] }])
    expect(mapping.columns[1]?.field.key).toBe('tel_2')
    expect(toContact({ row: 1, cells: ['', '13800138000', 'COLD', '', ''] }, mapping, { country: 'CN', source: 's' }).contact?.stage).toBe('dormant')
  })

  test.each([
    ['not JSON', '{', [{ path: '', code: 'not-json' }]],
    ['another version', '{"version":2}', [{ path: 'version', code: 'invalid-value' }]],
    ['an unknown target', '{"version":1,"columns":{"Tel":"consent"}}', undefined],
    ['an unknown word', '{"version":1,"column":{}}', [{ path: '', code: 'unrecognized-keys' }]],
    ['a column that is not there', '{"version":1,"columns":{"Fon":"phone"}}', [{ path: 'columns.Fon', code: 'column-missing' }]],
    ['a column named twice', '{"version":1,"columns":{"Tel":"phone","TEL":"none"}}', [{ path: 'columns.TEL', code: 'column-repeated' }]],
    ['a key given twice', '{"version":1,"columns":{"Tel":{"to":"custom","key":"k"},"Temp":{"to":"custom","key":"k"}}}', [{ path: 'columns.Temp.key', code: 'key-repeated' }]],
  ])('with %s is refused', (_, json, errors) => {
    let caught: unknown
    try {
      mapColumns(header, { map: readMapFile(json) })
    } catch (problem) {
      caught = problem
    }
    expect(caught).toMatchObject({ code: 'import-map-invalid', ...(errors && { errors }) })
  })
})

describe('a row', () => {
  test('in Chinese', () => {
    const { contact, problems } = make('姓名,手机,邮箱,公司,微信,创建时间,标签,勿扰', ['　王小明 ', '１３８　００１３　８０００／13900139000', 'WANG@例子.中国；w@x.example', '星河（北京）有限公司', 'wxm', '2024年3月5日 09:00', '老客户、VIP', '是'])
    expect(problems).toEqual([])
    expect(contact).toMatchObject({
      fullName: '王小明',
      emails: [{ value: 'wang@xn--fsqu00a.xn--fiqs8s', label: 'other' }, { value: 'w@x.example', label: 'other' }],
      companyName: '星河（北京）有限公司',
      handles: [{ kind: 'wechat', value: 'wxm' }],
      collectedAt: '2024-03-05T01:00:00.000Z',
      tags: ['老客户', 'VIP'],
      doNotContact: ['all'],
      source: 'test',
    })
    expect(contact?.phones.map((p) => [p.value, p.typed, p.label])).toEqual([['+8613800138000', '１３８　００１３　８０００', 'mobile'], ['+8613900139000', '13900139000', 'mobile']])
  })

  test('is rejected only when nothing in it names, writes to or calls anybody', () => {
    expect(make('姓名,手机,邮箱,公司', ['', ' - ', '', '星河'])).toEqual({ contact: null, problems: [{ row: 1, column: null, code: 'nothing-identifying' }], extraFields: [] })
    expect(make('姓名,手机', ['', '12345']).contact).toMatchObject({ fullName: null, phones: [{ value: null, digits: '12345', valid: false }] })
    expect(make('姓名,手机', ['王', '']).contact?.fullName).toBe('王')
  })

  test('keeps what a field cannot hold in a custom field of the column', () => {
    const { contact, problems, extraFields } = make('Name,Email,Phone,Created,DoNotCall,Company,Company Name,Tags', ['Ann', 'ann at x', 'ask Bob', 'last spring', 'since May', 'A', 'B', 'x'.repeat(61)])
    expect(contact).toMatchObject({ fullName: 'Ann', emails: [], phones: [], collectedAt: null, companyName: 'A', doNotContact: ['phone'], tags: [] })
    expect(contact?.custom).toEqual({ email: 'ann at x', phone: 'ask Bob', created: 'last spring', do_not_call: 'since May', company_name: 'B', tags: 'x'.repeat(61) })
    expect(problems.map((p) => `${p.column} ${p.code}`)).toEqual(['Email email-invalid', 'Phone phone-invalid', 'Created date-unreadable', 'DoNotCall flag-unclear', 'Company Name second-value', 'Tags value-too-long'])
    expect(extraFields.map((f) => f.key)).toEqual(Object.keys(contact?.custom ?? {}))
  })

  test('does not take a mask for the value behind it', () => {
    const { contact, problems } = make('姓名,手机,邮箱,身份证号', ['王', '138****5678/13900139000', 'w***@x.example', '1101**********1234'])
    expect(contact).toMatchObject({ phones: [{ value: '+8613900139000' }], emails: [], nationalId: null, custom: { shou_ji: '138****5678/13900139000', you_xiang: 'w***@x.example' } })
    expect(problems.map((p) => p.code)).toEqual(['value-masked', 'value-masked', 'value-masked'])
  })

  test('joins names, and keeps parts that say something else than the whole', () => {
    expect(make('姓,名', ['欧阳', '娜娜']).contact?.fullName).toBe('欧阳娜娜')
    expect(make('First Name,Last Name', ['Ann', 'Lee']).contact?.fullName).toBe('Ann Lee')
    expect(make('Name,First Name,Last Name', ['Ann Lee', 'Ann', 'Lee'])).toMatchObject({ contact: { fullName: 'Ann Lee', custom: {} }, problems: [] })
    expect(make('Name,First Name', ['Ann Lee', 'Annabel'])).toMatchObject({ contact: { custom: { first_name: 'Annabel' } }, problems: [{ code: 'second-value' }] })
  })

  test('flags an ambiguous date unless the map says the order', () => {
    expect(make('Name,Created', ['A', '03/04/2024'], { country: 'US' })).toMatchObject({ contact: { collectedAt: '2024-03-04T00:00:00.000Z' }, problems: [{ code: 'date-ambiguous' }] })
    expect(make('Name,Created', ['A', '03/04/2024'], { country: 'GB', map: readMapFile('{"version":1,"dates":"dmy"}') })).toMatchObject({ contact: { collectedAt: '2024-04-03T00:00:00.000Z' }, problems: [] })
  })

  test('stores a formula as typed', () => {
    expect(make('Name,Notes', ['=HYPERLINK("x")', '@x']).contact).toMatchObject({ fullName: '=HYPERLINK("x")', note: '@x' })
  })

  test('never throws, and is the same the second time', () => {
    const header = '姓名,First Name,Last Name,Email,Phone,手机,Created,DoNotCall,Company,Company Name,Tags,Stage,来源,微信,身份证号,Notes,Extra'
    const mapping = mapColumns(header.split(','), { sample: [Array<string>(17).fill('active')] })
    const unit = fc.constantFrom(...'0138+-x/,;=@. a王＠１', 'ann@x.example', '13800138000', '\0', '\u202e', '无', 'active', '2024-01-01', '\n')
    const cells = fc.array(fc.string({ unit, maxLength: 12 }), { minLength: 17, maxLength: 17 })
    fc.assert(
      fc.property(cells, (row) => {
        const result = toContact({ row: 7, cells: row }, mapping, { country: 'CN', source: 's' })
        expect(toContact({ row: 7, cells: row }, mapping, { country: 'CN', source: 's' })).toEqual(result)
        expect(result.contact === null).toBe(result.problems.some((p) => p.code === 'nothing-identifying'))
        expect(JSON.stringify(result)).not.toMatch(/\\u00(?:0[0-7bcef]|1)/)
        for (const key of result.extraFields.map((f) => f.key)) expect(Object.keys(result.contact?.custom ?? {})).toContain(key)
      }),
      { numRuns: 3000 },
    )
  })
})
