import { randomBytes, randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Db } from '../../src/kernel/db/index.ts'
import { startServer, type Answer, type CallOptions, type Json, type Person, type TestServer } from '../harness/server.ts'
import { superuser } from './scan.ts'

// The commonest hole of a CRM is a second path that forgets the rule. Each test here was a way in, or a way to bring the server down, once.

let server: TestServer
let db: Db
let rep: Person
let other: Person

beforeAll(async () => {
  server = await startServer()
  db = superuser(server)
  rep = await server.addPerson('rep@example.com', 'rep')
  other = await server.addPerson('other@example.com', 'rep')
}, 120_000)
afterAll(async () => {
  await db?.close()
  await server?.close()
})

const as = (p: Person, headers: Record<string, string> = {}): CallOptions => ({ token: p.token, headers })
const outcome = (a: Answer): { status: number; code: string } => ({ status: a.status, code: a.body?.code })
const DENIED = { status: 403, code: 'permission-missing' }

async function make(body: object, options: CallOptions = {}): Promise<Json> {
  const made = await server.call('POST', '/contacts', body, options)
  expect(made.status, made.text).toBe(201)
  return made.body
}

async function tokenOf(p: Person, body: object): Promise<Json> {
  const made = await server.call('POST', '/tokens', { name: 'narrow', ...body }, as(p))
  expect(made.status, made.text).toBe(201)
  return made.body
}

function upload(fields: Record<string, string>, file: string): Buffer {
  const parts = Object.entries(fields).map(([k, v]) => `--xx\r\nContent-Disposition: form-data; name="${k}"\r\n\r\n${v}\r\n`)
  return Buffer.from(`${parts.join('')}--xx\r\nContent-Disposition: form-data; name="file"; filename="u.csv"\r\nContent-Type: text/csv\r\n\r\n${file}\r\n--xx--\r\n`)
}

const MULTIPART = { 'Content-Type': 'multipart/form-data; boundary=xx' }

async function runOf(kind: 'imports' | 'exports', id: string, options: CallOptions): Promise<Json> {
  for (;;) {
    const run = await server.call('GET', `/${kind}/${id}`, undefined, options)
    if (run.status !== 200 || !['queued', 'running'].includes(run.body.state)) return run.body
    await sleep(100)
  }
}

async function importAs(token: string, file: string, fields: Record<string, string> = {}): Promise<Json> {
  const asked = await server.call('POST', '/imports', upload({ source: 'test', ...fields }, file), { token, headers: MULTIPART })
  expect(asked.status, asked.text).toBe(202)
  return runOf('imports', asked.body.id, { token })
}

const countOf = async (where: string, params: unknown[]): Promise<number> => (await db.query<{ n: number }>(`SELECT count(*)::int AS n FROM ${where}`, params))[0]!.n

describe('a body', () => {
  test('of another type than the upload route takes is not gathered: 600 MB of it ended the process, from anybody', async () => {
    const body = Buffer.alloc(1024 * 1024, 0x41)
    for (const type of ['application/json', 'text/plain']) {
      const answer = await server.call('POST', '/imports', body, { token: null, headers: { 'Content-Type': type } })
      expect(outcome(answer)).toEqual({ status: 413, code: 'body-too-large' })
    }
  })

  test('that is cut off, or names no boundary, is the sender’s fault', async () => {
    const whole = upload({ source: 'test' }, 'Name\nBob\n')
    const cut = await server.call('POST', '/imports', whole.subarray(0, -10), as(rep, MULTIPART))
    expect(outcome(cut)).toEqual({ status: 400, code: 'invalid' })
    const none = await server.call('POST', '/imports', whole, as(rep, { 'Content-Type': 'multipart/form-data' }))
    expect(outcome(none)).toEqual({ status: 400, code: 'invalid' })
  })

  test('with a year no calendar has is refused where it is read, not in the database', async () => {
    for (const year of ['0000-01-01T00:00:00Z', '9999-12-31T23:59:59-23:59', '0001-01-01T00:00:00+14:00']) {
      expect(outcome(await server.call('POST', '/contacts', { fullName: 'T', collectedAt: year }))).toEqual({ status: 400, code: 'invalid' })
      expect(outcome(await server.call('POST', '/contacts/search', { where: { field: 'createdAt', op: 'gte', value: year } }))).toEqual({ status: 400, code: 'invalid' })
    }
  })
})

