import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { asSuperuser, createTestDatabase, type TestDatabase } from '../../../test/harness/postgres.ts'
import { Problem } from '../base/index.ts'
import { isUniqueViolation, openDb, SqlError } from './index.ts'

let t: TestDatabase
beforeAll(async () => {
  t = await createTestDatabase({ empty: true })
  await t.admin.query('CREATE TABLE thing (id int PRIMARY KEY, body bytea, at timestamptz, n int8)')
  await t.admin.query('GRANT SELECT, INSERT, UPDATE, DELETE ON thing TO sealbook_app')
})
afterAll(() => t.drop())

describe('values', () => {
  test('come back in the shapes of types.ts', async () => {
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i))
    const [row] = await t.db.query(
      `SELECT $1::bytea AS b, ''::bytea AS empty, NULL::bytea AS nothing, '2026-03-01 09:30:00.12+02'::timestamptz AS at, '2026-03-01 09:30:00+00'::timestamptz AS whole,
              9007199254740991::int8 AS n, 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid AS id, '2026-03-01'::date AS day, '{"a":1}'::jsonb AS j, 1.5::numeric AS d, true AS yes,
              ARRAY[1,2]::int8[] AS ns, ARRAY['\\x01'::bytea, NULL] AS bs, ARRAY['a,"b',NULL]::text[] AS ts, '密客' AS zh`,
      [bytes],
    )
    expect(row).toEqual({
      b: bytes, empty: Buffer.alloc(0), nothing: null, at: '2026-03-01T07:30:00.120000Z', whole: '2026-03-01T09:30:00.000000Z',
      n: 9007199254740991, id: 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', day: '2026-03-01', j: { a: 1 }, d: '1.5', yes: true,
      ns: [1, 2], bs: [Buffer.from([1]), null], ts: ['a,"b', null], zh: '密客',
    })
    expect(row!['b']).toBeInstanceOf(Buffer)
  })

  test('an int8 beyond the safe integers is an error, not another number', async () => {
    await expect(t.db.query('SELECT 9007199254740993::int8 AS n')).rejects.toThrow(RangeError)
    expect(await t.db.query('SELECT 1 AS n')).toEqual([{ n: 1 }])
  })

  test('rows of one answer that arrives in many pieces stay whole', async () => {
    const big = Buffer.alloc(300_000, 0xa5)
    const rows = await t.db.query<{ i: number; b: Buffer }>('SELECT i, $1::bytea AS b FROM generate_series(1, 20) i', [big])
    expect(rows.map((r) => r.i)).toEqual(Array.from({ length: 20 }, (_, i) => i + 1))
    expect(rows.every((r) => r.b.equals(big))).toBe(true)
  })
})

describe('errors', () => {
  test('carry names and never values', async () => {
    await t.db.query('INSERT INTO thing (id) VALUES (1)')
    const duplicate = await t.db.query('INSERT INTO thing (id) VALUES (1)').catch((e: unknown) => e)
    expect(duplicate).toBeInstanceOf(SqlError)
    expect(isUniqueViolation(duplicate, 'thing_pkey')).toBe(true)
    expect(isUniqueViolation(duplicate, 'other')).toBe(false)
    const unreadable = await t.db.query(`SELECT $1::text::uuid`, ['a secret']).catch((e: unknown) => e)
    expect(JSON.stringify([unreadable, String(unreadable), (unreadable as Error).cause])).not.toContain('secret')
    expect(JSON.stringify(duplicate)).not.toContain('(1)')
  })

  test('an SQL error does not cost the connection', async () => {
    const db = openDb(t.appConfig, { max: 1 })
    const pid = async (): Promise<number> => (await db.query<{ pid: number }>('SELECT pg_backend_pid() AS pid'))[0]!.pid
    const before = await pid()
    await expect(db.query('SELECT nonsense')).rejects.toThrow(SqlError)
    expect(await pid()).toBe(before)
    await db.close()
  })

  test('no server is Problem database-unavailable', async () => {
    const db = openDb({ ...t.appConfig, host: '/nonexistent' })
    await expect(db.query('SELECT 1')).rejects.toMatchObject({ code: 'database-unavailable' })
    await expect(db.tx(() => Promise.resolve())).rejects.toBeInstanceOf(Problem)
    await expect(db.connect('x')).rejects.toBeInstanceOf(Problem)
    await db.close()
  })
})

