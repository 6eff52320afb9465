/*
 * npm run bench -- [--rows 100000] [--json FILE]      one table: what sealing costs
 *
 * Three servers with the same rows, on this machine, in one run:
 *
 *   bare (i)         Fastify + pg on plaintext, no sign-in, no gate: the least a server can do for a request. Named statements,
 *                    pipelined connections, B-tree indexes on e-mail and phone, trigrams on the name (pg_trgm; it cannot use two
 *                    Chinese characters, so those walk the newest rows until fifty are found).
 *   with audit (ii)  the same, and each answer waits for one durable line of an audit log: group commit on a connection of its
 *                    own for reads, in the same statement for writes.
 *   sealed           Sealbook over its own API with a token: signed in, gated, sealed, in the ledger. The owner's token
 *                    (manager and administrator); rows imported through the API.
 *
 * All three: the same Node, PostgreSQL binaries and settings, TLS options and certificate, HTTP/1.1 keep-alive.
 *
 * How to read the table
 *   - Figures are requests per second, the median of the rounds. In a round the three take turns, in another order each time.
 *     Client and servers share the machine's cores: trust ratios, and differences above a fifth; --json has every round.
 *   - `÷ (i)` and `÷ (ii)` are sealed over bare. (ii) is the fair one for a product that must log who read what.
 *   - p95 is the time of one request in milliseconds, all rounds together. cpu is processor time of the Node process for one
 *     request in microseconds: it hardly moves when the machine is busy with other things, requests per second do.
 *   - get, exact e-mail and patch draw from all rows. `list 50` is the newest page, which the server keeps opened;
 *     `list 50, next pages` walks on by cursor through rows nobody has read lately, so it pays for opening each of them.
 *     Substrings are parts of names that are there, newest fifty; both sides look in the name only.
 *   - import is the CSV from the first byte sent to the last row findable. The bare import parses the same file and inserts a
 *     thousand rows a statement; it neither matches people nor checks numbers.
 *   - Every answer is checked for its status and for what was asked. The run fails when durability, ledger, padding or gate is
 *     off (bench/guards.ts). fsync says what one durable write costs here: where it is almost free, (i) looks good beside
 *     anything that commits.
 *   - Disk: sealed = contacts, companies and digests with indexes, and the key store; the ledger is told apart. Bare = contacts
 *     and companies with indexes, once with and once without its trigram index, which the sealed side has no counterpart of on disk.
 *
 * Options: --seconds and --rounds (windows), --concurrency 1,16, --only "get,create", --folder DIR (where homes lie; a disk),
 * --keep (leave them), --parts (figures of single rooms as well),
 * --crm (a board of 400 deals, a timeline of 5,000 events, reports over 1,000,000 activities, a file of 10 MB as well), --profile DIR (cpu profiles of the sealed
 * server; node bench/profile.ts DIR reads them).
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { Refusal } from '../src/kernel/base/index.ts'
import { BenchFailure } from './failure.ts'
import { keepFolder, makeFolder } from './folder.ts'
import { commitOf, machine } from './machine.ts'
import { readOptions, USAGE, type Options } from './options.ts'
import { partFigures } from './parts.ts'
import { compare } from './compare.ts'
import { crmFigures } from './crm.ts'
import { tableOf } from './table.ts'

const root = join(import.meta.dirname, '..')

async function bench(options: Options): Promise<void> {
  if (options.profile) mkdirSync(options.profile, { recursive: true })
  const folder = await makeFolder(options.folder ? resolve(options.folder) : join(root, '.cache'))
  try {
    const { results, figures } = await compare(options, folder, (line) => process.stderr.write(`bench: ${line}\n`))
    const all = options.parts ? [...figures, ...(await partFigures(options.rows))] : figures
    const crm = options.crm ? await crmFigures((line) => process.stderr.write(`bench: ${line}\n`)) : null
    const about = { machine: machine(), commit: commitOf(root), durability: 'on', at: new Date().toISOString(), figures: all, ...(crm ? { crm } : {}) }
    const { cpu, cores, memoryGB, kernel, node } = about.machine
    process.stdout.write(`${tableOf(results, all)}\n\n${crm ? `${crm}\n\n` : ''}${cpu}, ${cores} cores, ${memoryGB} GB, ${kernel}, Node ${node}, commit ${about.commit}, durability on\n`)
    if (options.json) writeFileSync(options.json, `${JSON.stringify([...results, about], null, 1)}\n`)
  } finally {
    if (options.keep) {
      keepFolder(folder)
      process.stderr.write(`bench: kept in ${folder}\n`)
    } else rmSync(folder, { recursive: true, force: true })
  }
}

try {
  const options = readOptions(process.argv.slice(2))
  if (options === 'help') process.stdout.write(`${USAGE}\n`)
  else await bench(options)
} catch (error) {
  if (!(error instanceof BenchFailure || error instanceof Refusal)) throw error
  process.stderr.write(`bench: ${error.message}\n`)
  process.exitCode = error.exitCode
}
