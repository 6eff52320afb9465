import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startServer, type Answer, type CallOptions, type Json, type Person, type TestServer } from '../harness/server.ts'

let server: TestServer
let manager: Person
let rep: Person
let colleague: Person
let stranger: Person
let sales: string
let pool: Json

const as = (p: Person): CallOptions => ({ token: p.token })
const outcome = (a: Answer): { status: number; code: string | undefined } => ({ status: a.status, code: a.body?.code })

async function make(noun: string, body: object, who: Person): Promise<Json> {
  const made = await server.call('POST', `/${noun}`, body, as(who))
  expect(made.status, made.text).toBe(201)
  return made.body
}

async function pooled(body: object, into: string = pool.id): Promise<Json> {
  const lead = await make('leads', body, rep)
  const released = await server.call('POST', `/leads/${lead.id}/release`, { poolId: into }, as(rep))
  expect(released.status, released.text).toBe(200)
  return lead
}

beforeAll(async () => {
  server = await startServer()
  const made = await server.call('POST', '/departments', { name: 'Sales' })
  sales = made.body.id
  manager = await server.addPerson('manager@example.com', 'manager', sales)
  rep = await server.addPerson('rep@example.com', 'rep', sales)
  colleague = await server.addPerson('colleague@example.com', 'rep', sales)
  stranger = await server.addPerson('stranger@example.com', 'rep')
  const answer = await server.call('POST', '/custom-fields', { entity: 'lead', key: 'private', label: { en: 'Private', zh: '私人' }, class: 'personal', find: ['text'] })
  expect(answer.status, answer.text).toBe(201)
  pool = await make('pools', { name: 'Cold leads', kind: 'lead', departments: [sales], claimLimitPerPerson: 3, returnAfterDays: 7 }, manager)
}, 240_000)
afterAll(() => server?.close())

