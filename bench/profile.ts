// node bench/profile.ts DIR : where the processor time of the sealed server's threads went in each measured window of
// `npm run bench -- --profile DIR`: by function (self time), and by the function of ours on whose behalf it ran. Waiting is left out.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Span } from './rounds.ts'

interface Frame {
  functionName: string
  url: string
  lineNumber: number
}

interface Profile {
  startTime: number
  nodes: { id: number; callFrame: Frame; children?: number[] }[]
  samples: number[]
  timeDeltas: number[]
}

const WAITING = new Set(['(idle)', '(program)', '(root)'])
const LEAST_MS = 50

const placeOf = (f: Frame): string => f.url.replace(/^file:\/\//, '').replace(/^.*\/node_modules\//, '').replace(/^.*?\/(src|bench)\//, '$1/') || 'native'
const nameOf = (f: Frame): string => `${f.functionName || '(anonymous)'}  ${placeOf(f)}:${f.lineNumber + 1}`

/** For each node the name of the innermost function under src/ on its stack. */
function ownersOf(profile: Profile): Map<number, string> {
  const frames = new Map(profile.nodes.map((n) => [n.id, n]))
  const owners = new Map<number, string>()
  const walk: { id: number; owner: string }[] = [{ id: profile.nodes[0]?.id ?? 0, owner: '' }]
  for (let top = walk.pop(); top; top = walk.pop()) {
    const node = frames.get(top.id)
    if (!node) continue
    const f = node.callFrame
    const owner = /\/src\//.test(f.url) && !f.url.includes('/node_modules/') ? nameOf(f) : top.owner
    owners.set(top.id, owner || (f.functionName === '(garbage collector)' ? 'garbage collector' : 'outside our code'))
    for (const id of node.children ?? []) walk.push({ id, owner })
  }
  return owners
}

type Times = [string, number][]

/** Milliseconds by name inside the spans, most first. */
function timesIn(profile: Profile, spans: readonly Span[], nameOfNode: (id: number) => string | undefined): Times {
  const totals = new Map<string, number>()
  let at = profile.startTime
  for (const [i, id] of profile.samples.entries()) {
    const delta = profile.timeDeltas[i] ?? 0
    at += delta
    if (!spans.some((s) => at >= s.from && at <= s.to)) continue
    const name = nameOfNode(id)
    if (name !== undefined) totals.set(name, (totals.get(name) ?? 0) + delta / 1000)
  }
  return [...totals].sort((a, b) => b[1] - a[1])
}

function print(title: string, times: Times, most: number): void {
  const total = times.reduce((sum, [, ms]) => sum + ms, 0)
  process.stdout.write(`${title}\n`)
  for (const [name, ms] of times.slice(0, most)) process.stdout.write(`  ${((ms / total) * 100).toFixed(1).padStart(5)} %  ${Math.round(ms).toString().padStart(6)} ms  ${name}\n`)
}

function report(file: string, profile: Profile, spans: readonly Span[]): void {
  const frames = new Map(profile.nodes.map((n) => [n.id, n.callFrame]))
  const owners = ownersOf(profile)
  for (const what of new Set(spans.map((s) => s.what))) {
    const wanted = spans.filter((s) => s.what === what)
    const working = (id: number): Frame | undefined => {
      const f = frames.get(id)
      return f && !WAITING.has(f.functionName) ? f : undefined
    }
    const self = timesIn(profile, wanted, (id) => working(id) && nameOf(working(id)!))
    const total = self.reduce((sum, [, ms]) => sum + ms, 0)
    if (total < LEAST_MS) continue
    const seconds = wanted.reduce((sum, s) => sum + (s.to - s.from) / 1e6, 0)
    process.stdout.write(`\n== ${what}, ${file}: ${Math.round(total)} ms busy of ${Math.round(seconds * 1000)} ms\n`)
    print('self time', self, 30)
    print('on behalf of', timesIn(profile, wanted, (id) => working(id) && owners.get(id)), 40)
  }
}

/** Processor time as the kernel counts it, DuckDB's and libuv's threads too, which no profile of V8 sees. */
function reportThreads(spans: readonly Span[]): void {
  for (const span of spans) {
    const used = Object.entries(span.threads).sort((a, b) => b[1] - a[1])
    const shown = used.map(([name, seconds]) => `${name} ${Math.round((seconds / span.requests) * 1e6)}`).join(', ')
    process.stdout.write(`${span.what}: ${span.requests} requests; µs a request by thread: ${shown}\n`)
  }
}

const folder = process.argv[2] ?? '.'
const spans = JSON.parse(readFileSync(join(folder, 'windows.json'), 'utf8')) as Span[] // written by bench/compare.ts
reportThreads(spans)
for (const file of readdirSync(folder).filter((name) => name.endsWith('.cpuprofile'))) {
  report(file, JSON.parse(readFileSync(join(folder, file), 'utf8')) as Profile, spans) // written by node --cpu-prof
}
