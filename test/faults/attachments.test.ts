import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { request } from 'node:https'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { loadConfig } from '../../src/kernel/config/index.ts'
import { openVault } from '../../src/kernel/vault/index.ts'
import { multipartOf } from '../build/files.ts'
import { putFile } from '../build/upload.ts'
import { expectProblem } from '../contract/shapes.ts'
import { init, makePlace, startServer, TestServer } from '../harness/server.ts'
import { asSuperuser } from './home.ts'
import { smallDisk, type SmallDisk } from './small-disk.ts'

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

const MB = 1024 * 1024
const pdf = (size: number): Buffer => Buffer.concat([Buffer.from('%PDF-1.7\n'), randomBytes(size)])

/** Every file in HOME/blobs, unfinished ones too. */
function filesOf(server: TestServer): string[] {
  const root = join(server.place.home, 'blobs') + '/' // a link is looked behind
  return readdirSync(root, { recursive: true, withFileTypes: true }).filter((e) => e.isFile() && !e.name.startsWith('filler')).map((e) => join(e.parentPath, e.name).slice(root.length))
}
const count = async (server: TestServer): Promise<number> => (await server.call('POST', '/attachments/search', { count: true, limit: 1 })).body.count

/** Begins an upload and sends the first part of it; the rest is never sent unless the caller does. */
function begin(server: TestServer, contact: string, bytes: Buffer, sent: number): ReturnType<typeof request> {
  const { body, headers } = multipartOf({ record: `contacts/${contact}` }, { name: 'half.pdf', bytes })
  const target = new URL('/api/v1/attachments', server.url)
  const sending = request(target, { method: 'POST', ca: readFileSync(server.ready.caFile), headers: { ...headers, 'Content-Length': String(body.length), Authorization: `Bearer ${server.token}` } })
  sending.on('error', () => undefined)
  sending.write(body.subarray(0, sent))
  return sending
}

describe('an upload', () => {
  let server: TestServer
  let contact: string
  beforeAll(async () => {
    server = await startServer()
    contact = (await server.call('POST', '/contacts', { fullName: 'Half Way' })).body.id
    expect((await putFile(server, `contacts/${contact}`, 'whole.pdf', pdf(100_000))).status).toBe(201)
  })
  afterAll(() => server.close())

  const arriving = (): string[] => filesOf(server).filter((f) => f.startsWith('incoming/'))

  test('whose connection is lost in the middle leaves nothing', async () => {
    const before = filesOf(server)
    for (const sent of [2 * MB, 4 * MB, 5 * MB - 100]) {
      const sending = begin(server, contact, pdf(5 * MB), sent)
      await expect.poll(() => arriving().length, { timeout: 10_000 }).toBe(1)
      sending.destroy()
      await expect.poll(() => filesOf(server), { timeout: 10_000 }).toEqual(before)
    }
    expect(await count(server)).toBe(1)
    expect((await putFile(server, `contacts/${contact}`, 'again.pdf', pdf(1000))).status).toBe(201)
  })

  test('whose last byte is there, but not the end of the message, is not kept', async () => {
    const before = [filesOf(server), await count(server)]
    const bytes = pdf(MB)
    const { body } = multipartOf({ record: `contacts/${contact}` }, { name: 'half.pdf', bytes })
    const sending = begin(server, contact, bytes, body.length - 6)
    await expect.poll(() => arriving().length, { timeout: 10_000 }).toBe(1)
    await sleep(300)
    sending.destroy()
    await expect.poll(() => filesOf(server), { timeout: 10_000 }).toEqual(before[0])
    expect(await count(server)).toBe(before[1])
  })

  test('during which the server is killed leaves nothing after the next start, and what was kept is there', async () => {
    const before = filesOf(server)
    const sending = begin(server, contact, pdf(5 * MB), 3 * MB)
    await expect.poll(() => arriving().length, { timeout: 10_000 }).toBe(1)
    await server.end('SIGKILL')
    sending.destroy()
    expect(arriving()).toHaveLength(1)
    await server.start()
    await expect.poll(() => filesOf(server), { timeout: 20_000 }).toEqual(before)
    const { items } = (await server.call('POST', '/attachments/search', {})).body
    for (const { id, size } of items) expect((await server.call('GET', `/attachments/${id}/content`)).bytes.length).toBe(size)
  })

  test('whose row cannot be written is no file either, once the server has tidied up', async () => {
    const before = filesOf(server)
    const [role] = await asSuperuser<{ role: string }>(server.place.home, "SELECT DISTINCT grantee AS role FROM information_schema.role_table_grants WHERE table_name = 'attachment_file' AND privilege_type = 'INSERT' AND grantee NOT LIKE '%super%' AND grantee <> (SELECT tableowner FROM pg_tables WHERE tablename = 'attachment_file')")
    await asSuperuser(server.place.home, `REVOKE INSERT ON attachment_file FROM "${role!.role}"`)
    const failed = await putFile(server, `contacts/${contact}`, 'no-row.pdf', pdf(1000))
    expect(failed.status).toBeGreaterThanOrEqual(500)
    await asSuperuser(server.place.home, `GRANT INSERT ON attachment_file TO "${role!.role}"`)
    await server.end('SIGTERM')
    await server.start()
    await expect.poll(() => filesOf(server), { timeout: 20_000 }).toEqual(before)
  })

  test('somebody else\'s file in the folder is left alone, an orphan is not', async () => {
    const folder = join(server.place.home, 'blobs', filesOf(server)[0]!.split('/')[0]!)
    writeFileSync(join(folder, 'README'), 'mine')
    writeFileSync(join(folder, '0c1f77c6-8a5d-4c9c-9a36-1c7a5b1e2fff'), 'an orphan')
    await server.end('SIGTERM')
    await server.start()
    await expect.poll(() => existsSync(join(folder, '0c1f77c6-8a5d-4c9c-9a36-1c7a5b1e2fff')), { timeout: 20_000 }).toBe(false)
    expect(existsSync(join(folder, 'README'))).toBe(true)
  })
})