describe('a request', () => {
  test('with a credential made up for it has no budget of its own', async () => {
    const left = async (token: string | null): Promise<number> => Number((await server.call('GET', '/me', undefined, { token })).headers['ratelimit-remaining'])
    const first = await left(null)
    for (let i = 0; i < 5; i++) await left(`sbk_${randomBytes(32).toString('base64url')}`)
    expect(await left(null)).toBe(first - 6)
    const { token } = await tokenOf(rep, {})
    await left(token)
    expect(await left(token)).toBeGreaterThan(first)
  })

  test('for a path no route could have is answered as a problem', async () => {
    for (const path of ['/contacts/%', `/contacts/${'a'.repeat(200)}`]) {
      const answer = await server.call('GET', path)
      expect(outcome(answer)).toEqual({ status: 400, code: 'invalid' })
      expect(answer.headers).toMatchObject({ 'content-type': 'application/problem+json; charset=utf-8', 'x-content-type-options': 'nosniff', 'x-request-id': expect.any(String) })
    }
  })
})

describe('an import', () => {
  const row = (id: string): string => `Name,Email,National ID,Created\nIda Importer,ida@example.com,${id},2024-01-05\n`

  test('does not tell what stands in a masked field, whatever is guessed: five thousand guesses read it in two seconds', async () => {
    expect((await importAs(rep.token, row('110101199003071234'))).result).toMatchObject({ created: 1 })
    const results = []
    for (const id of ['110101199003079999', '110101199003071234']) for (const dryRun of ['true', 'false']) results.push((await importAs(rep.token, row(id), { dryRun })).result)
    expect(new Set(results.map((r) => JSON.stringify(r))).size).toBe(1)
    expect(results[0]).toMatchObject({ rows: 1, unchanged: 1, problems: [{ row: 1, column: null, code: 'value-protected' }] })
    const { items } = (await server.call('POST', '/contacts/search', { where: { field: 'emails', op: 'eq', value: 'ida@example.com' } }, as(rep))).body
    expect(items).toMatchObject([{ version: 1, masks: { nationalId: ['****1234'] } }])
  })

  test('of rows without a contact point asks a masked field no more often than a search may', async () => {
    const guesses = (at: number): string => `Name,National ID\n${Array.from({ length: 40 }, (_, i) => `Pia Pointless,9000${1000 + at + i}`).join('\n')}\n`
    const fresh = await server.addPerson('pointless@example.com', 'rep')
    expect((await importAs(fresh.token, 'Name,National ID\nPia Pointless,90001099\n')).result).toMatchObject({ created: 1 })
    const told = []
    for (const at of [0, 40, 80]) told.push((await importAs(fresh.token, guesses(at), { dryRun: 'true' })).result.unchanged)
    expect(told).toEqual([0, 0, 0])
    expect(outcome(await server.call('POST', '/contacts/search', { where: { field: 'nationalId', op: 'eq', value: '90001099' } }, as(fresh)))).toEqual({ status: 429, code: 'rate' })
  })

  test('makes companies only for who may make them', async () => {
    const all = (await server.call('GET', '/me', undefined, as(rep))).body.scopes as string[]
    const { token } = await tokenOf(rep, { scopes: all.filter((s) => s !== 'companies:create') })
    const run = await importAs(token, 'Name,Company\nCarl Companyless,Never Made Ltd\n')
    expect(run).toMatchObject({ state: 'failed', problem: { code: 'permission-missing' } })
    expect((await server.call('POST', '/companies/search', { text: 'never made' }, as(rep))).body.items).toEqual([])
  })

  test('is taken in a few at a time from one person: each may be as large as the disk', async () => {
    const hoarder = await server.addPerson('hoarder@example.com', 'rep')
    const slow = upload({ source: 'test' }, `Name\n${'Hoard\n'.repeat(1_000_000)}`)
    const asked = await Promise.all(Array.from({ length: 8 }, () => server.call('POST', '/imports', slow, as(hoarder, MULTIPART))))
    const codes = asked.map((a) => a.status).toSorted()
    expect(codes.filter((c) => c === 202).length).toBeGreaterThanOrEqual(1)
    expect(codes.at(-1)).toBe(429)
    await server.call('POST', `/users/${hoarder.id}/disable`, {})
  })

  test('ends with the token it was asked with, when that is revoked', async () => {
    const { id, token } = await tokenOf(rep, {})
    const rows = `Name,Email\n${Array.from({ length: 40_000 }, (_, i) => `Thief ${i},thief${i}@example.com`).join('\n')}`
    const asked = await server.call('POST', '/imports', upload({ source: 'theft' }, rows), { token, headers: MULTIPART })
    expect((await server.call('POST', `/tokens/${id}/revoke`, {}, as(rep))).status).toBe(200)
    expect(await runOf('imports', asked.body.id, as(rep))).toMatchObject({ state: 'failed', problem: { code: 'permission-missing' } })
  })

  test('believes the index of addresses only where the record agrees', async () => {
    const [vera, walt] = [await make({ fullName: 'Vera', emails: [{ value: 'vera@example.com' }] }, as(rep)), await make({ fullName: 'Walt', emails: [{ value: 'walt@example.com' }] }, as(rep))]
    await db.query('UPDATE blind SET row_id = $1 WHERE row_id = $2', [walt.id, vera.id])
    const found = await server.call('POST', '/contacts/search', { where: { field: 'emails', op: 'eq', value: 'vera@example.com' } }, as(rep))
    expect(found.body).toMatchObject({ items: [], refused: 1 })
    expect((await importAs(rep.token, 'Email,Note\nvera@example.com,meant for Vera\n')).result).toMatchObject({ created: 1, updated: 0 })
    expect((await server.call('GET', `/contacts/${walt.id}`, undefined, as(rep))).body).toMatchObject({ version: 1, note: null })
  })
})

