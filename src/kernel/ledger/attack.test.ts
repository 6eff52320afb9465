import { generateKeyPairSync } from 'node:crypto'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createTestInstance, LedgerLab, until, type Instance } from '../../../test/harness/ledger.ts'
import { uuidv7 } from '../base/index.ts'
import { envelopeBytes, prepareEvent } from './envelope.ts'
import { leafHash } from './hash.ts'
import { ledgerOrigin } from './ledger.ts'
import { openCheckpoint, parseVerifierKey, signCheckpoint } from './note.ts'
import { firstId, insertEvents } from './store.ts'
import { Frontier } from './tree.ts'
import type { Ledger, VerifyReport } from './types.ts'

let instance: Instance
let lab: LedgerLab
let ledger: Ledger
/** The signed head of the thirty honest events every attack starts from. */
let head: string
beforeAll(async () => {
  instance = await createTestInstance()
})
afterAll(() => instance.close())
beforeEach(async () => {
  lab = await LedgerLab.create(instance)
  ledger = await lab.open({ pace: { faulty: 100, retry: 100 } })
  await until(() => ledger.status().leading)
  head = await lab.fill(ledger, 30)
})
afterEach(() => lab.close())

const codes = (report: VerifyReport): string[] => [...new Set(report.failures.map((f) => f.code))].toSorted()
const at = (report: VerifyReport, code: string): (number | null)[] => report.failures.filter((f) => f.code === code).map((f) => f.leaf)
/** An id as it was made an hour ago. */
const uuidBefore = (): string => `${firstId(Date.now() - 3_600_000).slice(0, 14)}7${uuidv7().slice(15)}`
const leafOf = 'id = (SELECT event_id FROM ledger_leaf WHERE n = '

/** Closes the ledger as a stop of the server does, lets the attacker work, and starts it again. */
async function whileDown(...statements: string[]): Promise<Ledger> {
  await ledger.close()
  await lab.tamper(...statements)
  ledger = await lab.open({ pace: { faulty: 50, retry: 50 } })
  return ledger
}

describe('a row that is changed', () => {
  const edits: [string, string][] = [
    ['action', `'contact.created'`], ['at', `at - interval '1 millisecond'`], ['object_id', `gen_random_uuid()`], ['object_kind', `'deal'`], ['object_id', 'NULL'],
    ['actor', `sha256('x')::text::bytea`], ['actor', `substr(sha256('x'), 1, 16)`], ['actor', 'NULL'], ['subjects', 'NULL'], ['subjects', 'subjects || actor'], ['purpose', `'reveal'`],
    ['node', 'gen_random_uuid()'], ['mac', `sha256('x')`], ['seal_owner', 'gen_random_uuid()'], ['at', `'infinity'`], ['at', `'20000-01-01'`], ['at', `'4000-01-01 BC'`], ['action', `''`],
  ]
  it.each(edits)('an event whose %s is made %s is named', async (column, value) => {
    await lab.tamper(`ALTER TABLE ledger_event DROP CONSTRAINT ledger_event_actor_check`, `UPDATE ledger_event SET ${column} = ${value} WHERE ${leafOf} 6)`)
    const report = await ledger.verify({})
    expect(report.ok).toBe(false)
    expect([codes(report), at(report, 'event-altered')]).toEqual([['event-altered'], [6]])
  })

  it('a ciphertext that is changed, swapped or taken away is named', async () => {
    await lab.tamper(
      `UPDATE ledger_event SET payload = set_byte(payload, 20, get_byte(payload, 20) # 1) WHERE ${leafOf} 1)`,
      `UPDATE ledger_event e SET payload = o.payload FROM ledger_event o WHERE e.${leafOf} 4) AND o.${leafOf} 7)`,
    )
    const report = await ledger.verify({})
    expect([codes(report), at(report, 'payload-altered')]).toEqual([['payload-altered'], [1, 4]])
    await lab.tamper(`UPDATE ledger_event SET payload = NULL, payload_hash = NULL WHERE ${leafOf} 10)`)
    expect(at(await ledger.verify({}), 'event-altered')).toEqual([10])
  })

  it('a leaf whose hash is changed is named, and nothing else', async () => {
    await lab.tamper(`UPDATE ledger_leaf SET hash = sha256('x') WHERE n = 3`)
    expect(await ledger.verify({})).toMatchObject({ ok: false, failures: [{ code: 'leaf-altered', leaf: 3 }] })
  })

  it('an event changed together with its leaf does not lead to the signed root', async () => {
    const [row] = await lab.rows<{ id: string; at: string; node: string; actor: Buffer; subjects: Buffer }>(`SELECT id, at, node, actor, subjects FROM ledger_event WHERE ${leafOf} 2)`)
    const changed = { ...row!, at: Date.parse(row!.at), action: 'contact.listed', objectKind: null, objectId: null, purpose: 'export', payloadHash: null }
    await lab.tamper(
      `UPDATE ledger_event SET purpose = 'export' WHERE id = '${row!.id}'`,
      `UPDATE ledger_leaf SET hash = '\\x${leafHash(envelopeBytes(changed)).toString('hex')}' WHERE n = 2`,
    )
    const report = await ledger.verify({})
    expect(codes(report)).toEqual(['checkpoint-inconsistent', 'event-altered'])
  })

  it('a block that is changed is named; the log goes on from the leaves', async () => {
    await lab.fill(ledger, 300)
    await lab.tamper(`UPDATE ledger_block SET hash = sha256('x')`)
    expect(codes(await ledger.verify({}))).toEqual(['block-altered'])
    await whileDown()
    await until(() => ledger.status().leading)
    expect(ledger.status()).toMatchObject({ alarm: 'block-altered' })
  })
})

