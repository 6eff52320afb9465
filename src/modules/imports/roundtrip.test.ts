import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { generateContacts, wangXiaoming, type GeneratedContact } from '../../../test/build/chinese.ts'
import { Problem } from '../../kernel/base/index.ts'
import { csvBytes, type CsvForm } from '../../../test/build/contacts-csv.ts'
import { mapColumns } from './mapping.ts'
import { inspectCsv, readCsv, type CsvSource } from './read/index.ts'
import { toContact, type ContactDraft } from './row.ts'

async function roundTrip(people: readonly GeneratedContact[], form: CsvForm) {
  const open: CsvSource = async function* () {
    yield* csvBytes(people, form)
  }
  const profile = await inspectCsv(open)
  const mapping = mapColumns(profile.header, { sample: profile.sample })
  const contacts: ContactDraft[] = []
  const problems: string[] = []
  for await (const { row, cells, problem } of readCsv(open, profile)) {
    if (problem) problems.push(problem.code)
    const result = toContact({ row, cells: cells ?? [] }, mapping, { country: 'CN', source: 'test' })
    problems.push(...result.problems.map((p) => p.code))
    if (result.contact) contacts.push(result.contact)
  }
  return { profile, mapping, contacts, problems }
}

describe('generated contacts come back from', () => {
  const people = [...generateContacts(3000, 17, { zh: 0.9 })]
  test.each<[string, string, CsvForm]>([
    ['GB18030', 'gb18030', { encoding: 'gb18030' }],
    ['GB18030 with tabs and CR', 'gb18030', { encoding: 'gb18030', delimiter: '\t', newline: '\r' }],
    ['UTF-8', 'utf-8', { encoding: 'utf8', header: 'en' }],
    ['UTF-8 with a mark and semicolons', 'utf-8', { encoding: 'utf8', mark: true, delimiter: ';', newline: '\n' }],
    ['UTF-16', 'utf-16le', { encoding: 'utf16le' }],
    ['UTF-16 without a mark', 'utf-16le', { encoding: 'utf16le', mark: false }],
  ])('%s', async (_, encoding, form) => {
    const { profile, mapping, contacts, problems } = await roundTrip(people, form)
    expect(profile).toMatchObject({ encoding, rows: 3000, rejected: 0 })
    expect(mapping).toMatchObject({ customFields: [], unmappedColumns: [] })
    expect(problems.filter((code) => code !== 'phone-invalid')).toEqual([])
    expect(contacts).toHaveLength(3000)
    for (const [i, c] of contacts.entries()) {
      const p = people[i]
      expect(c).toMatchObject({ fullName: p?.fullName, companyName: p?.company, title: p?.title, city: p?.city, source: p?.source, tags: p?.tags })
      expect(c.emails.map((e) => e.value)).toEqual(p?.emails)
      expect(c.phones.map((n) => n.typed).sort()).toEqual([...new Set(p?.phones)].sort())
      expect(c.note ?? '').toBe(p?.note)
    }
    expect(contacts[0]).toMatchObject({ fullName: '王小明', phones: [{ value: '+8613800138000', label: 'mobile' }], emails: [{ value: wangXiaoming.emails[0] }] })
  })
})

describe('a damaged export', () => {
  const legacy = readFileSync(new URL('../../../test/data/legacy-crm-contacts.csv', import.meta.url)).subarray(0, 12_000)
  const chinese = Buffer.concat([...csvBytes(generateContacts(60, 3), { encoding: 'gb18030' })])
  const junk = fc.constantFrom('"', '""', '\n', '\r', ',', '\0', ',,,,', '"\n', '\xff', '\x80\xfe', ';', '\x1a', "'", '=1+1')
  const damage = fc.array(fc.record({ at: fc.nat(), cut: fc.nat({ max: 40 }), junk }), { minLength: 1, maxLength: 12 })

  test('is refused as a whole or read: rows = contacts + rejected, each with its reason', async () => {
    let read = 0
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(legacy, chinese), damage, async (whole, wounds) => {
        let bytes: Buffer = whole
        for (const { at, cut, junk: put } of wounds) {
          const place = at % bytes.length
          bytes = Buffer.concat([bytes.subarray(0, place), Buffer.from(put, 'latin1'), bytes.subarray(place + cut)])
        }
        read += await rowsAddUp(bytes)
      }),
      { numRuns: 500 },
    )
    expect(read).toBeGreaterThan(1000)
  })
})

async function rowsAddUp(bytes: Buffer): Promise<number> {
  const open: CsvSource = async function* () {
    yield bytes
  }
  let rows = 0
  let contacts = 0
  let rejected = 0
  try {
    const profile = await inspectCsv(open)
    const mapping = mapColumns(profile.header, { sample: profile.sample })
    for await (const { row, cells, problem } of readCsv(open, profile)) {
      expect(row).toBe(++rows)
      const result = cells ? toContact({ row, cells }, mapping, { country: 'US', source: 'test' }) : null
      if (result?.contact) contacts++
      else {
        rejected++
        expect(result ? result.problems.map((p) => p.code) : [problem?.code]).not.toEqual([])
      }
    }
    expect(profile.rows).toBe(contacts + rejected)
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem
    expect(problem.code).toBe('import-file-unreadable')
  }
  return rows
}
