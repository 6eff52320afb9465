import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { randomUUID } from 'node:crypto'
import { describeApp } from '../../src/app.ts'
import type { Db } from '../../src/kernel/db/index.ts'
import type { Entity } from '../../src/kernel/entity/index.ts'
import { startServer, type Answer, type Json, type Person, type TestServer } from '../harness/server.ts'
import { plantOne } from './matrix/world.ts'
import { superuser } from './scan.ts'

// Somebody who can write the database: they cannot read, cannot become somebody else, and what they change is refused and named.

let server: TestServer
let db: Db
let rep: Person
let other: Person
let serial = 0

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

const make = async (token = server.token): Promise<Json> => {
  const made = await server.call('POST', '/contacts', { fullName: `Victim ${++serial}`, emails: [{ value: `victim${serial}@example.com` }], nationalId: `ID-${1000 + serial}` }, { token })
  expect(made.status).toBe(201)
  return made.body
}
const read = (id: string, token = server.token): Promise<Answer> => server.call('GET', `/contacts/${id}`, undefined, { token })

/** The refusal says nothing of the record, and an event names the row. */
async function expectRefused(id: string, token = server.token): Promise<void> {
  const answer = await read(id, token)
  expect({ status: answer.status, code: answer.body.code }).toEqual({ status: 503, code: 'seal-broken' })
  expect(answer.text).not.toContain('Victim')
  const events = await db.query<{ n: number }>("SELECT count(*)::int AS n FROM ledger_event WHERE action = 'seal.refused' AND object_id = $1", [id])
  expect(events[0]?.n).toBeGreaterThan(0)
}

describe('ciphertexts', () => {
  let a: Json
  let b: Json
  beforeEach(async () => {
    ;[a, b] = [await make(), await make()]
  })

  afterEach(async () => {
    await db.query('DELETE FROM blind')
    await db.query('DELETE FROM contacts')
  })

  test('moved from one row to another are refused', async () => {
    await db.query('UPDATE contacts SET main = (SELECT main FROM contacts WHERE id = $2) WHERE id = $1', [a.id, b.id])
    await expectRefused(a.id)
    expect((await read(b.id)).status).toBe(200)
  })

  test('moved from one compartment to another are refused', async () => {
    await db.query('UPDATE contacts SET sensitive = main WHERE id = $1', [a.id])
    await expectRefused(a.id)
  })

  test('with one bit flipped anywhere are refused', async () => {
    const [row] = await db.query<{ main: Buffer }>('SELECT main FROM contacts WHERE id = $1', [a.id])
    const original = row!.main
    for (const at of [0, 1, 5, 6, 17, 18, Math.floor(original.length / 2), original.length - 1]) {
      const bent = Buffer.from(original)
      bent[at]! ^= 1
      await db.query('UPDATE contacts SET main = $2 WHERE id = $1', [a.id, bent])
        expect((await read(a.id)).body.code).toBe('seal-broken')
    }
    await db.query('UPDATE contacts SET main = $2 WHERE id = $1', [a.id, original])
    expect((await read(a.id)).status).toBe(200)
  })

  test('under another row version are refused', async () => {
    await db.query('UPDATE contacts SET version = version + 1 WHERE id = $1', [a.id])
    await expectRefused(a.id)
  })

  test('replayed from an older version are refused', async () => {
    const [old] = await db.query<{ main: Buffer }>('SELECT main FROM contacts WHERE id = $1', [a.id])
    expect((await server.call('PATCH', `/contacts/${a.id}`, { title: 'new' }, { headers: { 'If-Match': '"1"' } })).status).toBe(200)
    await db.query('UPDATE contacts SET main = $2 WHERE id = $1', [a.id, old!.main])
    await expectRefused(a.id)
  })

  test('taken away are refused, not shown as empty', async () => {
    await db.query('UPDATE contacts SET sensitive = NULL WHERE id = $1', [a.id])
    await expectRefused(a.id)
  })

  test('do not come back through list, search, export or history either', async () => {
    await db.query('UPDATE contacts SET main = (SELECT main FROM contacts WHERE id = $2) WHERE id = $1', [a.id, b.id])
    for (const body of [{}, { where: { field: 'emails', op: 'eq', value: a.emails[0].value } }, { text: a.fullName }]) {
      const answer = await server.call('POST', '/contacts/search', body)
      expect({ status: answer.status, refused: answer.body.refused, named: answer.text.includes(a.fullName) }).toEqual({ status: 200, refused: 1, named: false })
    }
    expect((await server.call('GET', `/contacts/${a.id}/timeline`)).body.code).toBe('seal-broken')
  })


  test('leave their neighbours readable, in the same list', async () => {
    await db.query('UPDATE contacts SET main = (SELECT main FROM contacts WHERE id = $2) WHERE id = $1', [a.id, b.id])
    const { body } = await server.call('POST', '/contacts/search', { limit: 2 })
    expect({ shown: body.items.map((i: Json) => i.id), refused: body.refused }).toEqual({ shown: [b.id], refused: 1 })
  })
})