describe('content whose time is up', () => {
  let server: TestServer
  let contact: string
  beforeEach(async () => {
    server = await startServer()
    contact = (await server.call('POST', '/contacts', { fullName: 'Soon Gone' })).body.id
    return () => server.close()
  })

  const put = async (name: string): Promise<string> => (await putFile(server, `contacts/${contact}`, name, pdf(1000))).body.id

  test('deleted 31 days ago: removed for good, told in the ledger, and not brought back as an empty shell', async () => {
    const [kept, fresh, old] = [await put('kept.pdf'), await put('fresh.pdf'), await put('old.pdf')]
    for (const id of [fresh, old]) await server.call('DELETE', `/attachments/${id}`, undefined, { headers: { 'If-Match': '"1"' } })
    const [row] = await asSuperuser<{ at: Date }>(server.place.home, 'SELECT deleted_at AS at FROM attachments WHERE id = $1', [old])
    await asSuperuser(server.place.home, "UPDATE attachments SET deleted_at = deleted_at - interval '31 days' WHERE id = $1", [old])
    await server.end('SIGTERM')
    await server.start()
    await expect.poll(() => filesOf(server).length, { timeout: 20_000 }).toBe(2)
    expect((await server.call('GET', `/attachments/${kept}/content`)).status).toBe(200)
    expect((await server.call('POST', `/attachments/${fresh}/restore`)).status).toBe(200)
    await asSuperuser(server.place.home, 'UPDATE attachments SET deleted_at = $2 WHERE id = $1', [old, row!.at])
    expectProblem(await server.call('POST', `/attachments/${old}/restore`), 410, 'attachment-gone')
    const purged = await asSuperuser(server.place.home, "SELECT object_id FROM ledger_event WHERE action = 'attachment.purged'")
    expect(purged).toEqual([{ object_id: old }])
  })

  test('of a record whose key was destroyed: removed at the next tidying; one whose key is merely away stays', async () => {
    const away = (await server.call('POST', '/contacts', { fullName: 'Key Away' })).body.id
    await put('erased.pdf')
    await putFile(server, `contacts/${away}`, 'away.pdf', pdf(1000))
    await server.end('SIGTERM')
    const vault = await openVault(loadConfig(server.place.env))
    await vault.destroyOwnerKey(contact)
    await vault.close()
    await server.start()
    await expect.poll(() => filesOf(server).length, { timeout: 20_000 }).toBe(1)
    expect(await asSuperuser(server.place.home, 'SELECT f.id FROM attachment_file f JOIN attachments a ON a.id = f.attachment_id WHERE a.record_id = $1', [contact])).toEqual([])
  })
})

describe('a full disk', () => {
  let disk: SmallDisk | null
  let server: TestServer
  let contact: string
  beforeAll(async () => {
    disk = smallDisk(8)
    if (!disk) return
    const place = makePlace()
    server = new TestServer(place, await init(place))
    // The files alone lie on it: what a full disk does to the database is another test.
    rmSync(join(place.home, 'blobs'), { recursive: true })
    symlinkSync(disk.path, join(place.home, 'blobs'))
    await server.start()
    contact = (await server.call('POST', '/contacts', { fullName: 'Brimful' })).body.id
  })
  afterAll(async () => {
    await server?.close()
    disk?.release()
  })

  test('while a file is sealed: one clear error, nothing left, and it goes on when there is space', async (context) => {
    if (!disk) return context.skip()
    const kept = (await putFile(server, `contacts/${contact}`, 'kept.pdf', pdf(MB))).body.id
    const before = filesOf(server)
    expectProblem(await putFile(server, `contacts/${contact}`, 'too-much.pdf', pdf(12 * MB)), 503, 'storage-unavailable')
    expect(filesOf(server)).toEqual(before)
    disk.fill()
    expectProblem(await putFile(server, `contacts/${contact}`, 'no-room.pdf', pdf(100_000)), 503, 'storage-unavailable')
    expect(filesOf(server)).toEqual(before)
    expect(await count(server)).toBe(1)
    expect((await server.call('GET', `/attachments/${kept}/content`)).bytes.length).toBe(MB + 9)
    disk.free()
    expect((await putFile(server, `contacts/${contact}`, 'room.pdf', pdf(100_000))).status).toBe(201)
  })
})

test('a download whose reader goes away leaves no file open', async () => {
  const server = await startServer()
  try {
    const contact = (await server.call('POST', '/contacts', { fullName: 'Reader' })).body.id
    const { id } = (await putFile(server, `contacts/${contact}`, 'large.pdf', pdf(20 * MB))).body
    const open = (): number => readdirSync(`/proc/${server.pid}/fdinfo`).length
    const before = open()
    for (let i = 0; i < 10; i++) {
      const asked = request(new URL(`/api/v1/attachments/${id}/content`, server.url), { ca: readFileSync(server.ready.caFile), headers: { Authorization: `Bearer ${server.token}` } })
      asked.on('error', () => undefined).end()
      const [answer] = await once(asked, 'response')
      await once(answer, 'data')
      asked.destroy()
    }
    await expect.poll(() => open() - before, { timeout: 10_000 }).toBeLessThan(5)
    expect((await server.call('GET', `/attachments/${id}/content`)).bytes.length).toBe(20 * MB + 9)
  } finally {
    await server.close()
  }
})
