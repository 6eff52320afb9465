import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openHome } from '../../src/kernel/base/index.ts'
import { dedicated } from '../../src/kernel/db/client.ts'
import { startEmbedded } from '../../src/kernel/db/index.ts'
import { init, makePlace, OWNER, TestServer, type Json, type Person } from '../harness/server.ts'
import { expectProblem } from './shapes.ts'

const COUNTS = { companies: 600, contacts: 5000, leads: 800, deals: 400, contracts: 120, activities: 12_000 }

const fresh = async (): Promise<TestServer> => {
  const place = makePlace({ SEALBOOK_REQUESTS_PER_MINUTE: '1000000' })
  return new TestServer(place, await init(place))
}
const countOf = async (server: TestServer, noun: string, who: { token?: string } = {}, body: object = {}): Promise<number> => (await server.call('POST', `/${noun}/search`, { limit: 1, count: true, ...body }, who)).body.count
const first = async (server: TestServer, noun: string, body: object = {}): Promise<Json> => (await server.call('POST', `/${noun}/search`, { limit: 1, ...body })).body.items[0]
const all = async (server: TestServer): Promise<Record<string, number>> => Object.fromEntries(await Promise.all(Object.keys(COUNTS).map(async (noun) => [noun, await countOf(server, noun)] as const)))
const redCodes = async (server: TestServer): Promise<string[]> => {
  const done = await server.cli(['doctor', '--deep', '--json'])
  return done.json.findings.filter((f: Json) => f.level === 'red' && f.code !== 'key-file-same-device').map((f: Json) => f.code)
}

