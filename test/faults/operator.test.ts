import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { stopLeftBehind } from '../../src/kernel/db/index.ts'
import { runCli } from '../harness/cli.ts'
import { init, initArguments, makePlace, TestServer, type InitDocument, type Place } from '../harness/server.ts'
import { asSuperuser, changesIn, garble, rowsOf, snapshot, withDatabase } from './home.ts'
import { smallDisk, type SmallDisk } from './small-disk.ts'

vi.setConfig({ testTimeout: 120_000, hookTimeout: 180_000 })

/** `start` is refused with this code, in one sentence that says what to do, with an exit code that is not 0, and the home is as before. */
async function expectRefused(place: Place, code: string, whatToDo: RegExp, env: Readonly<Record<string, string>> = {}): Promise<void> {
  const before = snapshot(place.home)
  const done = await runCli(['start', '--json'], { ...place.env, ...env })
  expect({ code: done.json?.problem?.code, exit: done.code, said: done.json?.problem?.detail }).toEqual({ code, exit: 4, said: expect.stringMatching(whatToDo) })
  expect(done.json.problem.detail).toMatch(/^[A-Z/][^\n]*\.$/)
  expect(done.stderr).not.toMatch(/^\s+at |\w+Error:/m)
  expect(changesIn(place.home, before)).toEqual([])
}

/** Runs `then` while a file is spoilt, and puts it back as it was. */
async function whileSpoilt(path: string, spoil: (path: string) => void, then: () => Promise<void>): Promise<void> {
  const bytes = readFileSync(path)
  const { mode, uid, gid } = statSync(path)
  try {
    spoil(path)
    await then()
  } finally {
    writeFileSync(path, bytes)
    chmodSync(path, mode)
    chownSync(path, uid, gid)
  }
}

/** Runs `then` while a file or folder lies somewhere else. */
async function whileAway(place: Place, path: string, then: () => Promise<void>): Promise<void> {
  const aside = join(place.folder, 'aside')
  renameSync(path, aside)
  try {
    await then()
  } finally {
    rmSync(path, { recursive: true, force: true })
    renameSync(aside, path)
  }
}

let server: TestServer
let place: Place
const inHome = (...names: string[]): string => join(place.home, ...names)
const inData = (...names: string[]): string => inHome('postgres', 'data', ...names)

beforeAll(async () => {
  place = makePlace()
  server = new TestServer(place, await init(place))
  await server.start()
  for (let i = 0; i < 3; i++) expect((await server.call('POST', '/contacts', { fullName: `Survivor ${i}` })).status).toBe(201)
  expect(await server.end('SIGTERM')).toBe(0)
})
afterAll(async () => {
  // After all of it the same home starts and has everything.
  await server.start()
  const { body } = await server.call('POST', '/contacts/search', { count: true })
  expect(body.count).toBe(3)
  expect((await server.call('POST', '/ledger/verify', {})).body).toMatchObject({ ok: true, failures: [] })
  await server.close()
})

describe('port and home', () => {
  test('a port that is taken', async () => {
    const blocker = createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => blocker.once('listening', resolve))
    const address = blocker.address()
    const port = String(typeof address === 'object' && address ? address.port : 0)
    await expectRefused(place, 'port-taken', /stop what uses it or set SEALBOOK_PORT/, { SEALBOOK_PORT: port })
    const fresh = makePlace({ SEALBOOK_PORT: port })
    const done = await runCli(['start', '--json'], fresh.env)
    expect(done.json.problem.code).toBe('port-taken')
    expect(existsSync(fresh.rootKeyFile) || existsSync(join(fresh.home, 'keys', 'keystore.sqlite')) || existsSync(join(fresh.home, 'postgres'))).toBe(false)
    rmSync(fresh.folder, { recursive: true })
    blocker.close()
  })

  test('an address this machine does not have', () => expectRefused(place, 'host-unusable', /correct SEALBOOK_HOST/, { SEALBOOK_HOST: '192.0.2.77', SEALBOOK_PORT: '18443' }))

  test('a home in use, although the port is taken too; the server in it goes on', async () => {
    const ready = await server.start()
    const done = await runCli(['start', '--json'], { ...place.env, SEALBOOK_PORT: new URL(ready.url).port })
    expect({ code: done.code, problem: done.json.problem.code, says: done.json.problem.detail }).toEqual({ code: 4, problem: 'home-in-use', says: expect.stringContaining(`process ${ready.pid}`) })
    expect((await server.call('GET', '/me')).status).toBe(200)
    expect(JSON.parse(readFileSync(inHome('run', 'server.json'), 'utf8'))).toEqual(ready)
    expect(await server.end('SIGTERM')).toBe(0)
  })
})