describe('a pool', () => {
  test('is set up by a manager, only for departments in their reach, and read by all', async () => {
    const body = { name: 'Mine', kind: 'lead', departments: [sales] }
    expect(outcome(await server.call('POST', '/pools', body, as(rep)))).toEqual({ status: 403, code: 'permission-missing' })
    const root = (await server.call('GET', '/departments')).body.items.find((d: Json) => d.id !== sales).id
    expect(outcome(await server.call('POST', '/pools', { ...body, departments: [root] }, as(manager)))).toEqual({ status: 400, code: 'invalid' })
    const widened = await server.call('PATCH', `/pools/${pool.id}`, { departments: [sales, root] }, { token: manager.token, headers: { 'If-Match': `"${pool.version}"` } })
    expect(outcome(widened)).toEqual({ status: 400, code: 'invalid' })
    expect((await server.call('GET', `/pools/${pool.id}`, undefined, as(stranger))).body.name).toBe('Cold leads')
  })

  test('what lies in it is seen by whoever may claim it and by nobody else, without contact details', async () => {
    const lead = await pooled({ fullName: 'Pool Seen', companyName: 'Seen Ltd', phones: [{ value: '+12025550101' }], note: 'secret-note-1' })
    const seen = await server.call('GET', `/leads/${lead.id}`, undefined, as(colleague))
    expect(seen.status, seen.text).toBe(200)
    expect(seen.body).toMatchObject({ fullName: 'Pool Seen', companyName: 'Seen Ltd', poolId: pool.id, can: { edit: [], delete: false } })
    for (const field of ['phones', 'emails', 'handles', 'note']) expect(seen.body).not.toHaveProperty(field)
    expect((await server.call('GET', `/leads/${lead.id}`, undefined, as(stranger))).status).toBe(404)
    const list = await server.call('POST', '/leads/search', { where: { field: 'poolId', op: 'eq', value: pool.id }, count: true }, as(stranger))
    expect(list.body).toMatchObject({ items: [], count: 0 })
    const mine = await server.call('POST', '/leads/search', { where: { field: 'poolId', op: 'eq', value: pool.id }, count: true }, as(colleague))
    expect(mine.body.items.map((r: Json) => r.id)).toContain(lead.id)
  })

  test('a claim makes the record one’s own and shows it whole; a second claim and one by a stranger are refused', async () => {
    const lead = await pooled({ fullName: 'Pool Claimed', phones: [{ value: '+12025550102' }] })
    expect((await server.call('POST', `/leads/${lead.id}/claim`, undefined, as(stranger))).status).toBe(404)
    const claimed = await server.call('POST', `/leads/${lead.id}/claim`, undefined, as(colleague))
    expect(claimed.status, claimed.text).toBe(200)
    expect(claimed.body).toMatchObject({ ownerId: colleague.id, poolId: null, claimedPoolId: pool.id, phones: [{ value: '+12025550102' }] })
    expect(outcome(await server.call('POST', `/leads/${lead.id}/claim`, undefined, as(colleague)))).toEqual({ status: 409, code: 'not-pooled' })
    expect((await server.call('GET', `/leads/${lead.id}`, undefined, as(rep))).status).toBe(404)
    const timeline = await server.call('GET', `/leads/${lead.id}/timeline`, undefined, as(colleague))
    expect(timeline.body.items.map((i: Json) => i.action)).toEqual(expect.arrayContaining(['lead.claimed', 'lead.released', 'lead.created']))
    const back = await server.call('POST', `/leads/${lead.id}/release`, {}, as(colleague))
    expect(back.body).toMatchObject({ poolId: pool.id, ownerId: manager.id })
  })

  test('of many who claim at once exactly one wins', async () => {
    const lead = await pooled({ fullName: 'Pool Raced' })
    const answers = await Promise.all(Array.from({ length: 8 }, (_, i) => server.call('POST', `/leads/${lead.id}/claim`, undefined, as(i % 2 ? rep : colleague))))
    expect(answers.filter((a) => a.status === 200)).toHaveLength(1)
    for (const a of answers.filter((x) => x.status !== 200)) expect([404, 409]).toContain(a.status)
    const winner = answers.find((a) => a.status === 200)!.body.ownerId
    const read = await server.call('GET', `/leads/${lead.id}`, undefined, as(manager))
    expect(read.body.ownerId).toBe(winner)
    await server.call('POST', `/leads/${lead.id}/release`, {}, as(manager))
  })

  test('nobody holds more than the limit, however many claims come at once', async () => {
    const leads = await Promise.all(Array.from({ length: 6 }, (_, i) => pooled({ fullName: `Pool Limit ${i}` })))
    const answers = await Promise.all(leads.map((l) => server.call('POST', `/leads/${l.id}/claim`, undefined, as(colleague))))
    expect(answers.filter((a) => a.status === 200)).toHaveLength(3)
    expect(new Set(answers.filter((a) => a.status !== 200).map((a) => a.body.code))).toEqual(new Set(['claim-limit']))
    for (const a of answers.filter((x) => x.status === 200)) await server.call('POST', `/leads/${a.body.id}/release`, {}, as(colleague))
  })

  test('a manager gives a record out of the pool; a rep cannot put theirs into a pool of others', async () => {
    const lead = await pooled({ fullName: 'Pool Given' })
    const given = await server.call('POST', '/leads/bulk', { ids: [lead.id], action: 'assign', patch: { ownerId: rep.id } }, as(manager))
    expect(given.body).toMatchObject({ done: 1, failed: [] })
    expect((await server.call('GET', `/leads/${lead.id}`, undefined, as(rep))).body).toMatchObject({ ownerId: rep.id, poolId: null, claimedPoolId: pool.id })
    const undone = await server.call('POST', '/undo', { undoToken: given.body.undoToken }, as(manager))
    expect(undone.body).toMatchObject({ done: 1 })
    expect((await server.call('GET', `/leads/${lead.id}`, undefined, as(manager))).body).toMatchObject({ poolId: pool.id, ownerId: manager.id })
    const foreign = await make('leads', { fullName: 'Foreign Release' }, stranger)
    expect(outcome(await server.call('POST', `/leads/${foreign.id}/release`, { poolId: pool.id }, as(stranger)))).toEqual({ status: 403, code: 'permission-missing' })
    expect((await server.call('POST', `/leads/${foreign.id}/release`, { poolId: pool.id }, as(rep))).status).toBe(404)
  })

  test('is not deleted while something lies in it, and closing it to a department ends what was seen through it', async () => {
    const other = await make('pools', { name: 'Closing', kind: 'lead', departments: [sales] }, manager)
    const lead = await pooled({ fullName: 'Pool Closing' }, other.id)
    expect(outcome(await server.call('DELETE', `/pools/${other.id}`, undefined, { token: manager.token, headers: { 'If-Match': `"${other.version}"` } }))).toEqual({ status: 409, code: 'pool-in-use' })
    expect((await server.call('GET', `/leads/${lead.id}`, undefined, as(colleague))).status).toBe(200)
    const closed = await server.call('PATCH', `/pools/${other.id}`, { departments: [] }, { token: manager.token, headers: { 'If-Match': `"${other.version}"` } })
    expect(closed.status, closed.text).toBe(200)
    expect((await server.call('GET', `/leads/${lead.id}`, undefined, as(colleague))).status).toBe(404)
    expect((await server.call('POST', `/leads/${lead.id}/claim`, undefined, as(colleague))).status).toBe(404)
    await server.call('POST', '/leads/bulk', { ids: [lead.id], action: 'delete' }, as(manager))
  })
})

