import { PassThrough } from 'node:stream'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createTestInstance, LedgerLab, until, type Instance } from '../../../test/harness/ledger.ts'
import { asSuperuser } from '../../../test/harness/postgres.ts'
import { Problem, uuidv7 } from '../base/index.ts'
import { SqlError } from '../db/index.ts'
import { openCheckpoint, parseVerifierKey } from './note.ts'
import { verifyConsistency, verifyInclusion } from './proof.ts'
import type { Ledger } from './types.ts'

let instance: Instance
let lab: LedgerLab
let ledger: Ledger
beforeAll(async () => {
  instance = await createTestInstance()
})
afterAll(() => instance.close())
beforeEach(async () => {
  lab = await LedgerLab.create(instance)
  ledger = await lab.open()
  await until(() => ledger.status().leading)
})
afterEach(() => lab.close())

const bytes = (text: string): Buffer => Buffer.from(text, 'base64')

describe('recording', () => {
  it('appended events are durable, sequenced, signed and verified', async () => {
    await lab.fill(ledger, 40)
    const report = await ledger.verify({ deep: true })
    expect(report).toMatchObject({ ok: true, size: 40, failures: [], warnings: [], notProven: ['rollback-or-fork-since-anchor'] })
    expect(report.checkpointAt).not.toBeNull()
    expect(ledger.status()).toMatchObject({ size: 40, alarm: null, unsequencedSeconds: 0 })
  })

  it('an event of a transaction lives and dies with it', async () => {
    const kept = await lab.database.db.tx(async (tx) => ledger.record(tx, lab.event(1)))
    ledger.committed([kept])
    await expect(lab.database.db.tx(async (tx) => {
      await ledger.record(tx, lab.event(0))
      throw new Error('rolled back')
    })).rejects.toThrow('rolled back')
    await ledger.checkpoint()
    expect(await ledger.verify({})).toMatchObject({ ok: true, size: 1 })
    expect((await ledger.tail(0, 10)).map((e) => e.id)).toEqual([kept])
  })

  it('a batch of an import is one statement and keeps its order', async () => {
    const events = Array.from({ length: 1200 }, (_, i) => lab.event(i))
    const ids = await lab.database.db.tx((tx) => ledger.recordMany(tx, events))
    ledger.committed(ids)
    await ledger.checkpoint()
    const tail = await ledger.tail(0, 2000)
    expect(tail.map((e) => e.id)).toEqual(ids)
    expect(tail.map((e) => e.leaf)).toEqual(ids.map((_, i) => i))
    expect(tail[1]).toMatchObject({ action: 'contact.updated', object: { kind: 'contact', id: lab.objectId }, subjects: [lab.subject.handle], actor: lab.actor.handle })
    expect(await ledger.verify({})).toMatchObject({ ok: true, size: 1200 })
  })

  it('an event nobody told of is found by the sweep', async () => {
    const id = await lab.database.db.tx((tx) => ledger.record(tx, lab.event(0)))
    await until(async () => (await ledger.tail(0, 1)).length === 1)
    expect((await ledger.tail(0, 1))[0]!.id).toBe(id)
  })

  it('a transaction that commits after later events is sequenced all the same', async () => {
    let release = (): void => {}
    const held = new Promise<void>((resolve) => (release = resolve))
    const late = lab.database.db.tx(async (tx) => {
      const id = await ledger.record(tx, lab.event(0))
      await held
      return id
    })
    await lab.fill(ledger, 5)
    release()
    const id = await late
    await until(async () => (await ledger.tail(0, 10)).some((e) => e.id === id))
    expect(await ledger.verify({})).toMatchObject({ ok: true, size: 6 })
  })

  it('an event that says more than ids and closed words is refused', async () => {
    const { actor } = lab
    await expect(ledger.append({ action: 'Read Bob Smith', actor })).rejects.toThrow(TypeError)
    await expect(ledger.append({ action: 'contact.read', actor, object: { kind: 'contact', id: 'bob@example.com' } })).rejects.toThrow(TypeError)
    await expect(ledger.append({ action: 'contact.read', actor, purpose: 'to look at Bob' })).rejects.toThrow(TypeError)
    await expect(ledger.append({ action: 'contact.listed', actor, subjects: Array.from({ length: 1001 }, () => lab.subject) })).rejects.toThrow(TypeError)
  })

  it('no detail is in the database in the clear', async () => {
    await lab.fill(ledger, 3)
    const rows = await lab.rows<{ text: string }>('SELECT e::text AS text FROM ledger_event e')
    expect(rows.length).toBe(3)
    for (const { text } of rows) expect(text).not.toMatch(new RegExp(`private|${Buffer.from('private').toString('hex')}`))
  })
})

