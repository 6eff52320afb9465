import { readFileSync, statfsSync } from 'node:fs'
import type { Finding } from '../../kernel/vault/index.ts'

const LEAST_NODE = 26
const LOW_BYTES = 2 * 1024 ** 3
const LEAST_BYTES = 256 * 1024 ** 2
/** No honest clock of a machine that runs this code is before its first release. */
const FIRST_RELEASE = Date.UTC(2026, 0, 1)

/** The machine under the server: runtime, memory leaks to disk, space, clock. */
export function checkMachine(home: string): Finding[] {
  return [...checkNode(), ...checkCore(), ...checkDisk(home), ...checkClock()]
}

function checkNode(): Finding[] {
  const [major] = process.versions.node.split('.').map(Number)
  if ((major ?? 0) >= LEAST_NODE) return []
  return [{ code: 'node-old', level: 'red', what: `This is Node ${process.versions.node}; the cryptography needs ${LEAST_NODE}.`, fix: 'Start with `npm start` or `npx sealbook`, which bring the right one.' }]
}

/** A core file would hold every key and record in memory. */
function checkCore(): Finding[] {
  const soft = /^Max core file size\s+(\S+)/m.exec(readOr('/proc/self/limits', ''))?.[1]
  if (soft === undefined || soft === '0') return []
  return [{ code: 'core-dumps-on', level: 'amber', what: 'A crash may write the memory of the server, keys included, to a core file.', fix: 'Start with `ulimit -c 0` (systemd: LimitCORE=0).' }]
}

function checkDisk(home: string): Finding[] {
  const { bavail, bsize } = statfsSync(home)
  const free = bavail * bsize
  const what = `${Math.round(free / 1024 ** 2)} MB are free on the disk of the home.`
  if (free < LEAST_BYTES) return [{ code: 'disk-full', level: 'red', what, fix: 'Free some now: without space nothing can be written, and nothing is.' }]
  return free < LOW_BYTES ? [{ code: 'disk-low', level: 'amber', what, fix: 'Free some, or move the home to a larger disk.' }] : []
}

function checkClock(): Finding[] {
  if (Date.now() >= FIRST_RELEASE) return []
  return [{ code: 'clock-wrong', level: 'red', what: 'The clock is years behind: certificates, tokens and ledger times will be wrong.', fix: 'Set the clock and keep it by NTP.' }]
}

function readOr(path: string, otherwise: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return otherwise // not Linux
  }
}