describe('the demonstration company', () => {
  let server: TestServer
  let rep: Person
  let admin: Person
  const theirs: Record<string, Json> = {}
  beforeAll(async () => {
    server = await fresh()
    await server.start(['--demo'])
  }, 240_000)
  afterAll(() => server.close())

  test('is there when the server is ready, told while it is made, and as large as it says', async () => {
    expect(server.said).toContain('The demonstration company: 18')
    expect(await all(server)).toEqual(COUNTS)
    const { body } = await server.call('GET', '/demo')
    expect(body).toMatchObject({ state: 'made', records: { company: 600, contact: 5000, person: 20, department: 6, pipeline: 1, pool: 1, view: 6, attachment: 24 } })
  })

  test('has something to show on every page: names in both languages, stages, reports, timelines, things to do', async () => {
    expect(await countOf(server, 'contacts', {}, { text: 'zhang' })).toBeGreaterThan(20)
    expect(await countOf(server, 'companies', {}, { text: 'example' })).toBeGreaterThan(100)
    const funnel = (await server.call('POST', '/reports/funnel', {})).body
    expect(funnel.rows.length).toBeGreaterThan(4)
    // The board that opens when none is named.
    const board = (await server.call('POST', '/deals/board', {})).body
    expect(board.columns.filter((c: Json) => c.kind === 'open' && c.count > 0).length).toBeGreaterThan(1)
    for (const day of ['-18', '-1']) expect(await countOf(server, 'activities', {}, { where: { field: 'at', op: 'lt', value: new Date(Date.now() + Number(day) * 30 * 86_400_000).toISOString() } })).toBeGreaterThan(day === '-1' ? 1_000 : -1)
    expect(await countOf(server, 'activities', {}, { where: { and: [{ field: 'kind', op: 'eq', value: 'task' }, { field: 'doneAt', op: 'isEmpty' }] } })).toBeGreaterThan(20)
    const won = await first(server, 'deals', { where: { field: 'status', op: 'eq', value: 'won' } })
    expect(won.history.length).toBeGreaterThan(1)
    expect(won.closedAt).toBe(won.history.at(-1).at)
    expect(Date.parse(won.closedAt)).toBeLessThan(Date.now())
    const lead = await first(server, 'leads', { where: { field: 'status', op: 'eq', value: 'converted' } })
    expect((await server.call('GET', `/deals/${lead.dealId}`)).status).toBe(200)
    expect(await countOf(server, 'tags')).toBeGreaterThan(10)
    expect(await countOf(server, 'leads', {}, { where: { field: 'poolId', op: 'isEmpty', value: false } })).toBeGreaterThan(10)
    expect((await server.call('GET', '/views')).body.items).toHaveLength(6)
    const file = await first(server, 'attachments')
    expect((await server.call('GET', `/attachments/${file.id}/content`)).text).toContain('示例文件')
    const timeline = await server.call('GET', `/deals/${won.id}/timeline`)
    expect(timeline.body.items.map((i: Json) => i.action)).toContain('activity.created')
  })

  test('is as sound as anything people make: every row opens and stands in the ledger', async () => {
    expect(await redCodes(server)).toEqual([])
  }, 120_000)

  test('its staff have no way in, and cannot be talked into one by whoever made them', async () => {
    const users = (await server.call('POST', '/users/search', { limit: 100 })).body.items
    expect(users).toHaveLength(21)
    const invented = users.filter((u: Json) => u.email.endsWith('@demo.example.com'))
    expect(invented).toHaveLength(20)
    for (const { email } of invented.slice(0, 3)) for (const password of ['', 'demo', email]) expect((await server.call('POST', '/session', { email, password: password || 'x' }, { token: null })).status).toBe(401)
    expect((await server.call('POST', '/tokens', { userId: invented.find((u: Json) => u.roles.includes('rep')).id, name: 'borrowed' })).status).toBe(403)
  })

  test('a second start with --demo changes nothing', async () => {
    await server.end('SIGTERM')
    await server.start(['--demo'])
    expect(await all(server)).toEqual(COUNTS)
  }, 120_000)

  test('nobody sees it by it being invented: a rep sees nothing, and neither a rep nor a manager takes it away', async () => {
    rep = await server.addPerson('rep@example.com', 'rep')
    admin = await server.addPerson('admin@example.com', 'administrator')
    const manager = await server.addPerson('manager@example.com', 'manager', (await server.call('POST', '/departments', { name: 'Real' })).body.id)
    for (const who of [rep, manager]) {
      expect(await countOf(server, 'contacts', who)).toBe(0)
      expectProblem(await server.call('GET', '/demo', undefined, who), 403, 'permission-missing')
      expectProblem(await server.call('POST', '/demo/remove', { force: true }, who), 403, 'permission-missing')
    }
  })

  test('what people hung on it is told by name to whoever may see it, and keeps it there', async () => {
    const make = async (noun: string, body: object): Promise<Json> => {
      const made = await server.call('POST', `/${noun}`, body)
      expect(made.status, made.text).toBe(201)
      return made.body
    }
    const [company, contact, renewals] = [await first(server, 'companies'), await first(server, 'contacts'), await first(server, 'pipelines', { where: { field: 'standard', op: 'eq', value: false } })]
    const invented = (await server.call('POST', '/users/search', { limit: 100 })).body.items.find((u: Json) => u.email === 'lin.xiaoyu@demo.example.com')
    theirs['contact'] = await make('contacts', { fullName: 'Real Person', companyId: company.id })
    theirs['note'] = await make('activities', { kind: 'note', recordKind: 'contact', recordId: contact.id, body: 'by a real person' })
    theirs['deal'] = await make('deals', { title: 'Real deal', pipelineId: renewals.id })
    theirs['lead'] = await make('leads', { fullName: 'Real Lead', ownerId: invented.id })
    theirs['free'] = await make('contacts', { fullName: 'Nobody’s concern' })
    // The invented colleague is told of it, and what they were told must go with them.
    theirs['task'] = await make('activities', { kind: 'task', recordKind: 'contact', recordId: theirs['free'].id, title: 'Call back', assigneeId: invented.id })
    const refused = await server.call('POST', '/demo/remove', {})
    expectProblem(refused, 409, 'demo-in-use')
    expect(refused.body.errors.map((e: Json) => e.path).sort()).toEqual([`activities/${theirs['note'].id}`, `activities/${theirs['task'].id}`, `contacts/${theirs['contact'].id}`, `leads/${theirs['lead'].id}`].sort())
    expect(refused.body.others).toBe(false)
    expect(JSON.stringify(refused.body)).not.toContain('Real')
    // An administrator without customers hears that there are some, and of none which.
    const asAdmin = await server.call('POST', '/demo/remove', {}, admin)
    expectProblem(asAdmin, 409, 'demo-in-use')
    expect(asAdmin.body).toMatchObject({ errors: [], others: true })
    expect((await server.call('POST', '/demo/remove', { force: true }, admin)).status).toBeGreaterThanOrEqual(400)
    expect(await countOf(server, 'contacts')).toBe(5002)
  })

  test('goes with one command: all of it, with its keys, and nothing that people made', async () => {
    const before = (await server.cli(['keys', 'status', '--json'])).json.subjectKeys
    const done = await server.cli(['demo', 'remove', '--force', '--json'])
    expect(done.stderr + done.stdout && done.code).toBe(0)
    expect(done.json).toEqual({ removed: expect.objectContaining({ ...COUNTS, activities: 12_001, users: 20, departments: 6 }), freed: 4, kept: 1 })
    expect(done.json.removed.pipelines ?? 0).toBe(0)
    expect(await all(server)).toEqual({ companies: 0, contacts: 2, leads: 1, deals: 1, contracts: 0, activities: 1 })
    expect((await server.call('GET', `/contacts/${theirs['contact'].id}`)).body).toMatchObject({ fullName: 'Real Person', companyId: null })
    expect((await server.call('GET', `/leads/${theirs['lead'].id}`)).body).toMatchObject({ fullName: 'Real Lead', ownerId: server.owner.ownerId })
    expect((await server.call('GET', `/deals/${theirs['deal'].id}`)).body.pipelineId).toBe(theirs['deal'].pipelineId)
    expect((await server.call('GET', `/activities/${theirs['note'].id}`)).status).toBe(404)
    expect((await server.call('GET', `/activities/${theirs['task'].id}`)).body).toMatchObject({ title: 'Call back', assigneeId: null })
    expect(await countOf(server, 'contacts', {}, { text: 'zhang' })).toBe(0)
    const users = (await server.call('POST', '/users/search', { limit: 100 })).body.items
    for (const noun of ['tags', 'pools', 'attachments']) expect(await countOf(server, noun)).toBe(0)
    expect((await server.call('GET', '/views')).body.items).toEqual([])
    expect(readdirSync(join(server.place.home, 'blobs'), { recursive: true, withFileTypes: true }).filter((f) => f.isFile())).toEqual([])
    expect(users.map((u: Json) => u.email).sort()).toEqual(['admin@example.com', 'manager@example.com', 'owner@example.com', 'rep@example.com'])
    // Every record with a key of its own, and every colleague; the pipeline that is used keeps its own.
    const after = (await server.cli(['keys', 'status', '--json'])).json.subjectKeys
    expect(before - after).toBeGreaterThanOrEqual(600 + 5000 + 800 + 400 + 120 + 20 + 1)
    expect((await server.call('GET', '/demo')).body).toEqual({ state: 'none', records: {} })
    expectProblem(await server.call('POST', '/demo/remove', {}), 409, 'demo-absent')
  }, 120_000)

  test('leaves ledger and rows sound, before and after a restart', async () => {
    expect(await redCodes(server)).toEqual([])
    await server.end('SIGTERM')
    await server.start()
    expect(await redCodes(server)).toEqual([])
    expect(await all(server)).toEqual({ companies: 0, contacts: 2, leads: 1, deals: 1, contracts: 0, activities: 1 })
  }, 120_000)

  test('is not made in a home that has records', async () => {
    await server.end('SIGTERM')
    await expect(server.start(['--demo'])).rejects.toThrow(/the server ended \(4\)[\s\S]*This home holds records; the demonstration company goes only into a home without any\. Start without --demo\./)
    await server.end().catch(() => undefined)
    await server.start()
    expect(await countOf(server, 'contacts')).toBe(2)
  }, 120_000)
})