describe('a row that is taken away', () => {
  it('a deleted event is named', async () => {
    await lab.tamper(`DELETE FROM ledger_event WHERE ${leafOf} 12)`)
    expect(await ledger.verify({})).toMatchObject({ failures: [{ code: 'event-missing', leaf: 12 }] })
  })

  it('a deleted leaf is named; its event gets another at the end, so that it stays in the log', async () => {
    const [leaf] = await lab.rows<{ id: string }>('SELECT event_id AS id FROM ledger_leaf WHERE n = 12')
    await lab.tamper(`DELETE FROM ledger_leaf WHERE n = 12`)
    expect(at(await ledger.verify({}), 'leaf-missing')).toEqual([12])
    await ledger.close()
    await lab.tamper(`DELETE FROM ledger_leaf WHERE event_id = '${leaf!.id}'`)
    const idle = await lab.open({ sequence: false })
    const report = await idle.verify({})
    expect(codes(report)).toEqual(['checkpoint-inconsistent', 'leaf-missing', 'tree-truncated'])
    expect(report.notProven).toContain('events-not-yet-sequenced')
  })

  it('an event the sequencer went past is named; one it had no time for is not held against it', async () => {
    await ledger.close()
    const early = prepareEvent(lab.event(0), { vault: instance.vault, nodeId: lab.nodeId, id: uuidBefore(), at: Date.now() - 3_600_000 })
    const late = prepareEvent(lab.event(0), { vault: instance.vault, nodeId: lab.nodeId, id: uuidv7(), at: Date.now() })
    await insertEvents(lab.database.db, [early, late])
    const idle = await lab.open({ sequence: false })
    expect(await idle.verify({})).toMatchObject({ failures: [{ code: 'leaf-missing', leaf: null, eventId: early.id }], notProven: expect.arrayContaining(['events-not-yet-sequenced']) })
    ledger = await lab.open()
    await ledger.checkpoint()
    expect(await ledger.verify({})).toMatchObject({ ok: true, size: 32 })
  })

  it('an event deleted with its leaf is missed by the tree and by the chain of its node', async () => {
    await lab.tamper(`DELETE FROM ledger_event WHERE ${leafOf} 12)`, `DELETE FROM ledger_leaf WHERE n = 12`)
    expect(codes(await ledger.verify({}))).toEqual(['checkpoint-inconsistent', 'event-missing', 'leaf-missing'])
  })

  it('a cut-off end is seen by the node that signed it, and nothing is signed on top', async () => {
    const cut = ['DELETE FROM ledger_event WHERE id IN (SELECT event_id FROM ledger_leaf WHERE n >= 20)', 'DELETE FROM ledger_leaf WHERE n >= 20', 'DELETE FROM ledger_checkpoint WHERE size > 20', 'DELETE FROM ledger_link']
    await lab.tamper(...cut)
    expect(at(await ledger.verify({}), 'tree-truncated')).toEqual([20])
    await ledger.append(lab.event(0))
    await until(() => ledger.status().alarm === 'tree-truncated')
    await until(() => !ledger.status().leading)
    expect(await lab.rows('SELECT FROM ledger_leaf WHERE n >= 20')).toEqual([])
  })

  it('a cut-off end whose checkpoint stayed is seen after a restart', async () => {
    await whileDown('DELETE FROM ledger_event WHERE id IN (SELECT event_id FROM ledger_leaf WHERE n >= 20)', 'DELETE FROM ledger_leaf WHERE n >= 20')
    await until(() => ledger.status().alarm !== null)
    expect(codes(await ledger.verify({}))).toContain('tree-truncated')
  })

  it('everything truncated is seen', async () => {
    await lab.tamper('TRUNCATE ledger_event, ledger_leaf, ledger_block, ledger_checkpoint, ledger_link, ledger_lease')
    const report = await ledger.verify({})
    expect(codes(report)).toContain('tree-truncated')
  })

  it('an event deleted before it has a leaf is missed by the chain of its node', async () => {
    const recorder = await lab.open({ nodeId: uuidv7(), sequence: false })
    await ledger.close()
    const ids = await Promise.all(Array.from({ length: 70 }, (_, i) => recorder.append(lab.event(i))))
    await until(async () => (await lab.rows('SELECT FROM ledger_link')).length > 1)
    await lab.tamper(`DELETE FROM ledger_event WHERE id = '${ids[9]}'`)
    ledger = await lab.open()
    await until(() => ledger.status().leading)
    const report = await ledger.verify({})
    expect(report.failures).toEqual([{ code: 'event-missing', leaf: null, eventId: ids[9] }])
  })

  it('a link that is changed, deleted or added is named', async () => {
    for (let i = 0; i < 3; i++) await lab.fill(ledger, 70)
    const [last] = await lab.rows<{ seq: number }>('SELECT max(seq) AS seq FROM ledger_link')
    expect(last!.seq).toBeGreaterThan(2)
    await lab.tamper('UPDATE ledger_link SET ids = substr(ids, 17) WHERE seq = 1')
    expect(codes(await ledger.verify({}))).toEqual(['link-broken'])
    await lab.tamper('DELETE FROM ledger_link WHERE seq = 1')
    expect(codes(await ledger.verify({}))).toEqual(['link-broken'])
    await lab.tamper(`INSERT INTO ledger_link SELECT node, seq + 1, ids, chain FROM ledger_link WHERE seq = ${last!.seq}`)
    expect(codes(await ledger.verify({}))).toEqual(['link-broken'])
    await lab.fill(ledger, 100)
    expect(codes(await ledger.verify({}))).toEqual(['link-broken'])
    expect(ledger.status().size).toBe(340)
  })
})

