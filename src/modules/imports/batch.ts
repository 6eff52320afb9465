import { setImmediate as breathe } from 'node:timers/promises'
import { Problem } from '../../kernel/base/index.ts'
import type { AnyRecord, Entity } from '../../kernel/entity/index.ts'
import type { OwnerKey, RowColumns, Vault } from '../../kernel/vault/index.ts'
import type { Desk, Work } from '../../kernel/work/types.ts'
import { checkEdit, mayOn } from '../access/index.ts'
import { Company } from '../companies/index.ts'
import { Contact } from '../contacts/index.ts'
import { changeRecord, sealed, sliceFor, type FieldDigest, type RecordsDeps, type Slice } from '../records/index.ts'
import type { Step } from '../runs/index.ts'
import { exactDigests, Planner, type BatchOptions, type Change, type Plan } from './plan.ts'
import type { ForLens } from './row-thread.ts'
import type { RowSource } from './row-source.ts'
import type { ContactDraft } from './row.ts'

/** Batches on their way into the lens; more wait for the first of them, and memory stays bounded. */
const MOST_ON_THE_WAY = 8

/** Rows on their way into the lens while the next batch is read and written; the import waits for all of them at its end. */
export class LensTail {
  readonly #under = new Set<Promise<void>>()
  #failed: { error: unknown } | null = null

  /** Resolves when another batch may come. Throws what the lens threw. */
  async add(told: Promise<void>): Promise<void> {
    const under: Promise<void> = told.catch((error: unknown) => void (this.#failed ??= { error })).finally(() => this.#under.delete(under))
    this.#under.add(under)
    if (this.#under.size >= MOST_ON_THE_WAY) await Promise.race(this.#under)
    if (this.#failed) throw this.#failed.error
  }

  /** Throws what the lens threw. */
  async settled(): Promise<void> {
    await Promise.all(this.#under)
    if (this.#failed) throw this.#failed.error
  }
}

export interface BatchDeps {
  records: RecordsDeps
  lens: LensTail
  source: RowSource
  /** Companies by normalised name, kept over the whole import. */
  companies: Map<string, string>
}

/** Fields an import writes pass the same gate as a person's own edit, asked once for all rows of a batch. */
function checkRights(desk: Desk, deps: BatchDeps, plan: Plan): void {
  const mayMake = (entity: Entity, record: AnyRecord | undefined): void => {
    if (record && !mayOn(entity, 'create', record, desk.actor)) throw new Problem('permission-missing')
  }
  mayMake(Company, [...plan.newCompanies.values()][0])
  mayMake(Contact, plan.fresh[0]?.record)
  if (plan.newCompanies.size > 0) checkEdit(Company, { name: true }, null, desk.actor)
  if (plan.fresh.length === 0) return
  const used: Record<string, unknown> = {}
  for (const { record } of plan.fresh) {
    for (const name of Object.keys(Contact.fields)) if (!isEmpty(record[name])) used[name] = true
    for (const key of Object.keys(record.custom)) used['custom'] = { ...(used['custom'] as object | undefined), [key]: true }
  }
  checkEdit(Contact, used, null, desk.actor, deps.records.customFields(Contact.name))
}

const isEmpty = (v: unknown): boolean => v === null || v === undefined || v === '' || (Array.isArray(v) && v.length === 0)

/** Rows of one statement: PostgreSQL takes in the last ones while the next are sealed. */
const AT_ONCE = 125

/** Resolves with the records as they are stored. */
async function insertAll(work: Work, slice: Slice, deps: RecordsDeps, drafts: readonly AnyRecord[], keys: ReadonlyMap<string, OwnerKey>, digests: readonly string[][]): Promise<AnyRecord[]> {
  const records: AnyRecord[] = []
  const inserting: Promise<void>[] = []
  for (const r of drafts) records.push(await slice.derive(null, r, { work, deps, undo: false }))
  for (let at = 0; at < records.length; at += AT_ONCE) {
    const rows = records.slice(at, at + AT_ONCE).map((r): RowColumns => sealed(work.vault, deps, slice, keys.get(r.id)!, r))
    const inserted = slice.store.insert(work.sql, rows, digests.slice(at, at + AT_ONCE))
    inserted.catch(() => undefined) // told below
    inserting.push(inserted)
    await breathe()
  }
  await Promise.all(inserting)
  return records
}

/** Between which two ids those of a batch lie, for whoever follows changes: the handles of the event name them to nobody. */
function idRange(list: readonly AnyRecord[]): { from: string; to: string } {
  const ids = list.map((r) => r.id).sort()
  return { from: ids[0]!, to: ids.at(-1)! }
}

/** Writes new companies and contacts of a batch in one transaction, with one event that names them all. */
async function writeFresh(desk: Desk, deps: BatchDeps, plan: Plan, options: BatchOptions): Promise<void> {
  const companies = [...plan.newCompanies.values()]
  const contacts = plan.fresh.map((f) => f.record)
  if (companies.length + contacts.length === 0) return
  const made = await desk.vault.createOwnerKeys([...companies, ...contacts].map((r) => r.id))
  const keys = new Map(made.map((k) => [k.ownerId, k]))
  const { records } = deps
  const stored = await desk.write(async (work) => {
    const rows = {
      companies: await insertAll(work, sliceFor(records, 'company'), records, companies, keys, companies.map(() => [])),
      contacts: await insertAll(work, sliceFor(records, 'contact'), records, contacts, keys, plan.fresh.map((f) => f.digests)),
    }
    const event = (kind: string, list: readonly AnyRecord[]): void => {
      if (list.length > 0) work.record({ action: `${kind}.imported`, object: { kind: 'import', id: options.importId }, subjects: list.map((r) => keys.get(r.id)!), purpose: 'import', sealTo: work.actor.key, detail: { count: list.length, ...idRange(list) } })
    }
    event('company', companies)
    event('contact', contacts)
    return rows
  })
  const tell = async (entity: ForLens['entity'], list: readonly AnyRecord[], shown: ForLens['shown']): Promise<void> => {
    if (list.length > 0) await deps.lens.add(deps.source.tell(desk.lens, { entity, records: list, shown, custom: records.customFields(entity) }))
  }
  await tell('company', stored.companies, [])
  await tell('contact', stored.contacts, plan.fresh.map((f) => ({ companyId: f.companyName })))
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

export interface Batch {
  drafts: readonly ContactDraft[]
  /** Of everything exact in each. */
  digests: readonly (readonly FieldDigest[])[]
}

/** Worked out while the batch before is being written: it depends on nobody's rights and on nothing that is there. */
export function batchOf(vault: Vault, drafts: readonly ContactDraft[]): Batch {
  return { drafts, digests: drafts.map((d) => exactDigests(vault, d)) }
}

/**
 * Matches a batch of rows against what the actor may see and writes what comes of it. Each step holds one transaction, so
 * one that is repeated because rights moved has written nothing before. Throws Problem lens-warming while companies cannot be found by name.
 */
export async function importBatch(step: Step, deps: BatchDeps, batch: Batch, options: BatchOptions): Promise<Pick<Plan, 'counts' | 'withheld'>> {
  const plan = await step(async (desk) => {
    const made = await new Planner(desk, deps.records, deps.companies, options).run(batch.drafts, batch.digests)
    checkRights(desk, deps, made)
    if (!options.dryRun) await writeFresh(desk, deps, made, options)
    return made
  })
  for (const [name, record] of plan.newCompanies) deps.companies.set(name, record.id)
  if (!options.dryRun) for (const change of plan.changes) await step((desk) => writeChange(desk, deps, change, options))
  return plan
}
