import type { CountryCode } from 'libphonenumber-js/max'
import type { SealedFile, Vault } from '../../kernel/vault/index.ts'
import type { Desk } from '../../kernel/work/types.ts'
import { phoneCountry } from '../contact-points/index.ts'
import { declareFields, type CustomFieldDeclaration, type CustomFields } from '../custom-fields/index.ts'
import type { RecordsDeps } from '../records/index.ts'
import type { Step } from '../runs/index.ts'
import { batchOf, importBatch, LensTail, type Batch, type BatchDeps } from './batch.ts'
import { readMapFile } from './map-file.ts'
import { assertIdentifying, mapColumns } from './mapping.ts'
import type { MatchKey } from './match.ts'
import { noCounts, type BatchOptions, type Counts } from './plan.ts'
import { inspectCsv, namedEncoding } from './read/index.ts'
import { rowSource } from './row-source.ts'
import type { ContactDraft } from './row.ts'
import type { TakenRow } from './rows.ts'
import type { CustomFieldProposal } from './target.ts'

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
  vault: Vault
  /** The organisation's country, for numbers without a prefix. */
  country(): CountryCode
}

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
  known: Set<string>
  tally: Tally
}

interface Waiting {
  row: number
  draft: ContactDraft
}

/** One row on its way: counted, or rejected with its number, its column and a code. */
async function takeRow(c: Context, row: TakenRow, waiting: Waiting[]): Promise<void> {
  c.tally.rows++
  if (row.problem) c.tally.problem(row.row, row.problem.column, row.problem.code)
  for (const p of row.problems) c.tally.problem(p.row, p.column, p.code)
  if (!row.contact) return void c.tally.rejected++
  const more = row.extraFields.filter((f) => !c.known.has(f.key))
  if (more.length > 0) c.known = await declareAll(c.step, c.deps, more, c.options.dryRun)
  waiting.push({ row: row.row, draft: withoutUnknown(row.contact, c.known) })
}

async function importRows(c: Context, vault: Vault, total: number, progress: (done: number, total: number) => void): Promise<void> {
  // One batch is being written while the next one is read: reading is work of this thread or another, writing mostly waits for PostgreSQL.
  let writing: Promise<void> = Promise.resolve()
  const write = async (rows: readonly Waiting[], batch: Batch, read: number): Promise<void> => {
    if (rows.length > 0) {
      const { counts, withheld } = await importBatch(c.step, c.batch, batch, c.options)
      c.tally.add(counts)
      for (const place of withheld) c.tally.problem(rows[place]!.row, null, 'value-protected')
    }
    progress(read, total)
  }
  for await (const taken of c.batch.source.batches()) {
    const rows: Waiting[] = []
    for (const row of taken) await takeRow(c, row, rows)
    const batch = batchOf(vault, rows.map((r) => r.draft))
    await writing
    writing = write(rows, batch, c.tally.rows)
    writing.catch(() => undefined) // told by the next await
  }
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
  const country = (words.country ? phoneCountry(words.country) : null) ?? deps.country()
  const source = rowSource(() => file.stream(), { profile, mapping, options: { country, source: words.source } })
  const c: Context = {
    step,
    deps,
    batch: { records: deps.records, companies: new Map(), lens: new LensTail(), source },
    options: { importId: words.id, keys: new Set(words.match), onMatch: words.onMatch, dryRun: words.dryRun, startedAt: new Date().toISOString() },
    known,
    tally,
  }
  try {
    await importRows(c, deps.vault, profile.rows, progress)
  } finally {
    await c.batch.source.close()
  }
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
