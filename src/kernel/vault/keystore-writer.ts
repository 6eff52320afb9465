// The only writer of the key store. Everything that waits is written in one transaction and answered after its fsync.
import { DatabaseSync } from 'node:sqlite'
import { pathToFileURL } from 'node:url'
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import type { KeyWrite } from './keystore.ts'

type Asked = { id: number; writes: KeyWrite[] }
type Message = Asked[] | { close: true }

const port = parentPort
if (!port) throw new Error('runs as a worker only')
const { path } = workerData as { path: string }
// mode=rw: a store that was moved away is never replaced by an empty one.
const url = pathToFileURL(path)
url.searchParams.set('mode', 'rw')
const db = new DatabaseSync(url)
const LOCK_MS = 2000
db.exec(`PRAGMA busy_timeout=${LOCK_MS}; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA secure_delete=ON;`)

// A buried owner never gets a key again: "no key" must not mean "make a new one".
const insertOwner = db.prepare('INSERT INTO owner_key (id, epoch, version, wrapped) SELECT ?1, ?2, ?3, ?4 WHERE NOT EXISTS (SELECT 1 FROM tombstone WHERE id = ?1)')
const deleteOwner = db.prepare('DELETE FROM owner_key WHERE id = ?')
const bury = db.prepare('INSERT OR IGNORE INTO tombstone (id, at) VALUES (?, ?)')
const putPurpose = db.prepare('INSERT INTO purpose (name, epoch, wrapped, created_at) VALUES (?, ?, ?, ?)')
const putCustodian = db.prepare('INSERT INTO custodian (kind, params, wrapped, created_at) VALUES (?, ?, ?, ?) ON CONFLICT (kind) DO UPDATE SET params = excluded.params, wrapped = excluded.wrapped, created_at = excluded.created_at')
const dropCustodian = db.prepare('DELETE FROM custodian WHERE kind = ?')

const ID = 16

function addOwner(id: Uint8Array, epoch: number, version: number, wrapped: Uint8Array): void {
  if (insertOwner.run(id, epoch, version, wrapped).changes !== 1) throw new Error('owner is erased')
}

function addOwners({ ids, epoch, version, wrapped }: Extract<KeyWrite, { op: 'owners' }>): void {
  const count = ids.length / ID
  const size = wrapped.length / count
  if (!Number.isInteger(count) || !Number.isInteger(size)) throw new Error('ids and keys do not fit together')
  for (let i = 0; i < count; i++) addOwner(ids.subarray(i * ID, (i + 1) * ID), epoch, version, wrapped.subarray(i * size, (i + 1) * size))
}

function apply(w: KeyWrite): void {
  if (w.op === 'owner') addOwner(w.id, w.epoch, w.version, w.wrapped)
  else if (w.op === 'owners') addOwners(w)
  else if (w.op === 'destroy') {
    bury.run(w.id, w.at)
    deleteOwner.run(w.id)
  } else if (w.op === 'purpose') putPurpose.run(w.purpose, w.epoch, w.wrapped, w.at)
  else if (w.op === 'custodian') putCustodian.run(w.kind, w.params, w.wrapped, w.at)
  else dropCustodian.run(w.kind)
}

const textOf = (error: unknown): string => (error instanceof Error ? error.message : 'failed')
// Nothing to write asks for just that: that what was erased before is gone from the log.
const erases = (m: Asked): boolean => m.writes.length === 0 || m.writes.some((w) => w.op === 'destroy' || w.op === 'custodian' || w.op === 'custodian-remove')

const savepoint = db.prepare('SAVEPOINT asked')
const release = db.prepare('RELEASE asked')

/** One asked write by itself: it is refused whole, and does not fail its neighbours nor cost them a commit each. Throws when the whole transaction is lost. */
function applyAlone(m: Asked): string | null {
  savepoint.run()
  let refused: string | null = null
  try {
    for (const w of m.writes) apply(w)
  } catch (error) {
    if (!db.isTransaction) throw error
    db.exec('ROLLBACK TO asked')
    refused = textOf(error)
  }
  release.run()
  return refused
}

function commit(batch: readonly Asked[]): void {
  const done: Asked[] = []
  const refused: { id: number; error: string }[] = []
  try {
    db.exec('BEGIN IMMEDIATE')
    for (const m of batch) {
      const error = applyAlone(m)
      if (error === null) done.push(m)
      else refused.push({ id: m.id, error })
    }
    db.exec('COMMIT')
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK')
    port!.postMessage({ ids: batch.map((m) => m.id), error: textOf(error) })
    return
  }
  for (const { id, error } of refused) port!.postMessage({ ids: [id], error })
  const ids = done.filter((m) => !erases(m)).map((m) => m.id)
  if (ids.length > 0) port!.postMessage({ ids })
  const owing = done.filter(erases).map((m) => m.id)
  if (owing.length > 0) scrub(owing)
}

/*
 * What was deleted stays readable in the write-ahead log until that is truncated (measured), whatever secure_delete
 * says, and it cannot be truncated while somebody reads an older state. So the answer waits, and other writes go on.
 */
const SCRUB_MS = 30_000
let owed: { id: number; until: number }[] = []
let again: NodeJS.Timeout | null = null

function truncated(): { done: boolean; error: string } {
  try {
    db.exec('PRAGMA busy_timeout=100')
    const row = db.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get() as { busy: number }
    return { done: row.busy === 0, error: 'a reader holds the write-ahead log' }
  } catch (error) {
    return { done: false, error: textOf(error) }
  } finally {
    db.exec(`PRAGMA busy_timeout=${LOCK_MS}`)
  }
}

function scrub(ids: readonly number[], last = false): void {
  owed.push(...ids.map((id) => ({ id, until: Date.now() + SCRUB_MS })))
  const { done, error } = truncated()
  const over = done || last ? owed : owed.filter((o) => o.until <= Date.now())
  owed = owed.filter((o) => !over.includes(o))
  if (over.length > 0) port!.postMessage(done ? { ids: over.map((o) => o.id) } : { ids: over.map((o) => o.id), error: `erased, but still in the file: ${error}` })
  if (again) clearTimeout(again)
  again = owed.length > 0 ? setTimeout(() => scrub([]), 200) : null
}

port.on('message', (first: Message) => {
  const batch: Asked[] = []
  let closing = false
  for (let m: Message | undefined = first; m; m = receiveMessageOnPort(port)?.message as Message | undefined) {
    if ('close' in m) closing = true
    else batch.push(...m)
  }
  if (batch.length > 0) commit(batch)
  if (closing) {
    scrub([], true)
    db.close()
    port.close()
  }
})