describe('transactions', () => {
  test('commit together or not at all', async () => {
    await t.db.tx(async (tx) => {
      await tx.query('INSERT INTO thing (id) VALUES (10)')
      await tx.query('INSERT INTO thing (id) VALUES (11)')
    })
    await expect(
      t.db.tx(async (tx) => {
        await tx.query('INSERT INTO thing (id) VALUES (12)')
        throw new Error('changed my mind')
      }),
    ).rejects.toThrow('changed my mind')
    expect(await t.db.query('SELECT id FROM thing WHERE id >= 10 ORDER BY id')).toEqual([{ id: 10 }, { id: 11 }])
  })

  test('a swallowed SQL error is not reported as a commit', async () => {
    const outcome = t.db.tx(async (tx) => {
      await tx.query('INSERT INTO thing (id) VALUES (20)')
      await tx.query('SELECT nonsense').catch(() => {})
      return 'done'
    })
    await expect(outcome).rejects.toThrow('nothing was committed')
    expect(await t.db.query('SELECT id FROM thing WHERE id = 20')).toEqual([])
  })

  test('a statement nobody awaited runs inside, one after the end is refused', async () => {
    let late: Promise<unknown> = Promise.resolve()
    await t.db.tx(async (tx) => {
      void tx.query('INSERT INTO thing (id) SELECT 30 FROM pg_sleep(0.05)')
      late = Promise.resolve().then(async () => {
        await new Promise((r) => setTimeout(r, 200))
        return tx.query('INSERT INTO thing (id) VALUES (31)')
      })
      await Promise.resolve()
    })
    await expect(late).rejects.toThrow('over')
    expect(await t.db.query('SELECT id FROM thing WHERE id IN (30, 31)')).toEqual([{ id: 30 }])
  })

  test('statements of one transaction may be sent together', async () => {
    const rows = await t.db.tx((tx) => Promise.all([1, 2, 3].map((n) => tx.query<{ n: number; x: string }>('SELECT $1::int AS n, txid_current()::text AS x', [n]))))
    expect(rows.map((r) => r[0]!.n)).toEqual([1, 2, 3])
    expect(new Set(rows.map((r) => r[0]!.x)).size).toBe(1)
  })
})

describe('a statement that is sent and not waited for', () => {
  const insert = 'INSERT INTO thing (id) VALUES ($1)'
  const there = async (...ids: number[]): Promise<number[]> => (await t.db.query<{ id: number }>('SELECT id FROM thing WHERE id = ANY ($1::int[]) ORDER BY id', [ids])).map((r) => r.id)

  test('commits with the others, in the order of sending', async () => {
    await t.db.tx(async (tx) => {
      tx.send(insert, [40])
      tx.send('UPDATE thing SET n = 7 WHERE id = $1', [40])
      expect(await tx.query('SELECT n FROM thing WHERE id = 40')).toEqual([{ n: 7 }])
      tx.send(insert, [41])
    })
    expect(await there(40, 41)).toEqual([40, 41])
  })

  test('that fails undoes the whole, although COMMIT went out behind it', async () => {
    const told = new Error('told')
    const outcome = t.db.tx(async (tx) => {
      tx.send(insert, [50])
      tx.send('SELECT 1 / $1::int', [0], () => told)
      tx.send(insert, [51], () => new Error('not this one: it failed only because the one before it had'))
      return Promise.resolve('done')
    })
    await expect(outcome).rejects.toBe(told)
    expect(await there(50, 51)).toEqual([])
    expect(await t.db.query('SELECT 1 AS n')).toEqual([{ n: 1 }])
  })

  test('says why, whatever the callback made of it', async () => {
    const thrower = t.db.tx(async (tx) => {
      tx.send('SELECT 1 / $1::int', [0], () => new Error('why'))
      await tx.query('SELECT 1').catch(() => undefined)
      throw new Error('something else')
    })
    await expect(thrower).rejects.toThrow('why')
    const swallower = t.db.tx(async (tx) => {
      tx.send('SELECT 1 / $1::int', [0], () => new Error('why'))
      await tx.query('SELECT 1').catch(() => undefined)
    })
    await expect(swallower).rejects.toThrow('why')
  })

  test('that failed is not forgotten by going back to a savepoint', async () => {
    const outcome = t.db.tx(async (tx) => {
      await tx.query('SAVEPOINT here')
      tx.send(insert, [70])
      tx.send('SELECT 1 / $1::int', [0], () => new Error('why'))
      await tx.query('ROLLBACK TO SAVEPOINT here')
      await tx.query(insert, [71])
    })
    await expect(outcome).rejects.toThrow('why')
    expect(await there(70, 71)).toEqual([])
  })

  test('is refused at once when it cannot be sent, and after the end', async () => {
    let late: (() => void) | undefined
    const unsendable = t.db.tx((tx) => {
      tx.send(insert, [60])
      late = () => tx.send(insert, [61])
      tx.send(insert, [{ toPostgres: () => { throw new Error('no') } }])
      return Promise.resolve()
    })
    await expect(unsendable).rejects.toThrow(TypeError)
    expect(late).toThrow('over')
    expect(await there(60, 61)).toEqual([])
  })
})

describe('a server that dies under us', () => {
  test('fails the statement, not the process, and the pool recovers', async () => {
    const db = openDb(t.appConfig, { max: 2 })
    const slow = expect(db.query('SELECT pg_sleep(20)')).rejects.toMatchObject({ code: 'database-unavailable' })
    const idle = await db.connect('idle')
    await new Promise((r) => setTimeout(r, 200))
    await asSuperuser(t, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND usename = 'sealbook_app'`)
    await slow
    await idle.lost
    await expect(idle.query('SELECT 1')).rejects.toMatchObject({ code: 'database-unavailable' })
    expect(await db.query('SELECT 1 AS n')).toEqual([{ n: 1 }])
    await db.close()
  })

  test('the app role has time limits', async () => {
    const [limits] = await t.db.query(`SELECT current_setting('statement_timeout') AS s, current_setting('lock_timeout') AS l, current_setting('idle_in_transaction_session_timeout') AS i`)
    expect(limits).toEqual({ s: '30s', l: '5s', i: '1min' })
  })
})