describe('a row that is added', () => {
  const copy = (changes: string): string =>
    `INSERT INTO ledger_event SELECT (e).* FROM (SELECT jsonb_populate_record(x, '${changes}') AS e FROM ledger_event x WHERE ${leafOf} 0)) q`

  it('an event with no MAC of ours gets no leaf; it is an alarm, and the alarm an event', async () => {
    const id = uuidv7()
    await lab.tamper(copy(JSON.stringify({ id })))
    await until(() => ledger.status().alarm === 'event-forged')
    await until(async () => (await ledger.timeline({ kind: 'ledger-event', id }, { limit: 1 })).length === 1)
    await ledger.checkpoint()
    const report = await ledger.verify({})
    expect(report).toMatchObject({ ok: false, size: 31, failures: [{ code: 'event-forged', leaf: null, eventId: id }] })
    expect((await ledger.tail(30, 5)).map((e) => e.action)).toEqual(['ledger.alarm-raised'])
    expect((await ledger.timeline({ kind: 'contact', id: lab.objectId }, { limit: 100 })).some((e) => e.id === id)).toBe(false)
  })

  it('a forged event with a forged leaf stops the sequencer: nothing is signed over it', async () => {
    const id = uuidv7()
    await lab.tamper(copy(JSON.stringify({ id })), `INSERT INTO ledger_leaf VALUES (30, '${id}', sha256('x'))`)
    await ledger.append(lab.event(0))
    await until(() => ledger.status().alarm === 'leaf-foreign')
    const report = await ledger.verify({})
    expect(report.failures).toContainEqual({ code: 'event-altered', leaf: 30, eventId: id })
    expect(openCheckpoint(await ledger.checkpoint(), parseVerifierKey(ledger.verifierKey())!)?.size).toBe(30)
    await lab.tamper(`DELETE FROM ledger_leaf WHERE n = 30`, `DELETE FROM ledger_event WHERE id = '${id}'`)
    await until(() => ledger.status().leading, 20)
    await ledger.checkpoint()
    expect(await ledger.verify({})).toMatchObject({ ok: true })
  })

  it('a leaf of an event that never was is foreign', async () => {
    await lab.tamper(`INSERT INTO ledger_leaf VALUES (30, gen_random_uuid(), sha256('x'))`)
    expect(codes(await ledger.verify({}))).toEqual(['leaf-foreign'])
    await lab.tamper(`UPDATE ledger_leaf SET n = 9007199254740991 WHERE n = 30`)
    expect(codes(await ledger.verify({}))).toEqual(['leaf-foreign', 'leaf-missing'])
  })

  it('a replayed event and a replayed leaf are duplicates', async () => {
    await lab.tamper('ALTER TABLE ledger_event DROP CONSTRAINT ledger_event_pkey', `INSERT INTO ledger_event SELECT * FROM ledger_event WHERE ${leafOf} 5)`)
    expect(at(await ledger.verify({}), 'event-duplicated')).toEqual([5])
    await lab.tamper('ALTER TABLE ledger_leaf DROP CONSTRAINT ledger_leaf_event_id_key', 'INSERT INTO ledger_leaf SELECT 30, event_id, hash FROM ledger_leaf WHERE n = 6')
    expect(at(await ledger.verify({}), 'leaf-duplicated')).toEqual([30])
    await lab.tamper('ALTER TABLE ledger_leaf DROP CONSTRAINT ledger_leaf_pkey', 'INSERT INTO ledger_leaf SELECT 7, event_id, hash FROM ledger_leaf WHERE n = 8')
    expect(at(await ledger.verify({}), 'leaf-duplicated')).toContain(7)
  })

  it('a forged event hides neither behind the lowest id nor behind the highest, nor behind its size', async () => {
    const ids = ['00000000-0000-0000-0000-000000000000', 'ffffffff-ffff-ffff-ffff-ffffffffffff']
    for (const id of ids) await lab.tamper(copy(JSON.stringify({ id })))
    await lab.tamper(`UPDATE ledger_event SET payload = decode(repeat('00', 60000000), 'hex') WHERE ${leafOf} 1)`)
    const report = await ledger.verify({})
    expect(report.failures).toEqual(expect.arrayContaining(ids.map((eventId) => ({ code: 'event-forged', leaf: null, eventId }))))
    expect(at(report, 'payload-altered')).toEqual([1])
  })

  it('a flood of forged events is counted, and the honest ones go on', async () => {
    await lab.tamper(`INSERT INTO ledger_event SELECT gen_random_uuid(), at, node, object_id, seal_owner, action, actor, object_kind, subjects, purpose, payload, payload_hash, mac FROM ledger_event, generate_series(1, 120) WHERE ${leafOf} 0) OR object_id IS NOT NULL`)
    await lab.fill(ledger, 10)
    const report = await ledger.verify({})
    expect(report.failureCount).toBe(2400)
    expect(report.failures.length).toBe(1000)
    expect(codes(report)).toEqual(['event-forged'])
  })

  it('a checkpoint under no key of ours is forged; ours goes on', async () => {
    await lab.tamper(`INSERT INTO ledger_checkpoint VALUES (1000000, sha256('x'), 'not a note', now())`)
    expect(codes(await ledger.verify({}))).toEqual(['checkpoint-forged'])
    await whileDown()
    await until(() => ledger.status().leading)
    await lab.fill(ledger, 3)
    expect(await ledger.verify({})).toMatchObject({ size: expect.any(Number), failures: [{ code: 'checkpoint-forged', leaf: 1000000 }] })
  })
})

