import { execFileSync } from 'node:child_process'
import { closeSync, fdatasyncSync, openSync, readdirSync, readFileSync, rmSync, statfsSync, writeSync } from 'node:fs'
import { availableParallelism, cpus, loadavg, release, totalmem, type } from 'node:os'
import { join } from 'node:path'
import { BenchFailure } from './failure.ts'

export interface Machine {
  cpu: string
  cores: number
  memoryGB: number
  kernel: string
  node: string
}

export function machine(): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryGB: Math.round(totalmem() / 1e9),
    kernel: `${type()} ${release()}`,
    node: process.versions.node,
  }
}

/** The commit of this checkout; `+` when it was changed since. */
export function commitOf(root: string): string {
  try {
    const git = (...args: string[]): string => execFileSync('git', ['-C', root, ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
    return git('rev-parse', 'HEAD') + (git('status', '--porcelain', '--untracked-files=no', '--', 'src', 'bench') ? '+' : '')
  } catch {
    return 'unknown'
  }
}

const IN_MEMORY = new Map([
  [0x01021994, 'tmpfs'],
  [0x858458f6, 'ramfs'],
])

/** A folder in memory would make every commit free. */
export function refuseMemoryFolder(folder: string): void {
  const name = IN_MEMORY.get(statfsSync(folder).type)
  if (name) throw new BenchFailure(`${folder} lies in memory (${name}), where durability costs nothing; name a folder on a disk with --folder.`)
}

/** Milliseconds of one durable append of 8 KiB: the median and the 95th of 200. */
export function fsyncTimes(folder: string): { median: number; p95: number } {
  const path = join(folder, 'fsync')
  const file = openSync(path, 'w')
  const page = Buffer.alloc(8192, 1)
  const times = Float64Array.from({ length: 200 }, () => {
    const begun = performance.now()
    writeSync(file, page)
    fdatasyncSync(file)
    return performance.now() - begun
  }).sort()
  closeSync(file)
  rmSync(path)
  return { median: times[100]!, p95: times[190]! }
}

/** Resident memory of a process in bytes (Linux). */
export function rssOf(pid: number): number {
  const kB = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  return Number(kB ?? 0) * 1024
}

const TICKS_PER_SECOND = 100

/** Seconds of processor time all threads of a process have used (Linux, proc_pid_stat(5)). */
export function cpuSecondsOf(pid: number): number {
  return secondsIn(readFileSync(`/proc/${pid}/stat`, 'utf8'))
}

/** The same for each of its threads, by number and name. */
export function threadSecondsOf(pid: number): Map<string, number> {
  const stats = readdirSync(`/proc/${pid}/task`).map((tid) => readFileSync(`/proc/${pid}/task/${tid}/stat`, 'utf8'))
  return new Map(stats.map((stat) => [stat.slice(0, stat.lastIndexOf(')') + 1), secondsIn(stat)]))
}

function secondsIn(stat: string): number {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND
}

export function load(): number {
  return loadavg()[0] ?? 0
}