describe('in a home nobody has set up', () => {
  test('it is made as soon as there is an owner, who signs in and finds it', async () => {
    const place = makePlace()
    const server = new TestServer(place, undefined as never) // there is no owner yet
    try {
      const { setupUrl } = await server.start(['--demo'])
      expect(server.said).not.toContain('demonstration company')
      const secret = setupUrl?.split('#')[1]
      const ask = (path: string, body: object) => server.call('POST', `/setup/${path}`, { secret, ...body }, { token: null })
      const kit = (await ask('kit', {})).body.text
      expect((await ask('kit/verify', { code: kit })).body).toEqual({ ok: true })
      const form = { organisation: 'Example Ltd', country: 'CN', locale: 'zh-CN', ownerName: 'Owner', ownerEmail: OWNER.email, ownerPassword: OWNER.password, totp: false }
      expect((await ask('complete', form)).status).toBe(200)
      const session = await server.signIn(OWNER.email, OWNER.password)
      for (let state = ''; state !== 'made'; state = (await server.call('GET', '/demo', undefined, session)).body.state) await sleep(200)
      for (const [noun, n] of Object.entries(COUNTS)) expect((await server.call('POST', `/${noun}/search`, { limit: 1, count: true }, session)).body.count).toBe(n)
      expect((await server.call('POST', '/demo/remove', {}, session)).status).toBe(200)
    } finally {
      await server.close()
    }
  }, 300_000)
})

describe('while it is made', () => {
  test('the process may be killed, and the next start goes on where it stood', async () => {
    const server = await fresh()
    try {
      const starting = server.start(['--demo'])
      starting.catch(() => undefined) // it is about to be killed
      while (!/demonstration company: [3-9]\d{3} of/.test(server.said)) await sleep(20)
      expect(await server.end('SIGKILL')).toBe('SIGKILL')
      await starting.catch(() => undefined)
      await server.start(['--demo'])
      expect(await all(server)).toEqual(COUNTS)
      expect((await server.call('POST', '/users/search', { limit: 100 })).body.items).toHaveLength(21)
      expect(await redCodes(server)).toEqual([])
    } finally {
      await server.close()
    }
  }, 300_000)
})

describe('somebody who can write the database', () => {
  test('cannot have a customer taken away as if it were invented', async () => {
    const server = await fresh()
    try {
      await server.start(['--demo'])
      const real = (await server.call('POST', '/contacts', { fullName: 'Real Person' })).body
      await server.end('SIGTERM')
      const home = openHome(server.place.home)
      const postgres = await startEmbedded({ home: server.place.home, create: false })
      const sql = await dedicated({ ...postgres.superConfig, database: postgres.appConfig.database }, 'thief')
      await sql.query("UPDATE demo_batch SET ids = ids || $1::uuid WHERE noun = 'contact' AND n = (SELECT min(n) FROM demo_batch WHERE noun = 'contact')", [real.id])
      await sql.end()
      await postgres.stop()
      home.release()
      await server.start()
      const answer = await server.call('POST', '/demo/remove', { force: true })
      expect(answer.status).toBe(503)
      expect((await server.call('GET', `/contacts/${real.id}`)).body.fullName).toBe('Real Person')
      expect(await countOf(server, 'contacts')).toBe(5001)
    } finally {
      await server.close()
    }
  }, 300_000)
})
