import { createWriteStream, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { parse } from 'csv-parse/sync'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { generateContacts, wangXiaoming } from '../build/chinese.ts'
import { writeCsv } from '../build/contacts-csv.ts'
import type { CliResult } from '../harness/cli.ts'
import { startServer, type Json, type TestServer } from '../harness/server.ts'

// A real export of another CRM goes in and every person in it is found again; so is everybody of a GB18030 file.

const LEGACY = join(import.meta.dirname, '..', 'data', 'legacy-crm-contacts.csv')
const people = parse(readFileSync(LEGACY), { columns: true }) as Record<string, string>[]

let server: TestServer
beforeAll(async () => {
  server = await startServer({ env: { SEALBOOK_REQUESTS_PER_MINUTE: '1000000' } })
}, 60_000)
afterAll(() => server?.close())

const importFile = (file: string, ...more: string[]): Promise<CliResult> => server.cli(['import', 'contacts', file, '--source', 'test', ...more, '--json'])
const search = async (body: object): Promise<Json[]> => {
  const answer = await server.call('POST', '/contacts/search', { limit: 200, ...body })
  expect(answer.status).toBe(200)
  return answer.body.items
}
const balanced = (r: Json): void => expect(r.created + r.updated + r.unchanged + r.merged + r.skipped + r.rejected).toBe(r.rows)

/** Runs `check` for every item, a few at a time. */
async function each<T>(items: readonly T[], check: (item: T) => Promise<void>): Promise<void> {
  const waiting = [...items]
  await Promise.all(Array.from({ length: 8 }, async () => {
    for (let item = waiting.pop(); item !== undefined; item = waiting.pop()) await check(item)
  }))
}

describe('the legacy file of 500 people', { timeout: 180_000 }, () => {
  let result: Json

  test('goes in whole: 500 created with their companies, 474 of 830 numbers valid, every column accounted for', async () => {
    const done = await importFile(LEGACY, '--country', 'US')
    expect(done.code).toBe(0)
    result = done.json
    const companies = new Set(people.map((p) => p['company_name']).filter(Boolean)).size
    expect(result).toMatchObject({ rows: 500, created: 500, rejected: 0, companiesCreated: companies })
    balanced(result)
    expect(result.problems.filter((p: Json) => p.code === 'phone-invalid')).toHaveLength(830 - 474)
    expect(result.unmappedColumns).toContain('has_newsletter')
  })

  test('keeps consent out: has_newsletter is told as not taken and stands nowhere in a record', async () => {
    const [one] = await search({ text: people[2]!['last_name'] })
    expect(JSON.stringify(one)).not.toMatch(/newsletter|consent/i)
  })

  test('holds every number, valid or not, with its digits and extension', async () => {
    const phones: Json[] = []
    let cursor: string | null = null
    do {
      const { body } = await server.call('POST', '/contacts/search', { limit: 200, ...(cursor ? { cursor } : {}) })
      phones.push(...body.items.flatMap((i: Json) => i.phones))
      cursor = body.nextCursor
    } while (cursor)
    expect(phones).toHaveLength(830)
    expect(phones.filter((p) => p.valid)).toHaveLength(474)
    for (const p of phones) expect(p.digits.length).toBeGreaterThanOrEqual(10)
    const typed = people.flatMap((p) => [p['phone_work'], p['phone_home'], p['phone_other']]).filter(Boolean)
    expect(phones.map((p) => p.typed).sort()).toEqual(typed.sort())
    expect(phones.filter((p) => p.extension).length).toBe(typed.filter((t) => /x\d+$/.test(t!)).length)
  })

  test('every person is found by a part of the name', async () => {
    await each(people, async (p) => {
      const full = `${p['first_name']} ${p['last_name']}`
      for (const part of [p['last_name']!.slice(0, Math.max(3, p['last_name']!.length - 1)), p['first_name']!.slice(1).toUpperCase()]) {
        if (part.length < 2) continue
        const { body } = await server.call('POST', '/contacts/search', { where: { field: 'fullName', op: 'contains', value: part }, limit: 200 })
        expect({ part, names: body.items.map((i: Json) => i.fullName) }).toMatchObject({ names: expect.arrayContaining([full]) })
      }
      expect((await search({ text: full.slice(1, -1) })).map((i) => i.fullName)).toContain(full)
    })
  })

  test('every person is found by their e-mail in any case', async () => {
    await each(people, async (p) => {
      const mail = [p['email_work'], p['email_home'], p['email_other']].find(Boolean)!
      for (const value of [mail, mail.toUpperCase()]) {
        const found = await search({ where: { field: 'emails', op: 'eq', value } })
        expect(found.map((i) => i.fullName)).toContain(`${p['first_name']} ${p['last_name']}`)
      }
    })
  })

  test('every person is found by the last four digits of each of their phones, extensions apart', async () => {
    await each(people, async (p) => {
      for (const typed of [p['phone_work'], p['phone_home'], p['phone_other']].filter(Boolean)) {
        const base = typed!.replace(/x\d+$/, '').replaceAll(/\D/g, '')
        const found = await search({ text: base.slice(-4) })
        expect({ typed, names: found.map((i) => i.fullName) }).toMatchObject({ names: expect.arrayContaining([`${p['first_name']} ${p['last_name']}`]) })
      }
    })
  })

  test('two people of one name stay two', async () => {
    const names = people.map((p) => `${p['first_name']} ${p['last_name']}`)
    const doubled = names.find((n, i) => names.indexOf(n) !== i)!
    const times = names.filter((n) => n === doubled).length
    expect(times).toBeGreaterThan(1)
    expect((await search({ where: { field: 'fullName', op: 'eq', value: doubled } }))).toHaveLength(times)
  })

  test('a second run changes nothing', async () => {
    const again = await importFile(LEGACY, '--country', 'US')
    expect(again.json).toMatchObject({ rows: 500, unchanged: 500, created: 0, updated: 0, merged: 0, companiesCreated: 0 })
  })
})

describe('a GB18030 file of Chinese contacts', { timeout: 180_000 }, () => {
  test('goes in, and 王小明 is found by 小明, wangxiaoming, wxm, a typo, his company and his digits; again: unchanged', async () => {
    const file = join(server.place.folder, 'zh.csv')
    await writeCsv(createWriteStream(file), generateContacts(2000, 7, { zh: 1 }), { encoding: 'gb18030' })
    const done = await importFile(file, '--country', 'CN')
    expect(done.json).toMatchObject({ rows: 2000, created: 2000, rejected: 0 })
    balanced(done.json)
    for (const text of ['小明', '王小明', 'wangxiaoming', 'xiaoming', 'wxm', 'WXM', 'wangxiaomign', 'wangxaoming', wangXiaoming.phones[0]!.slice(-4)]) {
      expect({ text, names: (await search({ text })).map((i) => i.fullName) }).toMatchObject({ names: expect.arrayContaining(['王小明']) })
    }
    expect((await importFile(file, '--country', 'CN')).json).toMatchObject({ rows: 2000, unchanged: 2000 })
  })
})

describe('a file that is not what it says', { timeout: 180_000 }, () => {
  const write = (name: string, content: string | Buffer): string => {
    const path = join(server.place.folder, name)
    writeFileSync(path, content)
    return path
  }
  const refused = async (file: string): Promise<void> => {
    const before = (await server.call('POST', '/contacts/search', { limit: 1, count: true })).body.count
    const done = await importFile(file)
    expect({ code: done.code, problem: done.json?.problem?.code }).toEqual({ code: 1, problem: 'import-file-unreadable' })
    expect((await server.call('POST', '/contacts/search', { limit: 1, count: true })).body.count).toBe(before)
  }

  test('a zip or picture renamed .csv, an empty file and random bytes are refused, nothing written', async () => {
    await refused(write('zip.csv', Buffer.from('504b030414000000080000002100', 'hex')))
    await refused(write('png.csv', Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex')))
    await refused(write('empty.csv', ''))
    await refused(write('noise.csv', Buffer.from(Array.from({ length: 5000 }, (_, i) => (i * 7919 + (i >> 3)) & 0xff))))
  })

  test('ragged rows, wrong quotes and NUL bytes cost their own rows only, by number', async () => {
    const done = await importFile(write('bad.csv', 'Name,Email\nOne Fine,one@fine.example\nToo,many@cells.example,3\n"Bro"ken,x@y.example\nNul\0Byte,nul@byte.example\nTwo Fine,two@fine.example\n'))
    expect(done.code).toBe(5)
    balanced(done.json)
    expect(done.json.rows).toBe(5)
    expect(new Set(done.json.problems.map((p: Json) => p.row))).toEqual(new Set([2, 3, 4]))
    expect((await search({ text: 'two fine' })).map((i) => i.fullName)).toContain('Two Fine')
  })

  test('200 MB on one line are one rejected row, or a refused file; the server stays up and small', async () => {
    const file = join(server.place.folder, 'long.csv')
    const million = Buffer.alloc(1 << 20, 0x78)
    await pipeline(Readable.from((function* () {
      yield Buffer.from('Name,Email\n')
      for (let i = 0; i < 200; i++) yield million
    })()), createWriteStream(file))
    const done = await importFile(file)
    expect([1, 5]).toContain(done.code)
    if (done.code === 5) balanced(done.json)
    expect((await server.call('GET', '/api/health')).body.status).toBe('ready')
  })
})
