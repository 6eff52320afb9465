import { closeSync, createReadStream, createWriteStream, fsyncSync, mkdtempSync, openSync, realpathSync, rmSync, statSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { finished } from 'node:stream/promises'
import { pathToFileURL } from 'node:url'
import { uuidv7 } from '../src/kernel/base/index.ts'
import { loadConfig } from '../src/kernel/config/index.ts'
import { collectMigrations, migrate, openDb, startEmbedded, type Db } from '../src/kernel/db/index.ts'
import { openLedger, verifyBundle, type Ledger, type LedgerEvent } from '../src/kernel/ledger/index.ts'
import { createInstance, openVault, type OwnerKey, type Vault } from '../src/kernel/vault/index.ts'

export interface LedgerFigure {
  name: string
  value: number
  unit: string
}

interface Bench {
  db: Db
  ledger: Ledger
  home: string
  reads: () => LedgerEvent
}

const quiet = { info: () => {}, warn: () => {}, error: () => {} }

/** The ledger alone, on its own PostgreSQL with durability on: what an event costs, and how long a million take to verify. */
export async function ledgerBench(options: { leaves?: number; seconds?: number } = {}): Promise<LedgerFigure[]> {
  const { leaves = 1_000_000, seconds = 4 } = options
  const home = mkdtempSync(join(realpathSync(tmpdir()), 'sealbook-bench-ledger-'))
  const vault = await makeVault(home)
  const server = await startEmbedded({ home, log: quiet })
  await migrate(server.adminConfig, await collectMigrations(join(import.meta.dirname, '..', 'src', 'kernel', 'ledger')), server.appRole)
  const db = openDb(server.appConfig, { name: 'bench' })
  const ledger = await openLedger({ db, vault, nodeId: uuidv7(), log: quiet })
  const bench: Bench = { db, ledger, home, reads: await readsOf(vault) }
  try {
    const out: LedgerFigure[] = [{ name: 'fsync', value: fsyncMs(home), unit: 'ms' }]
    await appendRate(bench, 16, 1)
    for (const callers of [1, 16]) out.push(...(await appendRate(bench, callers, seconds)))
    out.push(...(await bytesPerRead(bench)))
    out.push({ name: `record and sequence up to ${leaves} leaves`, value: await fill(bench, leaves), unit: 's' })
    out.push(...(await verifying(bench)))
    return out
  } finally {
    await ledger.close()
    await db.close()
    await server.stop()
    await vault.close()
    rmSync(home, { recursive: true, force: true })
  }
}

async function makeVault(home: string): Promise<Vault> {
  const config = loadConfig({ SEALBOOK_HOME: home, SEALBOOK_ROOT_KEY_FILE: join(home, 'root.key'), SEALBOOK_LOG_LEVEL: 'silent' })
  await createInstance(config)
  return openVault(config)
}

/** Reads of a thousand contacts by ten colleagues. */
async function readsOf(vault: Vault): Promise<() => LedgerEvent> {
  const keys = await vault.createOwnerKeys(Array.from({ length: 1_010 }, () => uuidv7()))
  const pick = (from: number, count: number): OwnerKey => keys[from + Math.floor(Math.random() * count)]!
  return () => {
    const subject = pick(10, 1_000)
    return { action: 'contact.read', actor: pick(0, 10), object: { kind: 'contact', id: subject.ownerId }, subjects: [subject], purpose: 'view' }
  }
}

function fsyncMs(folder: string): number {
  const path = join(folder, 'fsync')
  const file = openSync(path, 'w')
  const page = Buffer.alloc(8192, 1)
  const started = performance.now()
  for (let i = 0; i < 200; i++) {
    writeSync(file, page)
    fsyncSync(file)
  }
  const ms = (performance.now() - started) / 200
  closeSync(file)
  rmSync(path)
  return ms
}

const seconds = (since: number): number => (performance.now() - since) / 1000

async function appendRate({ ledger, reads }: Bench, callers: number, forSeconds: number): Promise<LedgerFigure[]> {
  const started = performance.now()
  const waits: number[] = []
  await Promise.all(
    Array.from({ length: callers }, async () => {
      while (seconds(started) < forSeconds) {
        const from = performance.now()
        await ledger.append(reads())
        waits.push(performance.now() - from)
      }
    }),
  )
  waits.sort((a, b) => a - b)
  const label = `append, ${callers} caller${callers > 1 ? 's' : ''}`
  return [
    { name: label, value: waits.length / seconds(started), unit: 'events/s' },
    { name: `${label}, p95`, value: waits[Math.floor(waits.length * 0.95)]!, unit: 'ms' },
  ]
}

async function tableBytes(db: Db): Promise<Record<string, number>> {
  const rows = await db.query<{ name: string; bytes: number }>(
    `SELECT coalesce(pg_partition_root(c.oid), c.oid)::regclass::text AS name, sum(pg_total_relation_size(c.oid))::int8 AS bytes FROM pg_class c
     WHERE c.relkind = 'r' AND c.relname LIKE 'ledger\\_%' GROUP BY 1`,
  )
  return Object.fromEntries(rows.map((r) => [r.name, r.bytes]))
}

/** Tables and indexes together, over 100,000 reads by 16 callers. */
async function bytesPerRead(bench: Bench): Promise<LedgerFigure[]> {
  await bench.ledger.checkpoint()
  const before = await tableBytes(bench.db)
  const count = 100_000
  let left = count
  await Promise.all(Array.from({ length: 16 }, async () => {
    while (left-- > 0) await bench.ledger.append(bench.reads())
  }))
  await bench.ledger.checkpoint()
  const after = await tableBytes(bench.db)
  const each = Object.keys(after).map((name) => ({ name, bytes: (after[name]! - (before[name] ?? 0)) / count }))
  return [
    { name: 'bytes per read event', value: each.reduce((sum, t) => sum + t.bytes, 0), unit: 'B' },
    ...each.filter((t) => t.bytes > 1).map((t) => ({ name: `  of it ${t.name}`, value: t.bytes, unit: 'B' })),
  ]
}

async function fill({ db, ledger, reads }: Bench, leaves: number): Promise<number> {
  const started = performance.now()
  for (let missing = leaves - ledger.status().size; missing > 0; missing -= 5_000) {
    const batch = Array.from({ length: Math.min(5_000, missing) }, reads)
    ledger.committed(await db.tx((tx) => ledger.recordMany(tx, batch)))
  }
  while (ledger.status().size < leaves) await ledger.checkpoint()
  return seconds(started)
}

async function verifying({ ledger, home }: Bench): Promise<LedgerFigure[]> {
  const leaves = ledger.status().size
  const live = performance.now()
  const before = process.cpuUsage()
  const report = await ledger.verify({})
  const liveSeconds = seconds(live)
  const cpu = process.cpuUsage(before)
  if (!report.ok) throw new Error(`the ledger does not verify: ${JSON.stringify(report.failures.slice(0, 3))}`)
  const path = join(home, 'bundle.jsonl')
  const exporting = performance.now()
  const out = createWriteStream(path)
  await ledger.exportBundle(out, {})
  out.end()
  await finished(out)
  const exportSeconds = seconds(exporting)
  const offline = performance.now()
  const bundle = await verifyBundle(createReadStream(path, { highWaterMark: 1 << 20 }), { vkey: ledger.verifierKey() })
  if (!bundle.ok) throw new Error('the bundle does not verify')
  const proving = performance.now()
  for (let i = 0; i < 200; i++) await ledger.proof(Math.floor(Math.random() * leaves))
  return [
    { name: `verify live, ${leaves} leaves`, value: liveSeconds, unit: 's' },
    { name: '  processor time of this process', value: (cpu.user + cpu.system) / 1e6, unit: 's' },
    { name: `export, ${leaves} events`, value: exportSeconds, unit: 's' },
    { name: 'bundle', value: statSync(path).size / 1e6, unit: 'MB' },
    { name: `verify bundle offline, ${leaves} events`, value: (proving - offline) / 1000, unit: 's' },
    { name: 'inclusion proof', value: (performance.now() - proving) / 200, unit: 'ms' },
    { name: 'memory of this process', value: process.memoryUsage().rss / 1e6, unit: 'MB' },
  ]
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const figures = await ledgerBench({ leaves: Number(process.argv[2] ?? 1_000_000) })
  for (const { name, value, unit } of figures) console.log(`${name.padEnd(44)} ${value.toFixed(value < 10 ? 2 : 0).padStart(10)} ${unit}`)
}
