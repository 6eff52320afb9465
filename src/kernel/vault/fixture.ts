import { createHash } from 'node:crypto'
import { existsSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { uuidv7 } from '../base/index.ts'
import { loadConfig, type Config } from '../config/index.ts'
import { createInstance, openVault, type OpenedVault } from './instance.ts'

/** A folder of its own for one test, gone afterwards. */
export function folder(): string {
  const path = mkdtempSync(join(realpathSync(tmpdir()), 'sealbook-vault-'))
  onTestFinished(() => rmSync(path, { recursive: true, force: true }))
  return path
}

/** Settings of a home inside `path`, its key file beside it. */
export function configIn(path: string, env: Record<string, string> = {}): Config {
  return loadConfig({ SEALBOOK_HOME: join(path, 'home'), SEALBOOK_ROOT_KEY_FILE: join(path, 'outside', 'root.key'), SEALBOOK_LOG_LEVEL: 'silent', ...env })
}

export const storePath = (config: Config): string => join(config.home, 'keys', 'keystore.sqlite')

/** A new instance, opened; closed after the test. */
export async function vaultIn(path = folder()): Promise<{ config: Config; vault: OpenedVault }> {
  const config = configIn(path)
  await createInstance(config)
  const vault = await openVault(config)
  onTestFinished(() => vault.close())
  return { config, vault }
}

export const ids = (n: number): string[] => Array.from({ length: n }, () => uuidv7())

/** Every byte of the key store on disk: the file, its log, its index. */
export function rawBytes(config: Config): Buffer {
  return Buffer.concat(['', '-wal', '-shm'].map((tail) => storePath(config) + tail).filter(existsSync).map((f) => readFileSync(f)))
}

/** All files under a folder by the hash of their bytes, to show that nothing was changed. An empty log and its index, which a mere reader leaves, say nothing. */
export function snapshot(path: string): Record<string, string> {
  if (!existsSync(path)) return {}
  const files = readdirSync(path, { recursive: true, withFileTypes: true }).filter((e) => e.isFile())
  const hashed = files.map((e) => join(e.parentPath, e.name)).map((f) => [f, readFileSync(f)] as const)
  const told = hashed.filter(([f, bytes]) => !f.endsWith('-shm') && !(f.endsWith('-wal') && bytes.length === 0))
  return Object.fromEntries(told.map(([f, bytes]) => [f, createHash('sha256').update(bytes).digest('hex')]))
}

/** The code of the Problem or Refusal that `work` ends in. */
export async function codeOf(work: () => unknown): Promise<string> {
  try {
    await work()
  } catch (error) {
    const code = (error as { code?: unknown }).code
    return typeof code === 'string' ? code : `not a Problem or Refusal: ${String(error)}`
  }
  return 'no error'
}

/** A folder with a file of Wycheproof's vectors, or null: they are not kept in this repository, WYCHEPROOF_VECTORS names a folder that has them. */
export function wycheproof(file: string): string | null {
  const path = join(process.env['WYCHEPROOF_VECTORS'] ?? '', file)
  return process.env['WYCHEPROOF_VECTORS'] && existsSync(path) ? path : null
}

/** Every run of 8 bytes of `needle` (each fourth) that is to be found in `hay`. */
export function traces(hay: Buffer, needle: Buffer): number {
  let found = 0
  for (let at = 0; at + 8 <= needle.length; at += 4) if (hay.includes(needle.subarray(at, at + 8))) found++
  return found
}
