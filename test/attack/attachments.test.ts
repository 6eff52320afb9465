import { randomBytes } from 'node:crypto'
import { copyFileSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Db } from '../../src/kernel/db/index.ts'
import { CHUNK_BYTES } from '../../src/kernel/vault/chunked.ts'
import { putFile } from '../build/upload.ts'
import { expectProblem } from '../contract/shapes.ts'
import { startServer, type Answer, type CallOptions, type Person, type TestServer } from '../harness/server.ts'
import { Scanner, settle, superuser } from './scan.ts'

/*
 * How one would steal a file: ask for it without seeing its record (every path, every role, a token that has half the rights); exchange files, chunks or
 * rows so that what one may not open comes out under what one may; bend bytes and hope; read the disk; have the name run on a colleague's machine.
 */

let server: TestServer
let db: Db
let north: Person
let south: Person
let neighbour: Person
let manager: Person
let department: string
let administrator: Person
let mine: string
let foreign: string

const as = (p: { token: string }): CallOptions => ({ token: p.token })
const CANARY = 'Rabenhorst-Gutachten-7731'
const bytesOf = (n: number): Buffer => Buffer.concat([Buffer.from(`%PDF-1.7\n${CANARY}\n`), randomBytes(n)])
const CONTENT = bytesOf(5 * CHUNK_BYTES)

beforeAll(async () => {
  server = await startServer()
  db = superuser(server)
  const make = async (name: string): Promise<string> => (await server.call('POST', '/departments', { name })).body.id
  const [n, s] = [await make('North'), await make('South')]
  department = s
  north = await server.addPerson('north@example.com', 'rep', n)
  south = await server.addPerson('south@example.com', 'rep', s)
  neighbour = await server.addPerson('neighbour@example.com', 'rep', s)
  manager = await server.addPerson('manager@example.com', 'manager', s)
  administrator = await server.addPerson('administrator@example.com', 'administrator')
  mine = (await server.call('POST', '/contacts', { fullName: 'Of South' }, as(south))).body.id
  foreign = (await server.call('POST', '/contacts', { fullName: 'Of North' }, as(north))).body.id
}, 120_000)
afterAll(async () => {
  await db?.close()
  await server?.close()
})

async function put(contact: string, p: Person, bytes: Uint8Array = CONTENT, name = `${CANARY}.pdf`): Promise<string> {
  const made = await putFile(server, `contacts/${contact}`, name, bytes, as(p))
  expect(made.status, made.text).toBe(201)
  return made.body.id
}
const get = (id: string, p: { token: string }, headers: Record<string, string> = {}): Promise<Answer> => server.call('GET', `/attachments/${id}/content`, undefined, { ...as(p), headers })

async function fileOf(id: string, part = 'content'): Promise<string> {
  const [row] = await db.query<{ id: string }>('SELECT id FROM attachment_file WHERE attachment_id = $1 AND part = $2', [id, part])
  return join(server.place.home, 'blobs', row!.id.slice(-2), row!.id)
}

/** How often the ledger was told that something of an attachment does not open. */
async function refusals(id: string): Promise<number> {
  const [row] = await db.query<{ n: number }>("SELECT count(*)::int AS n FROM ledger_event WHERE action = 'seal.refused' AND object_id = $1", [id])
  return row!.n
}

