import { parseArgs } from 'node:util'
import { BenchFailure } from './failure.ts'
import { OPERATIONS, type OperationName } from './load/operations.ts'

export interface Options {
  rows: number
  json: string | null
  seconds: number
  rounds: number
  concurrencies: number[]
  operations: OperationName[]
  /** Where homes, files and profiles of the run lie; null: .cache/ of the clone. */
  folder: string | null
  keep: boolean
  parts: boolean
  crm: boolean
  profile: string | null
}

export const USAGE = `npm run bench -- [--rows 100000] [--json FILE] [--seconds 4] [--rounds 5] [--concurrency 1,16]
  [--only "get,list 50,…"] [--folder DIR] [--keep] [--parts] [--crm] [--profile DIR]`

const known = {
  rows: { type: 'string', default: '100000' },
  json: { type: 'string' },
  seconds: { type: 'string', default: '4' },
  rounds: { type: 'string', default: '5' },
  concurrency: { type: 'string', default: '1,16' },
  only: { type: 'string' },
  folder: { type: 'string' },
  keep: { type: 'boolean', default: false },
  parts: { type: 'boolean', default: false },
  crm: { type: 'boolean', default: false },
  profile: { type: 'string' },
  help: { type: 'boolean', default: false },
} as const

/** Throws a BenchFailure with exit code 2. */
export function readOptions(args: readonly string[]): Options | 'help' {
  const values = parsed(args)
  if (values.help) return 'help'
  return {
    rows: number('--rows', values.rows, 1000, 10_000_000),
    seconds: number('--seconds', values.seconds, 0.2, 120),
    rounds: number('--rounds', values.rounds, 1, 100),
    concurrencies: values.concurrency.split(',').map((c) => number('--concurrency', c, 1, 256)),
    operations: operations(values.only),
    json: values.json ?? null,
    folder: values.folder ?? null,
    keep: values.keep,
    parts: values.parts,
    crm: values.crm,
    profile: values.profile ?? null,
  }
}

function parsed(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: known }).values
  } catch (error) {
    throw new BenchFailure(`${error instanceof Error ? error.message : 'unknown argument'}\n${USAGE}`, 2)
  }
}

function number(name: string, text: string, least: number, most: number): number {
  const value = Number(text)
  if (text.trim() === '' || !(value >= least && value <= most)) throw new BenchFailure(`${name} is a number from ${least} to ${most}.\n${USAGE}`, 2)
  return value
}

/** In our order: writes last, because they leave work behind (PostgreSQL's trigram index keeps a list of new rows). */
function operations(only: string | undefined): OperationName[] {
  const wanted = only?.split(/,(?! next)/).map((name) => name.trim()) ?? [...OPERATIONS]
  const unknown = wanted.find((name) => !OPERATIONS.some((o) => o === name))
  if (unknown !== undefined) throw new BenchFailure(`--only names the operations to measure: ${OPERATIONS.join(' · ')}.`, 2)
  return OPERATIONS.filter((name) => wanted.includes(name))
}
