import { mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { random } from '../../src/modules/demo/plan/random.ts'
import { startServer, type Json, type TestServer } from '../harness/server.ts'
import { eventsOf } from './bundle.ts'
import { postmasterOf } from './home.ts'
import { importEnd, pause, Writers, type Acknowledged, type Keyed } from './writers.ts'

vi.setConfig({ testTimeout: 900_000, hookTimeout: 180_000 })

const ROUNDS = Number(process.env['KILL_ROUNDS'] ?? 21)
const SEED = Number(process.env['KILL_SEED'] ?? 20261124)
const KINDS = ['node', 'postgres', 'both'] as const

let server: TestServer
/** Outside of the home, as a client's notes are. */
const outside = mkdtempSync(join(realpathSync(tmpdir()), 'sealbook-kill-'))

beforeAll(async () => {
  server = await startServer({ env: { SEALBOOK_REQUESTS_PER_MINUTE: '1000000' } })
})
afterAll(async () => {
  await server.close()
  rmSync(outside, { recursive: true, force: true })
})

/** Four at a time. */
async function each<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const left = [...items]
  await Promise.all(Array.from({ length: 4 }, async () => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) await work(item)
  }))
}

async function kill(kind: (typeof KINDS)[number], gapMs: number): Promise<void> {
  const postmaster = postmasterOf(server.place.home)
  expect(postmaster).toBeGreaterThan(1)
  if (kind !== 'node') process.kill(postmaster!, 'SIGKILL')
  if (kind === 'both') await pause(gapMs)
  if (kind !== 'postgres') await server.end('SIGKILL')
}

/** Starts it again; `killedAfterMs`: the first start is killed, too, wherever it is by then. */
async function restart(killedAfterMs: number | null): Promise<void> {
  if (killedAfterMs !== null) {
    const starting = server.start().catch(() => undefined)
    await pause(killedAfterMs)
    await server.end('SIGKILL')
    await starting
  }
  await server.start()
}

async function ready(): Promise<void> {
  const until = Date.now() + 60_000
  for (;;) {
    const { body } = await server.call('GET', '/api/health')
    if (body.status === 'ready') return
    if (Date.now() > until) throw new Error(`not ready: ${JSON.stringify(body)} ${server.said.slice(-5000)}`)
    await pause(50)
  }
}

/** Exactly one contact of this name, found by its letters in the lens. */
async function foundOnce(fullName: string): Promise<Json> {
  const { status, body } = await server.call('POST', '/contacts/search', { text: fullName.split(' ')[1], limit: 5 })
  expect({ fullName, status, complete: body.complete }).toEqual({ fullName, status: 200, complete: true })
  const items = (body.items as Json[]).filter((i) => i.fullName === fullName)
  expect({ fullName, times: items.length }).toEqual({ fullName, times: 1 })
  return items[0]
}

/** The newest acknowledged state of every record and all imports among these lines. */
function newest(lines: readonly Acknowledged[]): { records: Extract<Acknowledged, { kind: 'record' }>[]; imports: Extract<Acknowledged, { kind: 'import' }>[] } {
  const records = new Map<string, Extract<Acknowledged, { kind: 'record' }>>()
  const imports: Extract<Acknowledged, { kind: 'import' }>[] = []
  for (const line of lines) {
    if (line.kind === 'import') imports.push(line)
    else if ((records.get(line.id)?.version ?? 0) < line.version) records.set(line.id, line)
  }
  return { records: [...records.values()], imports }
}

