import { randomBytes } from 'node:crypto'
import { chmodSync, closeSync, existsSync, fsyncSync, mkdirSync, openSync, readdirSync, readFileSync, realpathSync, renameSync, rmSync, statfsSync, statSync, writeFileSync, writeSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { Refusal } from './problem.ts'

/** What the outside contract says of a running server; also the last line of `npm start -- --json`. */
export interface ServerJson {
  event: 'ready'
  url: string
  pid: number
  caFile: string
  caSha256: string
  setupUrl: string | null
}

export interface Home {
  /** Absolute, links resolved. */
  readonly path: string
  /** Gives the home back; also happens by itself when the process ends, however it ends. */
  release(): void
}

const FOLDERS = ['keys', 'tls', 'blobs', 'staging', 'run', 'log']
// SQLite makes and removes lock-journal while another process takes the lock.
const KNOWN = new Set([...FOLDERS, 'postgres', 'lock', 'lock-journal', 'lost+found', '.DS_Store'])
const LEAST_BYTES = 64 * 1024 * 1024
const FULL = new Set(['ENOSPC', 'EDQUOT'])
// Without a reference here the garbage collector would close a lock whose Home nobody kept, and so give the home away.
const held = new Set<DatabaseSync>()
const SQLITE_BUSY = 5
const SQLITE_FULL = 13

/**
 * Makes the folders of SEALBOOK_HOME (0700) and takes its lock. From here on the process makes files 0600 and folders 0700 (umask).
 * Throws Refusal: home-in-use, home-not-ours, home-unwritable, disk-full.
 */
export function openHome(path: string): Home {
  process.umask(0o077)
  const home = makeFolder(path)
  refuseForeign(home)
  const lock = takeLock(home)
  try {
    for (const folder of ['.', ...FOLDERS]) {
      mkdirSync(join(home, folder), { recursive: true, mode: 0o700 })
      chmodSync(join(home, folder), 0o700)
    }
    probe(home)
    // Whoever wrote it is gone, or the lock would be theirs.
    removeServerJson(home)
  } catch (error) {
    lock.close()
    throw refusalFor(error, home)
  }
  held.add(lock)
  return {
    path: home,
    release: () => {
      if (held.delete(lock)) lock.close()
    },
  }
}

/** The running server of a home as it describes itself, or null. Client verbs read it; it takes no lock. */
export function readServerJson(home: string): ServerJson | null {
  try {
    return JSON.parse(readFileSync(serverJsonPath(home), 'utf8')) as ServerJson // written by writeServerJson below
  } catch {
    return null
  }
}

/** Whole or not at all: a reader never sees half of it. */
export function writeServerJson(home: string, server: ServerJson): void {
  const fresh = `${serverJsonPath(home)}.${randomBytes(4).toString('hex')}`
  writeFileSync(fresh, `${JSON.stringify(server)}\n`, { mode: 0o600 })
  renameSync(fresh, serverJsonPath(home))
}

export function removeServerJson(home: string): void {
  rmSync(serverJsonPath(home), { force: true })
}

function serverJsonPath(home: string): string {
  return join(home, 'run', 'server.json')
}

/** Not `recursive`: where a folder cannot be made although its parent is there (/proc, a mount that is served by nobody), Node then tries for ever. */
function mkdirs(path: string): void {
  try {
    mkdirSync(path, { mode: 0o700 })
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST' && statSync(path).isDirectory()) return
    if (code !== 'ENOENT' || existsSync(dirname(path))) throw error
    mkdirs(dirname(path))
    mkdirs(path)
  }
}

function makeFolder(path: string): string {
  try {
    mkdirs(path)
    return realpathSync(path)
  } catch (error) {
    throw refusalFor(error, path)
  }
}

/** A mistyped SEALBOOK_HOME must not change the modes of somebody's folder or scatter keys in it. */
function refuseForeign(home: string): void {
  let entries: string[]
  try {
    entries = readdirSync(home)
  } catch (error) {
    throw refusalFor(error, home)
  }
  if (entries.includes('keys') || entries.every((name) => KNOWN.has(name))) return
  throw new Refusal('home-not-ours', `${home} holds other files and is not a Sealbook home; set SEALBOOK_HOME to an empty or new folder. Nothing was changed.`)
}

/**
 * The lock is SQLite's exclusive lock on HOME/lock: a POSIX record lock, which the kernel drops with the process (so none is
 * ever stale), which belongs to the file (so it holds across links, mounts and containers of one machine), and which children
 * such as PostgreSQL do not inherit. Trap: closing any other descriptor of that file in this process drops the lock, so nothing
 * here may ever open it.
 */
function takeLock(home: string): DatabaseSync {
  let lock: DatabaseSync | undefined
  try {
    lock = new DatabaseSync(join(home, 'lock'), { timeout: 0 })
    lock.exec('BEGIN EXCLUSIVE')
    return lock
  } catch (error) {
    lock?.close()
    if (sqliteCode(error) === SQLITE_BUSY) {
      const pid = readServerJson(home)?.pid
      throw new Refusal('home-in-use', `Another Sealbook${pid ? ` (process ${pid})` : ''} is using ${home}; stop it first. Nothing was changed.`)
    }
    throw refusalFor(error, home)
  }
}

function sqliteCode(error: unknown): number | undefined {
  const code = (error as { errcode?: unknown }).errcode
  return typeof code === 'number' ? code & 0xff : undefined
}

/** A full disk shows only when bytes are really written: quotas and reserved blocks are not in statfs. */
function probe(home: string): void {
  const { bavail, bsize } = statfsSync(home)
  if (bavail * bsize < LEAST_BYTES) throw Object.assign(new Error('little space'), { code: 'ENOSPC' })
  const path = join(home, 'run', `probe-${process.pid}`)
  try {
    const file = openSync(path, 'w', 0o600)
    try {
      writeSync(file, Buffer.alloc(64 * 1024, 1))
      fsyncSync(file)
    } finally {
      closeSync(file)
    }
  } finally {
    rmSync(path, { force: true })
  }
}

function refusalFor(error: unknown, home: string): Refusal {
  if (error instanceof Refusal) return error
  const code = (error as NodeJS.ErrnoException).code ?? ''
  if (FULL.has(code) || sqliteCode(error) === SQLITE_FULL) return new Refusal('disk-full', `There is less than ${LEAST_BYTES / 1024 / 1024} MB left on the disk of ${home}; free some and start again.`, 4, error)
  if (code === 'ENOTDIR' || code === 'EEXIST') return new Refusal('home-unwritable', `${home} is not a folder; set SEALBOOK_HOME to one.`, 4, error)
  return new Refusal('home-unwritable', `${home} cannot be written by this user (${code || 'unknown'}); give it to the user who runs Sealbook, or set SEALBOOK_HOME to another folder.`, 4, error)
}
