import { createHash } from 'node:crypto'
import { Problem, uuidText, uuidv7 } from '../../kernel/base/index.ts'
import type { AnyRecord } from '../../kernel/entity/index.ts'
import { normalise, type Lens, type LensRow } from '../../kernel/lens/index.ts'
import type { OwnerKey, RowColumns, Vault } from '../../kernel/vault/index.ts'
import type { Desk, Work } from '../../kernel/work/types.ts'
import { checkEdit, mayOn, rowCondition } from '../access/index.ts'
import { Company, companiesNamed } from '../companies/index.ts'
import { Contact } from '../contacts/index.ts'
import { changeRecord, digestsOf, draft as draftRecord, fieldDigests, openRows, sealed, sliceFor, toLensRow, type RecordsDeps, type Slice } from '../records/index.ts'
import type { Step } from '../runs/index.ts'
import { additions, sameName, type MatchKey } from './match.ts'
import type { ContactDraft } from './row.ts'

export interface BatchOptions {
  importId: string
  keys: ReadonlySet<MatchKey>
  onMatch: 'update' | 'skip'
  dryRun: boolean
  /** Records made since belong to this import: another row for one of them is merged, not an update. */
  startedAt: string
}

export interface Counts {
  created: number
  updated: number
  unchanged: number
  merged: number
  skipped: number
  companiesCreated: number
}

export const noCounts = (): Counts => ({ created: 0, updated: 0, unchanged: 0, merged: 0, skipped: 0, companiesCreated: 0 })

interface Fresh {
  record: AnyRecord
  digests: string[]
  /** The row it was made from. */
  draft: ContactDraft
  companyName: string | null
}

interface Change {
  id: string
  patch: Record<string, unknown>
  digests: string[]
}

/** A row that has no contact point, or that was merged, is recognised by its whole content when the file comes again. */
export function contentDigest(vault: Vault, draft: ContactDraft): string {
  const { collectedAt: _, ...content } = draft
  return uuidText(vault.blind('contacts.import_row', createHash('sha256').update(JSON.stringify(content)).digest('base64url')))
}

/** What one batch of rows comes to, decided before anything is written. */
class Plan {
  readonly counts = noCounts()
  readonly fresh: Fresh[] = []
  readonly changes: Change[] = []
  readonly newCompanies = new Map<string, AnyRecord>()
  readonly #byDigest = new Map<string, { record: AnyRecord; mine: boolean }[]>()
  /** Rows that a known record already differs from; whether the file brought them before is asked once for all of them. */
  readonly doubtful: { draft: ContactDraft; found: AnyRecord; patch: Record<string, unknown> }[] = []

  know(record: AnyRecord, digests: readonly string[], mine: boolean): void {
    for (const d of digests) this.#byDigest.set(d, [...(this.#byDigest.get(d) ?? []), { record, mine }])
  }

  match(draft: ContactDraft, digests: readonly string[]): { record: AnyRecord; mine: boolean } | null {
    for (const d of digests) for (const c of this.#byDigest.get(d) ?? []) if (sameName(c.record['fullName'], draft.fullName)) return c
    return null
  }

  seenWhole(digest: string | null): boolean {
    return digest !== null && this.#byDigest.has(digest)
  }
}

/** Rows on their way into the lens while the next batch is read and written; the import waits for all of them at its end. */
export class LensTail {
  #last: Promise<void> = Promise.resolve()

  add(lens: Lens, entity: string, rows: readonly LensRow[]): void {
    if (rows.length > 0) this.#last = Promise.all([this.#last, lens.fill(entity, rows)]).then(() => undefined)
    this.#last.catch(() => undefined) // told by settled()
  }