describe('the side door of an administrator', () => {
  test('an account where customers can be claimed waits for somebody who sees them', async () => {
    const administrator = await server.addPerson('administrator@example.com', 'administrator')
    const words = (name: string, departmentId: string): object => ({ email: `${name}@example.com`, name, roles: ['rep'], password: 'the first phrase is known to two', departmentId })
    const made = await server.call('POST', '/users', words('puppet', sales), as(administrator))
    expect(made.status, made.text).toBe(201)
    expect(made.body).toMatchObject({ roles: [], approval: { state: 'pending' } })
    const elsewhere = (await server.call('POST', '/departments', { name: 'No pools' })).body.id
    const plain = await server.call('POST', '/users', words('plain', elsewhere), as(administrator))
    expect(plain.body.roles).toEqual(['rep'])
    const moved = await server.call('PATCH', `/users/${plain.body.id}`, { departmentId: sales }, { token: administrator.token, headers: { 'If-Match': `"${plain.body.version}"` } })
    expect(moved.status, moved.text).toBe(202)
    expect(moved.body).toMatchObject({ departmentId: elsewhere, approval: { state: 'pending' } })
  })

  test('an administrator opens no pool', async () => {
    const answer = await server.signIn('administrator@example.com', 'a phrase that only administrator@example.com knows')
    expect((await server.call('POST', '/pools', { name: 'Puppets', kind: 'lead', departments: [sales] }, answer)).status).toBe(403)
  })
})

const CANARY = { phone: '+12025550177', tail: '0177', email: 'canary-pool@example.com', handle: 'canarywechat', note: 'canarynoteword', custom: 'canarycustomword', activity: 'canaryactivityword' }
const HIDDEN = [CANARY.phone, '2025550177', '202-555', CANARY.email, CANARY.handle, CANARY.note, CANARY.custom, CANARY.activity]