describe('the root key', () => {
  const withKey = (bytes: string | Uint8Array, code: string, says: RegExp): Promise<void> => whileSpoilt(place.rootKeyFile, (p) => writeFileSync(p, bytes), () => expectRefused(place, code, says))

  test('missing', () => whileAway(place, place.rootKeyFile, () => expectRefused(place, 'key-unreadable', /mount it or correct its path/)))
  test('of another instance', async () => {
    const other = makePlace()
    await init(other)
    const key = readFileSync(other.rootKeyFile)
    rmSync(other.folder, { recursive: true })
    await withKey(key, 'key-wrong', /give the right one/)
  })
  test('garbage', () => withKey(randomBytes(200), 'key-file-invalid', /put the right one there/))
  test('empty', () => withKey('', 'key-file-invalid', /put the right one there/))
})

describe('the passphrase', () => {
  let sealed: Place
  const file = (name: string, text: string): string => {
    const path = join(sealed.folder, name)
    writeFileSync(path, text, { mode: 0o600 })
    return path
  }
  beforeAll(async () => {
    const made = makePlace()
    sealed = { ...made, env: { ...made.env, SEALBOOK_PASSPHRASE_FILE: join(made.folder, 'passphrase') } }
    file('passphrase', 'correct horse battery staple\n')
    expect((await runCli([...initArguments(sealed), '--custodian', 'passphrase', '--json'], sealed.env)).code).toBe(0)
  })
  afterAll(() => rmSync(sealed.folder, { recursive: true }))

  test('wrong', () => expectRefused(sealed, 'key-wrong', /passphrase/i, { SEALBOOK_PASSPHRASE_FILE: file('wrong', 'incorrect horse battery staple\n') }))
  test('not given', () => expectRefused(sealed, 'passphrase-missing', /SEALBOOK_PASSPHRASE_FILE/, { SEALBOOK_PASSPHRASE_FILE: '' }))
  test('in a file that is not there', () => expectRefused(sealed, 'key-unreadable', /correct its path/, { SEALBOOK_PASSPHRASE_FILE: join(sealed.folder, 'nowhere') }))
  test('empty', () => expectRefused(sealed, 'passphrase-short', /at least 12 characters/, { SEALBOOK_PASSPHRASE_FILE: file('empty', '\n') }))
})

describe('the key store', () => {
  const path = (): string => inHome('keys', 'keystore.sqlite')

  test('missing', () => whileAway(place, path(), () => expectRefused(place, 'key-store-missing', /backup/)))
  test('missing with its folder, as after a lost mount', () => whileAway(place, inHome('keys'), async () => {
    mkdirSync(inHome('keys'), { mode: 0o700 })
    await expectRefused(place, 'key-store-missing', /mount it again/)
  }))
  test.each([
    ['garbage', (p: string) => writeFileSync(p, randomBytes(40_000))],
    ['cut short', (p: string) => truncateSync(p, 5000)],
    ['empty', (p: string) => truncateSync(p, 0)],
    ['garbled in its first page', (p: string) => garble(p, 40, 400)],
  ])('%s', (_how, spoil) => whileSpoilt(path(), spoil, () => expectRefused(place, 'key-store-damaged', /put it back from its own backup/)))
})

describe('the database', () => {
  test('of another PostgreSQL', () => whileSpoilt(inData('PG_VERSION'), (p) => writeFileSync(p, '17\n'), () => expectRefused(place, 'database-other-version', /start the Sealbook that made it/)))
  test('that is gone, as after a lost mount, is not replaced by an empty one', async () => {
    await whileAway(place, inData(), () => expectRefused(place, 'database-missing', /mount it again, or restore/))
    await whileAway(place, inData(), async () => {
      mkdirSync(inData(), { mode: 0o700 })
      await expectRefused(place, 'database-missing', /mount it again, or restore/)
    })
    await whileAway(place, inHome('postgres'), async () => {
      mkdirSync(inHome('postgres'), { mode: 0o700 })
      await expectRefused(place, 'database-missing', /mount it again, or restore/)
    })
  })

  test('whose control file is garbled', () => whileSpoilt(inData('global', 'pg_control'), (p) => garble(p, 0, 256), () => expectRefused(place, 'database-damaged', /restore the last backup/)))
  test('whose control file is gone', () => whileAway(place, inData('global', 'pg_control'), () => expectRefused(place, 'database-damaged', /restore the last backup/)))
  test('whose log of writes (WAL) is garbled', () => {
    const newest = readdirSync(inData('pg_wal')).filter((n) => /^[0-9A-F]{24}$/.test(n)).toSorted()
    const spoilAll = (names: readonly string[]): Promise<void> => {
      const [name, ...rest] = names
      if (!name) return expectRefused(place, 'database-damaged', /restore the last backup/)
      return whileSpoilt(inData('pg_wal', name), (p) => garble(p, 0, statSync(p).size), () => spoilAll(rest))
    }
    return spoilAll(newest)
  })
})

