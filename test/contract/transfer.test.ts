import { createHash } from 'node:crypto'
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { CliResult } from '../harness/cli.ts'
import { startServer, type Json, type TestServer } from '../harness/server.ts'
import { expectCliProblem, expectProblem, UUID } from './shapes.ts'

let server: TestServer
const file = (name: string, content?: string | Uint8Array): string => {
  const path = join(server.place.folder, name)
  if (content !== undefined) writeFileSync(path, content)
  return path
}
const importFile = (path: string, ...more: string[]): Promise<CliResult> => server.cli(['import', 'contacts', path, '--country', 'US', '--source', 'old crm', ...more, '--json'])

const SHEET = ['First Name,Last Name,Email,Phone,Company,Shoe size', 'Grace,Hopper,grace@example.com,(212) 555-0123,Navy,7', 'Alan,Turing,alan@example.com,not a number,GC&CS,9'].join('\n')

const balanced = (r: Json): void => expect(r.rows).toBe(r.created + r.updated + r.unchanged + r.merged + r.skipped + r.rejected)

beforeAll(async () => {
  server = await startServer()
})
afterAll(() => server.close())

describe('import contacts', () => {
  test('answers the members of the contract; a second run changes nothing', async () => {
    const path = file('sheet.csv', SHEET)
    const first = await importFile(path)
    expect({ code: first.code, stderr: first.code === 0 ? '' : `${first.stdout}${first.stderr}` }).toEqual({ code: 0, stderr: '' })
    expect(first.json).toMatchObject({ importId: expect.stringMatching(UUID), rows: 2, created: 2, updated: 0, unchanged: 0, merged: 0, skipped: 0, rejected: 0, companiesCreated: 2, unmappedColumns: expect.any(Array), problems: expect.any(Array) })
    for (const p of first.json.problems) expect(p).toMatchObject({ row: expect.any(Number), code: expect.stringMatching(/^[a-z-]+$/) })
    balanced(first.json)
    const second = await importFile(path)
    expect(second.json).toMatchObject({ rows: 2, unchanged: 2, created: 0, updated: 0 })
    const found = await server.call('POST', '/contacts/search', { text: '0123' })
    expect(found.body.items).toHaveLength(1)
    expect(found.body.items[0].source).toBe('old crm')
  })

  test('a dry run says the same and writes nothing', async () => {
    const path = file('dry.csv', 'Name,Email\nDry Run,dry@example.com\n')
    const done = await importFile(path, '--dry-run')
    expect(done.json).toMatchObject({ rows: 1, created: 1 })
    expect((await server.call('POST', '/contacts/search', { text: 'dry run' })).body.items).toEqual([])
  })

  test('rejected rows: exit 5, the rest is written, problems and report name row and column', async () => {
    const path = file('ragged.csv', 'Name,Email\nGood One,good@example.com\n,\nToo,many,cells,here\n')
    const report = file('report.csv')
    const done = await importFile(path, '--report', report)
    balanced(done.json)
    expect(done.json.created).toBeGreaterThanOrEqual(1)
    if (done.json.rejected > 0) {
      expect(done.code).toBe(5)
      expectCliProblem(done.json, 'rows-rejected')
      expect(done.json.importId).toMatch(UUID)
    }
    expect(readFileSync(report, 'utf8').split('\r\n')[0]).toBe('row,column,code')
    expect(readFileSync(report, 'utf8').trim().split('\r\n')).toHaveLength(done.json.problems.length + 1)
    expect(statSync(report).mode & 0o777).toBe(0o600)
  })

  test('GB18030 is recognised', async () => {
    const bytes = Buffer.from('d0d5c3fb2cb5e7bbb00acdf5d0a1c3f72c31333830303030353637380a', 'hex') // 姓名,电话 / 王小明,13800005678
    const done = await importFile(file('gb.csv', bytes), '--country', 'CN')
    expect(done.code).toBe(2) // --country was given twice
    const again = await server.cli(['import', 'contacts', file('gb.csv', bytes), '--country', 'CN', '--source', '展会', '--json'])
    expect(again.json).toMatchObject({ rows: 1, created: 1 })
    expect((await server.call('POST', '/contacts/search', { text: '小明' })).body.items).toHaveLength(1)
  })

  test.each([
    ['a zip renamed .csv', Buffer.from('504b0304140000000800', 'hex')],
    ['an empty file', Buffer.alloc(0)],
    ['a PDF', Buffer.from('%PDF-1.7\n')],
    ['one line without end', Buffer.alloc(12 * 1024 * 1024, 'x')],
  ])('%s: exit 1, import-file-unreadable, nothing written', async (_what, bytes) => {
    const before = (await server.call('POST', '/contacts/search', { count: true, limit: 1 })).body.count
    const done = await importFile(file('unreadable.csv', bytes))
    expect(done.code).toBe(1)
    expectCliProblem(done.json, 'import-file-unreadable')
    expect((await server.call('POST', '/contacts/search', { count: true, limit: 1 })).body.count).toBe(before)
  })

  test('a file that is not there: exit 2', async () => {
    const done = await importFile(file('nowhere.csv'))
    expect(done.code).toBe(2)
    expectCliProblem(done.json, 'file-unreadable')
  })

  test('--map decides columns; --on-match skip leaves what is there, update does not; a namesake stays somebody else', async () => {
    const map = file('map.json', JSON.stringify({ version: 1, columns: { Wer: 'fullName', Mail: 'email:work', Was: 'title' } }))
    const sheet = file('map.csv', 'Wer,Mail,Was\nGrace Hopper,grace@example.com,Rear admiral\nSomebody Else,grace@example.com,Clerk\n')
    const skipped = await importFile(sheet, '--map', map, '--match', 'email', '--on-match', 'skip')
    expect(skipped.json).toMatchObject({ rows: 2, skipped: 1, created: 1 })
    const updated = await importFile(sheet, '--map', map, '--match', 'email', '--on-match', 'update')
    expect(updated.json).toMatchObject({ rows: 2, updated: 1, unchanged: 1, created: 0 })
    const found = await server.call('POST', '/contacts/search', { text: 'rear admiral' })
    expect(found.body.items.map((i: Json) => i.fullName)).toEqual(['Grace Hopper'])
  })

  test('a map that names no field: exit 1, import-map-invalid', async () => {
    const bad = file('bad-map.json', '{"version": 1, "columns": {"Wer": "noSuchField"}}')
    const refused = await importFile(file('map-2.csv', 'Wer\nX\n'), '--map', bad)
    expect(refused.code).toBe(1)
    expectCliProblem(refused.json, 'import-map-invalid')
  })

  test('rights and fields that move meanwhile cost nobody an answer: not the upload, not those who read beside it', async () => {
    for (let i = 0; i < 5; i++) {
      await server.call('POST', '/departments', { name: `Moved ${i}` })
      const done = await importFile(file('moved.csv', `Name,Email\nMoved ${i},moved${i}@example.com\n`))
      expect(done.json).toMatchObject({ rows: 1, created: 1 })
    }
    const columns = Array.from({ length: 12 }, (_, i) => `Habit ${i}`)
    const rows = Array.from({ length: 20 }, (_, i) => [`Habitual ${i}`, ...columns.map((c) => `${c} ${i}`)].join(','))
    let running = true
    const reading = (async () => {
      const statuses = new Set<number>()
      while (running) statuses.add((await server.call('POST', '/contacts/search', { limit: 5 })).status)
      return [...statuses]
    })()
    const done = await importFile(file('habits.csv', [['Name', ...columns].join(','), ...rows].join('\n')))
    running = false
    expect(done.json).toMatchObject({ rows: 20, created: 20 })
    expect(await reading).toEqual([200])
  })

  test('POST /imports answers 202 and an id whose state can be asked by its owner alone', async () => {
    const boundary = 'x-sealbook-test'
    const part = (name: string, value: string): string => `--${boundary}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`
    const body = `${part('source', 'rest')}--${boundary}\r\nContent-Disposition: form-data; name="file"; filename="upload"\r\n\r\nName,Email\nRest Import,rest@example.com\n\r\n--${boundary}--\r\n`
    const answer = await server.call('POST', '/imports', Buffer.from(body), { headers: { 'Content-Type': `multipart/form-data; boundary=${boundary}` } })
    expect(answer.status).toBe(202)
    expect(answer.body.id).toMatch(UUID)
    let job: Json
    do job = (await server.call('GET', `/imports/${answer.body.id}`)).body
    while (job.state === 'queued' || job.state === 'running')
    expect(job).toMatchObject({ state: 'done', progress: { done: expect.any(Number), total: expect.any(Number) }, result: { rows: 1, created: 1 } })
    expectProblem(await server.call('GET', '/imports/0192b1a0-0000-7000-8000-000000000003'), 404, 'not-found')
  })
})