describe('an order that is changed', () => {
  it('two leaves that change places do not lead to the signed root', async () => {
    await lab.tamper('ALTER TABLE ledger_leaf DROP CONSTRAINT ledger_leaf_n_check', 'UPDATE ledger_leaf SET n = -1 WHERE n = 4', 'UPDATE ledger_leaf SET n = 4 WHERE n = 5', 'UPDATE ledger_leaf SET n = 5 WHERE n = -1')
    expect(codes(await ledger.verify({}))).toEqual(['checkpoint-inconsistent'])
    await whileDown()
    await until(() => ledger.status().alarm === 'checkpoint-inconsistent')
    expect(ledger.status().leading).toBe(false)
  })

  it('the clock turned back leaves an event that says so, and a warning where time runs backwards', async () => {
    let skew = 0
    const node = await lab.open({ nodeId: uuidv7(), clock: () => Date.now() + skew })
    await node.append(lab.event(0))
    skew = -86_400_000
    await node.append(lab.event(0))
    skew = 86_400_000
    await node.append(lab.event(0))
    await until(async () => (await ledger.tail(30, 10)).length === 5)
    const actions = (await ledger.tail(30, 10)).map((e) => e.action)
    expect(actions.filter((a) => a === 'ledger.clock-jumped').length).toBe(2)
    await ledger.checkpoint()
    const report = await ledger.verify({})
    expect(report.ok).toBe(true)
    expect(report.warnings.map((w) => w.code)).toEqual(expect.arrayContaining(['clock-backwards']))
  })
})