describe('digests', () => {
  test('moved to another row show nobody, and the attempt is written down', async () => {
    const [a, b] = [await make(), await make()]
    await db.query('DELETE FROM blind WHERE row_id = $1', [b.id])
    await db.query('UPDATE blind SET row_id = $2 WHERE row_id = $1', [a.id, b.id])
    const { body } = await server.call('POST', '/contacts/search', { where: { field: 'emails', op: 'eq', value: a.emails[0].value } })
    expect({ items: body.items, refused: body.refused }).toEqual({ items: [], refused: 1 })
    const [told] = await db.query<{ n: number }>("SELECT count(*)::int AS n FROM ledger_event WHERE action = 'index.refused'")
    expect(told?.n).toBe(1)
  })
})

describe('a row of any noun', { timeout: 300_000 }, () => {
  /** What somebody would write into a plain column. */
  const bent = (column: Entity['plain'][number], entity: Entity, now: unknown): unknown => {
    if (column.kind === 'uuid') return randomUUID()
    if (column.kind === 'time') return '2001-02-03T04:05:06Z'
    if (column.kind === 'flag') return now !== true
    return entity.fields[column.field]?.values?.find((v) => v !== now) ?? 'other'
  }

  test('whose version, blob or any plain column was written is never shown again, and is whole when it is put back', async () => {
    const { records, canaries } = await plantOne(server, describeApp())
    let tried = 0
    // As somebody writes who may do anything: foreign keys hold them up no more than triggers.
    const put = (entity: Entity, id: string, column: string, value: unknown): Promise<unknown> =>
      db.tx(async (tx) => {
        await tx.query('SET LOCAL session_replication_role = replica')
        await tx.query(`UPDATE ${entity.table} SET ${column} = $2 WHERE id = $1`, [id, value])
      })
    for (const { entity, id } of records) {
      const get = (): Promise<Answer> => server.call('GET', `/${entity.plural}/${id}`)
      const [row] = await db.query<Record<string, unknown>>(`SELECT * FROM ${entity.table} WHERE id = $1`, [id])
      const columns = [{ field: 'version', column: 'version', value: Number(row!['version']) + 1 }, { field: 'main', column: 'main', value: flipped(row!['main'] as Buffer) }, ...entity.plain.map((c) => ({ ...c, value: bent(c, entity, row![c.column]) }))]
      expect((await get()).status, entity.name).toBe(200)
      for (const { column, value } of columns) {
        // What an index or a check of the table does not take cannot be written by anybody.
        if (!(await put(entity, id, column, value).then(() => true, (error: Error) => !/ 23505|^23505|23514/.test(error.message) && Promise.reject(error)))) continue
        const answer = await get()
        tried++
        // A row that was marked as deleted, or hung on something that is not there, is not found; every other one is refused.
        expect([`${entity.name}.${column}`, column === 'deleted_at' || column.startsWith('record_') ? answer.status >= 400 : answer.body.code]).toEqual([`${entity.name}.${column}`, column === 'deleted_at' || column.startsWith('record_') ? true : 'seal-broken'])
        expect(canaries.in(answer.text)).toEqual([])
        await put(entity, id, column, row![column])
      }
      expect((await get()).status, entity.name).toBe(200)
    }
    process.stdout.write(`database writer: ${tried} columns of ${records.length} nouns bent\n`)
    expect(tried).toBeGreaterThan(records.length * 7)
  })
})

const flipped = (bytes: Buffer): Buffer => {
  const out = Buffer.from(bytes)
  out[Math.floor(out.length / 2)]! ^= 1
  return out
}

