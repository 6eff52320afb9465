import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { onStopSignal } from '../src/kernel/base/index.ts'
import { openDb, type Db } from '../src/kernel/db/index.ts'
import { openBare, type Bare, type Peer } from './bare/index.ts'
import { BenchFailure } from './failure.ts'
import { diskFigures, memoryFigures } from './figures.ts'
import { guardDatabase, guardFlushes, guardGate, guardKeyStore, guardLedger, guardPadding, makeRep, walFlushes } from './guards.ts'
import { fsyncTimes, load, refuseMemoryFolder, rssOf } from './machine.ts'
import type { Options } from './options.ts'
import { LoadGenerator, runRounds, watchSpan, type OperationResult, type Sent, type Server, type Side, type Span } from './rounds.ts'
import { writeIds, writeRows } from './samples.ts'
import { REQUESTS_PER_MINUTE, Sealed, type Warmth } from './sealed/index.ts'
import { importRow, resultRow, type Figure, type ResultRow } from './table.ts'

type Tell = (line: string) => void

/** The three sides, filled and running. */
interface Sides {
  sealed: Sealed
  bare: Bare
  /** A superuser in the database of bare (i). */
  bareSuperuser: Db
  servers: Record<Side, Server>
  ids: readonly string[]
  imported: Record<Side, number>
  importSpan: Span
  warmth: Warmth
  emptyBytes: number
}

export interface Comparison {
  results: ResultRow[]
  figures: Figure[]
}

/** Fills the three sides with the same rows, measures them in turn, and checks that nothing that costs time was off. Throws a BenchFailure. */
export async function compare(options: Options, folder: string, tell: Tell): Promise<Comparison> {
  refuseMemoryFolder(folder)
  const busy = load()
  if (busy > 0.7) tell(`this machine is busy with other work (load ${busy.toFixed(1)}), so the figures will be worth little`)
  const files = { csv: join(folder, 'contacts.csv'), samples: join(folder, 'samples.json') }
  tell(`writing ${options.rows} rows`)
  await writeRows(options.rows, files.csv, files.samples)
  const undo: Undo = []
  const run = async (): Promise<Comparison> => {
    const sides = await openSides(options, folder, files.csv, tell, undo)
    const generator = new LoadGenerator(files.samples)
    undo.push(() => generator.close())
    return measure(options, folder, sides, generator, tell)
  }
  try {
    return await Promise.race([run(), stopped()])
  } finally {
    // One that fails must not leave the others' servers running.
    for (const step of undo.reverse()) await Promise.resolve(step()).catch((error: unknown) => tell(`while ending: ${String(error)}`))
  }
}

type Undo = (() => Promise<unknown> | void)[]

/** Ctrl-C ends the run, and the servers with it. */
function stopped(): Promise<never> {
  return new Promise((_resolve, reject) => onStopSignal(() => reject(new BenchFailure('stopped before it was done.'))))
}

async function openSides(options: Options, folder: string, csv: string, tell: Tell, undo: Undo): Promise<Sides> {
  tell('setting up the sealed server')
  const sealed = await Sealed.open(join(folder, 'sealed'), { profileFolder: options.profile ?? undefined })
  undo.push(() => sealed.stop())
  const emptyBytes = rssOf(sealed.server.pid)
  tell('importing through its API')
  const watch = watchSpan('import', sealed.server.pid)
  const sealedRate = await sealed.importCsv(csv, options.rows)
  const importSpan = watch(options.rows)
  await sealed.settle()
  tell('starting it anew to time the lens')
  const warmth = await sealed.restart()
  tell('filling the bare databases')
  const bare = await openBare(join(folder, 'bare'), csv)
  undo.push(() => bare.stop())
  const bareSuperuser = openDb(bare.bare.superuser, { name: 'bench', max: 1 })
  undo.push(() => bareSuperuser.close())
  const ids = await sealed.contactIds()
  const imported = { bare: bare.bare.importRowsPerSecond, audit: bare.audit.importRowsPerSecond, sealed: sealedRate }
  return { sealed, bare, bareSuperuser, servers: await serversOf(folder, sealed, bare, ids), ids, imported, importSpan, warmth, emptyBytes }
}