describe('without a right to the record', () => {
  test('no role and no path shows its files, nor that there are any', async () => {
    const id = await put(foreign, north)
    for (const who of [south, manager]) {
      for (const path of ['', '/content', '/preview', '/timeline', '/relations', `/why?user=${north.id}`]) expectProblem(await server.call('GET', `/attachments/${id}${path}`, undefined, as(who)), 404, 'not-found')
      for (const [method, path, body] of [['PATCH', '', { name: 'x.pdf' }], ['DELETE', '', undefined], ['POST', '/restore', undefined]] as const) {
        const answer = await server.call(method, `/attachments/${id}${path}`, body, { ...as(who), headers: { 'If-Match': '"1"' } })
        expect([404, 403]).toContain(answer.status)
        expect(answer.text).not.toContain(CANARY)
      }
      const listed = await server.call('POST', '/attachments/search', { where: { field: 'recordId', op: 'eq', value: foreign }, count: true }, as(who))
      expect(listed.body).toMatchObject({ items: [], count: 0 })
      expect((await server.call('POST', '/attachments/search', { text: 'Rabenhorst', count: true }, as(who))).body).toMatchObject({ items: [], count: 0 })
      expect((await server.call('POST', '/attachments/bulk', { ids: [id], action: 'delete' }, as(who))).body).toMatchObject({ done: 0 })
    }
    for (const path of ['/content', '/preview', '']) expectProblem(await server.call('GET', `/attachments/${id}${path}`, undefined, as(administrator)), 403, 'permission-missing')
    expectProblem(await server.call('POST', '/attachments/search', {}, as(administrator)), 403, 'permission-missing')
    expectProblem(await putFile(server, `contacts/${foreign}`, 'a.pdf', CONTENT, as(administrator)), 403, 'permission-missing')
    expectProblem(await putFile(server, `contacts/${foreign}`, 'a.pdf', CONTENT, as(manager)), 400, 'invalid')
    expect((await get(id, north)).status).toBe(200)
  })

  test('a token needs the right to the files and the right to the record', async () => {
    const id = await put(mine, south)
    const tokenOf = async (...scopes: string[]): Promise<{ token: string }> => (await server.call('POST', '/tokens', { name: 'narrow', scopes }, as(south))).body
    expectProblem(await get(id, await tokenOf('contacts:read')), 403, 'permission-missing')
    expectProblem(await get(id, await tokenOf('attachments:read')), 404, 'not-found')
    expect((await get(id, await tokenOf('attachments:read', 'contacts:read'))).status).toBe(200)
    expectProblem(await putFile(server, `contacts/${mine}`, 'a.pdf', CONTENT, await tokenOf('attachments:read', 'contacts:read')), 403, 'permission-missing')
    expectProblem(await putFile(server, `contacts/${mine}`, 'a.pdf', CONTENT, await tokenOf('attachments:create', 'attachments:read')), 400, 'invalid')
  })

  test('whoever put a file loses it with the record, and a deleted record takes its files out of sight', async () => {
    const given = (await server.call('POST', '/contacts', { fullName: 'Handed On' }, as(manager))).body.id
    const id = await put(given, manager)
    const assigned = await server.call('PATCH', `/contacts/${given}`, { ownerId: south.id }, { ...as(manager), headers: { 'If-Match': '"1"' } })
    expect(assigned.status).toBe(200)
    expect((await get(id, south)).status).toBe(200)
    expect((await server.call('DELETE', `/contacts/${given}`, undefined, { ...as(south), headers: { 'If-Match': '"2"' } })).status).toBe(200)
    for (const who of [south, manager]) expectProblem(await get(id, who), 404, 'not-found')
  })

  test('what lies in a pool shows its files to nobody, and to whoever claims it from then on', async () => {
    const lead = (await server.call('POST', '/leads', { fullName: 'Into The Pool' }, as(south))).body.id
    const pool = await server.call('POST', '/pools', { name: 'Cold', kind: 'lead', departments: [department] }, as(manager))
    expect(pool.status, pool.text).toBe(201)
    const made = await putFile(server, `leads/${lead}`, `${CANARY}.pdf`, CONTENT, as(south))
    expect(made.status, made.text).toBe(201)
    const { id } = made.body
    expect((await server.call('POST', `/leads/${lead}/release`, { poolId: pool.body.id }, as(south))).status).toBe(200)
    for (const who of [south, neighbour, manager]) {
      expect((await server.call('GET', `/leads/${lead}`, undefined, as(who))).status).toBe(200)
      for (const path of ['', '/content', '/timeline']) expectProblem(await server.call('GET', `/attachments/${id}${path}`, undefined, as(who)), 404, 'not-found')
      expect((await server.call('POST', '/attachments/search', { where: { field: 'recordId', op: 'eq', value: lead }, count: true }, as(who))).body).toMatchObject({ items: [], count: 0 })
      expect((await server.call('GET', `/leads/${lead}/relations`, undefined, as(who))).text).not.toContain(id)
      expectProblem(await putFile(server, `leads/${lead}`, 'a.pdf', CONTENT, as(who)), 403, 'permission-missing')
    }
    expect((await server.call('POST', `/leads/${lead}/claim`, undefined, as(neighbour))).status).toBe(200)
    expect((await get(id, neighbour)).bytes.equals(CONTENT)).toBe(true)
    expectProblem(await get(id, south), 404, 'not-found')
  })

  test('the preview of a picture is shown to whom the picture is', async () => {
    const id = await put(foreign, north, await sharp({ create: { width: 50, height: 50, channels: 3, background: 'red' } }).png().toBuffer(), 'a.png')
    await expect.poll(async () => (await server.call('GET', `/attachments/${id}/preview`, undefined, as(north))).status, { timeout: 20_000 }).toBe(200)
    expectProblem(await server.call('GET', `/attachments/${id}/preview`, undefined, as(south)), 404, 'not-found')
  })
})