describe('reading back', () => {
  it('the timeline of an object is newest first, with its details, page by page', async () => {
    await lab.fill(ledger, 30)
    const first = await ledger.timeline({ kind: 'contact', id: lab.objectId }, { limit: 8 })
    const second = await ledger.timeline({ kind: 'contact', id: lab.objectId }, { limit: 20, beforeId: first.at(-1)!.id })
    const byLeaf = await ledger.timeline({ kind: 'contact', id: lab.objectId }, { limit: 20, before: first.at(-1)!.leaf! })
    expect(byLeaf).toEqual(second)
    const all = [...first, ...second]
    expect(all.length).toBe(20)
    expect(all.map((e) => e.id)).toEqual(all.map((e) => e.id).toSorted().toReversed())
    expect(all.filter((e) => e.action === 'contact.updated').every((e) => JSON.stringify(e.detail).includes('private'))).toBe(true)
    expect(await ledger.timeline({ kind: 'company', id: lab.objectId }, { limit: 5 })).toEqual([])
  })

  it('names the person behind a handle when it is told how', async () => {
    const other = await lab.open({ nodeId: uuidv7(), personOf: (handle) => (handle.equals(lab.actor.handle) ? lab.actor.ownerId : null) })
    await lab.fill(ledger, 1)
    expect((await other.timeline({ kind: 'contact', id: lab.objectId }, { limit: 1 }))[0]!.actorId).toBe(lab.actor.ownerId)
  })

  it('after erasure details are gone and everything still verifies', async () => {
    await lab.fill(ledger, 30)
    await instance.vault.destroyOwnerKey(lab.subject.ownerId)
    const timeline = await ledger.timeline({ kind: 'contact', id: lab.objectId }, { limit: 50 })
    expect(timeline.length).toBe(20)
    expect(timeline.every((e) => e.detail === null)).toBe(true)
    expect(await ledger.verify({ deep: true })).toMatchObject({ ok: true, size: 30, failures: [] })
  })
})

describe('proofs against the signed checkpoint', () => {
  it('every leaf is included, and every earlier checkpoint is a prefix', async () => {
    const key = parseVerifierKey(ledger.verifierKey())!
    const early = openCheckpoint(await lab.fill(ledger, 70), key)!
    const late = openCheckpoint(await lab.fill(ledger, 600), key)!
    expect([early.size, late.size]).toEqual([70, 670])
    const leaves = await lab.rows<{ n: number; hash: Buffer }>('SELECT n, hash FROM ledger_leaf ORDER BY n')
    for (const index of [0, 1, 69, 255, 256, 511, 512, 669]) {
      const { size, hashes } = await ledger.proof(index)
      expect(verifyInclusion({ index, size, leaf: leaves[index]!.hash, root: late.root, proof: hashes.map(bytes) })).toBe(true)
    }
    const old = await ledger.proof(3, 70)
    expect(verifyInclusion({ index: 3, size: 70, leaf: leaves[3]!.hash, root: early.root, proof: old.hashes.map(bytes) })).toBe(true)
    const { hashes } = await ledger.consistency(70, 670)
    expect(verifyConsistency({ size1: 70, size2: 670, root1: early.root, root2: late.root, proof: hashes.map(bytes) })).toBe(true)
  })

  it('a leaf that is not there is not found', async () => {
    await lab.fill(ledger, 3)
    for (const leaf of [3, -1, 1.5, Number.NaN]) await expect(ledger.proof(leaf)).rejects.toMatchObject({ code: 'not-found' })
  })

  it('a tree somebody changed gives no proof', async () => {
    await lab.fill(ledger, 300)
    await lab.tamper(`UPDATE ledger_leaf SET hash = sha256('x') WHERE n = 5`)
    await expect(ledger.proof(6)).rejects.toMatchObject({ code: 'ledger-unavailable' })
  })
})

