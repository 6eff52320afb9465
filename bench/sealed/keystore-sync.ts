// Says how durable the key store's writer is: runs the writer of src/kernel/vault on a scratch store and prints the
// `PRAGMA synchronous` of its connection (2 = FULL). Another connection cannot see it, so this file is also loaded into the
// writer's thread (node --import), where it looks just before the connection closes.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { pathToFileURL } from 'node:url'
import { isMainThread } from 'node:worker_threads'
import { uuidBytes, uuidv7 } from '../../src/kernel/base/index.ts'

const REPORT = 'BENCH_KEYSTORE_REPORT'

function reportOnClose(file: string): void {
  const close = DatabaseSync.prototype.close
  DatabaseSync.prototype.close = function (this: DatabaseSync) {
    const { synchronous } = this.prepare('PRAGMA synchronous').get() as { synchronous: number } // the pragma's one column
    writeFileSync(file, String(synchronous))
    close.call(this)
  }
}

async function writeOnce(folder: string): Promise<void> {
  const { createKeyStore, KeyStore } = await import('../../src/kernel/vault/keystore.ts')
  const path = join(folder, 'keystore.sqlite')
  createKeyStore(path, uuidv7())
  const store = new KeyStore(path)
  await store.write([{ op: 'owner', id: uuidBytes(uuidv7()), epoch: 1, version: 1, wrapped: Buffer.alloc(60) }])
  await store.close()
}

/** 2 for FULL; 0, 1 for less; NaN when the writer said nothing. */
export function keyStoreSynchronous(): number {
  const folder = mkdtempSync(join(tmpdir(), 'sealbook-bench-'))
  const report = join(folder, 'report')
  try {
    writeFileSync(report, '')
    spawnSync(process.execPath, ['--import', pathToFileURL(import.meta.filename).href, import.meta.filename, folder], { env: { ...process.env, [REPORT]: report }, stdio: 'ignore' })
    return Number.parseInt(readFileSync(report, 'utf8'), 10)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const report = process.env[REPORT]
if (report && !isMainThread) reportOnClose(report)
if (report && isMainThread && process.argv[1] === import.meta.filename) await writeOnce(process.argv[2] ?? '')