describe('an export', () => {
  test('is fetched only by a credential that may export', async () => {
    await make({ fullName: 'Exported Emma' })
    const { id } = (await server.call('POST', '/exports', { noun: 'contacts', format: 'jsonl', reason: 'for the test' })).body
    expect(await runOf('exports', id, {})).toMatchObject({ state: 'done' })
    const { token } = (await server.call('POST', '/tokens', { name: 'narrow', scopes: ['users:read'] })).body
    for (const path of [`/exports/${id}`, `/exports/${id}/content`]) expect(outcome(await server.call('GET', path, undefined, { token }))).toEqual(DENIED)
    expect((await server.call('GET', `/exports/${id}/content`)).text).toContain('Exported Emma')
  })
})

describe('a token', () => {
  test('makes none that outlives it', async () => {
    const soon = new Date(Date.now() + 3_600_000).toISOString()
    const short = await tokenOf(rep, { scopes: ['contacts:read', 'tokens:create'], expiresAt: soon })
    const longer = await server.call('POST', '/tokens', { name: 'child', expiresAt: new Date(Date.now() + 30 * 86_400_000).toISOString() }, { token: short.token })
    expect(longer.body).toMatchObject({ code: 'invalid', errors: [{ path: 'expiresAt', code: 'more-than-held' }] })
    const child = await server.call('POST', '/tokens', { name: 'child' }, { token: short.token })
    expect(Date.parse(child.body.expiresAt)).toBeLessThanOrEqual(Date.parse(soon))
  })
})

describe('everybody’s rights', () => {
  const epoch = async (): Promise<number> => (await db.query<{ epoch: number }>('SELECT epoch FROM authority_epoch'))[0]!.epoch

  test('are not read anew because somebody says the same thing again and again', async () => {
    const { id, token } = await tokenOf(rep, {})
    expect((await server.call('POST', `/tokens/${id}/revoke`, {}, as(rep))).status).toBe(200)
    const before = await epoch()
    for (let i = 0; i < 3; i++) expect((await server.call('POST', `/tokens/${id}/revoke`, {}, as(rep))).status).toBe(200)
    expect((await server.call('GET', '/me', undefined, { token })).status).toBe(401)
    const session = await server.signIn(rep.email, rep.password)
    expect((await server.call('PATCH', '/me', { locale: 'zh-CN' }, session)).body.locale).toBe('zh-CN')
    expect(await epoch()).toBe(before)
    expect(outcome(await server.call('PATCH', '/me', { locale: 'en' }, as(rep)))).toEqual({ status: 403, code: 'session-required' })
  })

  test('are moved by one person only so often', async () => {
    const restless = await server.addPerson('restless@example.com', 'rep')
    const codes = new Set<number>()
    for (let i = 0; i < 310 && !codes.has(429); i++) {
      const made = await server.call('POST', '/tokens', { name: 'short' }, as(restless))
      codes.add((await server.call('DELETE', `/tokens/${made.body.id}`, undefined, as(restless))).status)
    }
    expect([...codes]).toEqual([200, 429])
    expect((await server.call('POST', '/contacts/search', {}, as(restless))).status).toBe(200)
  })
})