describe('a head that is changed', () => {
  it('a checkpoint signed by another key is forged', async () => {
    const thief = generateKeyPairSync('ed25519').privateKey
    const own = openCheckpoint(head, parseVerifierKey(ledger.verifierKey())!)!
    const forged = signCheckpoint(own, thief)
    await lab.tamper(`UPDATE ledger_checkpoint SET note = '${forged}' WHERE size = 30`)
    expect(at(await ledger.verify({}), 'checkpoint-forged')).toEqual([30])
    expect((await ledger.verify({ vkey: 'nobody+00000000+AAAA' })).failures).toContainEqual({ code: 'verifier-key-invalid', leaf: null })
    expect((await ledger.verify({ since: forged })).failures).toContainEqual({ code: 'since-invalid', leaf: null })
  })

  it('a history rewritten with the stolen signing key is still not ours', async () => {
    await ledger.close()
    const rows = await lab.rows<{ n: number; hash: Buffer }>('SELECT n, hash FROM ledger_leaf ORDER BY n')
    const frontier = new Frontier()
    rows.forEach((r) => frontier.add(r.n === 3 ? leafHash(Buffer.from('x')) : r.hash))
    const note = signCheckpoint({ origin: ledgerOrigin(instance.vault.instanceId), size: 30, root: frontier.root() }, instance.vault.ledgerSigner)
    await lab.tamper(
      `UPDATE ledger_leaf SET hash = '\\x${leafHash(Buffer.from('x')).toString('hex')}' WHERE n = 3`,
      `UPDATE ledger_event SET purpose = 'job' WHERE ${leafOf} 3)`,
      `DELETE FROM ledger_checkpoint`,
      `INSERT INTO ledger_checkpoint VALUES (30, '\\x${frontier.root().toString('hex')}', '${note}', now())`,
    )
    ledger = await lab.open()
    await until(() => ledger.status().leading)
    const report = await ledger.verify({ since: head })
    expect(codes(report)).toEqual(['checkpoint-inconsistent', 'event-altered'])
  })

  it('with every key stolen, only a checkpoint kept elsewhere shows the rewriting', async () => {
    await ledger.close()
    const rows = await lab.rows<{ n: number; hash: Buffer; id: string }>('SELECT n, hash, event_id AS id FROM ledger_leaf ORDER BY n')
    const fake = prepareEvent(lab.event(0), { vault: instance.vault, nodeId: lab.nodeId, id: rows[3]!.id, at: Date.now() })
    const frontier = new Frontier()
    rows.forEach((r) => frontier.add(r.n === 3 ? fake.leaf : r.hash))
    const note = signCheckpoint({ origin: ledgerOrigin(instance.vault.instanceId), size: 30, root: frontier.root() }, instance.vault.ledgerSigner)
    const hex = (b: Buffer | null): string => (b ? `'\\x${b.toString('hex')}'` : 'NULL')
    await lab.tamper(
      `UPDATE ledger_event SET at = to_timestamp(${fake.at} / 1000.0), object_kind = 'contact', object_id = '${lab.objectId}', action = 'contact.read', purpose = 'view', subjects = ${hex(fake.subjects)}, payload = NULL, payload_hash = NULL, seal_owner = NULL, mac = ${hex(fake.mac)} WHERE id = '${fake.id}'`,
      `UPDATE ledger_leaf SET hash = ${hex(fake.leaf)} WHERE n = 3`, 'DELETE FROM ledger_checkpoint',
      `INSERT INTO ledger_checkpoint VALUES (30, ${hex(frontier.root())}, '${note}', now())`,
    )
    ledger = await lab.open()
    await until(() => ledger.status().leading)
    expect(await ledger.verify({})).toMatchObject({ ok: true, notProven: ['rollback-or-fork-since-anchor'] })
    expect(codes(await ledger.verify({ since: head }))).toEqual(['checkpoint-inconsistent'])
  })
})

