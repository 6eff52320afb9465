import { spawnSync } from 'node:child_process'
import { chmodSync, copyFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { runCli } from '../harness/cli.ts'
import { init, makePlace, startServer, TestServer, type Answer, type Place } from '../harness/server.ts'
import { eventsOf } from './bundle.ts'
import { asSuperuser, postmasterOf } from './home.ts'
import { smallDisk, type SmallDisk } from './small-disk.ts'
import { askImport, importEnd, pause } from './writers.ts'

// The clock's jumps are the ledger's and the sessions' own unit tests (their clocks are options): the process as a whole takes no other clock than the machine's.
vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 })

const RATE = { SEALBOOK_REQUESTS_PER_MINUTE: '1000000' }

/** An answer is either what was asked for, or a 503 that names its reason and holds nothing of a record. */
function expectRightOrClosed(answer: Answer, right: number, codes: readonly string[], secret: string): void {
  if (answer.status === right) return
  expect({ status: answer.status, code: answer.body?.code, text: answer.text }).toEqual({ status: 503, code: expect.stringMatching(`^(${codes.join('|')})$`), text: expect.not.stringContaining(secret) })
  expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/)
}

async function until(done: () => Promise<boolean>, patienceMs = 60_000): Promise<void> {
  const end = Date.now() + patienceMs
  while (!(await done())) {
    if (Date.now() > end) throw new Error('it did not come back in time')
    await pause(100)
  }
}