describe('a company that is not one’s own', () => {
  const ask = async (body: object, p?: Person): Promise<string[]> => {
    const answer = await server.call('POST', '/contacts/search', { fields: ['fullName'], ...body }, p ? as(p) : {})
    expect(answer.status, answer.text).toBe(200)
    return answer.body.items.map((i: Json) => i.fullName)
  }
  const linked = { field: 'companyId', op: 'contains' }

  test('finds, sorts and ranks nobody by its name, though the contact is one’s own', async () => {
    for (const [name, company] of [['Lena Linked', 'Zephyr Reactors'], ['Mona Linked', 'Aeolus Turbines']] as const) {
      const { id } = await make({ fullName: name, companyName: company })
      expect((await server.call('PATCH', `/contacts/${id}`, { ownerId: rep.id }, { headers: { 'If-Match': '"1"' } })).status).toBe(200)
    }
    const own = await make({ fullName: 'Nora Linked', companyName: 'Boreas Own' }, as(rep))
    for (const text of ['zephyr', 'zephir', 'zephyr lena', 'reactors']) expect(await ask({ text }, rep), text).toEqual([])
    for (const value of ['zephyr', 'z', 'reactors']) for (const op of ['contains', 'startsWith', 'endsWith']) expect(await ask({ where: { ...linked, op, value } }, rep)).toEqual([])
    expect(await ask({ where: { and: [{ not: { ...linked, value: 'zephyr' } }, { field: 'fullName', op: 'contains', value: 'linked' }] }, sort: [{ field: 'fullName' }] }, rep)).toEqual(['Lena Linked', 'Mona Linked', 'Nora Linked'])
    // By company: the one that is seen first, then those that are not, newest first, whatever they are called.
    for (const direction of ['asc', 'desc']) expect(await ask({ text: 'linked', sort: [{ field: 'companyId', direction }] }, rep)).toEqual(['Nora Linked', 'Mona Linked', 'Lena Linked'])
    expect(await ask({ text: 'boreas' }, rep)).toEqual(['Nora Linked'])
    expect(await ask({ text: 'borias' }, rep)).toEqual(['Nora Linked'])
    expect(await ask({ where: { ...linked, value: 'boreas' } }, rep)).toEqual(['Nora Linked'])
    expect(await ask({ text: 'zephyr' })).toEqual(['Lena Linked'])
    expect(await ask({ where: { ...linked, value: 'zephyr' }, count: true })).toEqual(['Lena Linked'])
    expect(own.companyId).toEqual(expect.any(String))
  })

  test('that is renamed is found by its new name and not by the old', async () => {
    const { companyId } = await make({ fullName: 'Rena Renamed', companyName: 'Before Ltd' })
    await server.call('PATCH', `/companies/${companyId}`, { name: 'After Ltd' }, { headers: { 'If-Match': '"1"' } })
    expect(await ask({ text: 'before ltd' })).toEqual([])
    expect(await ask({ text: 'after ltd' })).toEqual(['Rena Renamed'])
  })
})

