import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../test/harness/postgres.ts'
import { uuidv7 } from '../../kernel/base/index.ts'
import type { RowColumns } from '../../kernel/vault/index.ts'
import { AuthorityMoved } from '../../kernel/work/index.ts'
import { authorityCounter } from '../access/index.ts'
import { Contact } from '../contacts/index.ts'
import { recordStore } from './store.ts'

// What travels with COMMIT must not be committed when it does not hold.

let t: TestDatabase
const store = recordStore(Contact)
beforeAll(async () => {
  t = await createTestDatabase()
  await t.admin.query('ALTER TABLE contacts DROP CONSTRAINT contacts_owner_id_fkey, DROP CONSTRAINT contacts_department_id_fkey')
})
afterAll(() => t.drop())

const at = '2026-01-01T00:00:00.000Z'
const rowOf = (id: string, version: number): RowColumns => ({
  id, version, created_at: at, updated_at: at, deleted_at: null, owner_id: id, department_id: id, company_id: null, stage: 'active', collected_at: null,
  main: Buffer.from(`main ${version}`), sensitive: null, custom: null,
})
const stored = async (id: string): Promise<unknown> => (await t.db.query('SELECT version, main FROM contacts WHERE id = $1', [id]))[0]
const digestsOf = async (id: string): Promise<string[]> => (await t.db.query<{ digest: string }>('SELECT digest FROM blind WHERE row_id = $1 ORDER BY digest', [id])).map((r) => r.digest)

let id = ''
const digests = [uuidv7(), uuidv7(), uuidv7()] as const
beforeEach(async () => {
  id = uuidv7()
  await t.db.tx((tx) => Promise.resolve(store.send(tx, rowOf(id, 1), [digests[0], digests[1]])))
})

describe('a row that is sent', () => {
  test('is there with its digests', async () => {
    expect([await stored(id), await digestsOf(id)]).toEqual([{ version: 1, main: Buffer.from('main 1') }, [digests[0], digests[1]]])
  })

  test('is changed with its digests, under the version it was read in', async () => {
    await t.db.tx((tx) => Promise.resolve(store.sendUpdate(tx, rowOf(id, 2), 1, { before: [digests[0], digests[1]], after: [digests[1], digests[2]] })))
    expect([await stored(id), await digestsOf(id)]).toEqual([{ version: 2, main: Buffer.from('main 2') }, [digests[1], digests[2]]])
  })

  test('is not changed under another version, and nothing with it', async () => {
    const other = uuidv7()
    const outcome = t.db.tx((tx) => {
      store.send(tx, rowOf(other, 1), [])
      store.sendUpdate(tx, rowOf(id, 3), 2, { before: [digests[0]], after: [] })
      return Promise.resolve()
    })
    await expect(outcome).rejects.toMatchObject({ code: 'version-stale' })
    expect([await stored(id), await stored(other), await digestsOf(id)]).toEqual([{ version: 1, main: Buffer.from('main 1') }, undefined, [digests[0], digests[1]]])
  })
})

describe('grants that no longer hold', () => {
  const change = (epoch: number) =>
    t.db.tx((tx) => {
      authorityCounter.hold(tx, epoch)
      store.sendUpdate(tx, rowOf(id, 2), 1, { before: [], after: [] })
      return Promise.resolve()
    })

  test('undo the write they were asked for', async () => {
    const now = await authorityCounter.current(t.db)
    for (const other of [now - 1, now + 1]) await expect(change(other)).rejects.toBeInstanceOf(AuthorityMoved)
    expect(await stored(id)).toMatchObject({ version: 1 })
    await change(now)
    expect(await stored(id)).toMatchObject({ version: 2 })
  })

  test('undo it, too, when the epoch is gone', async () => {
    const now = await authorityCounter.current(t.db)
    await t.admin.query('DELETE FROM authority_epoch')
    await expect(change(now)).rejects.toBeInstanceOf(AuthorityMoved)
    expect(await stored(id)).toMatchObject({ version: 1 })
  })
})