describe('the application role', () => {
  it('may add and look, and nothing else', async () => {
    await lab.fill(ledger, 3)
    const tables = ['ledger_event', 'ledger_leaf', 'ledger_block', 'ledger_checkpoint', 'ledger_link', 'ledger_lease']
    for (const table of tables) {
      const [column] = await lab.rows<{ name: string }>(`SELECT attname AS name FROM pg_attribute WHERE attrelid = '${table}'::regclass AND attnum = 1`)
      for (const statement of [`UPDATE ${table} SET ${column!.name} = ${column!.name}`, `DELETE FROM ${table}`, `TRUNCATE ${table}`, `DROP TABLE ${table}`, `ALTER TABLE ${table} DISABLE TRIGGER ALL`]) {
        await expect(lab.database.db.query(statement), statement).rejects.toMatchObject({ sqlState: '42501' })
      }
    }
    const partitions = await lab.rows<{ name: string }>(`SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'ledger_event'::regclass`)
    expect(partitions.length).toBeGreaterThan(4)
    for (const { name } of partitions) {
      for (const statement of [`DELETE FROM ${name}`, `TRUNCATE ${name}`, `INSERT INTO ${name} SELECT * FROM ledger_event`]) {
        await expect(lab.database.db.query(statement), statement).rejects.toMatchObject({ sqlState: '42501' })
      }
    }
  })

  it('even the owner is stopped by the triggers, and a superuser who forgets them', async () => {
    await lab.fill(ledger, 3)
    const [partition] = await lab.rows<{ name: string }>(`SELECT tableoid::regclass::text AS name FROM ledger_event LIMIT 1`)
    for (const table of ['ledger_event', partition!.name, 'ledger_leaf', 'ledger_checkpoint']) {
      await expect(lab.database.admin.query(`DELETE FROM ${table}`)).rejects.toBeInstanceOf(SqlError)
      await expect(asSuperuser(lab.database, `TRUNCATE ${table}`)).rejects.toThrow(/only ever added to/)
    }
  })
})