  /** Throws what the lens threw. */
  settled(): Promise<void> {
    return this.#last
  }
}

export interface BatchDeps {
  records: RecordsDeps
  lens: LensTail
  /** Companies by normalised name, kept over the whole import. */
  companies: Map<string, string>
}

/** Reads what the actor may see of the records these rows may belong to; each of them is named in an event. */
async function knownTo(desk: Desk, slice: Slice, plan: Plan, digests: readonly string[], options: BatchOptions): Promise<void> {
  if (digests.length === 0) return
  const pairs = await desk.sql.query<{ digest: string; rowId: string }>('SELECT digest, row_id AS "rowId" FROM blind WHERE digest = ANY ($1::uuid[])', [digests])
  if (pairs.length === 0) return
  const ids = [...new Set(pairs.map((p) => p.rowId))]
  const rows = await slice.store.page(desk.sql, { scope: rowCondition(desk.actor, Contact, 'read'), ids, limit: ids.length })
  const { records } = await openRows(desk, slice, rows)
  if (records.length === 0) return
  desk.record({ action: 'contact.matched', object: { kind: 'import', id: options.importId }, subjects: records.map((r) => desk.vault.ownerKey(r.id)), purpose: 'import' })
  const byId = new Map(records.map((r) => [r.id, r]))
  for (const { digest, rowId } of pairs) {
    const record = byId.get(rowId)
    if (record) plan.know(record, [digest], record.createdAt >= options.startedAt)
  }
}

async function planCompanies(desk: Desk, deps: BatchDeps, plan: Plan, drafts: readonly ContactDraft[], at: string): Promise<void> {
  const names = [...new Set(drafts.flatMap((d) => (d.companyName ? [normalise(d.companyName)] : [])))].filter((n) => !deps.companies.has(n))
  for (const [name, id] of await companiesNamed(desk, sliceFor(deps.records, 'company'), names)) deps.companies.set(name, id)
  const place = { ownerId: desk.actor.personId, departmentId: desk.actor.departmentId }
  for (const d of drafts) {
    const name = d.companyName ? normalise(d.companyName) : ''
    if (!name || deps.companies.has(name) || plan.newCompanies.has(name)) continue
    plan.newCompanies.set(name, draftRecord(sliceFor(deps.records, 'company'), uuidv7(), { name: d.companyName }, place, at))
  }
}

const KEY_INDEX: Readonly<Record<string, MatchKey>> = { 'contacts.emails': 'email', 'contacts.phones': 'phone' }
const emptyRecord: AnyRecord = { id: '', version: 1, createdAt: '', updatedAt: '', deletedAt: null, ownerId: '', departmentId: '', custom: {} }

interface Keys {
  /** Digests of everything exact in the row. */
  all: string[]
  /** Digests of the contact points that count as keys. */
  points: string[]
  /** Digest of the whole content; only where there are no points to know the row by. */
  whole: string | null
}

function decide(desk: Desk, deps: BatchDeps, plan: Plan, draft: ContactDraft, keys: Keys, at: string): void {
  if (plan.seenWhole(keys.whole)) return void plan.counts.unchanged++
  const name = draft.companyName ? normalise(draft.companyName) : ''
  const companyId = name ? (deps.companies.get(name) ?? plan.newCompanies.get(name)?.id ?? null) : null
  const found = plan.match(draft, keys.points)
  if (!found) return planCreate(desk, deps, plan, draft, keys, companyId, at)
  if (found.mine) return planMerge(desk, plan, found.record, draft, companyId)
  const patch = additions(found.record, draft, companyId, true)
  if (Object.keys(patch).length === 0) plan.counts.unchanged++
  else plan.doubtful.push({ draft, found: found.record, patch })
}

/** A row that was merged when this file came before is known by its whole content and changes nothing; the others are updates. */
async function settleDoubts(desk: Desk, plan: Plan, options: BatchOptions): Promise<void> {
  if (plan.doubtful.length === 0) return
  const digests = plan.doubtful.map((d) => contentDigest(desk.vault, d.draft))
  const rows = await desk.sql.query<{ digest: string }>('SELECT DISTINCT digest FROM blind WHERE digest = ANY ($1::uuid[])', [digests])
  const seen = new Set(rows.map((r) => r.digest))
  plan.doubtful.forEach(({ found, patch }, i) => {
    if (seen.has(digests[i]!)) return void plan.counts.unchanged++
    if (options.onMatch === 'skip') return void plan.counts.skipped++
    plan.counts.updated++
    plan.changes.push({ id: found.id, patch, digests: [] })
  })
}

function planCreate(desk: Desk, deps: BatchDeps, plan: Plan, draft: ContactDraft, keys: Keys, companyId: string | null, at: string): void {
  const { companyName, ...fields } = draft
  const input = { ...fields, companyId, collectedAt: draft.collectedAt ?? at }
  const record = draftRecord(sliceFor(deps.records, 'contact'), uuidv7(), input, { ownerId: desk.actor.personId, departmentId: desk.actor.departmentId }, at)
  const whole = keys.whole === null ? [] : [keys.whole]
  plan.fresh.push({ record, draft, digests: [...keys.all, ...whole], companyName })
  plan.know(record, [...keys.points, ...whole], true)
  plan.counts.created++
}

function planMerge(desk: Desk, plan: Plan, record: AnyRecord, draft: ContactDraft, companyId: string | null): void {
  plan.counts.merged++
  const whole = contentDigest(desk.vault, draft)
  const patch = additions(record, draft, companyId, false)
  const pending = plan.fresh.find((f) => f.record.id === record.id)
  if (pending) {
    Object.assign(pending.record, patch, patch['custom'] ? { custom: { ...pending.record.custom, ...(patch['custom'] as object) } } : {})
    pending.digests = [...new Set([...pending.digests, ...digestsOf(desk.vault, Contact, pending.record), whole, contentDigest(desk.vault, pending.draft)])]
    plan.know(pending.record, [whole], true)
  } else plan.changes.push({ id: record.id, patch, digests: [whole] })
}

/** Fields an import writes pass the same gate as a person's own edit, asked once for all rows of a batch. */
function checkRights(desk: Desk, deps: BatchDeps, plan: Plan): void {
  const first = plan.fresh[0]
  if (!first) return
  const custom = deps.records.customFields(Contact.name)
  const used: Record<string, unknown> = {}
  for (const { record } of plan.fresh) {
    for (const name of Object.keys(Contact.fields)) if (!isEmpty(record[name])) used[name] = true
    for (const key of Object.keys(record.custom)) used['custom'] = { ...(used['custom'] as object | undefined), [key]: true }
  }
  checkEdit(Contact, used, null, desk.actor, custom)
  if (!mayOn(Contact, 'create', first.record, desk.actor)) throw new Problem('permission-missing')
}

const isEmpty = (v: unknown): boolean => v === null || v === undefined || v === '' || (Array.isArray(v) && v.length === 0)

async function insertAll(work: Work, slice: Slice, deps: RecordsDeps, records: readonly AnyRecord[], keys: ReadonlyMap<string, OwnerKey>, digests: readonly string[][]): Promise<void> {
  const rows: RowColumns[] = records.map((r) => sealed(work.vault, deps, slice, keys.get(r.id)!, r))
  await slice.store.insert(work.sql, rows, digests)
}

/** Writes new companies and contacts of a batch in one transaction, with one event that names them all. */
async function writeFresh(desk: Desk, deps: BatchDeps, plan: Plan, options: BatchOptions): Promise<void> {
  const companies = [...plan.newCompanies.values()]
  const contacts = plan.fresh.map((f) => f.record)
  if (companies.length + contacts.length === 0) return
  const made = await desk.vault.createOwnerKeys([...companies, ...contacts].map((r) => r.id))
  const keys = new Map(made.map((k) => [k.ownerId, k]))
  const { records } = deps
  await desk.write(async (work) => {
    await insertAll(work, sliceFor(records, 'company'), records, companies, keys, companies.map(() => []))
    await insertAll(work, sliceFor(records, 'contact'), records, contacts, keys, plan.fresh.map((f) => f.digests))
    const event = (kind: string, list: readonly AnyRecord[]): void => {
      if (list.length > 0) work.record({ action: `${kind}.imported`, object: { kind: 'import', id: options.importId }, subjects: list.map((r) => keys.get(r.id)!), purpose: 'import', sealTo: work.actor.key, detail: { count: list.length } })
    }
    event('company', companies)
    event('contact', contacts)
  })
  deps.lens.add(desk.lens, 'company', companies.map((r): LensRow => toLensRow(Company, r, {}, records.customFields('company'))))
  deps.lens.add(desk.lens, 'contact', plan.fresh.map((f): LensRow => toLensRow(Contact, f.record, { companyId: f.companyName }, records.customFields('contact'))))
}

async function writeChange(desk: Desk, deps: BatchDeps, change: Change, options: BatchOptions): Promise<void> {
  const slice = sliceFor(deps.records, 'contact')
  await desk.write(async (work) => {
    const next = (record: AnyRecord): Record<string, unknown> => {
      checkEdit(Contact, change.patch, record, work.actor, deps.records.customFields(Contact.name))
      return change.patch
    }
    await changeRecord(work, deps.records, slice, { id: change.id, version: null, action: 'edit', next, note: { importId: options.importId } })
    if (change.digests.length > 0) await work.sql.query('INSERT INTO blind (digest, row_id) SELECT d, $1 FROM unnest($2::uuid[]) d', [change.id, change.digests])
  })
}

async function planBatch(desk: Desk, deps: BatchDeps, drafts: readonly ContactDraft[], options: BatchOptions): Promise<Plan> {
  const plan = new Plan()
  const at = new Date().toISOString()
  const keys = drafts.map((d): Keys => {
    const digests = fieldDigests(desk.vault, Contact, { ...emptyRecord, emails: d.emails, phones: d.phones, nationalId: d.nationalId })
    const points = digests.flatMap((f) => (options.keys.has(KEY_INDEX[f.index]!) ? [f.digest] : []))
    return { all: digests.map((f) => f.digest), points, whole: points.length === 0 ? contentDigest(desk.vault, d) : null }
  })
  await knownTo(desk, sliceFor(deps.records, 'contact'), plan, keys.flatMap((k) => (k.whole === null ? k.points : [k.whole])), options)
  await planCompanies(desk, deps, plan, drafts, at)
  drafts.forEach((d, i) => decide(desk, deps, plan, d, keys[i]!, at))
  await settleDoubts(desk, plan, options)
  plan.counts.companiesCreated = plan.newCompanies.size
  checkRights(desk, deps, plan)
  return plan
}

/**
 * Matches a batch of rows against what the actor may see and writes what comes of it. Each step holds one transaction, so
 * one that is repeated because rights moved has written nothing before. Throws Problem lens-warming while companies cannot be found by name.
 */
export async function importBatch(step: Step, deps: BatchDeps, drafts: readonly ContactDraft[], options: BatchOptions): Promise<Counts> {
  const plan = await step(async (desk) => {
    const made = await planBatch(desk, deps, drafts, options)
    if (!options.dryRun) await writeFresh(desk, deps, made, options)
    return made
  })
  for (const [name, record] of plan.newCompanies) deps.companies.set(name, record.id)
  if (!options.dryRun) for (const change of plan.changes) await step((desk) => writeChange(desk, deps, change, options))
  return plan.counts
}
