import { randomBytes } from 'node:crypto'
import { mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable, Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { pathToFileURL } from 'node:url'
import { uuidv7 } from '../src/kernel/base/index.ts'
import { loadConfig } from '../src/kernel/config/index.ts'
import { createInstance, createSealedFile, KeyStore, openSealedFile, openVault, Purposes, unwrapOwnerKey, type Cell, type OpenedVault } from '../src/kernel/vault/index.ts'

export interface VaultFigure {
  name: string
  value: number
  unit: string
}

const KEYS = 10_000
const FILE_MIB = 128
const cellOf = (rowId: string): Cell => ({ table: 'contacts', compartment: 'main', rowId, rowVersion: 1, bound: Buffer.alloc(120) })

const ids = (n: number): string[] => Array.from({ length: n }, () => uuidv7())

/** The median of five runs, microseconds a call; the first run warms up and is not counted. */
function each(calls: number, call: (i: number) => void): number {
  const runs: number[] = []
  for (let run = 0; run < 6; run++) {
    const begun = performance.now()
    for (let i = 0; i < calls; i++) call(i)
    if (run > 0) runs.push(((performance.now() - begun) * 1000) / calls)
  }
  return runs.sort((a, b) => a - b)[2]!
}

async function timed(calls: number, work: () => Promise<unknown>): Promise<number> {
  const begun = performance.now()
  await work()
  return ((performance.now() - begun) * 1000) / calls
}

async function keyFigures(vault: OpenedVault): Promise<VaultFigure[]> {
  const one = async (): Promise<void> => {
    for (let i = 0; i < 50; i++) await vault.createOwnerKeys([uuidv7()])
  }
  const together = async (): Promise<void> => {
    for (let i = 0; i < 20; i++) await Promise.all(ids(16).map((id) => vault.createOwnerKeys([id])))
  }
  const gone = await vault.createOwnerKeys(ids(20))
  const destroy = async (): Promise<void> => {
    for (const key of gone) await vault.destroyOwnerKey(key.ownerId)
  }
  return [
    { name: 'create a key, one after the other, durable', value: await timed(50, one), unit: 'µs' },
    { name: 'create a key, 16 callers', value: await timed(320, together), unit: 'µs' },
    { name: 'create a key, 1,000 at once', value: await timed(1000, () => vault.createOwnerKeys(ids(1000))), unit: 'µs' },
    { name: 'destroy a key, out of every file', value: await timed(20, destroy), unit: 'µs' },
  ]
}

async function cellFigures(vault: OpenedVault, home: string): Promise<VaultFigure[]> {
  const keys = await vault.createOwnerKeys(ids(KEYS))
  const plain = randomBytes(200)
  const cells = keys.map((k) => cellOf(k.ownerId))
  const sealed = keys.map((k, i) => vault.seal(k, cells[i]!, plain))
  const store = new KeyStore(join(home, 'keys', 'keystore.sqlite'))
  const purposes = new Purposes(vault.instanceId, vault.rootForThreads(), store.purposes())
  const cold = (i: number): void => {
    const key = unwrapOwnerKey(vault.instanceId, purposes, store.ownerKey(keys[i]!.ownerId)!)
    vault.open(key, cells[i]!, sealed[i]!)
  }
  const figures = [
    { name: 'seal 200 bytes', value: each(KEYS, (i) => vault.seal(keys[i]!, cells[i]!, plain)), unit: 'µs' },
    { name: 'open 200 bytes', value: each(KEYS, (i) => vault.open(keys[i]!, cells[i]!, sealed[i]!)), unit: 'µs' },
    { name: 'read, unwrap and open', value: each(KEYS, cold), unit: 'µs' },
    { name: 'read a wrapped key', value: each(KEYS, (i) => store.ownerKey(keys[i]!.ownerId)), unit: 'µs' },
    { name: 'blind index of an e-mail', value: each(KEYS, (i) => vault.blind('contacts.emails', `person${i}@example.com`)), unit: 'µs' },
    { name: 'authority MAC', value: each(KEYS, () => vault.mac('authority', plain)), unit: 'µs' },
  ]
  await store.close()
  return figures
}

async function fileFigures(vault: OpenedVault, folder: string): Promise<VaultFigure[]> {
  const path = join(folder, 'file.sealed')
  const piece = randomBytes(256 * 1024)
  const write = (): Promise<void> => pipeline(Readable.from(Array.from({ length: FILE_MIB * 4 }, () => piece)), createSealedFile(vault, path, 'bench'))
  const written = await timed(1, write)
  const read = async (): Promise<void> => {
    const file = await openSealedFile(vault, path, 'bench')
    await pipeline(file.stream(), new Writable({ write: (_bytes, _encoding, done) => done() }))
    await file.close()
  }
  const mibPerSecond = (micros: number): number => FILE_MIB / (micros / 1_000_000)
  return [
    { name: 'write a sealed file, fsync at its end', value: mibPerSecond(written), unit: 'MiB/s' },
    { name: 'read a sealed file', value: mibPerSecond(await timed(1, read)), unit: 'MiB/s' },
  ]
}

/** The vault alone: microseconds of one call on one thread, with a key store of its own on this machine's disk. */
export async function vaultBench(): Promise<VaultFigure[]> {
  const folder = mkdtempSync(join(realpathSync(tmpdir()), 'sealbook-bench-vault-'))
  try {
    const config = loadConfig({ SEALBOOK_HOME: join(folder, 'home'), SEALBOOK_ROOT_KEY_FILE: join(folder, 'root.key'), SEALBOOK_LOG_LEVEL: 'silent' })
    await createInstance(config)
    const vault = await openVault(config)
    const figures = [...(await cellFigures(vault, config.home)), ...(await keyFigures(vault)), ...(await fileFigures(vault, folder))]
    await vault.close()
    return figures
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  for (const { name, value, unit } of await vaultBench()) {
    process.stdout.write(`${name.padEnd(46)}${value.toLocaleString('en-US', { maximumFractionDigits: 1 }).padStart(10)} ${unit}\n`)
  }
}