describe('an older state put back', () => {
  const tables = ['ledger_event', 'ledger_leaf', 'ledger_block', 'ledger_checkpoint', 'ledger_link']
  const keep = tables.map((t) => `CREATE TABLE kept_${t} AS TABLE ${t}`)
  const putBack = tables.flatMap((t) => [`TRUNCATE ${t}`, `INSERT INTO ${t} TABLE kept_${t}`])

  it('while the server runs, it is seen at once', async () => {
    await lab.tamper(...keep)
    await lab.fill(ledger, 20)
    await lab.tamper(...putBack)
    expect(codes(await ledger.verify({}))).toContain('tree-truncated')
  })

  it('after a restart it shows with a checkpoint kept elsewhere, and without one the report says what it cannot know', async () => {
    await lab.tamper(...keep)
    const later = await lab.fill(ledger, 20)
    await whileDown(...putBack)
    await until(() => ledger.status().leading)
    expect(await ledger.verify({})).toMatchObject({ ok: true, notProven: ['rollback-or-fork-since-anchor'] })
    expect(await ledger.verify({ since: head })).toMatchObject({ ok: true, notProven: [] })
    expect(codes(await ledger.verify({ since: later }))).toEqual(['tree-truncated'])
    await lab.fill(ledger, 25)
    expect(codes(await ledger.verify({ since: later }))).toEqual(['checkpoint-inconsistent'])
  })

  it('after a restart the anchor in the home shows it by itself', async () => {
    const anchorFile = join(instance.home, `${lab.nodeId}.anchor`)
    await ledger.close()
    ledger = await lab.open({ anchorFile })
    await until(() => ledger.status().leading)
    await lab.tamper(...keep)
    await lab.fill(ledger, 20)
    await ledger.close()
    await lab.tamper(...putBack)
    ledger = await lab.open({ anchorFile, pace: { faulty: 50 } })
    await until(() => ledger.status().alarm === 'tree-truncated')
    expect(codes(await ledger.verify({}))).toContain('tree-truncated')
  })
})

describe('a process that dies', () => {
  it('between leaf and checkpoint costs nothing: the next one checks the leaves and signs', async () => {
    await ledger.close()
    const first = await lab.open({ nodeId: uuidv7(), pace: { checkpoint: 3_600_000 } })
    await until(() => first.status().leading)
    await lab.fill(first, 1)
    await Promise.all(Array.from({ length: 20 }, (_, i) => first.append(lab.event(i))))
    await until(() => first.status().size === 51)
    expect((await lab.rows<{ size: number }>('SELECT max(size) AS size FROM ledger_checkpoint'))[0]!.size).toBe(31)
    ledger = await lab.open({ pace: { retry: 20 } })
    await lab.rows(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE '%sequencer%' AND pid IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted)`)
    await until(() => ledger.status().leading)
    await ledger.checkpoint()
    expect(await ledger.verify({ since: head })).toMatchObject({ ok: true, size: 51, notProven: [] })
  })
})

describe('a schema that is broken', () => {
  it.each(['ALTER TABLE ledger_event DROP COLUMN purpose', 'DROP TABLE ledger_block', 'ALTER TABLE ledger_leaf ALTER COLUMN n TYPE text', 'DROP TABLE ledger_event CASCADE'])('%s is a finding, not an error', async (statement) => {
    await lab.fill(ledger, 230)
    await lab.tamper(...(statement.includes('TYPE text') ? ['ALTER TABLE ledger_leaf DROP CONSTRAINT ledger_leaf_n_check'] : []), statement)
    expect(codes(await ledger.verify({}))).toContain('ledger-unreadable')
  })

  it('a null where none can be is a changed event', async () => {
    await lab.tamper('ALTER TABLE ledger_event ALTER COLUMN mac DROP NOT NULL, ALTER COLUMN action DROP NOT NULL', `UPDATE ledger_event SET mac = NULL WHERE ${leafOf} 2)`, `UPDATE ledger_event SET action = NULL WHERE ${leafOf} 3)`)
    expect(at(await ledger.verify({}), 'event-altered')).toEqual([2, 3])
  })
})