describe('the database', () => {
  let server: TestServer
  let id: string
  beforeAll(async () => {
    server = await startServer({ env: RATE })
    id = (await server.call('POST', '/contacts', { fullName: 'Quentin Quarterstaff' })).body.id
  })
  afterAll(() => server.close())
  const read = (): Promise<Answer> => server.call('GET', `/contacts/${id}`)

  test('killed: requests are 503 database-unavailable, and it comes back by itself', async () => {
    const { pid } = server
    const answers: Answer[] = []
    let over = false
    const reading = Promise.all(Array.from({ length: 4 }, async (_, i) => {
      while (!over) {
        answers.push(i === 0 ? await server.call('POST', '/contacts', { fullName: 'Quentin Again' }) : await read())
        await pause(5)
      }
    }))
    await pause(200)
    process.kill(postmasterOf(server.place.home)!, 'SIGKILL')
    await until(async () => answers.some((a) => a.status === 503))
    await until(async () => (await read()).status === 200)
    over = true
    await reading
    for (const a of answers) if (a.status !== 201) expectRightOrClosed(a, 200, ['database-unavailable', 'ledger-unavailable'], 'Quentin')
    expect(answers.map((a) => a.body?.code)).toContain('database-unavailable')
    await until(async () => (await server.call('GET', '/api/health')).body.status === 'ready')
    expect((await server.call('GET', '/me')).status).toBe(200)
    expect(server.pid).toBe(pid)
    const kept = answers.filter((a) => a.status === 201)
    for (const a of kept) expect((await server.call('GET', `/contacts/${a.body.id}`)).body.fullName).toBe('Quentin Again')
    expect((await server.call('POST', '/ledger/verify', {})).body).toMatchObject({ ok: true, failures: [] })
  })

  test('a job that was given out when its answer was lost is given out again', async () => {
    const long = await askImport(server, Array.from({ length: 8_000 }, (_, i) => `Before Number${i}`))
    const lost = await askImport(server, ['Lost Answer'])
    // As the queue has it after it gave the job to a worker that never heard of it.
    const changed = await asSuperuser(server.place.home, "UPDATE pgboss.job SET state = 'active', started_on = now(), heartbeat_on = now() WHERE data->>'id' = $1 AND state = 'created' RETURNING id", [lost])
    expect(changed).toHaveLength(1)
    expect((await importEnd(server, long!, 60_000)).state).toBe('done')
    expect((await importEnd(server, lost!, 90_000)).result).toMatchObject({ rows: 1, created: 1 })
  })

  const cut = (): Promise<unknown> => asSuperuser(server.place.home, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'sealbook:ledger%'")

  test('the connections of the ledger cut again and again: every read that was answered is in it', async () => {
    const before = (await eventsOf(server)).filter((e) => e.action === 'contact.read' && e.object?.id === id).length
    let over = false
    let shown = 0
    const reading = Promise.all(Array.from({ length: 4 }, async () => {
      while (!over) {
        const answer = await read()
        expectRightOrClosed(answer, 200, ['ledger-unavailable'], 'Quentin')
        if (answer.status === 200) shown++
      }
    }))
    for (let i = 0; i < 20; i++) {
      await cut()
      await pause(50)
    }
    over = true
    await reading
    const events = await eventsOf(server)
    expect(shown).toBeGreaterThan(0)
    expect(events.filter((e) => e.action === 'contact.read' && e.object?.id === id).length - before).toBeGreaterThanOrEqual(shown)
  })

  test('a ledger that cannot be written: nothing is shown or changed until it can', async () => {
    await asSuperuser(server.place.home, 'ALTER ROLE sealbook_app CONNECTION LIMIT 0')
    await cut()
    const [seen, listed] = await Promise.all([read(), server.call('POST', '/contacts/search', { text: 'quentin' })])
    for (const answer of [seen, listed]) {
      expect(answer).toMatchObject({ status: 503, body: { code: 'ledger-unavailable' } })
      expect(answer.text).not.toContain('Quentin')
    }
    await asSuperuser(server.place.home, 'ALTER ROLE sealbook_app CONNECTION LIMIT -1')
    await until(async () => (await read()).status === 200)
    expect((await server.call('POST', '/ledger/verify', {})).body).toMatchObject({ ok: true, failures: [] })
  })
})

describe('doctor', () => {
  test('tells that a running server shows another certificate than the one in its home', async () => {
    const [server, other] = [await startServer(), await startServer()]
    const codes = async (): Promise<string[]> => (await server.cli(['doctor', '--json'])).json.findings.map((f: { code: string }) => f.code)
    expect(await codes()).not.toContain('certificate-stale')
    for (const file of ['ca.crt', 'server.crt']) copyFileSync(join(other.place.home, 'tls', file), join(server.place.home, 'tls', file))
    // The authority it is asked with is the new one, so even signing in would fail; what is seen from outside is told all the same.
    expect(await codes()).toContain('certificate-foreign')
    await server.close()
    await other.close()
  })
})

describe('an upload', () => {
  test('that is refused before it was read leaves its connection to the next request', async () => {
    const server = await startServer({ env: RATE })
    const part = (name: string, value: string): string => `--b\r\nContent-Disposition: form-data; name="${name}"; filename="x"\r\n\r\n${value}\r\n--b--\r\n`
    const refused = await server.call('POST', '/imports', Buffer.from(part('wrong', 'x'.repeat(2_000_000))), { headers: { 'Content-Type': 'multipart/form-data; boundary=b' } })
    expect(refused.status).toBe(400)
    expect((await server.call('GET', '/me')).status).toBe(200)
    await server.close()
  })
})

describe('the disk', () => {
  let disk: SmallDisk | null
  let server: TestServer
  beforeAll(async () => {
    disk = smallDisk(320)
    if (!disk) return
    const outside = makePlace(RATE)
    const home = join(disk.path, 'home')
    const place: Place = { ...outside, home, env: { ...outside.env, SEALBOOK_HOME: home } }
    server = new TestServer(place, await init(place))
    await server.start()
  })
  afterAll(async () => {
    if (!disk) return
    await server.close()
    disk.release()
  })

  // One that fails must not leave a full disk to the next.
  afterEach(() => disk?.free())

  /** Whether the asking itself finds room is the luck of where PostgreSQL's pages and segments end: where it does not, it is refused, and asked anew further on. */
  async function askOnFullDisk(full: SmallDisk): Promise<Answer> {
    const ask = (): Promise<Answer> => server.call('POST', '/exports', { noun: 'contacts', format: 'jsonl', reason: 'a full disk' })
    for (let tries = 1; ; tries++) {
      // One before, so that every table it writes to has begun a page.
      const { body } = await ask()
      await until(async () => (await server.call('GET', `/exports/${body.id}`)).body.state === 'done')
      full.fill()
      const asked = await ask()
      if (asked.status === 202) return asked
      expect([asked.status, tries < 40]).toEqual([503, true])
      full.free()
      await until(async () => (await server.call('POST', '/contacts', { fullName: `Further ${tries}` })).status === 201)
    }
  }

  test('full while an export is written: it waits for space, and the server stays', async (context) => {
    if (!disk) return context.skip()
    const many = await askImport(server, Array.from({ length: 8_000 }, (_, i) => `Exported Number${i}`))
    expect((await importEnd(server, many!, 60_000)).state).toBe('done')
    const { body } = await askOnFullDisk(disk)
    await pause(1_500)
    expect((await server.call('GET', `/exports/${body.id}`)).body.state).toBe('running')
    disk.free()
    await until(async () => (await server.call('GET', `/exports/${body.id}`)).body.state === 'done')
    const { rows, refused } = (await server.call('GET', `/exports/${body.id}`)).body.result
    expect([rows >= 8_000, refused]).toEqual([true, 0])
  }, 240_000)

  test('full: 503 problems, nothing acknowledged is lost, imports and exports wait, and it goes on when there is space', async (context) => {
    if (!disk) return context.skip()
    const names = (what: string, n: number): string[] => Array.from({ length: n }, (_, i) => `${what} Number${i}`)
    const first = await askImport(server, names('Early', 1500))
    expect((await importEnd(server, first!, 60_000)).result).toMatchObject({ rows: 1500, created: 1500 })
    const { id } = (await server.call('POST', '/contacts', { fullName: 'Brimful Known' })).body
    const running = await askImport(server, names('Meanwhile', 3000))
    const exported = await server.call('POST', '/exports', { noun: 'contacts', format: 'jsonl', reason: 'a full disk' })
    expect(exported.status).toBe(202)
    disk.fill()
    const codes = ['database-unavailable', 'ledger-unavailable', 'key-unavailable', 'storage-unavailable']
    const kept: string[] = []
    let title: string | null = null
    let version = 1
    let refused = 0
    // A new person needs room for a key at once; a change only when the database takes its next page.
    for (let i = 0; refused < 20 && i < 20_000; i++) {
      const made = await server.call('POST', '/contacts', { fullName: `Brimful ${i}` })
      expectRightOrClosed(made, 201, codes, 'Brimful')
      if (made.status === 201) kept.push(made.body.id)
      const next = `Brimful ${'x'.repeat(150)} ${i}`
      const changed = await server.call('PATCH', `/contacts/${id}`, { title: next }, { headers: { 'If-Match': `"${version}"` } })
      if (changed.status === 412) version = changed.body.version // kept although its answer was a 503
      else expectRightOrClosed(changed, 200, codes, 'Brimful')
      if (changed.status === 200) [title, version] = [next, changed.body.version]
      else refused++
    }
    process.stdout.write(`full disk: ${kept.length} made and ${version} changes before ${refused} were refused\n`)
    expect(refused).toBe(20)
    expectRightOrClosed(await server.call('GET', `/contacts/${id}`), 200, codes, 'Brimful')
    // What PostgreSQL recycles meanwhile may leave room enough for a file: then it is taken in and waits like the others.
    const late = await askImport(server, names('Late', 20_000))
    disk.free()
    await until(async () => (await server.call('POST', '/contacts', { fullName: 'Spacious' })).status === 201)
    expect((await importEnd(server, running!, 60_000)).result).toMatchObject({ rows: 3000, rejected: 0 })
    let job: Answer
    do job = await server.call('GET', `/exports/${exported.body.id}`)
    while (job.body.state === 'queued' || job.body.state === 'running')
    expect(job.body.state).toBe('done')
    for (const one of kept) expect((await server.call('GET', `/contacts/${one}`)).status).toBe(200)
    const found = (await server.call('GET', `/contacts/${id}`)).body
    expect(found.version).toBeGreaterThanOrEqual(version)
    if (found.version === version) expect(found.title).toBe(title)
    if (late !== null) expect((await importEnd(server, late, 120_000)).result).toMatchObject({ rows: 20_000, rejected: 0 })
    const count = await server.call('POST', '/contacts/search', { text: 'meanwhile', count: true })
    expect(count.body).toMatchObject({ count: 3000, complete: true })
    expect((await server.call('POST', '/ledger/verify', {})).body).toMatchObject({ ok: true, failures: [] })
    expect(await server.end('SIGTERM')).toBe(0)
    await server.start()
    expect((await server.call('GET', `/contacts/${id}`)).body.version).toBe(found.version)
  }, 240_000)
})

describe('the key store', () => {
  let server: TestServer
  const keys = (...names: string[]): string => join(server.place.home, 'keys', ...names)
  beforeAll(async () => {
    server = await startServer({ env: RATE })
    expect((await server.call('POST', '/contacts', { fullName: 'Before' })).status).toBe(201)
  })
  afterAll(() => server.close())

  /** chmod stops an ordinary user; root is stopped by the immutable flag, where the file system has one. */
  function lock(path: string): (() => void) | null {
    if (process.getuid?.() !== 0) {
      const folder = path === keys()
      chmodSync(path, folder ? 0o500 : 0o400)
      return () => chmodSync(path, folder ? 0o700 : 0o600)
    }
    const done = spawnSync('chattr', ['+i', path], { encoding: 'utf8' })
    if (done.status === 0) return () => void spawnSync('chattr', ['-i', path])
    process.stderr.write(`skipped: as root only the immutable flag makes a folder read-only (${(done.stderr || String(done.error)).trim()})\n`)
    return null
  }

  test('in a folder that became read-only: nothing is lost; a start sets it right or is refused with a sentence', async (context) => {
    const unlock = lock(keys())
    if (!unlock) return context.skip()
    try {
      const answers = await Promise.all(Array.from({ length: 8 }, (_, i) => server.call('POST', '/contacts', { fullName: `Locked ${i}` })))
      for (const a of answers) expectRightOrClosed(a, 201, ['key-unavailable'], 'Locked')
      for (const a of answers.filter((x) => x.status === 201)) expect((await server.call('GET', `/contacts/${a.body.id}`)).status).toBe(200)
      expect(await server.end('SIGTERM')).toBe(0)
      // A start sets the mode of its own folder right; only the flag is stronger.
      if (process.getuid?.() === 0) {
        const refused = await runCli(['start', '--json'], server.place.env)
        expect({ code: refused.code, problem: refused.json?.problem?.code }).toEqual({ code: 4, problem: expect.stringMatching(/^(key-store-damaged|home-unwritable)$/) })
        unlock()
      }
      await server.start()
      for (const a of answers.filter((x) => x.status === 201)) expect((await server.call('GET', `/contacts/${a.body.id}`)).status).toBe(200)
    } finally {
      unlock()
    }
  })

  test('whose log cannot be written: 503 key-unavailable for new people, those known are read, and it goes on by itself', async (context) => {
    if (process.getuid?.() !== 0) return context.skip()
    const known = (await server.call('POST', '/contacts', { fullName: 'Known' })).body.id
    const unlock = lock(keys('keystore.sqlite-wal'))
    if (!unlock) return context.skip()
    try {
      const answer = await server.call('POST', '/contacts', { fullName: 'Keyless' })
      expect(answer).toMatchObject({ status: 503, body: { code: 'key-unavailable' } })
      expect(answer.text).not.toContain('Keyless')
      expect((await server.call('GET', `/contacts/${known}`)).body.fullName).toBe('Known')
      unlock()
      await until(async () => (await server.call('POST', '/contacts', { fullName: 'Keyed' })).status === 201)
    } finally {
      unlock()
    }
  })
})
