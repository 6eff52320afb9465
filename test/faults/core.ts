// What must hold for whoever runs Sealbook, in one process of that user: prints one line for each thing that held. Run by ordinary-user.test.ts.
import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { runCli } from '../harness/cli.ts'
import { init, makePlace, TestServer, type Place } from '../harness/server.ts'
import { changesIn, postmasterOf, snapshot } from './home.ts'

const held = (what: string): void => void process.stdout.write(`${what}\n`)

/** A home two levels below a folder that only this user may enter. */
function closedPlace(): Place {
  const outside = makePlace()
  const closed = join(outside.folder, 'closed')
  mkdirSync(closed, { mode: 0o700 })
  const home = join(closed, 'sealbook', 'home')
  return { ...outside, home, env: { ...outside.env, SEALBOOK_HOME: home } }
}

async function refused(place: Place, code: string, env: Readonly<Record<string, string>> = {}): Promise<void> {
  const before = snapshot(place.home)
  const done = await runCli(['start', '--json'], { ...place.env, ...env })
  assert.deepEqual({ exit: done.code, code: done.json?.problem?.code }, { exit: 4, code })
  assert.match(done.json.problem.detail, /^[A-Z/][^\n]*\.$/)
  assert.deepEqual(changesIn(place.home, before), [])
}

async function kills(server: TestServer): Promise<void> {
  const kept: string[] = []
  for (let i = 0; i < 10; i++) kept.push((await server.call('POST', '/contacts', { fullName: `Kept ${i}` })).body.id)
  process.kill(postmasterOf(server.place.home)!, 'SIGKILL')
  await server.end('SIGKILL')
  await server.start()
  for (const id of kept) assert.equal((await server.call('GET', `/contacts/${id}`)).status, 200)
  const verified = await server.cli(['ledger', 'verify', '--json'])
  assert.deepEqual({ code: verified.code, failures: verified.json?.failures }, { code: 0, failures: [] })
  held('kill -9 of Node and PostgreSQL')
}

async function unreadable(server: TestServer): Promise<void> {
  const { place } = server
  chmodSync(place.rootKeyFile, 0o000)
  await refused(place, 'key-unreadable')
  chmodSync(place.rootKeyFile, 0o600)
  held('a key file this user may not read')
  await refused(place, 'home-unwritable', { SEALBOOK_HOME: '/proc/sealbook' })
  held('a home this user may not make')
}

/** The folder of the key store becomes read-only while the server runs. */
async function readOnlyKeys(server: TestServer): Promise<void> {
  const keys = join(server.place.home, 'keys')
  await server.start()
  chmodSync(keys, 0o500)
  const answer = await server.call('POST', '/contacts', { fullName: 'Read Only' })
  assert.ok(answer.status === 201 || (answer.status === 503 && answer.body.code === 'key-unavailable'), answer.text)
  assert.equal(await server.end('SIGTERM'), 0)
  chmodSync(keys, 0o700)
  await server.start()
  if (answer.status === 201) assert.equal((await server.call('GET', `/contacts/${answer.body.id}`)).status, 200)
  assert.equal(await server.end('SIGTERM'), 0)
  held('a read-only folder of keys')
}

const place = closedPlace()
const server = new TestServer(place, await init(place))
try {
  held('init')
  await server.start()
  assert.equal(statSync(join(place.home, 'postgres', 'data')).uid, process.getuid?.() === 0 ? statSync(join(place.home, 'postgres')).uid : process.getuid?.())
  held('start')
  const user = await server.cli(['user', 'list', '--json'])
  assert.equal(user.code, 0)
  assert.equal((await server.cli(['doctor', '--json'])).json.findings.some((f: { code: string }) => f.code === 'home-readable'), false)
  held('the command line')
  await kills(server)
  assert.equal(await server.end('SIGTERM'), 0)
  held('stop')
  if (process.getuid?.() !== 0) {
    await unreadable(server)
    await readOnlyKeys(server)
  }
} finally {
  await server.close()
}
