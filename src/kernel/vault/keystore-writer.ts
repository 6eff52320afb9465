// The only writer of the key store. Everything that waits is written in one transaction and answered after its fsync.
import { DatabaseSync } from 'node:sqlite'
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import type { KeyWrite } from './keystore.ts'

type Message = { id: number; writes: KeyWrite[] } | { close: true }

const port = parentPort
if (!port) throw new Error('runs as a worker only')
const { path } = workerData as { path: string }
const db = new DatabaseSync(path)
db.exec('PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA secure_delete=ON; PRAGMA busy_timeout=2000;')

// A buried owner never gets a key again: "no key" must not mean "make a new one".
const insertOwner = db.prepare('INSERT INTO owner_key (id, epoch, version, wrapped) SELECT ?1, ?2, ?3, ?4 WHERE NOT EXISTS (SELECT 1 FROM tombstone WHERE id = ?1)')
const deleteOwner = db.prepare('DELETE FROM owner_key WHERE id = ?')
const bury = db.prepare('INSERT OR IGNORE INTO tombstone (id, at) VALUES (?, ?)')
const putPurpose = db.prepare('INSERT INTO purpose (name, epoch, wrapped, created_at) VALUES (?, ?, ?, ?)')
const putCustodian = db.prepare('INSERT INTO custodian (kind, params, wrapped, created_at) VALUES (?, ?, ?, ?) ON CONFLICT (kind) DO UPDATE SET params = excluded.params, wrapped = excluded.wrapped, created_at = excluded.created_at')
const dropCustodian = db.prepare('DELETE FROM custodian WHERE kind = ?')

function apply(w: KeyWrite): void {
  if (w.op === 'owner') {
    if (insertOwner.run(w.id, w.epoch, w.version, w.wrapped).changes !== 1) throw new Error('owner is erased')
  } else if (w.op === 'destroy') {
    bury.run(w.id, w.at)
    deleteOwner.run(w.id)
  } else if (w.op === 'purpose') putPurpose.run(w.purpose, w.epoch, w.wrapped, w.at)
  else if (w.op === 'custodian') putCustodian.run(w.kind, w.params, w.wrapped, w.at)
  else dropCustodian.run(w.kind)
}

function commit(batch: readonly { id: number; writes: KeyWrite[] }[]): void {
  const ids = batch.map((m) => m.id)
  try {
    db.exec('BEGIN IMMEDIATE')
    for (const m of batch) for (const w of m.writes) apply(w)
    db.exec('COMMIT')
    // A deleted key stays readable in the file until the write-ahead log is truncated (measured), whatever secure_delete says.
    if (batch.some((m) => m.writes.some((w) => w.op === 'destroy'))) db.exec('PRAGMA wal_checkpoint(TRUNCATE)')
    port!.postMessage({ ids })
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK')
    if (batch.length > 1) for (const m of batch) commit([m]) // one bad write must not fail its neighbours
    else port!.postMessage({ ids, error: error instanceof Error ? error.message : 'failed' })
  }
}

port.on('message', (first: Message) => {
  const batch: { id: number; writes: KeyWrite[] }[] = []
  let closing = false
  for (let m: Message | undefined = first; m; m = receiveMessageOnPort(port)?.message as Message | undefined) {
    if ('close' in m) closing = true
    else batch.push(m)
  }
  if (batch.length > 0) commit(batch)
  if (closing) {
    db.exec('PRAGMA wal_checkpoint(TRUNCATE)')
    db.close()
    port.close()
  }
})