/** Whoever may claim tries every way around the claim. */
describe('stealing from a pool without claiming', () => {
  let lead: Json
  let asked: Answer[]
  const ask = async (method: string, path: string, body: unknown, who: Person): Promise<Answer> => {
    const answer = await server.call(method, path, body, as(who))
    asked.push(answer)
    return answer
  }
  const find = (where: object, who: Person): Promise<Answer> => ask('POST', '/leads/search', { where, count: true }, who)

  beforeAll(async () => {
    asked = []
    lead = await make('leads', { fullName: 'Canary Lead', companyName: 'Canary Ltd', phones: [{ value: CANARY.phone }], emails: [{ value: CANARY.email }], handles: [{ kind: 'wechat', value: CANARY.handle }], note: CANARY.note, custom: { private: CANARY.custom } }, rep)
    const patched = await server.call('PATCH', `/leads/${lead.id}`, { note: `${CANARY.note} again` }, { token: rep.token, headers: { 'If-Match': `"${lead.version}"` } })
    expect(patched.status, patched.text).toBe(200)
    await make('activities', { recordKind: 'lead', recordId: lead.id, kind: 'note', title: CANARY.activity, body: `call ${CANARY.phone}` }, rep)
    expect((await server.call('POST', `/leads/${lead.id}/release`, { poolId: pool.id }, as(rep))).status).toBe(200)
  })

  test('a comparison with what is concealed matches nothing, whichever way it is put', async () => {
    const leaves: object[] = [
      { field: 'phones', op: 'eq', value: CANARY.phone }, { field: 'phones', op: 'endsWith', value: CANARY.tail }, { field: 'emails', op: 'eq', value: CANARY.email }, { field: 'emails', op: 'contains', value: 'canary' },
      { field: 'handles', op: 'contains', value: 'canary' }, { field: 'note', op: 'contains', value: 'canary' }, { field: 'phones', op: 'isEmpty' }, { field: 'phones', op: 'isEmpty', value: false }, { field: 'custom.private', op: 'contains', value: 'canary' }, { field: 'custom.private', op: 'isEmpty' },
    ]
    for (const who of [colleague, manager]) {
      for (const leaf of leaves) {
        for (const where of [leaf, { not: leaf }, { and: [leaf, { field: 'poolId', op: 'eq', value: pool.id }] }, { or: [leaf, { field: 'poolId', op: 'eq', value: pool.id }] }, { not: { not: leaf } }]) {
          const answer = await find(where, who)
          expect([200, 400], answer.text).toContain(answer.status)
          if (answer.status === 200) expect(answer.body.items.filter((r: Json) => r.id === lead.id), JSON.stringify(where)).toEqual([])
        }
      }
    }
  })

  test('free text finds it by its name and by nothing that is concealed', async () => {
    for (const who of [colleague, manager]) {
      expect((await ask('POST', '/leads/search', { text: 'Canary Lead' }, who)).body.items.map((r: Json) => r.id)).toContain(lead.id)
      for (const text of [CANARY.tail, CANARY.phone, CANARY.email, CANARY.handle, CANARY.note, CANARY.custom, 'canarynotewrod']) {
        expect((await ask('POST', '/leads/search', { text, count: true }, who)).body.items.map((r: Json) => r.id), text).not.toContain(lead.id)
      }
    }
  })

  test('no path shows it: read, list, projection, sort, timeline, relations, activities, why, reveal, export, edit', async () => {
    for (const who of [colleague, manager]) {
      await ask('GET', `/leads/${lead.id}`, undefined, who)
      await ask('POST', '/leads/search', { where: { field: 'id', op: 'eq', value: lead.id }, fields: ['phones', 'emails', 'note', 'custom'] }, who)
      await ask('POST', '/leads/search', { sort: [{ field: 'custom.private', direction: 'desc' }] }, who)
      const timeline = await ask('GET', `/leads/${lead.id}/timeline`, undefined, who)
      expect(timeline.body.items.length).toBeGreaterThan(1)
      const relations = await ask('GET', `/leads/${lead.id}/relations`, undefined, who)
      expect(relations.body.items).toEqual(expect.not.arrayContaining([expect.objectContaining({ entity: 'activity' })]))
      expect((await ask('POST', '/activities/search', { where: { field: 'recordId', op: 'eq', value: lead.id }, count: true }, who)).body).toMatchObject({ items: [], count: 0 })
      expect((await ask('POST', '/activities/search', { text: CANARY.activity, count: true }, who)).body).toMatchObject({ items: [], count: 0 })
      await ask('GET', `/leads/${lead.id}/why?user=${colleague.id}`, undefined, who)
      const written = await ask('POST', '/activities', { recordKind: 'lead', recordId: lead.id, kind: 'note', title: 'looking in' }, who)
      expect(written.status).toBe(400)
      await ask('POST', '/leads/bulk', { ids: [lead.id], action: 'patch', patch: { note: 'x' } }, who)
    }
    const session = await server.signIn(manager.email, manager.password)
    const revealed = await server.call('POST', `/leads/${lead.id}/reveal`, { fields: ['phones'], reason: 'curious' }, session)
    expect(revealed.status).not.toBe(200)
    asked.push(revealed, await exported(session))
    expect(asked.length).toBeGreaterThan(100)
    for (const answer of asked) for (const value of HIDDEN) expect(answer.text.includes(value), `${answer.text.slice(0, 300)} shows ${value}`).toBe(false)
  })

  test('the manager’s edit of a concealed field is refused like one of a field that is not there; of others it works', async () => {
    const now = await server.call('GET', `/leads/${lead.id}`, undefined, as(manager))
    const headers = { 'If-Match': now.headers['etag'] ?? '' }
    expect(outcome(await server.call('PATCH', `/leads/${lead.id}`, { note: 'mine' }, { token: manager.token, headers }))).toEqual({ status: 400, code: 'field-unknown' })
    expect((await server.call('PATCH', `/leads/${lead.id}`, { tags: ['cold'] }, { token: manager.token, headers })).status).toBe(200)
  })

  test('after the claim everything is there again, and can be found again', async () => {
    const claimed = await server.call('POST', `/leads/${lead.id}/claim`, undefined, as(rep))
    expect(claimed.status, claimed.text).toBe(200)
    expect(claimed.body).toMatchObject({ phones: [{ value: CANARY.phone }], custom: { private: CANARY.custom } })
    for (const where of [{ field: 'phones', op: 'eq', value: CANARY.phone }, { field: 'note', op: 'contains', value: CANARY.note }, { field: 'custom.private', op: 'contains', value: 'canary' }]) {
      expect((await server.call('POST', '/leads/search', { where }, as(rep))).body.items.map((r: Json) => r.id), JSON.stringify(where)).toEqual([lead.id])
    }
    expect((await server.call('POST', '/activities/search', { text: CANARY.activity }, as(rep))).body.items).toHaveLength(1)
    await server.call('POST', `/leads/${lead.id}/release`, {}, as(rep))
  })

  async function exported(session: CallOptions): Promise<Answer> {
    const run = await server.call('POST', '/exports', { noun: 'leads', format: 'jsonl', reason: 'looking for phones' }, session)
    expect(run.status, run.text).toBe(202)
    for (;;) {
      const { body } = await server.call('GET', `/exports/${run.body.id}`, undefined, session)
      if (body.state === 'done') break
      expect(body.state).not.toBe('failed')
      await sleep(100)
    }
    const file = await server.call('GET', `/exports/${run.body.id}/content`, undefined, session)
    expect(file.text).toContain('Canary Lead')
    return file
  }
})

