import type { CountryCode } from 'libphonenumber-js/max'
import type { SealedFile } from '../../kernel/vault/index.ts'
import type { Desk } from '../../kernel/work/types.ts'
import { phoneCountry } from '../contact-points/index.ts'
import { declareFields, type CustomFieldDeclaration, type CustomFields } from '../custom-fields/index.ts'
import type { RecordsDeps } from '../records/index.ts'
import type { Step } from '../runs/index.ts'
import { importBatch, LensTail, type BatchDeps } from './batch.ts'
import { readMapFile } from './map-file.ts'
import { assertIdentifying, mapColumns } from './mapping.ts'
import type { MatchKey } from './match.ts'
import { noCounts, type BatchOptions, type Counts } from './plan.ts'
import { inspectCsv, namedEncoding, readCsv, type CsvProfile, type CsvRow } from './read/index.ts'
import { toContact, type ContactDraft } from './row.ts'
import type { CustomFieldProposal, Mapping } from './target.ts'

/** What the person asked for; kept sealed with the run. */
export interface ImportWords {
  source: string
  country: string | null
  encoding: string
  match: MatchKey[]
  onMatch: 'update' | 'skip'
  dryRun: boolean
  map: string | null
}

export interface ImportResult extends Counts {
  rows: number
  rejected: number
  unmappedColumns: string[]
  notTaken: { column: string; why: string }[]
  customFields: string[]
  problems: { row: number; column: string | null; code: string }[]
  /** All of them; `problems` lists at most 10,000. */
  problemCount: number
}

export interface ImportDeps {
  records: RecordsDeps
  customFields: CustomFields
  /** The organisation's country, for numbers without a prefix. */
  country(): CountryCode
}

const BATCH = 500
const MOST_PROBLEMS = 10_000

class Tally {
  readonly counts = noCounts()
  readonly problems: ImportResult['problems'] = []
  problemCount = 0
  rejected = 0
  rows = 0

  problem(row: number, column: string | null, code: string): void {
    this.problemCount++
    if (this.problems.length < MOST_PROBLEMS) this.problems.push({ row, column, code })
  }

  add(more: Counts): void {
    for (const key of Object.keys(more) as (keyof Counts)[]) this.counts[key] += more[key] // its own keys
  }
}

/** Declares the fields a file brings, where the person may; others are told as columns that were not taken. */
async function declareAll(step: Step, deps: ImportDeps, wanted: readonly CustomFieldProposal[], dryRun: boolean): Promise<Set<string>> {
  const known = new Set(deps.customFields.of('contact').map((f) => f.key))
  const missing = wanted.filter((f) => !known.has(f.key))
  if (missing.length > 0) {
    await step(async (desk: Desk) => {
      if (!desk.actor.grants.permissions.has('custom-fields:manage')) return
      const bodies = missing.map((f): CustomFieldDeclaration => ({ entity: 'contact', key: f.key, label: f.label, type: f.type, class: f.class, find: f.class === 'sensitive' ? [] : [...f.find] }))
      if (!dryRun) await declareFields(desk, deps.customFields, bodies, ['contact'])
      for (const f of missing) known.add(f.key)
    })
  }
  return known
}

function withoutUnknown(draft: ContactDraft, known: ReadonlySet<string>): ContactDraft {
  if (Object.keys(draft.custom).every((k) => known.has(k))) return draft
  return { ...draft, custom: Object.fromEntries(Object.entries(draft.custom).filter(([k]) => known.has(k))) }
}

interface Context {
  step: Step
  deps: ImportDeps
  batch: BatchDeps
  options: BatchOptions
  mapping: Mapping
  words: ImportWords
  country: CountryCode
  known: Set<string>
  tally: Tally
}

interface Waiting {
  row: number
  draft: ContactDraft
}

/** One row on its way: counted, cleaned, or rejected with its number, its column and a code. */
async function takeRow(c: Context, row: CsvRow, waiting: Waiting[]): Promise<void> {
  c.tally.rows++
  if (row.problem) c.tally.problem(row.row, row.problem.column, row.problem.code)
  if (!row.cells) return void c.tally.rejected++
  const { contact, problems, extraFields } = toContact({ row: row.row, cells: row.cells }, c.mapping, { country: c.country, source: c.words.source })
  for (const p of problems) c.tally.problem(p.row, p.column, p.code)
  if (!contact) return void c.tally.rejected++
  const more = extraFields.filter((f) => !c.known.has(f.key))
  if (more.length > 0) c.known = await declareAll(c.step, c.deps, more, c.options.dryRun)
  waiting.push({ row: row.row, draft: withoutUnknown(contact, c.known) })
}

async function importRows(c: Context, file: SealedFile, profile: CsvProfile, progress: (done: number, total: number) => void): Promise<void> {
  let waiting: Waiting[] = []
  // One batch is being written while the next one is read: reading is work of this thread, writing mostly waits for others.
  let writing: Promise<void> = Promise.resolve()
  const write = async (rows: readonly Waiting[]): Promise<void> => {
    const { counts, withheld } = await importBatch(c.step, c.batch, rows.map((r) => r.draft), c.options)
    c.tally.add(counts)
    for (const place of withheld) c.tally.problem(rows[place]!.row, null, 'value-protected')
    progress(c.tally.rows, profile.rows)
  }
  const flush = async (): Promise<void> => {
    const rows = waiting
    waiting = []
    await writing
    writing = rows.length > 0 ? write(rows) : Promise.resolve()
    writing.catch(() => undefined) // told by the next await
  }
  for await (const row of readCsv(() => file.stream(), profile)) {
    await takeRow(c, row, waiting)
    if (waiting.length >= BATCH) await flush()
  }
  await flush()
  await writing
  await c.batch.lens.settled()
}

/** Reads, maps, cleans, matches and writes a staged file. rows = created + updated + unchanged + merged + skipped + rejected, always. */
export async function runImport(step: Step, deps: ImportDeps, words: ImportWords & { id: string }, file: SealedFile, progress: (done: number, total: number) => void): Promise<ImportResult> {
  const profile = await inspectCsv(() => file.stream(), { encoding: namedEncoding(words.encoding) })
  const mapping = mapColumns(profile.header, { sample: profile.sample, ...(words.map ? { map: readMapFile(words.map) } : {}) })
  assertIdentifying(mapping)
  const known = await declareAll(step, deps, mapping.customFields, words.dryRun)
  const tally = new Tally()
  const c: Context = {
    step,
    deps,
    batch: { records: deps.records, companies: new Map(), lens: new LensTail() },
    options: { importId: words.id, keys: new Set(words.match), onMatch: words.onMatch, dryRun: words.dryRun, startedAt: new Date().toISOString() },
    mapping,
    words,
    country: (words.country ? phoneCountry(words.country) : null) ?? deps.country(),
    known,
    tally,
  }
  await importRows(c, file, profile, progress)
  const refused = mapping.columns.filter((m) => m.target.to === 'custom' && !c.known.has(m.field.key)).map((m) => m.name)
  return {
    rows: tally.rows,
    ...tally.counts,
    rejected: tally.rejected,
    unmappedColumns: [...mapping.unmappedColumns, ...refused],
    notTaken: mapping.notTaken.map((n) => ({ column: n.column, why: n.why })),
    customFields: mapping.customFields.filter((f) => c.known.has(f.key)).map((f) => f.key),
    problems: tally.problems,
    problemCount: tally.problemCount,
  }
}
