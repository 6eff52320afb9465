import { Problem } from '../../kernel/base/index.ts'
import type { AnyRecord, Entity } from '../../kernel/entity/index.ts'
import type { Desk, Work, WorkDeps } from '../../kernel/work/index.ts'
import { checkEdit, mayOn, rowCondition, type Authority } from '../access/index.ts'
import type { Staffing } from '../identity/index.ts'
import { changeRecord, sliceFor, type RecordsDeps, type Slice } from '../records/index.ts'
import { batchesOf, deleteFiles, deleteNotices, deleteRows, deleteRun, deleteViews, findRun, letGo, moveRun, pointingRows, targetsInUse, type DemoBatch, type DemoRun } from './demo.store.ts'

export interface RemovalDeps {
  records: RecordsDeps
  staffing: Staffing
  authority: Authority
}

export interface Removed {
  /** Rows taken away, by noun. */
  removed: Record<string, number>
  /** Records of people that hung on it and went too, or point at it no more. */
  freed: number
  /** How many parts of it people use: pipelines with their deals, colleagues who were given a way in, departments with people. They stay and are theirs now. */
  kept: number
}

const MOST_SUBJECTS = 1_000
const MOST_NAMED = 100
const KEYS_AT_ONCE = 500

/** A record somebody made that points at the demonstration company. */
interface Hanging {
  slice: Slice
  id: string
  deleted: boolean
  /** Its owner is one of those who go: nobody made it but the server, for somebody who is not there. */
  nobodys: boolean
}

/** Plain columns that point at another row: of records, of the record one hangs on, of colleagues. */
const linkColumns = (entity: Entity): string[] => entity.plain.filter((c) => c.kind === 'uuid' && c.field !== 'departmentId').map((c) => c.column)

async function hangingOn(desk: Desk, deps: RemovalDeps, gone: readonly string[]): Promise<Hanging[]> {
  const out: Hanging[] = []
  for (const slice of deps.records.slices.values()) {
    const columns = linkColumns(slice.entity)
    if (columns.length === 0) continue
    for (const row of await pointingRows(desk.sql, gone, slice.entity.table, columns)) out.push({ slice, ...row })
  }
  return out
}

/** What hangs on the company and is nobody's goes along; the rest is people's. */
function split(hanging: readonly Hanging[]): [along: Hanging[], peoples: Hanging[]] {
  const goes = (h: Hanging): boolean => h.nobodys && h.slice.entity.about === 'record'
  return [hanging.filter(goes), hanging.filter((h) => !goes(h))]
}

/** Names those the asker may see, and of the others only that there are some. */
async function refuse(desk: Desk, hanging: readonly Hanging[]): Promise<never> {
  const named: { path: string; code: string }[] = []
  for (const [slice, list] of Map.groupBy(hanging, (h) => h.slice)) {
    const ids = list.filter((h) => !h.deleted).map((h) => h.id)
    const rows = await slice.store.page(desk.sql, { scope: rowCondition(desk.actor, slice.entity, 'read'), ids, limit: MOST_NAMED })
    named.push(...rows.map((r) => ({ path: `${slice.entity.plural}/${r.id}`, code: 'hangs-on-demo' })))
  }
  throw new Problem('demo-in-use', { errors: named.slice(0, MOST_NAMED), extra: { others: named.length < hanging.length } })
}

/** What goes, and what stays. */
interface Listed {
  batches: readonly DemoBatch[]
  kept: ReadonlySet<string>
  /** In the order they were made. */
  nouns: string[]
  all: ReadonlySet<string>
  /** Ids of one noun that go. */
  of(noun: string): string[]
}

function listed(batches: readonly DemoBatch[], kept: ReadonlySet<string>): Listed {
  const of = (noun: string): string[] => batches.filter((b) => b.noun === noun).flatMap((b) => b.ids).filter((id) => !kept.has(id))
  return { batches, kept, of, nouns: [...new Set(batches.map((b) => b.noun))], all: new Set(batches.flatMap((b) => b.ids).filter((id) => !kept.has(id))) }
}

/** What a person's record no longer points at. A link it cannot do without (a deal's pipeline) is none of these: its target stays. */
function freedLinks(entity: Entity, record: AnyRecord, gone: ReadonlySet<string>, askerId: string): Record<string, unknown> {
  const patch: Record<string, unknown> = {}
  for (const [name, f] of Object.entries(entity.fields)) if (f.ref && f.optional && !f.many && gone.has(String(record[name]))) patch[name] = null
  if (gone.has(record.ownerId)) patch['ownerId'] = askerId
  return patch
}

/** Of the fields of a patch, those that people may write: the gate is asked of them. */
const editable = (entity: Entity, patch: Readonly<Record<string, unknown>>): Record<string, unknown> => Object.fromEntries(Object.entries(patch).filter(([name]) => entity.fields[name]?.edit))

