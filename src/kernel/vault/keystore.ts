import { closeSync, existsSync, openSync, rmSync, statSync } from 'node:fs'
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
  /** Several at once: their ids one after the other, and their wrapped keys, all of one length. Hundreds of small arrays are dear to pass between threads. */
  | { op: 'owners'; ids: Uint8Array; epoch: number; version: number; wrapped: Uint8Array }
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

/** Makes an empty key store, readable by its owner only from the first byte. Throws a Refusal, and leaves no file, when there is one already or it cannot be written. */
export function createKeyStore(path: string, instanceId: string): void {
  if (existsSync(path)) throw new Refusal('key-store-exists', 'This home already has a key store; nothing was changed.')
  let ours = false
  try {
    closeSync(openSync(path, 'wx', 0o600))
    ours = true
    fillKeyStore(path, instanceId)
  } catch (error) {
    if (ours) removeKeyStore(path)
    throw new Refusal('key-store-not-written', `The key store ${path} cannot be written: free some space or correct the rights of its folder; nothing was changed.`, 4, error)
  }
}

function fillKeyStore(path: string, instanceId: string): void {
  const db = new DatabaseSync(path)
  try {
    db.exec('PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;')
    db.exec(SCHEMA)
    const put = db.prepare('INSERT INTO meta (name, value) VALUES (?, ?)')
    put.run('format', FORMAT)
    put.run('instance', instanceId)
  } finally {
    db.close()
  }
}