describe('a file that is not the one that was sealed', () => {
  /** Refused before a byte is answered, and told. */
  async function expectRefused(id: string, headers: Record<string, string> = {}): Promise<void> {
    const before = await refusals(id)
    const answer = await get(id, south, headers)
    expectProblem(answer, 503, 'seal-broken')
    expect(answer.text).not.toContain(CANARY)
    expect(await refusals(id)).toBe(before + 1)
  }

  test('exchanged for another, of the same record or of another', async () => {
    const [a, b, c] = [await put(mine, south), await put(mine, south), await put(foreign, north)]
    copyFileSync(await fileOf(b), await fileOf(a))
    await expectRefused(a)
    copyFileSync(await fileOf(c), await fileOf(a))
    await expectRefused(a)
    expect((await get(b, south)).status).toBe(200)
  })

  test('named by a row that was changed in the database', async () => {
    const [a, c] = [await put(mine, south), await put(foreign, north)]
    const [file] = await db.query<{ id: string }>('SELECT id FROM attachment_file WHERE attachment_id = $1', [c])
    await db.query('DELETE FROM attachment_file WHERE id = $1', [file!.id])
    await db.query('UPDATE attachment_file SET id = $2 WHERE attachment_id = $1', [a, file!.id])
    await expectRefused(a)
  })

  test('hung on a record of mine: its row does not open any more', async () => {
    const id = await put(foreign, north)
    await db.query('UPDATE attachments SET record_id = $2 WHERE id = $1', [id, mine])
    for (const path of ['', '/content']) {
      const answer = await server.call('GET', `/attachments/${id}${path}`, undefined, as(south))
      expectProblem(answer, 503, 'seal-broken')
    }
  })

  test('a preview in the place of the picture', async () => {
    const id = await put(mine, south, await sharp({ create: { width: 50, height: 50, channels: 3, background: 'red' } }).png().toBuffer(), 'a.png')
    await expect.poll(async () => (await server.call('GET', `/attachments/${id}/preview`, undefined, as(south))).status, { timeout: 20_000 }).toBe(200)
    copyFileSync(await fileOf(id, 'preview'), await fileOf(id))
    await expectRefused(id)
  })

  test('cut off, also between two chunks, lengthened, emptied, or taken away', async () => {
    const id = await put(mine, south)
    const path = await fileOf(id)
    const whole = readFileSync(path)
    for (const length of [whole.length - 1, whole.length - (CHUNK_BYTES + 16), 200, 10, 0]) {
      truncateSync(path, length)
      await expectRefused(id)
      await expectRefused(id, { Range: 'bytes=0-9' })
      writeFileSync(path, whole)
    }
    writeFileSync(path, Buffer.concat([whole, Buffer.from([0])]))
    await expectRefused(id)
    writeFileSync(path, whole)
    expect((await get(id, south)).bytes.equals(CONTENT)).toBe(true)
    copyFileSync(path, `${path}.away`)
    truncateSync(path, 0)
    await expectRefused(id)
  })

  test('a bent byte anywhere', async () => {
    const id = await put(mine, south)
    const path = await fileOf(id)
    const whole = readFileSync(path)
    for (const at of [0, 6, 9, 20, 120, 180, 300, 40_000, whole.length - 1]) {
      const bent = Buffer.from(whole)
      bent[at] = bent[at]! ^ 1
      writeFileSync(path, bent)
      await expectRefused(id)
    }
  })

  test('chunks exchanged within the file', async () => {
    const id = await put(mine, south)
    const path = await fileOf(id)
    const whole = readFileSync(path)
    const sealed = CHUNK_BYTES + 16
    const last = (CONTENT.length % CHUNK_BYTES) + 16
    const from = whole.length - last - 3 * sealed
    const bent = Buffer.concat([whole.subarray(0, from), whole.subarray(from + sealed, from + 2 * sealed), whole.subarray(from, from + sealed), whole.subarray(from + 2 * sealed)])
    expect(bent.length).toBe(whole.length)
    writeFileSync(path, bent)
    await expectRefused(id)
  })

  test('changed far behind: what was answered before it is genuine, and the answer breaks off', async () => {
    const large = bytesOf(2 * 1024 * 1024)
    const id = await put(mine, south, large)
    const path = await fileOf(id)
    const bent = readFileSync(path)
    const at = bent.length - 40_000
    bent[at] = bent[at]! ^ 1
    writeFileSync(path, bent)
    await expect(get(id, south)).rejects.toThrow()
    await expect.poll(() => refusals(id), { timeout: 10_000 }).toBe(1)
    const part = await get(id, south, { Range: 'bytes=0-999999' })
    expect(part.bytes.equals(large.subarray(0, 1_000_000))).toBe(true)
  })
})

