import { mkdtempSync, realpathSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { describeApp } from '../../src/app.ts'
import type { Db } from '../../src/kernel/db/index.ts'
import { startServer, type Json, type TestServer } from '../harness/server.ts'
import { plantOne, textField } from './matrix/world.ts'
import { catalogueText, processText, Scanner, settle, superuser, type Canary } from './scan.ts'

const canaries: Canary[] = []
let serial = 0

/** A fresh value no other text contains, in the alphabet asked for; every field gets its own, so that a hit names its way in. */
function plant(name: string, make: (id: string) => string = (id) => `Kanarie ${id}`): string {
  const value = make(`q${(7_000_000 + ++serial * 7919).toString(36)}x`)
  canaries.push({ name, value })
  return value
}
const chinese = (id: string): string => `金丝雀${[...id].map((c) => String.fromCodePoint(0x4e00 + c.codePointAt(0)! * 37)).join('')}`
const mail = (id: string): string => `${id}@kanarie.example`
const digits = (id: string): string => `+1212555${String([...id].reduce((n, c) => (n * 31 + c.codePointAt(0)!) % 10_000, 7)).padStart(4, '0')}`

let server: TestServer
let db: Db
beforeAll(async () => {
  server = await startServer({ env: { SEALBOOK_LOG_LEVEL: 'debug', TMPDIR: mkdtempSync(join(realpathSync(tmpdir()), 'sealbook-attack-')) } })
  db = superuser(server)
})
afterAll(async () => {
  await db?.close()
  await server?.close()
})

function contact(from: string): Json {
  return {
    fullName: plant(`${from} fullName`, chinese),
    emails: [{ value: plant(`${from} emails`, mail), label: plant(`${from} emails label`) }],
    phones: [
      { typed: plant(`${from} phones`, digits), label: plant(`${from} phones label`) },
      { typed: plant(`${from} phones invalid`, (id) => `tel ${id} 99`), label: 'x' },
    ],
    handles: [{ kind: 'wechat', value: plant(`${from} handles`) }],
    title: plant(`${from} title`),
    city: plant(`${from} city`, chinese),
    note: plant(`${from} note`, (id) => `${chinese(id)} ${'lang '.repeat(300)}`),
    tags: [plant(`${from} tags`)],
    source: plant(`${from} source`),
    doNotContact: ['phone'],
    nationalId: plant(`${from} nationalId`, (id) => `11010119900307${id}`),
  }
}

describe('values that go in by every door', { timeout: 120_000 }, () => {
  test('by the API: created, changed, searched, refused, repeated, deleted', async () => {
    const ok = (a: { status: number; text: string }, status = 200): Json => {
      expect({ status: a.status, text: a.status === status ? '' : a.text }).toEqual({ status, text: '' })
      return JSON.parse(a.text)
    }
    ok(await server.call('POST', '/custom-fields', { entity: 'contact', key: 'pet', label: { en: plant('custom label'), zh: '宠物' }, type: 'text', class: 'personal', find: ['text'] }), 201)
    ok(await server.call('POST', '/custom-fields', { entity: 'contact', key: 'illness', label: { en: 'Illness', zh: '病史' }, type: 'text', class: 'sensitive' }), 201)
    const custom = { pet: plant('custom value'), illness: plant('custom sensitive') }
    const made = ok(await server.call('POST', '/contacts', { ...contact('create'), companyName: plant('company name', chinese), custom }, { headers: { 'Idempotency-Key': 'canary-1' } }), 201)
    const changed = ok(await server.call('PATCH', `/contacts/${made.id}`, { ...contact('patch'), custom: { pet: plant('custom patched') } }, { headers: { 'If-Match': '"1"' } }))
    ok(await server.call('POST', '/contacts/bulk', { ids: [made.id], action: 'tag', patch: { tags: [plant('bulk tag')] } }))
    ok(await server.call('POST', '/contacts/search', { text: plant('search text', chinese), where: { field: 'title', op: 'contains', value: plant('search where') }, sort: [{ field: 'fullName', direction: 'asc' }] }))
    ok(await server.call('POST', '/contacts/search', { where: { field: 'emails', op: 'eq', value: plant('search email', mail) } }))
    for (const bad of [{ fullName: 7, [plant('error key')]: plant('error value') }, { emails: [{ value: plant('error email') }] }, { stage: plant('error stage') }]) expect((await server.call('POST', '/contacts', bad)).status).toBe(400)
    expect((await server.call('POST', '/contacts', Buffer.from(`{"fullName":"${plant('broken json')}`), { headers: { 'Content-Type': 'application/json' } })).status).toBe(400)
    await server.call('POST', '/contacts/search', { cursor: plant('cursor') })
    await server.call('GET', `/contacts/${plant('path')}`, undefined, { headers: { 'X-Request-Id': plant('request id').replaceAll(' ', '-'), 'User-Agent': plant('user agent') } })
    await server.call('GET', `/contacts?name=${encodeURIComponent(plant('query'))}`)
    await server.call('POST', '/session', { email: plant('sign-in email', mail), password: plant('sign-in password') }, { token: null })
    await server.addPerson(plant('colleague email', mail), 'rep')
    ok(await server.call('DELETE', `/contacts/${made.id}`, undefined, { headers: { 'If-Match': `"${changed.version + 1}"` } }))
    ok(await server.call('POST', `/contacts/${made.id}/restore`))
  })

  test('by the API, into every field of every noun: created, changed, looked for, deleted, brought back', async () => {
    const { records, canaries: planted } = await plantOne(server, describeApp())
    expect(new Set(records.map((r) => r.noun))).toEqual(new Set(describeApp().entities.map((e) => e.name)))
    for (const r of records) {
      const at = `/${r.entity.plural}/${r.id}`
      const name = textField(r)
      const { version } = (await server.call('GET', at)).body
      if (name) expect((await server.call('PATCH', at, { [name]: planted.text({ recordId: r.id, noun: r.noun, field: `${name} changed` }) }, { headers: { 'If-Match': `"${version}"` } })).status).toBe(200)
      await server.call('POST', `/${r.entity.plural}/search`, { text: planted.text({ recordId: r.id, noun: r.noun, field: 'asked' }) })
      if (name) await server.call('POST', `/${r.entity.plural}/search`, { where: { field: name, op: 'contains', value: planted.text({ recordId: r.id, noun: r.noun, field: 'asked for' }) } })
      for (const more of ['/timeline', '/relations']) expect((await server.call('GET', `${at}${more}`)).status).toBe(200)
    }
    // Those that others hang on go last.
    for (const r of records.toReversed()) {
      const at = `/${r.entity.plural}/${r.id}`
      const { version } = (await server.call('GET', at)).body
      const gone = await server.call('DELETE', at, undefined, { headers: { 'If-Match': `"${version}"` } })
      if (gone.status === 200) expect((await server.call('POST', `${at}/restore`)).status).toBe(200)
    }
    const words = [...planted.planted].filter(([word]) => word.startsWith('cnry'))
    expect(words.length).toBeGreaterThan(records.length * 4)
    canaries.push(...words.map(([value, on]) => ({ name: `${on.noun}.${on.field}`, value })))
  })

  test('by import, also of a file that is refused, and by export', async () => {
    const folder = server.place.folder
    const c = contact('import')
    const header = 'Name,Email,Phone,Company,Title,City,Tags,Notes,Odd column'
    const row = [c.fullName, c.emails[0].value, c.phones[0].typed, plant('import company'), c.title, c.city, c.tags[0], c.note, plant('import custom')].join(',')
    writeFileSync(join(folder, 'in.csv'), `${header}\r\n${row}\r\n"${plant('import broken row')},x\r\n`)
    const imported = await server.cli(['import', 'contacts', join(folder, 'in.csv'), '--country', 'US', '--source', plant('import source'), '--json'])
    expect(imported.json).toMatchObject({ created: 1, rejected: 1 })
    writeFileSync(join(folder, 'zip.csv'), Buffer.concat([Buffer.from('PK\u0003\u0004'), Buffer.from(plant('import zip'))]))
    expect((await server.cli(['import', 'contacts', join(folder, 'zip.csv'), '--source', 'x', '--json'])).code).toBe(1)
    for (const format of ['csv', 'jsonl']) {
      const out = await server.cli(['export', 'contacts', '--reason', plant('export reason'), '--format', format, '--out', join(folder, `out.${format}`), '--json'])
      expect(out.json.rows).toBe(3)
    }
  })
})

describe('the scan', { timeout: 120_000 }, () => {
  test('finds planted positives first: plain column, large value, log line, job payload, file in UTF-16', async () => {
    const decoys = ['column', 'toast', 'log', 'job', 'utf-16', 'gb18030', 'base64'].map((name) => ({ name, value: `Lockvogel 鸟 ${name} ${Math.abs(name.length * 7919)}` }))
    const [column, toast, log, job, wide, gb, base] = decoys.map((d) => d.value)
    await db.query('CREATE TABLE decoy (plain text, large text)')
    // Random filler keeps PostgreSQL from compressing the value away from a byte search; a compressed one is found through COPY.
    await db.query("INSERT INTO decoy VALUES ($1, $2 || (SELECT string_agg(md5(i::text || random()::text), '') FROM generate_series(1, 250) i))", [column, toast])
    await db.query('INSERT INTO decoy VALUES (NULL, $1)', [`${toast} `.repeat(400)])
    await db.query("INSERT INTO pgboss.job (name, data) SELECT 'export', jsonb_build_object('id', $1::text) ", [job])
    const iconv = (await import('iconv-lite')).default
    const home = server.place.home
    writeFileSync(join(home, 'log', 'decoy.log'), `{"msg":"${log}"}\n`)
    writeFileSync(join(home, 'staging', 'decoy'), Buffer.concat([Buffer.from(wide!, 'utf16le'), iconv.encode(gb!, 'gb18030'), Buffer.from(Buffer.from(`x${base!}`).toString('base64'))]))
    await settle(db)
    const scanner = new Scanner(decoys)
    const found = new Set([...scanner.folder(home).hits, ...scanner.bytes('catalogue', await catalogueText(db))].map((h) => h.canary))
    expect([...found].sort()).toEqual(decoys.map((d) => d.name).sort())
    await db.query('DROP TABLE decoy')
    await db.query("DELETE FROM pgboss.job WHERE data->>'id' = $1", [job])
  })

  test('finds no canary in data folder, logs, key store, staging, every table, catalogue views, temporary files, command lines', async () => {
    expect(canaries.length).toBeGreaterThan(50)
    await settle(db)
    const scanner = new Scanner(canaries)
    const home = scanner.folder(server.place.home)
    expect(home.files).toBeGreaterThan(500)
    const hits = [
      ...home.hits,
      ...scanner.bytes('tables and catalogue', await catalogueText(db)),
      ...scanner.bytes('stderr', Buffer.from(server.said)),
      ...scanner.bytes('processes', processText(server.pid)),
      ...scanner.folder(temporaryFolder(server)).hits,
    ]
    expect(hits).toEqual([])
  })

  test('and none either in what is left when the server has stopped', async () => {
    await db.close()
    expect(await server.end('SIGTERM')).toBe(0)
    const { hits, files } = new Scanner(canaries).folder(server.place.home)
    expect(hits).toEqual([])
    expect(files).toBeGreaterThan(500)
    await server.start()
    db = superuser(server)
  })
})

/** The server of this suite has a TMPDIR of its own. */
const temporaryFolder = (s: TestServer): string => String(s.place.env['TMPDIR'])