/** Takes away a key store that was never used: the remains of a creation that did not finish. */
export function removeKeyStore(path: string): void {
  for (const tail of ['', '-wal', '-shm', '-journal']) rmSync(path + tail, { force: true })
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
  readonly #range: StatementSync
  readonly #buried: StatementSync
  readonly #waiting = new Map<number, { resolve: () => void; reject: (e: unknown) => void }>()
  #outbox: { id: number; writes: readonly KeyWrite[] }[] = []
  // Started by the first write: whoever only reads (the lens's filling threads) never opens the file for writing.
  #writer: { thread: Worker; ended: Promise<void> } | null = null
  #sequence = 0
  #closing: Promise<void> | null = null

  constructor(path: string) {
    if (!existsSync(path)) throw new Refusal('key-store-missing', `There is no key store at ${path}: put it back from its own backup; nothing was changed.`)
    this.path = path
    let db: DatabaseSync | null = null
    try {
      db = new DatabaseSync(path, { readOnly: true })
      const meta = db.prepare('SELECT value FROM meta WHERE name = ?')
      const format = (meta.get('format') as { value: string } | undefined)?.value
      if (format !== FORMAT) throw new Refusal('key-store-format', 'This key store was written by another version of Sealbook: use that version, nothing was changed.')
      this.instanceId = (meta.get('instance') as { value: string }).value
      this.#get = db.prepare('SELECT epoch, version, wrapped FROM owner_key WHERE id = ?')
      this.#range = db.prepare('SELECT id, epoch, version, wrapped FROM owner_key WHERE id BETWEEN ? AND ? ORDER BY id DESC LIMIT ?')
      this.#buried = db.prepare('SELECT 1 FROM tombstone WHERE id = ?')
      this.#db = db
    } catch (error) {
      db?.close()
      throw error instanceof Refusal ? error : damaged(path, error)
    }
  }

  /** The wrapped key of an owner. Throws Problem key-unavailable when the store cannot be read. */
  ownerKey(ownerId: string): WrappedOwnerKey | null {
    const id = uuidBytes(ownerId)
    const row = this.#read(() => this.#get.get(id)) as { epoch: number; version: number; wrapped: Uint8Array } | undefined
    return row ? { ownerId, epoch: row.epoch, keyVersion: row.version, wrapped: Buffer.from(row.wrapped) } : null
  }

  /** The wrapped keys of several owners, as far as there are any. Those of a page of rows were made one after the other, so they are read as a range, and what that did not reach by itself. */
  ownerKeys(ownerIds: readonly string[]): Map<string, WrappedOwnerKey> {
    const found = new Map<string, WrappedOwnerKey>()
    const sorted = [...new Set(ownerIds)].sort()
    const [first, last] = [sorted[0], sorted.at(-1)]
    if (first === undefined || last === undefined) return found
    const wanted = new Set(sorted)
    const [from, to] = [uuidBytes(first), uuidBytes(last)]
    for (const r of this.#read(() => this.#range.all(from, to, 2 * sorted.length)) as unknown as OwnerRow[]) {
      const ownerId = uuidText(r.id)
      if (wanted.has(ownerId)) found.set(ownerId, wrappedOf(ownerId, r))
    }
    for (const ownerId of sorted) {
      const row = found.has(ownerId) ? null : this.ownerKey(ownerId)
      if (row) found.set(ownerId, row)
    }
    return found
  }

  isBuried(ownerId: string): boolean {
    const id = uuidBytes(ownerId)
    return this.#read(() => this.#buried.get(id)) !== undefined
  }

  /** Throws a Refusal key-store-damaged. */
  purposes(): PurposeRow[] {
    const rows = this.#all('SELECT name, epoch, wrapped, created_at FROM purpose ORDER BY name, epoch') as { name: string; epoch: number; wrapped: Uint8Array; created_at: string }[]
    return rows.map((r) => ({ purpose: r.name, epoch: r.epoch, wrapped: Buffer.from(r.wrapped), createdAt: r.created_at }))
  }

  /** Throws a Refusal key-store-damaged. */
  custodians(): CustodianRow[] {
    const rows = this.#all('SELECT kind, params, wrapped, created_at FROM custodian ORDER BY kind') as { kind: string; params: string; wrapped: Uint8Array; created_at: string }[]
    return rows.map((r) => ({ kind: r.kind, params: r.params, wrapped: Buffer.from(r.wrapped), createdAt: r.created_at }))
  }

  count(): number {
    return (this.#read(() => this.#db.prepare('SELECT count(*) AS n FROM owner_key').get()) as { n: number }).n
  }

  /** Owners that ever had a key here, the erased ones too: what one wrapping key was used for. */
  wraps(): number {
    return this.count() + (this.#read(() => this.#db.prepare('SELECT count(*) AS n FROM tombstone').get()) as { n: number }).n
  }

  /**
   * Every wrapped key, newest id first, for the lens's sequential scan. Read a page at a time: one long read would
   * keep the write-ahead log, and every key erased meanwhile, in the file.
   */
  *scan(): Iterable<WrappedOwnerKey> {
    const page = this.#db.prepare('SELECT id, epoch, version, wrapped FROM owner_key WHERE id < ? ORDER BY id DESC LIMIT 1000')
    let rows = this.#read(() => this.#db.prepare('SELECT id, epoch, version, wrapped FROM owner_key ORDER BY id DESC LIMIT 1000').all()) as unknown as OwnerRow[]
    while (rows.length > 0) {
      for (const r of rows) yield wrappedOf(uuidText(r.id), r)
      const last = rows.at(-1)!.id
      rows = this.#read(() => page.all(last)) as unknown as OwnerRow[]
    }
  }

  /** Resolves once all of it is durable, in one commit with whatever else was waiting, and once what was erased is gone from the files. Throws Problem key-unavailable. */
  write(writes: readonly KeyWrite[]): Promise<void> {
    if (this.#closing) return Promise.reject(new Problem('key-unavailable', { cause: new Error('closed') }))
    const id = ++this.#sequence
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject })
      // All that one turn of the event loop asks for is one message: each costs both threads more than what it says.
      if (this.#outbox.push({ id, writes }) === 1) setImmediate(() => this.#post())
    })
  }

  #post(): void {
    // Those that were refused meanwhile, with the writer that ended, are not written behind their askers' backs.
    const asked = this.#outbox.splice(0).filter(({ id }) => this.#waiting.has(id))
    if (asked.length === 0) return
    this.#writer ??= this.#start()
    this.#writer.thread.ref()
    this.#writer.thread.postMessage(asked)
  }

  /** Folds a log that a killed process left into the file: it may hold keys that were erased, and not answered for. */
  async tidy(): Promise<void> {
    if ((statSync(`${this.path}-wal`, { throwIfNoEntry: false })?.size ?? 0) > 0) await this.write([])
  }

  /** Ends after everything that was asked is written. May be called twice. */
  close(): Promise<void> {
    this.#closing ??= this.#end()
    return this.#closing
  }

  async #end(): Promise<void> {
    // The reader first: the last connection to close folds the write-ahead log into the file, and only a writer can.
    this.#db.close()
    this.#post()
    const writer = this.#writer
    if (!writer) return
    writer.thread.ref()
    writer.thread.postMessage({ close: true })
    await writer.ended
  }

  #start(): { thread: Worker; ended: Promise<void> } {
    const thread = new Worker(new URL('./keystore-writer.ts', import.meta.url), { workerData: { path: this.path } })
    let why: unknown = new Error('key store writer ended')
    thread.on('message', (m: { ids: number[]; error?: string }) => this.#settle(m))
    thread.on('error', (error) => (why = error))
    const ended = new Promise<void>((resolve) => {
      thread.on('exit', () => {
        // A writer that could not go on (disk full, file taken away) is replaced by the next write.
        this.#writer = null
        for (const w of this.#waiting.values()) w.reject(new Problem('key-unavailable', { cause: why }))
        this.#waiting.clear()
        resolve()
      })
    })
    return { thread, ended }
  }

  #settle(m: { ids: number[]; error?: string }): void {
    for (const id of m.ids) {
      const waiter = this.#waiting.get(id)
      this.#waiting.delete(id)
      if (m.error === undefined) waiter?.resolve()
      else waiter?.reject(new Problem('key-unavailable', { cause: new Error(m.error) }))
    }
    if (this.#waiting.size === 0 && !this.#closing) this.#writer?.thread.unref()
  }

  #read<T>(of: () => T): T {
    try {
      return of()
    } catch (error) {
      throw new Problem('key-unavailable', { cause: error })
    }
  }

  #all(sql: string): unknown[] {
    try {
      return this.#db.prepare(sql).all()
    } catch (error) {
      throw damaged(this.path, error)
    }
  }
}

type OwnerRow = { id: Uint8Array; epoch: number; version: number; wrapped: Uint8Array }

function wrappedOf(ownerId: string, r: OwnerRow): WrappedOwnerKey {
  return { ownerId, epoch: r.epoch, keyVersion: r.version, wrapped: Buffer.from(r.wrapped.buffer, r.wrapped.byteOffset, r.wrapped.byteLength) }
}

function damaged(path: string, cause: unknown): Refusal {
  return new Refusal('key-store-damaged', `The key store at ${path} cannot be read: correct its rights, or put it back from its own backup; nothing was changed.`, 4, cause)
}