/** Every acknowledged write is readable with its value and found through the lens. Returns how many lines were found. */
async function checkFound(lines: readonly Acknowledged[], writers: Writers): Promise<number> {
  const { records, imports } = newest(lines)
  let found = 0
  await each(records, async (r) => {
    const { status, body } = await server.call('GET', `/contacts/${r.id}`)
    expect({ id: r.id, status, fullName: body.fullName }).toEqual({ id: r.id, status: 200, fullName: r.fullName })
    // A later change may have been kept although its answer was lost with the connection.
    const later = body.version === r.version + 1 && writers.doubtful.get(r.id)?.has(body.title) === true
    if (!later) expect({ id: r.id, version: body.version, title: body.title }).toEqual({ id: r.id, version: r.version, title: r.title })
    expect((await foundOnce(r.fullName)).id).toBe(r.id)
    found += lines.filter((l) => l.kind === 'record' && l.id === r.id).length
  })
  await each(imports, async ({ id, names }) => {
    const job = await importEnd(server, id, 60_000)
    expect({ id, state: job?.state }).toEqual({ id, state: 'done' })
    expect(job.result).toMatchObject({ rows: names.length, rejected: 0 })
    expect(job.result.created + job.result.unchanged).toBe(names.length)
    for (const name of names) await foundOnce(name)
    found++
  })
  return found
}

/** A request sent again after the restart makes nothing twice, whether its first answer came or not. */
async function checkRepeated(keyed: readonly Keyed[]): Promise<void> {
  await each(keyed, async ({ key, body }) => {
    const answers = [await server.call('POST', '/contacts', body, { headers: { 'Idempotency-Key': key } }), await server.call('POST', '/contacts', body, { headers: { 'Idempotency-Key': key } })]
    expect(answers.map((a) => a.status)).toEqual([201, 201])
    expect(answers[1]?.body.id).toBe(answers[0]?.body.id)
    expect((await foundOnce(body.fullName)).id).toBe(answers[0]?.body.id)
  })
}

/** How many acknowledged writes have their event in a leaf of a bundle that verifies without the server. */
async function ledgered(lines: readonly Acknowledged[]): Promise<number> {
  const verified = await server.cli(['ledger', 'verify', '--json'])
  expect({ code: verified.code, failures: verified.json?.failures }).toEqual({ code: 0, failures: [] })
  const writes = new Map<string, number>()
  for (const e of await eventsOf(server)) {
    const rows = e.action === 'contact.created' || e.action === 'contact.updated' ? 1 : e.action === 'contact.imported' ? e.subjects.length : 0
    if (rows > 0) writes.set(e.object.id, (writes.get(e.object.id) ?? 0) + rows)
  }
  // One event for each version of a record, and one subject for each row of an import.
  return lines.filter((l) => (writes.get(l.id) ?? 0) >= (l.kind === 'record' ? l.version : l.names.length)).length
}

test(`${ROUNDS} kills of Node, of PostgreSQL and of both lose nothing that was acknowledged`, async () => {
  const dice = random(SEED)
  const writers = new Writers(server, dice, join(outside, 'acknowledged'))
  let checked = 0
  for (let round = 0; round < ROUNDS; round++) {
    const kind = KINDS[round % 3]!
    const from = writers.acknowledged().length
    const repeatedFrom = writers.keyed.length
    const running = writers.run()
    await pause(100 + dice.below(900))
    await kill(kind, dice.below(60))
    if (kind === 'postgres') {
      await ready()
      await pause(dice.below(200))
    }
    writers.stop()
    await running
    if (kind !== 'postgres') await restart(dice.oneIn(3) ? dice.below(1200) : null)
    await ready()
    checked += await checkFound(writers.acknowledged().slice(from), writers)
    await checkRepeated(writers.keyed.slice(repeatedFrom).slice(-4))
    expect((await server.call('POST', '/ledger/verify', {})).body).toMatchObject({ ok: true, failures: [] })
  }
  const lines = writers.acknowledged()
  expect(checked).toBe(lines.length)
  const found = await checkFound(lines, writers)
  const inLedger = await ledgered(lines)
  process.stdout.write(`kill: ${ROUNDS} rounds, seed ${SEED}: acknowledged ${lines.length} / found ${found} / ledgered ${inLedger}\n`)
  expect({ found, inLedger }).toEqual({ found: lines.length, inLedger: lines.length })
  expect(lines.length).toBeGreaterThan(ROUNDS)
})
