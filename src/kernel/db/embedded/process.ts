import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { copyFile, readFile, readlink, realpath, stat, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Refusal } from '../../base/index.ts'
import type { Account } from './account.ts'
import type { Binaries } from './binaries.ts'
import type { Layout } from './layout.ts'

const LOG_BYTES = 16 * 1024 * 1024

/** Nothing of our own environment is passed on: it may name secrets, and another user of the account could read it. */
const environment = { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC', PGTZ: 'UTC' }

// ulimit needs a shell. Core files would hold every page in memory.
const NO_CORE = 'ulimit -c 0; exec "$@"'

interface Launch {
  binaries: Binaries
  account: Account
  /** The cluster; the process starts in it. */
  directory: string
}

/**
 * The name the server gets for its cluster. When it runs as another account than Node, the parents of the home may be
 * closed to it (0700), so it is started inside the directory, before privileges are dropped, and reaches it by this link,
 * which passes no parent.
 */
function clusterName(launch: Launch): string {
  return launch.account.drop ? '/proc/self/cwd' : launch.directory
}

function launchProcess(launch: Launch, program: string, args: string[], stdio: 'pipe' | number): ChildProcess {
  const { drop } = launch.account
  return spawn('/bin/sh', ['-c', NO_CORE, 'sh', join(launch.binaries.root, 'bin', program), '-D', clusterName(launch), ...args], {
    cwd: launch.directory,
    env: environment,
    stdio: ['ignore', stdio, stdio],
    // Its own session: Ctrl-C in the terminal is for Node, which drains first.
    detached: true,
    ...(drop && { uid: drop.uid, gid: drop.gid }),
  })
}

/** Runs initdb in an empty directory that belongs to the server's account. */
export async function initdb(launch: Launch, superuser: string): Promise<void> {
  const args = ['--username', superuser, '--auth=peer', '--encoding=UTF8', '--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8', '--data-checksums', '--no-instructions']
  const child = launchProcess(launch, 'initdb', args, 'pipe')
  let output = ''
  for (const stream of [child.stdout!, child.stderr!]) stream.setEncoding('utf8').on('data', (text: string) => (output = (output + text).slice(-4000)))
  const code = await exitOf(child)
  if (code === 0) return
  throw startRefusal(output, 'PostgreSQL could not create its data')
}

function exitOf(child: ChildProcess): Promise<number | string> {
  return new Promise((resolve, reject) => {
    child.once('error', (cause: NodeJS.ErrnoException) =>
      reject(new Refusal('database-not-started', cause.code === 'EPERM' ? 'Root is not allowed to change its user here (a container without CAP_SETUID); start Sealbook as an ordinary user.' : `PostgreSQL could not be run (${cause.code ?? 'unknown'}).`, 4, cause)),
    )
    child.once('close', (code, signal) => resolve(code ?? signal ?? 'unknown'))
  })
}

/** The sentence for a server that would not come up, from what it printed. Its FATAL and PANIC lines speak of files, never of rows. */
export function startRefusal(output: string, what: string): Refusal {
  if (/No space left on device|Disk quota exceeded/.test(output)) return new Refusal('disk-full', 'There is no space left on the disk of SEALBOOK_HOME; free some and start again. Nothing was changed.')
  const last = output.split('\n').findLast((line) => /\b(FATAL|PANIC):|: error:/.test(line))
  const reason = last?.replace(/^.*?\b((FATAL|PANIC|error):)/, '$1').trim()
  if (reason && /shared memory|Cannot allocate memory/i.test(reason)) return new Refusal('database-not-started', `${what}: it did not get the memory it needs (${reason}); free some and start again.`)
  if (reason && /lock file|could not (create|bind|listen)|permission|denied|privileges/i.test(reason)) return new Refusal('database-not-started', `${what} (${reason}); remove the cause and start again.`)
  return new Refusal('database-damaged', `${what}${reason ? ` (${reason})` : ''}; run doctor, or restore the last backup.`)
}

export interface Running {
  pid: number
  /** Resolves when the process is gone; rejects when it could not be run. */
  gone: Promise<void>
  /** Known to be gone: its number may already be another process's and must not be signalled. */
  ended: boolean
  /** What it wrote to its log since it was started here. */
  said(): Promise<string>
}

/** Starts the postmaster; it may still be recovering when this returns. */
export async function startServer(launch: Launch, logFile: string): Promise<Running> {
  await rotate(logFile)
  const from = (await stat(logFile).catch(() => undefined))?.size ?? 0
  // Opened here and inherited: HOME/log is closed to the server's account, and the log survives Node.
  const log = openSync(logFile, 'a', 0o600)
  const child = launchProcess(launch, 'postgres', [], log)
  closeSync(log)
  const gone = exitOf(child).then(() => {})
  if (child.pid === undefined) await gone
  child.unref()
  return running(child.pid!, gone, async () => (await readFile(logFile)).subarray(from).toString('utf8'))
}

function running(pid: number, gone: Promise<void>, said: () => Promise<string>): Running {
  const server: Running = { pid, gone, ended: false, said }
  const ended = (): void => void (server.ended = true)
  gone.then(ended, ended)
  return server
}

/** The running server keeps its file open for appending, so the file is copied and emptied, not renamed. */
export async function rotate(logFile: string): Promise<void> {
  const size = (await stat(logFile).catch(() => undefined))?.size ?? 0
  if (size < LOG_BYTES) return
  await copyFile(logFile, `${logFile}.1`)
  await truncate(logFile, 0)
}

/** Watches a server somebody else started. */
export function watch(pid: number, layout: Layout): Running {
  const gone = (async () => {
    while (await serves(pid, layout)) await sleep(500, undefined, { ref: false })
  })()
  return running(pid, gone, () => Promise.resolve(''))
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** Fast shutdown, then harder: sessions are ended at once, data is flushed. */
export async function stopServer(server: Running): Promise<void> {
  const steps: [NodeJS.Signals, number][] = [['SIGINT', 60_000], ['SIGQUIT', 10_000], ['SIGKILL', 10_000]]
  for (const [signal, patience] of steps) {
    if (server.ended) return
    try {
      process.kill(server.pid, signal)
    } catch {
      return
    }
    const timer = new AbortController()
    const late = sleep(patience, 'late', { signal: timer.signal }).catch(() => 'late')
    const how = await Promise.race([server.gone.then(() => 'gone'), late])
    timer.abort()
    if (how === 'gone') return
  }
}

export interface PidFile {
  pid: number
  sockets: string
  port: number
  /** `starting`, `ready`, `standby` or `stopping`. */
  state: string
}

/** Reads DATA/postmaster.pid (PostgreSQL: pidfile.h). */
export async function readPidFile(data: string): Promise<PidFile | undefined> {
  const text = await readFile(join(data, 'postmaster.pid'), 'utf8').catch(() => undefined)
  if (text === undefined) return undefined
  const lines = text.split('\n')
  return { pid: Number(lines[0]), port: Number(lines[3]), sockets: lines[4] ?? '', state: (lines[7] ?? '').trim() }
}

/** Whether a process is a postmaster of this cluster. Numbers are reused, above all in containers, so the number alone proves nothing. */
export async function serves(pid: number, layout: Layout): Promise<boolean> {
  if (!Number.isInteger(pid) || pid <= 1 || !alive(pid)) return false
  if (process.platform !== 'linux') {
    const { stdout } = spawnSync('ps', ['-o', 'command=', '-p', String(pid)], { encoding: 'utf8' })
    return stdout.includes('postgres') && stdout.includes(layout.data)
  }
  try {
    const inside = await realpath(layout.data)
    const [at, program] = [await readlink(`/proc/${pid}/cwd`), await readlink(`/proc/${pid}/exe`)]
    return at === inside && /\/postgres( \(deleted\))?$/.test(program)
  } catch {
    return false
  }
}
