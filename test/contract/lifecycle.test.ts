import { spawn } from 'node:child_process'
import { createHash, X509Certificate } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { runCli } from '../harness/cli.ts'
import { init, initArguments, makePlace, OWNER, TestServer, type InitDocument, type Place } from '../harness/server.ts'
import { expectCliProblem, INSTANT, UUID } from './shapes.ts'

const modeOf = (path: string): number => statSync(path).mode & 0o777

describe('init', () => {
  let place: Place
  let made: InitDocument
  beforeAll(async () => {
    place = makePlace()
    made = await init(place)
  })
  afterAll(() => rmSync(place.folder, { recursive: true, force: true }))

  test('answers with exactly the members of the contract', () => {
    expect(made).toEqual({
      instanceId: expect.stringMatching(UUID),
      organisationId: expect.stringMatching(UUID),
      ownerId: expect.stringMatching(UUID),
      token: expect.stringMatching(/^sbk_[A-Za-z0-9_-]{20,}$/),
      tokenExpiresAt: expect.stringMatching(INSTANT),
      ledgerKey: expect.stringMatching(/^\S+\+[0-9a-f]{8}\+\S+$/),
      recoveryKitFile: place.kitFile,
    })
  })

  test('writes recovery kit, token and key file for the owner alone, and the key outside the home', () => {
    for (const file of [place.kitFile, place.tokenFile, place.rootKeyFile]) expect(modeOf(file)).toBe(0o600)
    expect(readFileSync(place.tokenFile, 'utf8')).toBe(`${made.token}\n`)
    expect(readFileSync(place.kitFile, 'utf8')).toContain(made.instanceId)
  })

  test('leaves folders 0700 and files 0600 and no running process', () => {
    const folders = ['.', 'keys', 'tls', 'blobs', 'staging', 'run', 'log', 'postgres']
    expect(folders.map((f) => modeOf(join(place.home, f)).toString(8))).toEqual(folders.map(() => '700'))
    expect(modeOf(join(place.home, 'keys', 'keystore.sqlite'))).toBe(0o600)
    expect(existsSync(join(place.home, 'run', 'server.json'))).toBe(false)
    expect(existsSync(join(place.home, 'postgres', 'data', 'postmaster.pid'))).toBe(false)
  })

  test('a second run ends with exit 4 and changes nothing', async () => {
    const before = digestOf(join(place.home, 'keys'))
    const kit = join(place.folder, 'second-kit.txt')
    const other = initArguments(place).map((a) => (a === place.kitFile ? kit : a === place.tokenFile ? join(place.folder, 'second-token') : a))
    for (const again of [initArguments(place), other]) {
      const done = await runCli([...again, '--json'], place.env)
      expect(done.code).toBe(4)
      expectCliProblem(done.json, 'already-set-up')
    }
    expect(existsSync(kit)).toBe(false)
    expect(digestOf(join(place.home, 'keys'))).toBe(before)
  })

  test('the owner then signs in with the password that was in the file', async () => {
    const server = new TestServer(place, made)
    await server.start()
    const answer = await server.call('POST', '/session', OWNER, { token: null })
    expect(answer.status).toBe(200)
    await server.end('SIGTERM')
  })
})