describe('a repeated request', () => {
  const keyed = (p: Person, token = p.token): CallOptions => ({ token, headers: { 'Idempotency-Key': 'a-key-of-theirs' } })

  test('shows what the credential that repeats it may see now', async () => {
    const body = { fullName: 'Rita Repeated', note: 'kept for the repeater' }
    const made = await make(body, keyed(rep))
    const again = await server.call('POST', '/contacts', body, keyed(rep))
    expect(again.headers['idempotent-replayed']).toBe('true')
    expect(again.body).toEqual(made)
    const { token } = await tokenOf(rep, { scopes: ['contacts:create'] })
    const nothing = { id: made.id, version: 1, masks: {}, can: { edit: [], reveal: [], delete: false } }
    const narrow = await server.call('POST', '/contacts', body, keyed(rep, token))
    expect({ status: narrow.status, body: narrow.body }).toEqual({ status: 201, body: nothing })
    await server.call('PATCH', `/contacts/${made.id}`, { ownerId: other.id }, { headers: { 'If-Match': '"1"' } })
    expect((await server.call('POST', '/contacts', body, keyed(rep))).body).toEqual(nothing)
  })

  test('is not answered with what the database put in another’s place', async () => {
    const ask = (): Promise<Answer> => server.call('POST', '/exports', { noun: 'contacts', format: 'csv', reason: 'for the test' }, { headers: { 'Idempotency-Key': 'the-second-key' } })
    await server.call('POST', '/departments', { name: 'Alpha' }, { headers: { 'Idempotency-Key': 'the-first-key' } })
    await ask()
    const [mine, theirs] = await db.query<{ key: Buffer }>('SELECT key_mac AS key FROM idempotency WHERE seal_owner IS NULL ORDER BY created_at DESC LIMIT 2')
    await db.query('UPDATE idempotency SET status = 200 WHERE key_mac = $1', [mine!.key])
    expect(outcome(await ask())).toEqual({ status: 503, code: 'seal-broken' })
    await db.query('UPDATE idempotency SET status = 202, answer = (SELECT answer FROM idempotency WHERE key_mac = $2) WHERE key_mac = $1', [mine!.key, theirs!.key])
    expect(outcome(await ask())).toEqual({ status: 503, code: 'seal-broken' })
  })
})

describe('many records at once', () => {
  test('are changed only to what one could be changed to', async () => {
    const { id } = await make({ fullName: 'Bulk Typed', tags: Array.from({ length: 40 }, (_, i) => `t${i}`) }, as(rep))
    const bent: object[] = [
      { title: { evil: 1 } }, { fullName: 12345 }, { fullName: 'x'.repeat(201) }, { fullName: 'a\u0000b' }, { emails: 'str' }, { emails: [{ value: 5 }] }, { phones: ['x'] },
      { handles: [{ kind: '<b>', value: 'x' }] }, { stage: 'nonsense' }, { collectedAt: 'garbage' }, { companyId: 'not-a-uuid' }, { tags: [null] }, { doNotContact: ['evil'] },
      { nationalId: {} }, { note: 'y'.repeat(10_001) }, { custom: 5 }, { deletedAt: '2020-01-01' }, { departmentId: server.owner.organisationId }, { version: 9 }, {},
    ]
    for (const patch of bent) {
      const answer = await server.call('POST', '/contacts/bulk', { ids: [id], action: 'patch', patch }, as(rep))
      expect(outcome(answer), JSON.stringify(patch).slice(0, 60)).toEqual({ status: 400, code: 'invalid' })
    }
    for (const [action, patch] of [['tag', { tags: [{}] }], ['tag', undefined], ['assign', { ownerId: 'nobody' }], ['assign', {}]]) {
      expect(outcome(await server.call('POST', '/contacts/bulk', { ids: [id], action, patch }, as(rep)))).toEqual({ status: 400, code: 'invalid' })
    }
    const more = await server.call('POST', '/contacts/bulk', { ids: [id], action: 'tag', patch: { tags: Array.from({ length: 40 }, (_, i) => `u${i}`) } }, as(rep))
    expect(more.body).toMatchObject({ done: 0, failed: [{ id, code: 'invalid' }] })
    expect((await server.call('GET', `/contacts/${id}`, undefined, as(rep))).body.version).toBe(1)
  })

  test('what was changed is told, with its undo token, when rights move in the middle', async () => {
    const ids: string[] = []
    for (let i = 0; i < 120; i++) ids.push((await make({ fullName: `Bulk ${i}` }, as(rep))).id)
    let moving = true
    const mover = (async () => {
      while (moving) {
        await db.query('UPDATE authority_epoch SET epoch = epoch + 1')
        await sleep(50)
      }
    })()
    const bulk = await server.call('POST', '/contacts/bulk', { ids, action: 'delete' }, as(rep))
    moving = false
    await mover
    const deleted = await countOf('contacts WHERE id = ANY ($1::uuid[]) AND deleted_at IS NOT NULL', [ids])
    // Moved before the first of them: nothing was done, and the answer says that.
    if (bulk.status === 409) expect(deleted).toBe(0)
    else {
      expect(bulk.body.done).toBe(deleted)
      expect(bulk.body.failed.every((f: Json) => f.code === 'conflict')).toBe(true)
      expect((await server.call('POST', '/undo', { undoToken: bulk.body.undoToken }, as(rep))).body).toMatchObject({ done: deleted, failed: [] })
    }
  })
})