describe('rows that decide a right', () => {
  test('owner_id changed to a colleague: the colleague gets nothing, and the change is named', async () => {
    const mine = await make(rep.token)
    expect((await read(mine.id, other.token)).status).toBe(404)
    await db.query('UPDATE contacts SET owner_id = $2 WHERE id = $1', [mine.id, other.id])
    await expectRefused(mine.id, other.token)
    expect((await server.call('POST', '/contacts/search', {}, { token: other.token })).body.items).toEqual([])
  })

  test('department_id changed, a deleted row undeleted, a link bent: refused', async () => {
    const [a, b, c] = [await make(), await make(), await make()]
    await db.query("UPDATE contacts SET stage = 'former' WHERE id = $1", [a.id])
    await expectRefused(a.id)
    expect((await server.call('DELETE', `/contacts/${b.id}`, undefined, { headers: { 'If-Match': '"1"' } })).status).toBe(200)
    await db.query('UPDATE contacts SET deleted_at = NULL WHERE id = $1', [b.id])
    await expectRefused(b.id)
    await db.query("UPDATE contacts SET created_at = created_at - interval '1 day' WHERE id = $1", [c.id])
    await expectRefused(c.id)
  })

  test('a session inserted for somebody, copied from another, or prolonged: signed out', async () => {
    const session = await server.signIn(rep.email, rep.password)
    expect((await server.call('GET', '/me', undefined, session)).status).toBe(200)
    await db.query("UPDATE session SET person_id = $1 WHERE person_id = $2", [other.id, rep.id])
    const stolen = await fresh(() => server.call('GET', '/me', undefined, session))
    expect(stolen.status).toBeGreaterThanOrEqual(401)
    expect(stolen.text).not.toContain(other.email)
    await db.query('DELETE FROM session')
  })

  test('a role inserted, exchanged or taken away in the table: the person gets nothing at all', async () => {
    await db.query("INSERT INTO person_role (person_id, role, granted_by, granted_at, mac) SELECT person_id, 'manager', granted_by, granted_at, mac FROM person_role WHERE person_id = $1", [rep.id])
    await refusedOutright(rep)
    await db.query("DELETE FROM person_role WHERE person_id = $1 AND role = 'manager'", [rep.id])
    await db.query("UPDATE person_role SET role = 'manager' WHERE person_id = $1", [rep.id])
    await refusedOutright(rep)
    await db.query("UPDATE person_role SET role = 'rep' WHERE person_id = $1", [rep.id])
    expect((await fresh(() => server.call('GET', '/me', undefined, { token: rep.token }))).status).toBe(200)
  })

  test('a factor exchanged for a known one, or a second factor deleted: no sign-in', async () => {
    const [mine] = await db.query<{ data: Buffer; mac: Buffer }>("SELECT data, mac FROM factor WHERE person_id = $1 AND kind = 'password' AND state = 'active'", [rep.id])
    await db.query("UPDATE factor SET data = (SELECT data FROM factor WHERE person_id = $2 AND kind = 'password' AND state = 'active'), mac = (SELECT mac FROM factor WHERE person_id = $2 AND kind = 'password' AND state = 'active') WHERE person_id = $1 AND kind = 'password' AND state = 'active'", [rep.id, other.id])
    const answer = await server.call('POST', '/session', { email: rep.email, password: other.password }, { token: null })
    expect(answer.status).not.toBe(200)
    await db.query("UPDATE factor SET data = $2, mac = $3 WHERE person_id = $1 AND kind = 'password' AND state = 'active'", [rep.id, mine!.data, mine!.mac])
    expect((await server.call('POST', '/session', { email: rep.email, password: rep.password }, { token: null })).status).toBe(200)
  })

  test('a department put under another: whoever that would widen is refused', async () => {
    const made = await server.call('POST', '/departments', { name: 'Far away' })
    const manager = await server.addPerson('far@example.com', 'manager', made.body.id)
    const [row] = await db.query<{ departmentId: string }>('SELECT department_id AS "departmentId" FROM person WHERE id = $1', [rep.id])
    const second = await server.call('POST', '/departments', { name: 'Near', parentId: row!.departmentId })
    await db.query('UPDATE department SET parent_id = $2 WHERE id = $1', [second.body.id, made.body.id])
    await refusedOutright(manager)
    await db.query('UPDATE department SET parent_id = $2 WHERE id = $1', [second.body.id, row!.departmentId])
  })

  /** The grants in memory are let go: every change of people does that, and so does a minute. */
  async function fresh<T>(ask: () => Promise<T>): Promise<T> {
    await db.query('UPDATE authority_epoch SET epoch = epoch + 1')
    return ask()
  }

  async function refusedOutright(person: Person): Promise<void> {
    const answer = await fresh(() => server.call('POST', '/contacts/search', {}, { token: person.token }))
    expect({ status: answer.status, items: answer.body.items }).toEqual({ status: 503, items: undefined })
    // The refusal does not wait for the ledger.
    const told = async (): Promise<number> => (await db.query<{ n: number }>("SELECT count(*)::int AS n FROM ledger_event WHERE action = 'authority.tampered'"))[0]!.n
    await expect.poll(told, { timeout: 10_000 }).toBeGreaterThan(0)
  }
})

describe('a custom field', () => {
  test('whose class was loosened, or that was moved, stops the next start with one sentence', async () => {
    expect((await server.call('POST', '/custom-fields', { entity: 'contact', key: 'diagnosis', label: { en: 'Diagnosis', zh: '诊断' }, class: 'sensitive' })).status).toBe(201)
    expect((await server.call('POST', '/custom-fields', { entity: 'contact', key: 'hobby', label: { en: 'Hobby', zh: '爱好' }, class: 'personal' })).status).toBe(201)
    await db.query('UPDATE custom_field a SET words = b.words FROM custom_field b WHERE a.id <> b.id')
    await server.end('SIGTERM')
    await expect(server.start()).rejects.toThrow(/The custom field \S+ was changed in the database/)
  })
})