describe('init that is refused', () => {
  const places: Place[] = []
  const fresh = (env?: Record<string, string>): Place => {
    const place = makePlace(env)
    places.push(place)
    return place
  }
  afterAll(() => places.forEach((p) => rmSync(p.folder, { recursive: true, force: true })))

  test.each([
    ['a weak password', (p: Place) => writeFileSync(p.passwordFile, 'short\n'), [1, 2]],
    ['a kit file that exists', (p: Place) => writeFileSync(p.kitFile, 'kept'), [2]],
    ['no password file', (p: Place) => rmSync(p.passwordFile), [2]],
  ])('%s: leaves nothing behind that blocks the next', async (_name, spoil, codes) => {
    const place = fresh()
    spoil(place)
    const refused = await runCli([...initArguments(place), '--json'], place.env)
    expect(codes).toContain(refused.code)
    expectCliProblem(refused.json, /^[a-z-]+$/)
    writeFileSync(place.passwordFile, `${OWNER.password}\n`)
    rmSync(place.kitFile, { force: true })
    const made = await init(place)
    expect(made.token).toMatch(/^sbk_/)
  })

  test('a flag that is missing is a usage error that names all that are', async () => {
    const place = fresh()
    const done = await runCli(['init', '--organisation', 'X', '--json'], place.env)
    expect(done.code).toBe(2)
    expectCliProblem(done.json, 'usage')
    for (const flag of ['--owner-email', '--owner-password-file', '--recovery-kit']) expect(done.json.problem.detail).toContain(flag)
    expect(existsSync(place.home)).toBe(false)
  })

  test('a setting that is wrong ends with exit 2 and names every fault', async () => {
    const place = fresh({ SEALBOOK_PORT: 'x', SEALBOOK_TYPO: '1', SEALBOOK_ORIGIN: 'http://x' })
    const done = await runCli([...initArguments(place), '--json'], place.env)
    expect(done.code).toBe(2)
    expectCliProblem(done.json, 'config-invalid')
    for (const name of ['SEALBOOK_PORT', 'SEALBOOK_TYPO', 'SEALBOOK_ORIGIN']) expect(done.json.problem.detail).toContain(name)
    expect(existsSync(place.home)).toBe(false)
  })

  test('a home that holds other files is left alone', async () => {
    const place = fresh()
    mkdirSync(place.home)
    writeFileSync(join(place.home, 'thesis.doc'), 'mine')
    for (const words of [initArguments(place), ['start']]) {
      const done = await runCli([...words, '--json'], place.env)
      expect(done.code).toBe(4)
      expectCliProblem(done.json, 'home-not-ours')
    }
    expect(readdirSync(place.home)).toEqual(['thesis.doc'])
  })
})

describe('the passphrase custodian', () => {
  let place: Place
  beforeAll(async () => {
    place = makePlace()
    const passphrase = join(place.folder, 'passphrase')
    writeFileSync(passphrase, 'correct horse battery staple\n', { mode: 0o600 })
    place = { ...place, env: { ...place.env, SEALBOOK_PASSPHRASE_FILE: passphrase } }
    const done = await runCli([...initArguments(place), '--custodian', 'passphrase', '--json'], place.env)
    expect({ code: done.code, stdout: done.code === 0 ? '' : done.stdout }).toEqual({ code: 0, stdout: '' })
  })
  afterAll(() => rmSync(place.folder, { recursive: true, force: true }))

  test('leaves no key file; a wrong or missing passphrase is one clear refusal, and the kit recovers', async () => {
    expect(existsSync(place.rootKeyFile)).toBe(false)
    const wrong = join(place.folder, 'wrong')
    writeFileSync(wrong, 'incorrect horse battery staple\n', { mode: 0o600 })
    const refused = await runCli(['start', '--json'], { ...place.env, SEALBOOK_PASSPHRASE_FILE: wrong })
    expect(refused.code).toBe(4)
    expectCliProblem(refused.json, 'key-wrong')
    const { SEALBOOK_PASSPHRASE_FILE: _, ...without } = place.env
    const missing = await runCli(['start', '--json'], without)
    expect(missing.code).toBe(4)
    expectCliProblem(missing.json, 'passphrase-missing')
    const recovered = await runCli(['keys', 'recover', '--recovery-kit', place.kitFile, '--json'], without)
    expect(recovered.code).toBe(0)
    expect(existsSync(place.rootKeyFile)).toBe(true)
  })
})

