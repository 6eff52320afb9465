import { fork, type ChildProcess } from 'node:child_process'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { BenchFailure } from './failure.ts'
import type { Measured, Target, Window } from './load.ts'
import type { OperationName } from './load/operations.ts'
import { cpuSecondsOf, threadSecondsOf } from './machine.ts'

export const SIDES = ['bare', 'audit', 'sealed'] as const
export type Side = (typeof SIDES)[number]

export interface Server extends Target {
  name: Side
  pid: number
}

export interface Plan {
  servers: Record<Side, Server>
  operations: readonly OperationName[]
  concurrencies: readonly number[]
  rounds: number
  seconds: number
}

export interface SideResult {
  /** Requests per second of each round. */
  rates: number[]
  /** Of all rounds together, milliseconds. */
  p50: number
  p95: number
  /** Processor time of the Node process for one request, microseconds. */
  cpuMicros: number
}

export interface OperationResult {
  operation: OperationName
  concurrency: number
  sides: Record<Side, SideResult>
}

/** All requests that were sent, by side and concurrency; windows before the measured part count too, for the guards. */
export type Sent = { side: Side; operation: OperationName; concurrency: number; requests: number }[]

/** When the sealed server was under which load, in microseconds of the machine's monotonic clock, for bench/profile.ts. */
export interface Span {
  what: string
  from: number
  to: number
  requests: number
  /** Seconds of processor time by thread. */
  threads: Record<string, number>
}

export interface Rounds {
  results: OperationResult[]
  sent: Sent
  spans: Span[]
}

/** The process that sends the load. */
export class LoadGenerator {
  readonly #child: ChildProcess

  constructor(samplesFile: string) {
    this.#child = fork(join(import.meta.dirname, 'load.ts'), [samplesFile], { serialization: 'advanced', stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  }

  measure(window: Window): Promise<Measured> {
    return new Promise((resolve, reject) => {
      const ended = (): void => reject(new BenchFailure('the load generator ended.'))
      this.#child.once('exit', ended)
      this.#child.once('message', (measured: Measured) => {
        this.#child.off('exit', ended)
        resolve(measured)
      })
      this.#child.send(window)
    })
  }

  close(): void {
    if (this.#child.connected) this.#child.disconnect()
  }
}

interface Tally {
  rates: number[]
  latencies: Float64Array[]
  cpuSeconds: number
  requests: number
}

/** Measures every operation, the three sides in turn and in another order each round, because the machine's other work drifts. */
export async function runRounds(plan: Plan, generator: LoadGenerator, tell: (line: string) => void): Promise<Rounds> {
  const rounds: Rounds = { results: [], sent: [], spans: [] }
  for (const operation of plan.operations) {
    for (const concurrency of plan.concurrencies) {
      tell(`${operation}, ${concurrency} at a time`)
      const tallies: Record<Side, Tally> = { bare: fresh(), audit: fresh(), sealed: fresh() }
      for (let round = 0; round < plan.rounds; round++) {
        for (let turn = 0; turn < SIDES.length; turn++) {
          const side = SIDES[(round + turn) % SIDES.length]!
          await oneWindow(plan, generator, { side, operation, concurrency, round }, tallies[side], rounds)
        }
      }
      rounds.results.push({ operation, concurrency, sides: { bare: summed(tallies.bare), audit: summed(tallies.audit), sealed: summed(tallies.sealed) } })
    }
  }
  return rounds
}

interface Which {
  side: Side
  operation: OperationName
  concurrency: number
  round: number
}

async function oneWindow(plan: Plan, generator: LoadGenerator, { side, operation, concurrency, round }: Which, tally: Tally, rounds: Rounds): Promise<void> {
  const server = plan.servers[side]
  await quiet(Object.values(plan.servers).map((s) => s.pid))
  const before = cpuSecondsOf(server.pid)
  const watch = watchSpan(`${operation} × ${concurrency}`, server.pid)
  // The first round also warms caches and compiler.
  const warmUpSeconds = plan.seconds * (round === 0 ? 0.75 : 0.25)
  const measured = await generator.measure({ target: server, operation, concurrency, warmUpSeconds, seconds: plan.seconds })
  if ('failure' in measured) throw new BenchFailure(`${operation} at ${concurrency}, ${side}: ${measured.failure}`)
  tally.rates.push(measured.requests / measured.seconds)
  tally.latencies.push(measured.latencies)
  tally.cpuSeconds += cpuSecondsOf(server.pid) - before
  tally.requests += measured.sent
  rounds.sent.push({ side, operation, concurrency, requests: measured.sent })
  const span = watch(measured.sent)
  if (side === 'sealed') rounds.spans.push(span)
}

/** Begins a span; what it returns ends it. */
export function watchSpan(what: string, pid: number): (requests: number) => Span {
  const from = microseconds()
  const threads = threadSecondsOf(pid)
  return (requests) => {
    const used = [...threadSecondsOf(pid)].map(([name, seconds]): [string, number] => [name, seconds - (threads.get(name) ?? 0)])
    return { what, from, to: microseconds(), requests, threads: Object.fromEntries(used.filter(([, seconds]) => seconds > 0)) }
  }
}

const microseconds = (): number => Number(process.hrtime.bigint() / 1000n)

const fresh = (): Tally => ({ rates: [], latencies: [], cpuSeconds: 0, requests: 0 })

function summed(tally: Tally): SideResult {
  const all = Float64Array.from(tally.latencies.flatMap((l) => [...l])).sort()
  const at = (share: number): number => all[Math.min(all.length - 1, Math.floor(all.length * share))] ?? Number.NaN
  return { rates: tally.rates, p50: at(0.5), p95: at(0.95), cpuMicros: (tally.cpuSeconds / tally.requests) * 1e6 }
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/** Waits, 3 s at most, until no server is still busy with what the last window left it. */
async function quiet(pids: readonly number[]): Promise<void> {
  const used = (): number => pids.reduce((sum, pid) => sum + cpuSecondsOf(pid), 0)
  for (let tries = 0; tries < 15; tries++) {
    const before = used()
    await sleep(200)
    if (used() - before <= 0.01) return
  }
}