describe('the export of a real CRM', () => {
  const legacy = join(import.meta.dirname, '..', 'data', 'legacy-crm-contacts.csv')
  const importLegacy = (): Promise<CliResult> => server.cli(['import', 'contacts', legacy, '--country', 'US', '--source', 'legacy crm', '--json'])

  test('500 rows become 500 contacts, with every column accounted for; again: unchanged = rows', async () => {
    const first = await importLegacy()
    expect({ code: first.code, stdout: first.code === 0 ? '' : first.stdout }).toEqual({ code: 0, stdout: '' })
    expect(first.json).toMatchObject({ rows: 500, created: 500, rejected: 0 })
    balanced(first.json)
    const again = await importLegacy()
    expect(again.json).toMatchObject({ rows: 500, unchanged: 500, created: 0, updated: 0, companiesCreated: 0 })
  })
})

describe('export contacts', () => {
  test('csv and jsonl: rows, sha256 of the file, 0600; formulas are defused', async () => {
    await server.call('POST', '/contacts', { fullName: '=HYPERLINK("http://evil")', title: '+1+1' })
    const count = (await server.call('POST', '/contacts/search', { count: true, limit: 1 })).body.count
    for (const format of ['csv', 'jsonl']) {
      const out = file(`out.${format}`)
      const done = await server.cli(['export', 'contacts', '--reason', 'contract test', '--format', format, '--out', out, '--json'])
      expect({ code: done.code, stderr: done.code === 0 ? '' : `${done.stdout}${done.stderr}` }).toEqual({ code: 0, stderr: '' })
      expect(done.json).toEqual({ exportId: expect.stringMatching(UUID), rows: count, sha256: createHash('sha256').update(readFileSync(out)).digest('hex') })
      expect(statSync(out).mode & 0o777).toBe(0o600)
    }
    const csv = readFileSync(file('out.csv'), 'utf8')
    expect(csv).toContain('grace@example.com')
    // A cell a spreadsheet would run; a phone number in E.164 is none.
    expect(csv).not.toMatch(/(^|[,\n])"?(?:[=@]|\+(?!\d{6,15}[,;"\n]))/m)
    const lines = readFileSync(file('out.jsonl'), 'utf8').trim().split('\n')
    expect(lines).toHaveLength(count)
    expect(lines.map((l) => (JSON.parse(l) as Json).fullName)).toContain('Grace Hopper')
  })

  test('an export that is refused leaves no file', async () => {
    const out = file('refused.csv')
    const done = await server.cli(['export', 'contacts', '--reason', '', '--format', 'csv', '--out', out, '--json'])
    expect([1, 2]).toContain(done.code)
    expect(existsSync(out)).toBe(false)
  })

  test('a folder that is not there: exit 2 before anything is exported', async () => {
    const done = await server.cli(['export', 'contacts', '--reason', 'r', '--format', 'csv', '--out', file('no/such/folder/x.csv'), '--json'])
    expect(done.code).toBe(2)
    expectCliProblem(done.json, 'file-unwritable')
  })
})

describe('a job', () => {
  test('has no more rights than the token that asked for it', async () => {
    const file_ = file('narrow.csv', 'Name,Email,Odd\nNarrow One,narrow@example.com,x\n')
    const made = await server.call('POST', '/tokens', { userId: server.owner.ownerId, name: 'narrow', scopes: ['contacts:import', 'contacts:read'] })
    expect(made.status).toBe(201)
    const tokenFile = file('narrow.token', made.body.token)
    const done = await server.cli(['import', 'contacts', file_, '--source', 'narrow', '--json'], { tokenFile })
    expect({ code: done.code, problem: done.json.problem?.code }).toEqual({ code: 3, problem: 'permission-missing' })
    expect((await server.call('POST', '/contacts/search', { text: 'narrow one' })).body.items).toEqual([])
  })
})