describe('when the database does not answer', () => {
  it('a lost connection costs nobody an event', async () => {
    const appended = Array.from({ length: 60 }, async (_, i) => {
      await new Promise((resolve) => setTimeout(resolve, i * 5))
      return ledger.append(lab.event(i))
    })
    for (let i = 0; i < 4; i++) {
      await new Promise((resolve) => setTimeout(resolve, 60))
      await asSuperuser(lab.database, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE '%ledger%'`)
    }
    const ids = await Promise.all(appended)
    await until(() => ledger.status().leading)
    await ledger.checkpoint()
    expect(new Set((await ledger.tail(0, 100)).map((e) => e.id))).toEqual(new Set(ids))
    expect(await ledger.verify({})).toMatchObject({ ok: true, size: 60, failures: [] })
  })

  it('a reader is refused in time, and told the ledger is unavailable', async () => {
    const other = await lab.open({ nodeId: uuidv7(), patienceMs: 300 })
    await lab.tamper('ALTER TABLE ledger_event RENAME TO elsewhere')
    await expect(other.append(lab.event(0))).rejects.toMatchObject({ code: 'ledger-unavailable' })
    await lab.tamper('ALTER TABLE elsewhere RENAME TO ledger_event')
    expect(await other.append(lab.event(0))).toMatch(/^[0-9a-f-]{36}$/)
  })

  it('a table that is locked does not hold a reader for ever', async () => {
    const other = await lab.open({ nodeId: uuidv7(), patienceMs: 300 })
    const [held] = [lab.database.admin.tx(async (tx) => {
      await tx.query('LOCK TABLE ledger_event IN ACCESS EXCLUSIVE MODE')
      await expect(other.append(lab.event(0))).rejects.toBeInstanceOf(Problem)
    })]
    await held
    await other.append(lab.event(0))
    await until(async () => (await other.verify({})).ok)
  })

  it('too many at once are refused rather than kept', async () => {
    const all = await Promise.allSettled(Array.from({ length: 12_000 }, () => ledger.append({ action: 'contact.read', actor: lab.actor })))
    const refused = all.filter((r) => r.status === 'rejected')
    expect(refused.length).toBeGreaterThanOrEqual(1_900)
    expect(refused.every((r) => r.reason instanceof Problem && r.reason.code === 'ledger-unavailable')).toBe(true)
    await ledger.checkpoint()
    expect(ledger.status().size).toBe(12_000 - refused.length)
  })

  it('closing ends although links cannot be written', async () => {
    const other = await lab.open({ nodeId: uuidv7(), patienceMs: 100 })
    const ids = await lab.database.db.tx((tx) => other.recordMany(tx, Array.from({ length: 200 }, (_, i) => lab.event(i))))
    await lab.tamper('ALTER TABLE ledger_link RENAME TO elsewhere')
    other.committed(ids)
    await expect(other.append(lab.event(0))).rejects.toMatchObject({ code: 'ledger-unavailable' })
    await other.close()
    await lab.tamper('ALTER TABLE elsewhere RENAME TO ledger_link')
  })

  it('a trigger that swallows events makes reading fail, not silent', async () => {
    await lab.tamper(
      'CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$',
      'CREATE TRIGGER swallow BEFORE INSERT ON ledger_event FOR EACH ROW EXECUTE FUNCTION swallow()',
    )
    const other = await lab.open({ nodeId: uuidv7(), patienceMs: 200 })
    await expect(other.append(lab.event(0))).rejects.toMatchObject({ code: 'ledger-unavailable' })
    await expect(lab.database.db.tx((tx) => other.record(tx, lab.event(0)))).rejects.toMatchObject({ code: 'ledger-unavailable' })
    // Nor does what was to be recorded happen, although COMMIT travels with the event.
    const node = uuidv7()
    const change = lab.database.db.tx((tx) => {
      tx.send('INSERT INTO ledger_link (node, seq, ids, chain) VALUES ($1, 1, $2, $2)', [node, Buffer.alloc(32)])
      return Promise.resolve(other.send(tx, [lab.event(0)]))
    })
    await expect(change).rejects.toMatchObject({ code: 'ledger-unavailable' })
    expect(await lab.database.db.query('SELECT 1 FROM ledger_link WHERE node = $1', [node])).toEqual([])
  })

  it('events sent in a transaction come with its commit, whatever their number', async () => {
    for (const count of [1, 16, 17, 60]) {
      const ids = await lab.database.db.tx((tx) => Promise.resolve(ledger.send(tx, Array.from({ length: count }, (_, i) => lab.event(i)))))
      ledger.committed(ids)
      expect(await lab.database.db.query('SELECT 1 FROM ledger_event WHERE id = ANY ($1::uuid[])', [ids])).toHaveLength(count)
    }
    await ledger.checkpoint()
    expect(await ledger.verify({ deep: true })).toMatchObject({ ok: true, size: 94 })
  })

  it('verifying while others write finds nothing wrong', async () => {
    let writing = true
    const writers = Array.from({ length: 4 }, async (_, i) => {
      while (writing) await ledger.append(lab.event(i))
    })
    for (let i = 0; i < 4; i++) expect(await ledger.verify({})).toMatchObject({ ok: true })
    writing = false
    await Promise.all(writers)
  })

  it('an export whose reader goes away ends', async () => {
    await lab.fill(ledger, 3_000)
    const out = new PassThrough({ highWaterMark: 1 })
    setTimeout(() => out.destroy(), 50)
    await expect(ledger.exportBundle(out, {})).rejects.toThrow()
  })

  it('closing makes everything durable that was taken, then takes no more', async () => {
    const appended = Array.from({ length: 200 }, (_, i) => ledger.append(lab.event(i)))
    await ledger.close()
    expect((await Promise.all(appended)).length).toBe(200)
    await expect(ledger.append(lab.event(0))).rejects.toMatchObject({ code: 'shutting-down' })
    const again = await lab.open()
    await until(() => again.status().leading)
    expect(again.status().size).toBe(200)
    expect(await again.verify({})).toMatchObject({ ok: true, size: 200 })
  })
})

describe('several nodes', () => {
  it('one sequences for all, and another takes over', async () => {
    const second = await lab.open({ nodeId: uuidv7(), pace: { retry: 50 } })
    expect(second.status().leading).toBe(false)
    await Promise.all(Array.from({ length: 30 }, (_, i) => (i % 2 ? ledger : second).append(lab.event(i))))
    await until(async () => (await ledger.tail(0, 100)).length === 30)
    await until(() => second.status().unsequencedSeconds === 0 && second.status().size === 30)
    await ledger.close()
    await until(() => second.status().leading)
    await lab.fill(second, 5)
    expect(await second.verify({})).toMatchObject({ ok: true, size: 35 })
    expect((await lab.rows<{ epoch: number }>('SELECT epoch FROM ledger_lease ORDER BY epoch')).map((r) => r.epoch)).toEqual([1, 2])
  })

  it('who lost the lease adds no leaf', async () => {
    await lab.fill(ledger, 3)
    await lab.tamper(`INSERT INTO ledger_lease VALUES (7, '${uuidv7()}', now())`)
    await ledger.append(lab.event(0))
    // It holds the lock still, so it takes the lease anew with a higher epoch.
    await until(async () => (await lab.rows<{ epoch: number }>('SELECT max(epoch) AS epoch FROM ledger_lease'))[0]!.epoch === 8)
    await until(() => ledger.status().leading)
    await ledger.checkpoint()
    expect(await ledger.verify({})).toMatchObject({ ok: true, size: 4 })
  })
})
