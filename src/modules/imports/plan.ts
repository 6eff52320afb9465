import { createHash } from 'node:crypto'
import { uuidText, uuidv7 } from '../../kernel/base/index.ts'
import type { AnyRecord, CustomFieldWords } from '../../kernel/entity/index.ts'
import { normalise } from '../../kernel/lens/index.ts'
import type { Vault } from '../../kernel/vault/index.ts'
import type { Desk } from '../../kernel/work/types.ts'
import { rowCondition, touchesMasked, unwritable } from '../access/index.ts'
import { companiesNamed } from '../companies/index.ts'
import { Contact } from '../contacts/index.ts'
import { digestsOf, draft as draftRecord, fieldDigests, openRows, sliceFor, type FieldDigest, type RecordsDeps } from '../records/index.ts'
import { additions, sameName, without, type MatchKey } from './match.ts'
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

export interface Change {
  id: string
  patch: Record<string, unknown>
  digests: string[]
}

/** A row that has no contact point, or that was merged, is recognised by its content when the file comes again. */
function contentDigest(vault: Vault, draft: ContactDraft): string {
  const { collectedAt: _, ...content } = draft
  return uuidText(vault.blind('contacts.import_row', createHash('sha256').update(JSON.stringify(content)).digest('base64url')))
}

/** What one batch of rows comes to, decided before anything is written. */
export class Plan {
  readonly counts = noCounts()
  readonly fresh: Fresh[] = []
  readonly changes: Change[] = []
  readonly newCompanies = new Map<string, AnyRecord>()
  /** Places in the batch of rows with a value for a field that stands and is not theirs to write; it is left as it is. */
  readonly withheld: number[] = []
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

  /** Whether a row of this content is there; `mine`: brought by this very import. */
  seenWhole(digest: string, mine: boolean): boolean {
    return (this.#byDigest.get(digest) ?? []).some((c) => c.mine || !mine)
  }
}

interface Keys {
  /** Digests of everything exact in the row. */
  all: string[]
  /** Digests of the contact points that count as keys. */
  points: string[]
  /** Digest of the whole content; only where there are no points to know the row by. */
  whole: string | null
}

const KEY_INDEX: Readonly<Record<string, MatchKey>> = { 'contacts.emails': 'email', 'contacts.phones': 'phone' }
const KEY_FIELD: Readonly<Record<MatchKey, string>> = { email: 'emails', phone: 'phones' }
const emptyRecord: AnyRecord = { id: '', version: 1, createdAt: '', updatedAt: '', deletedAt: null, ownerId: '', departmentId: '', custom: {} }

const isEmpty = (v: unknown): boolean => v === null || v === undefined || v === '' || (Array.isArray(v) && v.length === 0)

/** The filled fields of a row, by the names the gate knows them by. */
function filled(draft: ContactDraft): Record<string, unknown> {
  const { companyName: _, ...fields } = draft
  return Object.fromEntries(Object.entries(fields).filter(([, v]) => !isEmpty(v)))
}

export function exactDigests(vault: Vault, draft: ContactDraft): FieldDigest[] {
  return fieldDigests(vault, Contact, { ...emptyRecord, emails: draft.emails, phones: draft.phones, nationalId: draft.nationalId })
}

/** Decides one batch for one person. What it says of a row must not depend on a value that is masked to them. */
export class Planner {
  readonly plan = new Plan()
  readonly #desk: Desk
  readonly #records: RecordsDeps
  readonly #companies: Map<string, string>
  readonly #options: BatchOptions
  readonly #custom: readonly CustomFieldWords[]
  readonly #at = new Date().toISOString()

  /** `companies`: by normalised name, known from earlier batches. */
  constructor(desk: Desk, records: RecordsDeps, companies: Map<string, string>, options: BatchOptions) {
    this.#desk = desk
    this.#records = records
    this.#companies = companies
    this.#options = options
    this.#custom = records.customFields(Contact.name)
  }