async function serversOf(folder: string, sealed: Sealed, bare: Bare, ids: readonly string[]): Promise<Sides['servers']> {
  const tls = (name: string): string => join(sealed.place.home, 'tls', name)
  const ca = readFileSync(tls('ca.crt'), 'utf8')
  const listed = (name: Side, list: readonly string[]): { name: Side; ca: string; idsFile: string } => {
    const idsFile = join(folder, `${name}.ids`)
    writeIds(idsFile, list)
    return { name, ca, idsFile }
  }
  const peer = async (p: Peer): Promise<Server> => ({ ...listed(p.name, p.ids), ...(await p.start({ keyFile: tls('server.key'), certFile: tls('server.crt') })), headers: {} })
  return {
    bare: await peer(bare.bare),
    audit: await peer(bare.audit),
    sealed: { ...listed('sealed', ids), port: Number(new URL(sealed.server.url).port), pid: sealed.server.pid, headers: { Authorization: `Bearer ${sealed.server.token}` } },
  }
}

async function measure(options: Options, folder: string, sides: Sides, generator: LoadGenerator, tell: Tell): Promise<Comparison> {
  const { sealed, bare, bareSuperuser } = sides
  guardKeyStore()
  await guardDatabase('the sealed server', sealed.superuser)
  await guardDatabase('the bare servers', bareSuperuser)
  const rep = await makeRep(sealed)
  const someId = sides.ids[0] ?? ''
  await guardGate(sealed, rep, someId)
  const disk = await diskFigures(sealed, bareSuperuser, bare.bare.trigrams)
  const fsync = fsyncTimes(folder)
  const before = { ledger: await sealed.ledgerSize(), sealed: await walFlushes(sealed.superuser), bare: await walFlushes(bareSuperuser) }
  const { results, sent, spans } = await runRounds({ ...options, servers: sides.servers }, generator, tell)
  if (options.profile) writeFileSync(join(options.profile, 'windows.json'), JSON.stringify([sides.importSpan, ...spans]))
  const after = rssOf(sealed.server.pid)
  tell('checking that nothing was off')
  await guardLedger(sealed, before.ledger, sumOf(sent, (s) => s.side === 'sealed'))
  await guardFlushes('the sealed server', sealed.superuser, before.sealed, sumOf(sent, (s) => s.side === 'sealed' && s.concurrency === 1))
  await guardFlushes('the bare servers', bareSuperuser, before.bare, sumOf(sent, (s) => s.concurrency === 1 && (s.side === 'audit' || (s.side === 'bare' && isWrite(s.operation)))))
  await guardPadding(sealed.superuser)
  await guardGate(sealed, rep, someId)
  return { results: rowsOf(options, sides, results), figures: [...figuresOf(sides, fsync), ...disk, ...memoryFigures({ empty: sides.emptyBytes, warm: sides.warmth.rssBytes, after })] }
}

const isWrite = (operation: string): boolean => operation === 'create' || operation === 'patch'

const sumOf = (sent: Sent, which: (s: Sent[number]) => boolean): number => sent.filter(which).reduce((sum, s) => sum + s.requests, 0)

function rowsOf(options: Options, { imported }: Sides, results: readonly OperationResult[]): ResultRow[] {
  return [...results.map((r) => resultRow(r, options.rows)), importRow(options.rows, imported.bare, imported.audit, imported.sealed)]
}

function figuresOf({ warmth, bare, ids }: Sides, fsync: { median: number; p95: number }): Figure[] {
  const seconds = (value: number): number => Math.round(value * 100) / 100
  return [
    { name: 'rows imported (people met twice are merged)', value: ids.length, unit: 'contacts' },
    { name: 'lens: from the start of the process until every row is searchable', value: seconds(warmth.seconds), unit: 's' },
    { name: 'lens: of that after the server answered', value: seconds(warmth.seconds - warmth.upSeconds), unit: 's' },
    { name: 'fsync: a durable append of 8 KiB, median', value: seconds(fsync.median), unit: 'ms' },
    { name: 'fsync: the same, 95th percentile', value: seconds(fsync.p95), unit: 'ms' },
    { name: 'pg_trgm for the bare servers', value: bare.bare.trigrams ? 'yes' : 'not shipped: sequential', unit: '' },
    { name: 'requests a minute the sealed server allows one token', value: REQUESTS_PER_MINUTE, unit: '' },
  ]
}