/** Frees one record by the asker's own rights: one they may not change ends the whole. True for what hung on a record that goes, and goes with it. */
async function free(work: Work, deps: RemovalDeps, { slice, id, deleted }: Hanging, gone: ReadonlySet<string>): Promise<boolean> {
  const { entity } = slice
  let goes = false
  const next = (record: AnyRecord): Record<string, unknown> => {
    goes = entity.about === 'record' && gone.has(String(record['recordId']))
    if (goes && !mayOn(entity, 'delete', record, work.actor)) throw new Problem('permission-missing')
    if (goes) return { deletedAt: record.deletedAt ?? work.at.toISOString() }
    const patch = freedLinks(entity, record, gone, work.actor.personId)
    if ('ownerId' in patch && !mayOn(entity, 'assign', record, work.actor)) throw new Problem('permission-missing')
    checkEdit(entity, editable(entity, patch), record, work.actor)
    return patch
  }
  await changeRecord(work, deps.records, slice, { id, version: null, action: 'edit', deleted, event: `${entity.name}.freed`, next })
  return goes
}

/** Everything of the run, in one transaction: what points at a row goes before it. */
async function removeRecords(work: Work, deps: RemovalDeps, run: DemoRun, parts: Listed, also: readonly Hanging[]): Promise<Record<string, number>> {
  const removed: Record<string, number> = {}
  const nouns = [...new Set([...also.map((h) => h.slice.entity.name), ...parts.nouns.toReversed()])].filter((n) => deps.records.slices.has(n))
  for (const noun of nouns) {
    const slice = sliceFor(deps.records, noun)
    const ids = [...parts.of(noun), ...also.filter((h) => h.slice === slice).map((h) => h.id)]
    if (noun === 'attachment') await deleteFiles(work.sql, ids)
    removed[slice.entity.plural] = await deleteRows(work.sql, slice.entity.table, ids)
    const keyed = slice.entity.about === 'record' ? [] : ids.filter((id) => work.vault.hasOwnerKey(id))
    for (let i = 0; i === 0 || i < keyed.length; i += MOST_SUBJECTS) {
      work.record({ action: `${noun}.demo-removed`, object: { kind: 'demo', id: run.id }, subjects: keyed.slice(i, i + MOST_SUBJECTS).map((id) => work.vault.ownerKey(id)), purpose: 'demo', sealTo: work.actor.key, detail: { count: ids.length } })
    }
    work.lens(noun, [], ids)
  }
  return removed
}

/** What goes, but for what people use: those who have signed in, pipelines of their deals. */
async function partsOf(desk: Desk, deps: RemovalDeps, run: DemoRun): Promise<Listed> {
  const batches = await batchesOf(desk.sql, deps.authority, run.id)
  const whole = listed(batches, new Set())
  const people = await deps.staffing.withFactors(desk.sql, whole.of('person'))
  const deals = sliceFor(deps.records, 'deal').entity
  const pipelines = await targetsInUse(desk.sql, [...whole.all], deals.table, 'pipeline_id', whole.of('pipeline'))
  return listed(batches, new Set([...people, ...pipelines]))
}

/** Takes the demonstration company away. What people made stays; where it hangs on a part that goes, this is refused, or with `force` it is freed. Throws Problem demo-absent, demo-in-use. */
export async function removeDemo(desk: Desk, deps: RemovalDeps, force: boolean): Promise<Removed> {
  const run = await findRun(desk.sql, deps.authority)
  if (!run || run.state === 'shredding') throw new Problem('demo-absent')
  const parts = await partsOf(desk, deps, run)
  const [along, hanging] = split(await hangingOn(desk, deps, [...parts.all]))
  if (hanging.length > 0 && !force) return refuse(desk, hanging)
  const done = await desk.write(async (work) => {
    const going = [...along]
    for (const h of hanging) if (await free(work, deps, h, parts.all)) going.push(h)
    const removed = await removeRecords(work, deps, run, parts, going)
    await deleteViews(work.sql, parts.of('view'))
    await deleteNotices(work.sql, parts.of('person'))
    const left = await deps.staffing.remove(work, parts.of('person'), parts.of('department'))
    const kept = new Set([...parts.kept, ...left.people, ...left.departments])
    await letGo(work.sql, deps.authority, run.id, parts.batches, kept)
    await moveRun(work.sql, deps.authority, run, 'shredding')
    work.record({ action: 'demo.removed', object: { kind: 'demo', id: run.id }, purpose: 'demo', detail: { force } })
    return { removed: { ...removed, users: parts.of('person').length - left.people.length, departments: parts.of('department').length - left.departments.length }, kept: kept.size }
  })
  for (const noun of parts.nouns) for (const id of parts.of(noun)) deps.records.slices.get(noun)?.cache.drop(id)
  return { ...done, freed: hanging.length }
}

/** Destroys the keys of what was taken away, and forgets the run. Whatever of it was killed is done again. */
export async function finishShredding({ db, vault, ledger }: WorkDeps, authority: Authority, run: DemoRun): Promise<void> {
  const ids = (await batchesOf(db, authority, run.id)).flatMap((b) => b.ids).filter((id) => vault.hasOwnerKey(id))
  for (let i = 0; i < ids.length; i += KEYS_AT_ONCE) await Promise.all(ids.slice(i, i + KEYS_AT_ONCE).map((id) => vault.destroyOwnerKey(id)))
  const events = await db.tx(async (tx) => {
    await deleteRun(tx, run.id)
    return ledger.recordMany(tx, [{ action: 'demo.shredded', actor: null, object: { kind: 'demo', id: run.id }, detail: { keys: ids.length } }])
  })
  ledger.committed(events)
}
