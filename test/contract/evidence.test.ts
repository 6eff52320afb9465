import { existsSync, readFileSync, rmSync, statSync, writeFileSync, chmodSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { runCli, type CliResult } from '../harness/cli.ts'
import { startServer, type Json, type TestServer } from '../harness/server.ts'
import { expectCliProblem, expectProblem, FINDING, INSTANT } from './shapes.ts'

let server: TestServer
const at = (name: string): string => join(server.place.folder, name)
const done = (result: CliResult): Json => {
  expect({ code: result.code, stderr: result.code === 0 ? '' : `${result.stdout}${result.stderr}` }).toEqual({ code: 0, stderr: '' })
  return result.json
}
const cli = async (...args: string[]): Promise<Json> => done(await server.cli([...args, '--json']))

beforeAll(async () => {
  server = await startServer()
  for (let i = 0; i < 20; i++) await server.call('POST', '/contacts', { fullName: `Witness ${i}` })
  writeFileSync(at('sheet.csv'), 'Name,Email,Company\nImported One,one@example.com,Ltd\nImported Two,two@example.com,Ltd\n')
  await cli('import', 'contacts', at('sheet.csv'), '--source', 'test')
})
afterAll(() => server.close())

const REPORT = { ok: true, size: expect.any(Number), root: expect.any(String), checkpointAt: expect.stringMatching(INSTANT), failures: [], notProven: expect.any(Array) }

describe('ledger', () => {
  test('checkpoint is a C2SP signed note of this instance and key is the one init printed', async () => {
    const { text } = await cli('ledger', 'checkpoint')
    const [origin, size, root, blank, signature] = text.split('\n')
    expect(origin).toContain(server.owner.instanceId)
    expect(Number(size)).toBeGreaterThan(20)
    expect(Buffer.from(root, 'base64')).toHaveLength(32)
    expect(blank).toBe('')
    expect(signature).toMatch(/^— \S+ [A-Za-z0-9+/=]+$/)
    expect((await cli('ledger', 'key')).text.trim()).toBe(server.owner.ledgerKey)
  })

  test('verify of the running server, with and without key and earlier checkpoint', async () => {
    expect(await cli('ledger', 'verify')).toMatchObject(REPORT)
    const { text } = await cli('ledger', 'checkpoint')
    writeFileSync(at('since.txt'), text)
    await server.call('POST', '/contacts', { fullName: 'Later' })
    const report = await cli('ledger', 'verify', '--vkey', server.owner.ledgerKey, '--since', at('since.txt'))
    expect(report).toMatchObject(REPORT)
    expect(report.notProven).not.toContain('rollback-or-fork-since-anchor')
  })

  test('a bundle verifies offline, needs no server, no home and no token; a touched one does not', async () => {
    const out = at('bundle.jsonl')
    const exported = await cli('ledger', 'export', '--out', out)
    expect(exported).toMatchObject({ sha256: expect.stringMatching(/^[0-9a-f]{64}$/) })
    expect(statSync(out).mode & 0o777).toBe(0o600)
    const bare = { PATH: process.env['PATH'] ?? '', HOME: '/nonexistent', LANG: 'C.UTF-8', SEALBOOK_HOME: '/nonexistent' }
    const good = await runCli(['ledger', 'verify', '--bundle', out, '--vkey', server.owner.ledgerKey, '--json'], bare)
    expect(good.code).toBe(0)
    // A checkpoint carries no time of its own, so a bundle alone knows none.
    expect(good.json).toMatchObject({ ...REPORT, checkpointAt: null, notProven: expect.arrayContaining([expect.any(String)]) })
    const text = readFileSync(out, 'utf8')
    const cut = text.replace('contact.created', 'contact.deleted')
    expect(cut).not.toBe(text)
    writeFileSync(at('touched.jsonl'), cut)
    const bad = await runCli(['ledger', 'verify', '--bundle', at('touched.jsonl'), '--vkey', server.owner.ledgerKey, '--json'], bare)
    expect(bad.code).toBe(1)
    expect(bad.json).toMatchObject({ ok: false, failures: expect.arrayContaining([expect.objectContaining({ code: expect.stringMatching(/^[a-z-]+$/) })]) })
    expectCliProblem(bad.json, 'ledger-broken')
    expect(text).not.toContain('Witness')
  })

  test('a bundle of a span of time holds that span alone', async () => {
    const out = at('span.jsonl')
    await cli('ledger', 'export', '--out', out, '--from', '2020-01-01', '--to', '2020-02-01T00:00:00Z')
    const report = await runCli(['ledger', 'verify', '--bundle', out, '--vkey', server.owner.ledgerKey, '--json'], server.place.env)
    expect(report.json).toMatchObject({ ok: true, events: 0 })
    expect((await server.cli(['ledger', 'export', '--out', out, '--from', 'yesterday', '--json'])).code).toBe(2)
  })

  test('a bundle that is not there: exit 2; one that is no bundle: exit 1', async () => {
    expect((await runCli(['ledger', 'verify', '--bundle', at('nowhere'), '--json'], server.place.env)).code).toBe(2)
    writeFileSync(at('no-bundle'), 'hello\n')
    const done = await runCli(['ledger', 'verify', '--bundle', at('no-bundle'), '--json'], server.place.env)
    expect(done.code).toBe(1)
    expect(done.json.ok).toBe(false)
  })

  test('REST: checkpoint is text, proof has index, size and hashes', async () => {
    const checkpoint = await server.call('GET', '/ledger/checkpoint')
    expect(checkpoint.headers['content-type']).toMatch(/^text\/plain/)
    const proof = await server.call('GET', '/ledger/proof?leaf=3')
    expect(proof.body).toEqual({ index: 3, size: expect.any(Number), hashes: expect.any(Array) })
    for (const hash of proof.body.hashes) expect(Buffer.from(hash, 'base64')).toHaveLength(32)
    expectProblem(await server.call('GET', '/ledger/proof?leaf=99999999'), 404, 'not-found')
    expectProblem(await server.call('GET', '/ledger/proof?leaf=-1'), 400, 'invalid')
    expectProblem(await server.call('GET', '/ledger/proof'), 400, 'invalid')
  })
})

describe('keys', () => {
  test('status tells custodian, purposes, count and posture', async () => {
    const status = await cli('keys', 'status')
    expect(status).toMatchObject({ custodian: 'key-file', purposes: expect.any(Array), subjectKeys: expect.any(Number), posture: expect.any(Array) })
    for (const p of status.purposes) expect(p).toEqual({ purpose: expect.any(String), epoch: expect.any(Number), createdAt: expect.any(String) })
    for (const f of status.posture) expect(f).toEqual(FINDING)
    expect(status.posture.map((f: Json) => f.code)).toContain('key-file-same-device')
  })

  test('a new kit is written 0600, leaves no copy in the home, and the one before opens nothing any more', async () => {
    const out = at('kit-2.txt')
    expect(await cli('keys', 'kit', '--out', out)).toEqual({ recoveryKitFile: out })
    expect(statSync(out).mode & 0o777).toBe(0o600)
    expect(readFileSync(out, 'utf8')).toContain(server.owner.instanceId)
    const again = await server.cli(['keys', 'kit', '--out', out, '--json'])
    expect(again.code).toBe(2)
  })

  test('a token alone gets no kit', async () => {
    const answer = await server.call('POST', '/keys/kit', { file: `kit-${'0'.repeat(32)}` })
    expectProblem(answer, 409, 'kit-file-missing')
    expectProblem(await server.call('POST', '/keys/kit', { file: '../../etc/passwd' }), 400, 'invalid')
  })
})

describe('doctor', () => {
  test('asks the running server: findings, red for a key file beside the data, exit 1', async () => {
    const result = await server.cli(['doctor', '--json'])
    expect(result.code).toBe(1)
    expect(result.json).toMatchObject({ ok: false, findings: expect.any(Array) })
    for (const f of result.json.findings) expect(f).toEqual(FINDING)
    expect(result.json.findings.filter((f: Json) => f.level === 'red').map((f: Json) => f.code)).toEqual(['key-file-same-device'])
    expectCliProblem(result.json, 'findings-red')
  })

  test('without a token it tells the outside and says what it left out', async () => {
    const result = await runCli(['doctor', '--json'], server.place.env)
    expect(result.code).toBe(1)
    expect(result.json.findings.map((f: Json) => f.code)).toEqual(['key-file-same-device', 'server-running'])
  })

  test('without a server it opens the home itself, deep too, and leaves it as it was', async () => {
    await server.end('SIGTERM')
    for (const args of [['doctor', '--json'], ['doctor', '--deep', '--json']]) {
      const result = await runCli(args, server.place.env)
      expect(result.json.findings.filter((f: Json) => f.level === 'red').map((f: Json) => f.code)).toEqual(['key-file-same-device'])
    }
    expect(existsSync(join(server.place.home, 'postgres', 'data', 'postmaster.pid'))).toBe(false)
    await server.start()
    expect((await server.call('GET', '/me')).status).toBe(200)
  })

  test('names what is wrong: readable home, lost key file', async () => {
    await server.end('SIGTERM')
    chmodSync(join(server.place.home, 'keys', 'keystore.sqlite'), 0o644)
    const readable = await runCli(['doctor', '--json'], server.place.env)
    expect(readable.json.findings.map((f: Json) => f.code)).toContain('home-readable')
    chmodSync(join(server.place.home, 'keys', 'keystore.sqlite'), 0o600)
    const lost = await runCli(['doctor', '--json'], { ...server.place.env, SEALBOOK_ROOT_KEY_FILE: at('nowhere.key') })
    expect(lost.code).toBe(1)
    expect(lost.json.findings.map((f: Json) => f.code)).toContain('key-unreadable')
    await server.start()
  })

  test('an empty home is no trouble and stays empty', async () => {
    const home = at('empty-home')
    const result = await runCli(['doctor', '--home', home, '--json'], server.place.env)
    expect(result.code).toBe(0)
    expect(result.json.findings.map((f: Json) => f.code)).toEqual(['instance-none'])
    expect(existsSync(home)).toBe(false)
  })
})

describe('recovery', () => {
  test('the printed kit opens an instance whose key file is lost; a wrong kit does not', async () => {
    const kit = at('kit-3.txt')
    await cli('keys', 'kit', '--out', kit)
    const { body } = await server.call('POST', '/contacts', { fullName: 'Survivor' })
    await server.end('SIGTERM')
    rmSync(server.place.rootKeyFile)
    const old = await runCli(['keys', 'recover', '--recovery-kit', server.place.kitFile, '--json'], server.place.env)
    expect(old.code).toBe(4)
    expectCliProblem(old.json, 'key-wrong')
    expect(existsSync(server.place.rootKeyFile)).toBe(false)
    const recovered = await runCli(['keys', 'recover', '--recovery-kit', kit, '--json'], server.place.env)
    expect(done(recovered)).toMatchObject({ instanceId: server.owner.instanceId, keyFile: server.place.rootKeyFile })
    await server.start()
    expect((await server.call('GET', `/contacts/${body.id}`)).body.fullName).toBe('Survivor')
  })
})