describe('on the disk and in the log', () => {
  test('neither a name nor a content is readable anywhere, and files have random names and mode 0600', async () => {
    const text = `${CANARY} `.repeat(2_000)
    await put(mine, south, Buffer.from(text), `${CANARY}.txt`)
    const scanner = new Scanner([{ name: 'file', value: CANARY }])
    await settle(db)
    const scanned = scanner.folder(server.place.home)
    expect(scanned.hits).toEqual([])
    const files = readdirSync(join(server.place.home, 'blobs'), { recursive: true, withFileTypes: true }).filter((e) => e.isFile() && !e.name.endsWith('.away'))
    expect(files.length).toBeGreaterThan(5)
    for (const f of files) {
      expect(f.name).toMatch(/^[0-9a-f-]{36}$/)
      expect(statSync(join(f.parentPath, f.name)).mode & 0o777).toBe(0o600)
    }
    expect(scanner.bytes('proof that it finds', Buffer.from(text))).not.toEqual([])
    expect(server.said).not.toContain(CANARY)
  })
})

describe('what a name or a picture would do', () => {
  test('a name writes no header and no path', async () => {
    const id = await put(mine, south, CONTENT, 'x.pdf%0d%0aSet-Cookie: a=b; filename=..')
    const { headers } = await get(id, south)
    expect(headers['set-cookie']).toBeUndefined()
    expect(headers['content-disposition']).toMatch(/^attachment; filename="[^"\r\n]*"; filename\*=UTF-8''[^\s;]*$/)
  })

  test('a picture that opens to a gigabyte is kept, not opened, and the server goes on', async () => {
    const bomb = await sharp({ create: { width: 16_000, height: 16_000, channels: 3, background: 'white' } }).png({ compressionLevel: 9 }).toBuffer()
    const id = await put(mine, south, bomb, 'bomb.png')
    const after = await put(mine, south, await sharp({ create: { width: 20, height: 20, channels: 3, background: 'red' } }).png().toBuffer(), 'small.png')
    await expect.poll(async () => (await server.call('GET', `/attachments/${after}/preview`, undefined, as(south))).status, { timeout: 20_000 }).toBe(200)
    expectProblem(await server.call('GET', `/attachments/${id}/preview`, undefined, as(south)), 404, 'preview-none')
    expect((await get(id, south)).bytes.equals(bomb)).toBe(true)
  })
})
