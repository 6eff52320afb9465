import { existsSync, chmodSync } from 'node:fs'
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { Worker } from 'node:worker_threads'
import { Problem, Refusal, uuidBytes, uuidText } from '../base/index.ts'

export interface WrappedOwnerKey {
  ownerId: string
  epoch: number
  keyVersion: number
  wrapped: Buffer
}

export interface PurposeRow {
  purpose: string
  epoch: number
  wrapped: Buffer
  createdAt: string
}

export interface CustodianRow {
  kind: string
  params: string
  wrapped: Buffer
  createdAt: string
}

/** What the writer thread is asked: statements of one group, committed together. */
export type KeyWrite =
  | { op: 'owner'; id: Uint8Array; epoch: number; version: number; wrapped: Uint8Array }
  | { op: 'destroy'; id: Uint8Array; at: string }
  | { op: 'purpose'; purpose: string; epoch: number; wrapped: Uint8Array; at: string }
  | { op: 'custodian'; kind: string; params: string; wrapped: Uint8Array; at: string }
  | { op: 'custodian-remove'; kind: string }

const SCHEMA = `
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS custodian (kind TEXT PRIMARY KEY, params TEXT NOT NULL, wrapped BLOB NOT NULL, created_at TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS purpose (name TEXT NOT NULL, epoch INTEGER NOT NULL, wrapped BLOB NOT NULL, created_at TEXT NOT NULL, PRIMARY KEY (name, epoch)) STRICT;
CREATE TABLE IF NOT EXISTS owner_key (id BLOB PRIMARY KEY, epoch INTEGER NOT NULL, version INTEGER NOT NULL, wrapped BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS tombstone (id BLOB PRIMARY KEY, at TEXT NOT NULL) STRICT, WITHOUT ROWID;
`

const FORMAT = '1'

/** Makes an empty key store. Throws a Refusal when there is one already. */
export function createKeyStore(path: string, instanceId: string): void {
  if (existsSync(path)) throw new Refusal('key-store-exists', 'This home already has a key store; nothing was changed.')
  const db = new DatabaseSync(path)
  chmodSync(path, 0o600)
  db.exec('PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;')
  db.exec(SCHEMA)
  const put = db.prepare('INSERT INTO meta (name, value) VALUES (?, ?)')
  put.run('format', FORMAT)
  put.run('instance', instanceId)
  db.close()
}

/**
 * The store of wrapped keys (node:sqlite), apart from the database. Reads are synchronous (microseconds); writes are
 * committed in groups by a thread of their own, since a commit on the main thread would block the loop for milliseconds.
 */
export class KeyStore {
  readonly instanceId: string
  readonly path: string
  readonly #db: DatabaseSync
  readonly #get: StatementSync
  readonly #buried: StatementSync
  readonly #writer: Worker
  readonly #waiting = new Map<number, { resolve: () => void; reject: (e: unknown) => void }>()
  #sequence = 0
  #dead: unknown = null

  constructor(path: string) {
    if (!existsSync(path)) throw new Refusal('key-store-missing', `There is no key store at ${path}: put it back from its own backup; nothing was changed.`)
    this.path = path
    try {
      this.#db = new DatabaseSync(path, { readOnly: true })
      const meta = this.#db.prepare('SELECT value FROM meta WHERE name = ?')
      const format = (meta.get('format') as { value: string } | undefined)?.value
      if (format !== FORMAT) throw new Refusal('key-store-format', 'This key store was written by another version of Sealbook: use that version, nothing was changed.')
      this.instanceId = (meta.get('instance') as { value: string }).value
      this.#get = this.#db.prepare('SELECT epoch, version, wrapped FROM owner_key WHERE id = ?')
      this.#buried = this.#db.prepare('SELECT 1 FROM tombstone WHERE id = ?')
    } catch (error) {
      if (error instanceof Refusal) throw error
      throw new Refusal('key-store-damaged', `The key store at ${path} cannot be read: put it back from its own backup; nothing was changed.`, 4, error)
    }
    this.#writer = new Worker(new URL('./keystore-writer.ts', import.meta.url), { workerData: { path } })
    this.#writer.unref()
    this.#writer.on('message', (m: { ids: number[]; error?: string }) => this.#settle(m))
    this.#writer.on('error', (e) => this.#fail(e))
    this.#writer.on('exit', () => this.#fail(new Error('key store writer ended')))
  }

  ownerKey(ownerId: string): WrappedOwnerKey | null {
    const row = this.#get.get(uuidBytes(ownerId)) as { epoch: number; version: number; wrapped: Uint8Array } | undefined
    return row ? { ownerId, epoch: row.epoch, keyVersion: row.version, wrapped: Buffer.from(row.wrapped) } : null
  }

  isBuried(ownerId: string): boolean {
    return this.#buried.get(uuidBytes(ownerId)) !== undefined
  }

  purposes(): PurposeRow[] {
    const rows = this.#db.prepare('SELECT name, epoch, wrapped, created_at FROM purpose ORDER BY name, epoch').all() as { name: string; epoch: number; wrapped: Uint8Array; created_at: string }[]
    return rows.map((r) => ({ purpose: r.name, epoch: r.epoch, wrapped: Buffer.from(r.wrapped), createdAt: r.created_at }))
  }

  custodians(): CustodianRow[] {
    const rows = this.#db.prepare('SELECT kind, params, wrapped, created_at FROM custodian ORDER BY kind').all() as { kind: string; params: string; wrapped: Uint8Array; created_at: string }[]
    return rows.map((r) => ({ kind: r.kind, params: r.params, wrapped: Buffer.from(r.wrapped), createdAt: r.created_at }))
  }

  count(): number {
    return (this.#db.prepare('SELECT count(*) AS n FROM owner_key').get() as { n: number }).n
  }

  /** Every wrapped key in id order, for the lens's sequential scan. */
  *scan(): Iterable<WrappedOwnerKey> {
    for (const row of this.#db.prepare('SELECT id, epoch, version, wrapped FROM owner_key ORDER BY id DESC').iterate()) {
      const r = row as { id: Uint8Array; epoch: number; version: number; wrapped: Uint8Array }
      yield { ownerId: uuidText(r.id), epoch: r.epoch, keyVersion: r.version, wrapped: Buffer.from(r.wrapped) }
    }
  }

  /** Resolves once all of it is durable, in one commit with whatever else was waiting. Throws Problem key-unavailable. */
  write(writes: readonly KeyWrite[]): Promise<void> {
    if (this.#dead) return Promise.reject(new Problem('key-unavailable', { cause: this.#dead }))
    const id = ++this.#sequence
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject })
      this.#writer.ref()
      this.#writer.postMessage({ id, writes })
    })
  }

  async close(): Promise<void> {
    this.#dead = new Error('closed')
    this.#db.close()
    this.#writer.ref()
    this.#writer.removeAllListeners('exit')
    const ended = new Promise((resolve) => this.#writer.once('exit', resolve))
    this.#writer.postMessage({ close: true })
    await ended
  }

  #settle(m: { ids: number[]; error?: string }): void {
    for (const id of m.ids) {
      const waiter = this.#waiting.get(id)
      this.#waiting.delete(id)
      if (m.error === undefined) waiter?.resolve()
      else waiter?.reject(new Problem('key-unavailable', { cause: new Error(m.error) }))
    }
    if (this.#waiting.size === 0) this.#writer.unref()
  }

  #fail(error: unknown): void {
    this.#dead ??= error
    for (const w of this.#waiting.values()) w.reject(new Problem('key-unavailable', { cause: error }))
    this.#waiting.clear()
  }
}