describe('coming back', () => {
  test('what was claimed and not followed up goes back after the days its pool says; what was followed up stays', async () => {
    const [idle, followed] = [await pooled({ fullName: 'Idle Lead' }), await pooled({ fullName: 'Followed Lead' })]
    for (const l of [idle, followed]) expect((await server.call('POST', `/leads/${l.id}/claim`, undefined, as(colleague))).status).toBe(200)
    await restart(5)
    const note = await server.call('POST', '/activities', { recordKind: 'lead', recordId: followed.id, kind: 'call', title: 'called' }, as(colleague))
    expect(note.status, note.text).toBe(201)
    expect((await server.call('GET', `/leads/${idle.id}`, undefined, as(colleague))).body.ownerId).toBe(colleague.id)
    await restart(8)
    await expect.poll(async () => (await server.call('GET', `/leads/${idle.id}`, undefined, as(manager))).body.poolId, { timeout: 30_000 }).toBe(pool.id)
    expect((await server.call('GET', `/leads/${followed.id}`, undefined, as(colleague))).body).toMatchObject({ ownerId: colleague.id, poolId: null })
    const timeline = await server.call('GET', `/leads/${idle.id}/timeline`, undefined, as(manager))
    expect(timeline.body.items.find((i: Json) => i.action === 'lead.returned')).toMatchObject({ actorId: null })
  }, 120_000)

  async function restart(days: number): Promise<void> {
    await server.end('SIGTERM')
    Object.assign(server.place.env, { CLOCK_AHEAD_DAYS: String(days), NODE_OPTIONS: `--import=${join(import.meta.dirname, '..', 'harness', 'clock-ahead.ts')}` })
    await server.start()
  }
})
