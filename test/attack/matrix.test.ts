import { readFileSync } from 'node:fs'
import { get } from 'node:https'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { describeApp } from '../../src/app.ts'
import { Receiver } from '../harness/receiver.ts'
import { init, makePlace, TestServer } from '../harness/server.ts'
import { sees } from './matrix/model.ts'
import { Matrix } from './matrix/run.ts'
import { makeWorld, type Description, type World } from './matrix/world.ts'

// Role × route × field × {own, team, given, foreign, absent} over all nouns, made of the route table and the declarations of this very tree, against
// the model in matrix/model.ts, which knows nothing of the code that enforces the rules. How I would steal through it: by the one route that forgot to ask.

vi.setConfig({ testTimeout: 600_000, hookTimeout: 300_000 })

const description = describeApp() as unknown as Description
let server: TestServer
let receiver: Receiver
let world: World
let matrix: Matrix
beforeAll(async () => {
  const place = makePlace({ SEALBOOK_REQUESTS_PER_MINUTE: '1000000' })
  receiver = await Receiver.open(join(place.folder, 'receiver-ca.crt'))
  const env = { ...place.env, NODE_EXTRA_CA_CERTS: receiver.caFile, SEALBOOK_WEBHOOK_NETWORKS: '127.0.0.0/8,::1/128' }
  server = new TestServer({ ...place, env }, await init(place))
  await server.start()
  world = await makeWorld(server, description)
  matrix = new Matrix(world)
})
afterAll(async () => {
  const { calls, cells } = matrix?.outcome ?? { calls: 0, cells: 0 }
  console.log(`matrix: ${description.entities.length} nouns, ${world?.principals.length} principals, ${world?.records.length} records, ${world?.canaries.planted.size} canaries; ${calls} calls, ${cells} cells, ${total.leaks} leaks, ${total.wrong} otherwise than the model`)
  await server?.close()
  await receiver?.close()
})

const total = { leaks: 0, wrong: 0, cells: 0 }

/** Nothing leaked, nothing was answered otherwise than the model says, since the last look; and more than so many cells were looked at. */
function expectNothing(cells: number): void {
  const { outcome } = matrix
  const [leaks, wrong] = [outcome.leaks.splice(0), outcome.wrong.splice(0)]
  total.leaks += leaks.length
  total.wrong += wrong.length
  expect({ leaks: unique(leaks), wrong: unique(wrong) }).toEqual({ leaks: [], wrong: [] })
  expect(outcome.cells - total.cells).toBeGreaterThan(cells)
  total.cells = outcome.cells
}
const unique = (list: string[]): string[] => [...new Set(list.map((l) => l.replaceAll(/[0-9a-f]{8}-[0-9a-f-]{27}/g, 'ID')))].slice(0, 40)

