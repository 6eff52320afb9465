// The load generator: a process of its own, told by messages what to do. It sends one kind of request over a number of keep-alive
// HTTPS connections for a fixed time, checks every answer, and reports how many and how fast.
import { readFileSync } from 'node:fs'
import { Connection, type Place } from './load/connection.ts'
import { turnOf, type Context, type IdList, type OperationName, type Samples, type Turn } from './load/operations.ts'

export interface Target extends Place {
  name: string
  headers: Readonly<Record<string, string>>
  /** One id of 36 characters a line. */
  idsFile: string
}

export interface Window {
  target: Target
  operation: OperationName
  concurrency: number
  warmUpSeconds: number
  seconds: number
}

/** `latencies` in milliseconds, ascending. */
export type Measured = { requests: number; sent: number; seconds: number; latencies: Float64Array } | { failure: string }

class Ids implements IdList {
  readonly #bytes: Buffer
  readonly length: number

  constructor(path: string) {
    this.#bytes = readFileSync(path)
    this.length = Math.floor(this.#bytes.length / 37)
  }

  at(index: number): string {
    return this.#bytes.toString('latin1', index * 37, index * 37 + 36)
  }
}

interface Lane {
  connection: Connection
  turn: Turn
}

const samples = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as Samples // written by bench/samples.ts
const known = new Map<string, { ids: IdList; shared: Context['shared'] }>()
const lanes = new Map<string, Promise<Lane[]>>()
let current = ''

/** Connections and what they know (versions of rows, cursors) stay as long as the operation does. */
async function lanesOf({ target, operation, concurrency }: Window): Promise<Lane[]> {
  const what = `${operation} ${concurrency}`
  if (what !== current) {
    for (const open of lanes.values()) for (const lane of await open) lane.connection.close()
    lanes.clear()
    current = what
  }
  const opened = lanes.get(target.name) ?? Promise.all(Array.from({ length: concurrency }, (_none, lane) => openLane(target, operation, lane)))
  lanes.set(target.name, opened)
  return opened
}

async function openLane(target: Target, operation: OperationName, lane: number): Promise<Lane> {
  const { ids, shared } = known.get(target.name) ?? { ids: new Ids(target.idsFile), shared: {} }
  known.set(target.name, { ids, shared })
  const connection = await Connection.open(target)
  return { connection, turn: await turnOf(operation, { headers: { Host: `localhost:${target.port}`, ...target.headers }, ids, samples, connection, lane, shared }) }
}

interface Tally {
  sent: number
  latencies: number[]
}

async function drive({ connection, turn }: Lane, from: number, until: number, tally: Tally): Promise<void> {
  for (let now = performance.now(); now < until; ) {
    const begun = now
    const answer = await connection.send(turn.next())
    now = performance.now()
    tally.sent++
    const wrong = turn.check(answer)
    if (wrong !== null) throw new Error(`${wrong}: ${answer.body.toString().slice(0, 300)}`)
    if (begun >= from && now <= until) tally.latencies.push(now - begun)
  }
}

async function measure(window: Window): Promise<Measured> {
  const open = await lanesOf(window)
  const from = performance.now() + window.warmUpSeconds * 1000
  const until = from + window.seconds * 1000
  const tally: Tally = { sent: 0, latencies: [] }
  await Promise.all(open.map((lane) => drive(lane, from, until, tally)))
  const latencies = Float64Array.from(tally.latencies).sort()
  return { requests: latencies.length, sent: tally.sent, seconds: window.seconds, latencies }
}

process.on('message', (window: Window) => {
  measure(window).then(
    (measured) => process.send?.(measured),
    (error: unknown) => process.send?.({ failure: error instanceof Error ? error.message : String(error) }),
  )
})
process.once('disconnect', () => process.exit(0))