  /** `digests`: `exactDigests` of each draft. */
  async run(drafts: readonly ContactDraft[], digests: readonly (readonly FieldDigest[])[]): Promise<Plan> {
    const keys = this.#keysOf(drafts, digests)
    await this.#knownTo(keys)
    await this.#planCompanies(drafts)
    drafts.forEach((d, i) => this.#decide(d, i, keys[i]!))
    await this.#settleDoubts()
    this.plan.counts.companiesCreated = this.plan.newCompanies.size
    return this.plan
  }

  #keysOf(drafts: readonly ContactDraft[], all: readonly (readonly FieldDigest[])[]): Keys[] {
    const { vault, actor } = this.#desk
    // A field the person does not read is none to find others by.
    const usable = new Set([...this.#options.keys].filter((k) => ['read', 'edit'].includes(actor.grants.field(Contact.name, KEY_FIELD[k]))))
    return drafts.map((d, i) => {
      const digests = all[i] ?? exactDigests(vault, d)
      const points = digests.flatMap((f) => (usable.has(KEY_INDEX[f.index]!) ? [f.digest] : []))
      return { all: digests.map((f) => f.digest), points, whole: points.length === 0 ? contentDigest(vault, d) : null }
    })
  }

  /** Whether the row came before as it is. Where it holds a value that is masked to the person, this is one of the hour's questions to masked fields. */
  #isKnownWhole(draft: ContactDraft, whole: string): boolean {
    const { actor } = this.#desk
    if (this.plan.seenWhole(whole, true)) return true
    const mayAsk = !touchesMasked(Contact, filled(draft), actor, this.#custom) || this.#records.matches.take(actor.personId, 1)
    return mayAsk && this.plan.seenWhole(whole, false)
  }

  /** Of a row that is merged: without what is sensitive, so that no guess at it can be tried. */
  #mergedDigest(draft: ContactDraft): string {
    const sensitive = new Set(this.#custom.filter((c) => c.class === 'sensitive').map((c) => c.key))
    const custom = Object.fromEntries(Object.entries(draft.custom).filter(([key]) => !sensitive.has(key)))
    return contentDigest(this.#desk.vault, { ...draft, nationalId: null, custom })
  }

  /** Reads what the actor may see of the records these rows may belong to; each of them is named in an event. */
  async #knownTo(keys: readonly Keys[]): Promise<void> {
    const { sql, vault, actor } = this.#desk
    const whole = new Set(keys.flatMap((k) => k.whole ?? []))
    const digests = [...whole, ...keys.flatMap((k) => (k.whole === null ? k.points : []))]
    if (digests.length === 0) return
    const pairs = await sql.query<{ digest: string; rowId: string }>('SELECT digest, row_id AS "rowId" FROM blind WHERE digest = ANY ($1::uuid[])', [digests])
    if (pairs.length === 0) return
    const ids = [...new Set(pairs.map((p) => p.rowId))]
    const slice = sliceFor(this.#records, Contact.name)
    const rows = await slice.store.page(sql, { scope: rowCondition(actor, Contact, 'read'), ids, limit: ids.length })
    const { records } = await openRows(this.#desk, slice, rows)
    if (records.length === 0) return
    this.#desk.record({ action: 'contact.matched', object: { kind: 'import', id: this.#options.importId }, subjects: records.map((r) => vault.ownerKey(r.id)), purpose: 'import' })
    // The index is not sealed to its rows: one that says a record has this address is believed only when the record says so too.
    const byId = new Map(records.map((record) => [record.id, { record, holds: new Set(digestsOf(vault, Contact, record)) }]))
    for (const { digest, rowId } of pairs) {
      const known = byId.get(rowId)
      if (known && (whole.has(digest) || known.holds.has(digest))) this.plan.know(known.record, [digest], known.record.createdAt >= this.#options.startedAt)
    }
  }

  async #planCompanies(drafts: readonly ContactDraft[]): Promise<void> {
    const { actor } = this.#desk
    const slice = sliceFor(this.#records, 'company')
    const names = [...new Set(drafts.flatMap((d) => (d.companyName ? [normalise(d.companyName)] : [])))].filter((n) => !this.#companies.has(n))
    for (const [name, id] of await companiesNamed(this.#desk, slice, names)) this.#companies.set(name, id)
    const place = { ownerId: actor.personId, departmentId: actor.departmentId }
    for (const d of drafts) {
      const name = d.companyName ? normalise(d.companyName) : ''
      if (!name || this.#companies.has(name) || this.plan.newCompanies.has(name)) continue
      this.plan.newCompanies.set(name, draftRecord(slice, uuidv7(), { name: d.companyName }, place, this.#at))
    }
  }

  #decide(draft: ContactDraft, place: number, keys: Keys): void {
    const { plan } = this
    if (keys.whole !== null && this.#isKnownWhole(draft, keys.whole)) return void plan.counts.unchanged++
    const name = draft.companyName ? normalise(draft.companyName) : ''
    const companyId = name ? (this.#companies.get(name) ?? plan.newCompanies.get(name)?.id ?? null) : null
    const found = plan.match(draft, keys.points)
    if (!found) return this.#create(draft, keys, companyId)
    if (found.mine) return this.#merge(found.record, draft, companyId)
    // Left out whether it differs or not: "unchanged" would otherwise tell the value that stands, row by row of guesses.
    const withheld = unwritable(Contact, filled(draft), found.record, this.#desk.actor, this.#custom)
    if (withheld.length > 0) plan.withheld.push(place)
    const patch = without(additions(found.record, draft, companyId, true), withheld)
    if (Object.keys(patch).length === 0) plan.counts.unchanged++
    else plan.doubtful.push({ draft, found: found.record, patch })
  }

  /** A row that was merged when this file came before is known by its whole content and changes nothing; the others are updates. */
  async #settleDoubts(): Promise<void> {
    const { plan } = this
    if (plan.doubtful.length === 0) return
    const digests = plan.doubtful.map((d) => this.#mergedDigest(d.draft))
    const rows = await this.#desk.sql.query<{ digest: string; rowId: string }>('SELECT digest, row_id AS "rowId" FROM blind WHERE digest = ANY ($1::uuid[])', [digests])
    const seen = new Set(rows.map((r) => `${r.digest} ${r.rowId}`))
    plan.doubtful.forEach(({ found, patch }, i) => {
      // Brought into this very record: what a colleague's record was merged from is nobody else's to learn.
      if (seen.has(`${digests[i]} ${found.id}`)) return void plan.counts.unchanged++
      if (this.#options.onMatch === 'skip') return void plan.counts.skipped++
      plan.counts.updated++
      plan.changes.push({ id: found.id, patch, digests: [] })
    })
  }

  #create(draft: ContactDraft, keys: Keys, companyId: string | null): void {
    const { actor } = this.#desk
    const { companyName, ...fields } = draft
    const input = { ...fields, companyId, collectedAt: draft.collectedAt ?? this.#at }
    const record = draftRecord(sliceFor(this.#records, Contact.name), uuidv7(), input, { ownerId: actor.personId, departmentId: actor.departmentId }, this.#at)
    const whole = keys.whole === null ? [] : [keys.whole]
    this.plan.fresh.push({ record, draft, digests: [...keys.all, ...whole], companyName })
    this.plan.know(record, [...keys.points, ...whole], true)
    this.plan.counts.created++
  }

  #merge(record: AnyRecord, draft: ContactDraft, companyId: string | null): void {
    const { plan } = this
    plan.counts.merged++
    const merged = this.#mergedDigest(draft)
    const patch = additions(record, draft, companyId, false)
    const pending = plan.fresh.find((f) => f.record.id === record.id)
    if (pending) {
      Object.assign(pending.record, patch, patch['custom'] ? { custom: { ...pending.record.custom, ...(patch['custom'] as object) } } : {})
      pending.digests = [...new Set([...pending.digests, ...digestsOf(this.#desk.vault, Contact, pending.record), merged, this.#mergedDigest(pending.draft)])]
    } else plan.changes.push({ id: record.id, patch, digests: [merged] })
  }
}