describe('the matrix', () => {
  test('has every noun, every role, and a canary in every field that can hold one', () => {
    expect(new Set(world.records.map((r) => r.noun))).toEqual(new Set(description.entities.map((e) => e.name)))
    expect(world.principals.filter((p) => p.session).map((p) => p.name).toSorted()).toEqual(description.roles.map((r) => r.name).toSorted())
    expect(world.canaries.planted.size).toBeGreaterThan(world.records.length * 4)
  })

  test('shows, masks and hides each field as the model says; foreign is like absent', async () => {
    await matrix.fields()
    expectNothing(1_000)
  })

  test('finds what cannot be missed: a canary of a foreign record in an answer, and a field that is shown where it should be hidden', async () => {
    const [rep] = world.principals
    const foreign = world.records.find((r) => r.noun === 'contact' && r.ownerId !== rep!.id)!
    const probe = new Matrix(world)
    await probe.call({ ...rep!, call: { token: server.token } }, 'GET', `/contacts/${foreign.id}`)
    expect(probe.outcome.leaks.length).toBeGreaterThan(5)
  })

  test('lists, counts, filters, sorts and searches only what is in sight', async () => {
    await matrix.searches()
    expectNothing(1_500)
  })

  test('answers nothing of foreign records on any reading route that takes an id', async () => {
    await matrix.routes(false)
    expectNothing(700)
  })

  test('takes out exactly what may be taken out', async () => {
    await matrix.exports()
    expectNothing(50)
  })

  test('tells in the change feed exactly what is seen', async () => {
    await matrix.changes()
    expectNothing(5)
  })

  test('shows nothing more on the routes without an id', async () => {
    await matrix.sweep(/^\/(?:session|users$|me|tokens$|webhooks$|departments$|keys|custom-fields$|undo|demo|setup|organisation$|exports|imports|changes)/)
    expectNothing(50)
  })

  test('puts into a calendar no more than its person sees', async () => {
    let entries = 0
    for (const p of world.principals.filter((x) => x.session)) {
      const made = await server.call('POST', '/me/calendar', { name: 'matrix' }, await server.signIn(`${p.name}@example.com`, `a phrase that only ${p.name}@example.com knows`))
      const may = (p.policy.read['activity'] ?? 'none') !== 'none'
      expect([p.name, made.status]).toEqual([p.name, may ? 201 : 403])
      if (!may) continue
      const text = await textOf(made.body.url)
      entries += text.split('BEGIN:V').length - 1
      // A long line goes on in the next one, behind a space.
      matrix.arrived(p, text.replaceAll(/\r?\n[ \t]/g, ''))
    }
    expect(entries).toBeGreaterThan(5)
    expectNothing(1)
  })

  test('sends by webhook no more than its person sees', async () => {
    const manager = world.principals.find((p) => p.name === 'manager')!
    const nouns = description.entities.filter((e) => (manager.policy.export[e.name] ?? 'none') !== 'none')
    const fields = Object.fromEntries(nouns.map((e) => [e.name, Object.keys(e.fields).filter((f) => matrix.right(manager, e, f) !== 'hidden')]))
    const made = await server.call('POST', '/webhooks', { name: 'matrix', url: receiver.url('/matrix'), events: nouns.map((e) => `${e.name}.*`), fields }, manager.call)
    expect(made.status, made.text).toBe(201)
    for (const r of world.records) await server.call('PATCH', `/${r.entity.plural}/${r.id}`, { ownerId: world.records.find((x) => x.ownerId === r.ownerId)!.ownerId, custom: {} }, { headers: { 'If-Match': '"1"' } })
    for (const r of world.records.filter((x) => nouns.includes(x.entity))) {
      const title = Object.entries(r.entity.fields).find(([, f]) => f.kind === 'text' && f.edit && !f.fixed && !f.many)
      if (title && typeof r.values[title[0]] === 'string') await server.call('PATCH', `/${r.entity.plural}/${r.id}`, { [title[0]]: `${String(r.values[title[0]])} changed` }, { headers: { 'If-Match': '"1"' } })
    }
    await receiver.waitFor('/matrix', 10)
    await sleep(3_000)
    for (const r of receiver.received) matrix.arrived(manager, r.text)
    expect(receiver.received.some((r) => r.body.data.record)).toBe(true)
    expectNothing(20)
  })

  test('answers nothing of foreign records on any changing route, and changes none of them', async () => {
    const before = await snapshot()
    await matrix.routes(true)
    expectNothing(400)
    expect(matrix.outcome.revealed).toBeGreaterThan(0)
    const after = await snapshot()
    const untouched = world.records.filter((r) => !world.principals.some((p) => sees(p.policy, p, r)))
    expect(untouched.length).toBeGreaterThan(5)
    for (const r of untouched) expect([r.noun, after.get(r.id)]).toEqual([r.noun, before.get(r.id)])
  })
})

/** What stands at an address that needs no sign-in. */
function textOf(url: string): Promise<string> {
  return new Promise((resolve, reject) => {
    get(url, { ca: readFileSync(server.ready.caFile) }, (answer) => {
      const chunks: Buffer[] = []
      answer.on('data', (c: Buffer) => chunks.push(c))
      answer.on('end', () => resolve(Buffer.concat(chunks).toString()))
    }).on('error', reject)
  })
}

/** What was given of every record, its owner and whether it is there, as somebody sees it who sees all. */
async function snapshot(): Promise<Map<string, string>> {
  const out = new Map<string, string>()
  for (const r of world.records) {
    const { status, body } = await server.call('GET', `/${r.entity.plural}/${r.id}`)
    const given = Object.entries(r.entity.fields).flatMap(([name, f]) => (f.edit ? [body?.[name]] : []))
    out.set(r.id, JSON.stringify([status, body?.ownerId, given]))
  }
  return out
}