describe('start', () => {
  let place: Place
  let server: TestServer
  beforeAll(async () => {
    place = makePlace()
    server = new TestServer(place, await init(place))
  })
  afterAll(() => server.close())

  test('prints one ready line, keeps the same in run/server.json, drains on SIGTERM and ends with 0', async () => {
    const ready = await server.start()
    expect(ready).toEqual({ event: 'ready', url: expect.stringMatching(/^https:\/\/localhost:\d+\/?$/), pid: expect.any(Number), caFile: join(place.home, 'tls', 'ca.crt'), caSha256: expect.any(String), setupUrl: null })
    const file = join(place.home, 'run', 'server.json')
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual(ready)
    expect(modeOf(file)).toBe(0o600)
    const authority = new X509Certificate(readFileSync(ready.caFile))
    expect(ready.caSha256.replaceAll(':', '').toLowerCase()).toBe(createHash('sha256').update(authority.raw).digest('hex'))
    expect((await server.call('GET', '/api/health')).status).toBe(200)
    expect(await server.end('SIGTERM')).toBe(0)
    expect(existsSync(file)).toBe(false)
    expect(existsSync(join(place.home, 'postgres', 'data', 'postmaster.pid'))).toBe(false)
  })

  test('SIGINT drains too', async () => {
    await server.start()
    expect(await server.end('SIGINT')).toBe(0)
  })

  test('a home in use is refused with exit 4, for start, init and recovery', async () => {
    await server.start()
    const second = await runCli(['start', '--json'], place.env)
    expect(second.code).toBe(4)
    expectCliProblem(second.json, 'home-in-use')
    const kit = await runCli(['keys', 'recover', '--recovery-kit', place.kitFile, '--json'], place.env)
    expect(kit.code).toBe(4)
    expect((await server.call('GET', '/me')).status).toBe(200)
    await server.end('SIGTERM')
  })

  test('a flag it does not know is a usage error', async () => {
    const done = await runCli(['start', '--frobnicate', '--json'], place.env)
    expect(done.code).toBe(2)
    expectCliProblem(done.json, 'usage')
  })

  test('a port that is taken is one clear refusal', async () => {
    const blocker = createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => blocker.once('listening', resolve))
    const address = blocker.address()
    const port = typeof address === 'object' && address ? address.port : 0
    const done = await runCli(['start', '--json'], { ...place.env, SEALBOOK_PORT: String(port) })
    blocker.close()
    expect(done.code).toBe(4)
    expectCliProblem(done.json, /port/)
    expect(existsSync(join(place.home, 'run', 'server.json'))).toBe(false)
  })

  test('a key file that is gone is one clear refusal', async () => {
    const done = await runCli(['start', '--json'], { ...place.env, SEALBOOK_ROOT_KEY_FILE: join(place.folder, 'nowhere.key') })
    expect(done.code).toBe(4)
    expectCliProblem(done.json, /^key-/)
    expect(done.json.problem.detail).toContain('nowhere.key')
  })

  test('a killed server is taken over by the next start', async () => {
    await server.start()
    const { status, body } = await server.call('POST', '/contacts', { fullName: 'Before The Crash' })
    expect(status).toBe(201)
    await server.end('SIGKILL')
    const asked = await server.cli(['user', 'list', '--json'])
    expect(asked.code).toBe(4)
    expectCliProblem(asked.json, 'server-none')
    await server.start()
    expect((await server.call('GET', `/contacts/${body.id}`)).body.fullName).toBe('Before The Crash')
    await server.end('SIGTERM')
  })

  test('without --json it tells people the address, the authority and, in red, where the key lies', async () => {
    const child = spawn(process.execPath, [join(import.meta.dirname, '..', '..', 'src', 'main.ts'), 'start'], { env: { ...place.env, LANG: 'zh_CN.UTF-8' }, stdio: ['ignore', 'pipe', 'pipe'] })
    let said = ''
    child.stdout.on('data', (d: Buffer) => (said += d.toString()))
    const deadline = Date.now() + 30_000
    while (!said.includes('key-file-same-device') && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 50))
    child.kill('SIGTERM')
    await new Promise((resolve) => child.once('exit', resolve))
    expect(said).toContain('密客已就绪')
    expect(said).toMatch(/https:\/\/localhost:\d+/)
    expect(said).toContain('ca.crt')
    expect(said).toContain('key-file-same-device')
  })
})

/** One digest of every file's name and bytes in a folder. */
function digestOf(folder: string): string {
  const hash = createHash('sha256')
  for (const name of readdirSync(folder).toSorted()) {
    if (/-(?:wal|shm)$/.test(name)) continue // SQLite's own, made and removed by opening
    hash.update(`${name}\0`).update(readFileSync(join(folder, name)))
  }
  return hash.digest('hex')
}
