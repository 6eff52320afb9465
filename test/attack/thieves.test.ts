import { chownSync, cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { describeApp } from '../../src/app.ts'
import { runCli } from '../harness/cli.ts'
import { makePlace, init, startServer, TestServer, type Place } from '../harness/server.ts'
import { Scanner, superuser } from './scan.ts'

// The three thieves of the house: one with a dump, one with the home but not the key, one with the whole disk.

const SECRETS = [
  { name: 'name', value: 'Wilhelmina Geheim-Straßenbahn' },
  { name: 'e-mail', value: 'wilhelmina.geheim@example.org' },
  { name: 'phone', value: '+12125550142' },
  { name: 'note', value: 'is about to buy the other company' },
  { name: 'company', value: 'Straßenbahn & Söhne 秘密' },
]

const folders: string[] = []
const folder = (): string => {
  const made = mkdtempSync(join(realpathSync(tmpdir()), 'sealbook-thief-'))
  folders.push(made)
  return made
}

async function fill(server: TestServer): Promise<string> {
  const made = await server.call('POST', '/contacts', { fullName: SECRETS[0]!.value, emails: [{ value: SECRETS[1]!.value }], phones: [{ typed: SECRETS[2]!.value }], note: SECRETS[3]!.value, companyName: SECRETS[4]!.value })
  expect(made.status).toBe(201)
  return made.body.id
}

/** What the thief starts: the stolen home, with whatever else they have, somewhere else. */
function stolen(home: string, env: Readonly<Record<string, string>>, owner: TestServer['owner']): TestServer {
  const place: Place = { ...makePlace(env), home }
  folders.push(place.folder)
  return new TestServer({ ...place, env: { ...place.env, SEALBOOK_HOME: home, ...env } }, owner)
}

/** A copy with owners and modes as they are, like a disk image. */
function copyHome(from: string): string {
  const to = join(folder(), 'home')
  cpSync(from, to, { recursive: true, preserveTimestamps: true, verbatimSymlinks: true, filter: (path) => statSync(path, { throwIfNoEntry: false })?.isSocket() !== true })
  for (const entry of ['postgres']) chownLike(join(from, entry), join(to, entry))
  return to
}

function chownLike(from: string, to: string): void {
  const { uid, gid } = statSync(from)
  if (process.getuid?.() !== 0) return
  const spawned = readdirSync(to, { recursive: true, encoding: 'utf8' })
  for (const path of ['.', ...spawned]) {
    const target = join(to, path)
    if (existsSync(target)) chownSync(target, uid, gid)
  }
}

afterEach(() => {
  for (const path of folders.splice(0)) rmSync(path, { recursive: true, force: true })
})

describe('the thief with a dump of the database', { timeout: 120_000 }, () => {
  let server: TestServer
  beforeAll(async () => {
    server = await startServer()
    await fill(server)
  }, 60_000)
  afterAll(() => server?.close())

  test('reads exactly the columns that are printed as plain, and none of what was entered', async () => {
    const db = superuser(server)
    try {
      for (const entity of describeApp().entities) {
        const columns = await db.query<{ name: string; type: string }>('SELECT column_name AS name, data_type AS type FROM information_schema.columns WHERE table_name = $1', [entity.table])
        const readable = columns.filter((c) => c.type !== 'bytea').map((c) => c.name).sort()
        expect(readable).toEqual(['id', 'version', ...entity.plain.map((c) => c.column)].sort())
      }
      const [row] = await db.query<Record<string, unknown>>('SELECT * FROM contacts')
      const text = Buffer.from(JSON.stringify(Object.values(row!).map((v) => (Buffer.isBuffer(v) ? v.toString('latin1') : v))))
      expect(new Scanner(SECRETS).bytes('row', text)).toEqual([])
    } finally {
      await db.close()
    }
  })
})

describe('the thief with the home and without the key', { timeout: 180_000 }, () => {
  let server: TestServer
  beforeAll(async () => {
    server = await startServer()
    await fill(server)
    await server.end('SIGTERM')
  }, 60_000)
  afterAll(() => rmSync(server.place.folder, { recursive: true, force: true }))

  test('finds nothing in any file', () => {
    const { hits, files } = new Scanner(SECRETS).folder(server.place.home)
    expect(files).toBeGreaterThan(500)
    expect(hits).toEqual([])
  })

  test('cannot start it: without a key file, with one of their own, with garbage', async () => {
    const home = copyHome(server.place.home)
    const none = stolen(home, { SEALBOOK_ROOT_KEY_FILE: join(folder(), 'none.key') }, server.owner)
    await expect(none.start()).rejects.toThrow(/key-unreadable/)
    const key = join(folder(), 'own.key')
    writeFileSync(key, `sealbook-root-key-v1 ${Buffer.alloc(32, 7).toString('base64url')}\n`)
    await expect(stolen(home, { SEALBOOK_ROOT_KEY_FILE: key }, server.owner).start()).rejects.toThrow(/key-wrong/)
    writeFileSync(key, 'let me in')
    await expect(stolen(home, { SEALBOOK_ROOT_KEY_FILE: key }, server.owner).start()).rejects.toThrow(/key-file-invalid/)
  })
})

describe('the thief with the whole disk', { timeout: 180_000 }, () => {
  test('reads everything when the key file lies on it, and doctor says so in red beforehand', async () => {
    const server = await startServer()
    const id = await fill(server)
    const doctor = await server.cli(['doctor', '--json'])
    expect(doctor.code).toBe(1)
    expect(doctor.json.findings).toContainEqual(expect.objectContaining({ code: 'key-file-same-device', level: 'red' }))
    expect(server.said).toContain('key-file-same-device')
    await server.end('SIGTERM')
    const thief = stolen(copyHome(server.place.home), { SEALBOOK_ROOT_KEY_FILE: copyFile(server.place.rootKeyFile) }, server.owner)
    await thief.start()
    const answer = await thief.call('GET', `/contacts/${id}`)
    expect(answer.body.fullName).toBe(SECRETS[0]!.value)
    await thief.end('SIGTERM')
    rmSync(server.place.folder, { recursive: true, force: true })
  })

  test('reads nothing when a passphrase holds the key', async () => {
    const words = join(folder(), 'words')
    writeFileSync(words, 'correct horse battery staple\n', { mode: 0o600 })
    const place = makePlace({ SEALBOOK_CUSTODIAN: 'passphrase', SEALBOOK_PASSPHRASE_FILE: words })
    const server = new TestServer(place, await init(place))
    await server.start()
    await fill(server)
    const doctor = await server.cli(['doctor', '--json'])
    expect(doctor.json.findings).not.toContainEqual(expect.objectContaining({ code: 'key-file-same-device' }))
    await server.end('SIGTERM')
    const home = copyHome(place.home)
    expect(new Scanner([...SECRETS, { name: 'passphrase', value: 'correct horse battery staple' }]).folder(home).hits).toEqual([])
    const guess = join(folder(), 'guess')
    writeFileSync(guess, 'incorrect horse battery staple\n')
    await expect(stolen(home, { SEALBOOK_CUSTODIAN: 'passphrase', SEALBOOK_PASSPHRASE_FILE: guess }, server.owner).start()).rejects.toThrow(/key-wrong/)
    await expect(stolen(home, {}, server.owner).start()).rejects.toThrow(/passphrase-missing/)
    const right = stolen(home, { SEALBOOK_CUSTODIAN: 'passphrase', SEALBOOK_PASSPHRASE_FILE: words }, server.owner)
    await right.start()
    await right.end('SIGTERM')
    rmSync(place.folder, { recursive: true, force: true })
  })

  test('gets no further with the ledger: history of an erased key stays closed, and the bundle tells no name', async () => {
    const server = await startServer()
    await fill(server)
    const out = join(folder(), 'bundle.jsonl')
    expect((await runCli(['ledger', 'export', '--out', out, '--json'], { ...server.place.env, SEALBOOK_TOKEN_FILE: server.place.tokenFile })).code).toBe(0)
    expect(new Scanner(SECRETS).bytes('bundle', readFileSync(out))).toEqual([])
    await server.close()
  })
})

function copyFile(path: string): string {
  const to = join(folder(), 'root.key')
  writeFileSync(to, readFileSync(path), { mode: 0o600 })
  return to
}