describe('a refusal', () => {
  const denied = (id: string | null): Promise<number> => countOf("ledger_event WHERE action = 'access.denied' AND object_id IS NOT DISTINCT FROM $1::uuid", [id])

  test('is an event, for a row that is somebody else’s and for one that is not there alike', async () => {
    const { id } = await make({ fullName: 'Somebody else’s' }, as(other))
    const absent = randomUUID()
    const paths: [string, string, unknown?][] = [['GET', ''], ['PATCH', '', { title: 'x' }], ['DELETE', ''], ['POST', '/restore', {}], ['GET', '/timeline'], ['GET', '/relations'], ['GET', `/why?user=${rep.id}`]]
    for (const [method, path, body] of paths) {
      const answers = []
      for (const of of [id, absent]) {
        const before = await denied(of)
        answers.push(outcome(await server.call(method, `/contacts/${of}${path}`, body, as(rep, { 'If-Match': '"1"' }))))
        expect(await denied(of), `${method} ${path}`).toBe(before + 1)
      }
      expect(answers).toEqual([{ status: 404, code: 'not-found' }, { status: 404, code: 'not-found' }])
    }
    const before = await denied(null)
    await server.call('POST', '/contacts/bulk', { ids: [id, absent], action: 'tag', patch: { tags: ['x'] } }, as(rep))
    expect(await denied(null)).toBe(before + 1)
  })

  test('is an event also where the row is one’s own and the act is not', async () => {
    const { id } = await make({ fullName: 'Own' }, as(rep))
    expect(outcome(await server.call('PATCH', `/contacts/${id}`, { ownerId: other.id }, as(rep, { 'If-Match': '"1"' })))).toEqual(DENIED)
    expect(await denied(id)).toBe(1)
  })
})

describe('a custom field', () => {
  test('is not named like what every object has', async () => {
    for (const key of ['constructor', 'toString', 'hasOwnProperty']) {
      const answer = await server.call('POST', '/custom-fields', { entity: 'contact', key, label: { en: key, zh: key }, class: 'sensitive' })
      expect(answer.body).toMatchObject({ code: 'invalid', errors: [{ path: 'key', code: 'reserved' }] })
    }
  })
})

describe('a row that was bent in the database', () => {
  test('by a time no clock shows takes only itself out of a page', async () => {
    const fresh = await server.addPerson('times@example.com', 'rep')
    const [bent] = [await make({ fullName: 'Bent' }, as(fresh)), await make({ fullName: 'Straight' }, as(fresh))]
    for (const time of ['4000-01-01 BC', 'infinity', '20000-01-01']) {
      await db.query('UPDATE contacts SET created_at = $2::timestamptz WHERE id = $1', [bent.id, time])
      expect(outcome(await server.call('GET', `/contacts/${bent.id}`, undefined, as(fresh))), time).toEqual({ status: 503, code: 'seal-broken' })
      const page = await server.call('POST', '/contacts/search', {}, as(fresh))
      expect(page.body).toMatchObject({ items: [{ fullName: 'Straight' }], refused: 1 })
    }
  })

  // Last: an event that is not ours raises an alarm of this server.
  test('into the ledger does not stand before a history and hide it', async () => {
    const { id } = await make({ fullName: 'Hidden History' })
    await server.call('PATCH', `/contacts/${id}`, { title: 'Witness' }, { headers: { 'If-Match': '"1"' } })
    const columns = (await db.query<{ c: string }>("SELECT column_name AS c FROM information_schema.columns WHERE table_name = 'ledger_event' AND column_name <> 'id' ORDER BY 1")).map((r) => `"${r.c}"`).join(', ')
    await db.query(
      `INSERT INTO ledger_event (id, ${columns}) SELECT ('ffffffff-ffff-7fff-bfff-' || lpad(to_hex(n), 12, '0'))::uuid, ${columns} FROM ledger_event, generate_series(1, 120) n WHERE object_id = $1 AND action = 'contact.updated'`,
      [id],
    )
    const { items } = (await server.call('GET', `/contacts/${id}/timeline`)).body
    expect(items.map((i: Json) => i.action)).toEqual(['contact.updated', 'contact.created'])
  })
})