describe('a damaged table', () => {
  const spoilTable = async (relation: string, then: () => Promise<void>): Promise<void> => {
    const [row] = await withDatabase(place.home, () => asSuperuser<{ path: string }>(place.home, 'SELECT pg_relation_filepath($1::regclass) AS path', [relation]))
    await whileSpoilt(inData(row?.path ?? ''), (p) => garble(p, 100, 8000), then)
  }

  test.each(['pg_class', 'schema_migration', 'organisation', 'pgboss.version'])('%s, which the start reads', (relation) =>
    spoilTable(relation, async () => {
      const done = await runCli(['start', '--json'], place.env)
      expect({ code: done.code, problem: done.json?.problem?.code, says: done.json?.problem?.detail }).toEqual({ code: 4, problem: 'database-damaged', says: expect.stringMatching(/restore the last backup\.$/) })
    }))

  test('contacts: the server runs, shows nothing of them, and doctor is red', () =>
    spoilTable('contacts', async () => {
      await server.start()
      for (const [path, body] of [['/contacts/search', {}], ['/contacts', { fullName: 'Not Kept' }]] as const) {
        expect(await server.call('POST', path, body)).toMatchObject({ status: 503, body: { code: 'database-damaged' } })
      }
      expect((await server.call('GET', '/me')).status).toBe(200)
      const codes = async (...args: string[]): Promise<string[]> => (await server.cli(['doctor', '--json', ...args])).json.findings.map((f: { code: string }) => f.code)
      await expect.poll(() => codes(), { timeout: 15_000, interval: 500 }).toContain('database-damaged')
      expect(await server.end('SIGTERM')).toBe(0)
      expect(await codes('--deep')).toContain('database-damaged')
    }))
})

describe('a first start that is killed', () => {
  test.each([
    ['before its key file is written', ['keys', 'founding']],
    ['when its key file is written', ['..', 'root.key']],
    ['while the keys are made', ['keys', 'keystore.sqlite']],
    ['while the database is made', ['postgres', 'data.unfinished']],
    ['when the database is made', ['postgres', 'data', 'PG_VERSION']],
    ['when the database was taken into use', ['keys', 'node-id']],
  ])('%s is taken up by the next one', async (_when, sign) => {
    const fresh = makePlace()
    try {
      const child = spawn(process.execPath, [join(import.meta.dirname, '..', '..', 'src', 'main.ts'), 'start', '--json'], { env: fresh.env, stdio: 'ignore' })
      const ended = once(child, 'exit')
      const seen = (): boolean => readdirSync(join(fresh.home, ...sign.slice(0, -1))).some((name) => name.startsWith(sign.at(-1)!))
      while (!(existsSync(join(fresh.home, ...sign.slice(0, -1))) && seen())) await new Promise((resolve) => setTimeout(resolve, 1))
      child.kill('SIGKILL')
      await ended
      expect((await init(fresh)).ownerId).toMatch(/^[0-9a-f-]{36}$/)
    } finally {
      await stopLeftBehind(fresh.home)
      rmSync(fresh.folder, { recursive: true })
    }
  })
})

describe('the schema', () => {
  const future = (sql: string): Promise<unknown> => withDatabase(place.home, () => asSuperuser(place.home, sql))

  test('of a newer Sealbook', async () => {
    await future("INSERT INTO schema_migration (name, checksum) VALUES ('999901010000_from_the_future', '\\x00')")
    const [rows, keys] = [await rowsOf(place.home), snapshot(inHome('keys'))]
    const done = await runCli(['start', '--json'], place.env)
    expect({ code: done.code, problem: done.json?.problem?.code, says: done.json?.problem?.detail }).toEqual({ code: 4, problem: 'schema-newer', says: expect.stringMatching(/start that version or a later one/) })
    // PostgreSQL was started to find out, so its own files moved; no row did.
    expect(await rowsOf(place.home)).toEqual(rows)
    expect(changesIn(inHome('keys'), keys)).toEqual([])
    await future("DELETE FROM schema_migration WHERE name LIKE '9999%'")
  })
})

describe('a disk that is full at start', () => {
  const onDisk = (disk: SmallDisk): Place => {
    const outside = makePlace()
    const home = join(disk.path, 'home')
    return { ...outside, home, env: { ...outside.env, SEALBOOK_HOME: home } }
  }

  test('a new home is refused, and made when there is space', async (context) => {
    const disk = smallDisk(40)
    if (!disk) return context.skip()
    const fresh = onDisk(disk)
    try {
      const first = await runCli(['start', '--json'], fresh.env)
      expect({ code: first.code, problem: first.json?.problem?.code, says: first.json?.problem?.detail }).toEqual({ code: 4, problem: 'disk-full', says: expect.stringMatching(/free some and start again/) })
      expect(existsSync(fresh.rootKeyFile)).toBe(false)
      disk.resize(400)
      expect((await runCli([...initArguments(fresh), '--json'], fresh.env)).code).toBe(0)
    } finally {
      disk.release()
      rmSync(fresh.folder, { recursive: true })
    }
  })

  test('an existing home is refused and left as it is', async (context) => {
    const disk = smallDisk(400)
    if (!disk) return context.skip()
    const made = onDisk(disk)
    try {
      await init(made)
      disk.fill()
      await expectRefused(made, 'disk-full', /free some and start again/)
      disk.free()
      const back = new TestServer(made, { token: '' } as InitDocument) // only started and stopped
      await back.start()
      expect(await back.end('SIGTERM')).toBe(0)
    } finally {
      disk.release()
      rmSync(made.folder, { recursive: true })
    }
  })
})
