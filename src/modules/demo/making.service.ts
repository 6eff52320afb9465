import { Problem } from '../../kernel/base/index.ts'
import type { AnyRecord, Entity } from '../../kernel/entity/index.ts'
import type { Lens } from '../../kernel/lens/index.ts'
import type { OwnerKey, Vault } from '../../kernel/vault/index.ts'
import type { Desk, Work } from '../../kernel/work/types.ts'
import { checkEdit, mayOn, type Authority } from '../access/index.ts'
import { digestsOf, draft, keyOf, merged, sealed, sliceFor, toLensRow, type RecordsDeps, type Shown, type Slice } from '../records/index.ts'
import { insertBatch, type DemoRun } from './demo.store.ts'
import type { Planned } from './plan/index.ts'

export interface MakingDeps {
  records: RecordsDeps
  authority: Authority
  /** Where people stand, by id. */
  departments: ReadonlyMap<string, string>
  /** What other records are shown by, by id. */
  names: ReadonlyMap<string, string>
  lens: LensTail
}

/** Rows on their way into the lens while the next batch is made; waited for at the end. */
export class LensTail {
  #last: Promise<void> = Promise.resolve()

  add(lens: Lens, entity: string, rows: Parameters<Lens['fill']>[1]): void {
    this.#last = Promise.all([this.#last, lens.fill(entity, rows)]).then(() => undefined)
    this.#last.catch(() => undefined) // told by settled()
  }

  /** Throws what the lens threw. */
  settled(): Promise<void> {
    return this.#last
  }
}

/** The same transaction at another time: the rules of a noun then say what they would have said. */
function timed(work: Work, at: number): Work {
  const then = new Date(at)
  return new Proxy(work, {
    get(target, name) {
      if (name === 'at') return then
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

/** Lives through what is planned: made, then changed step by step, each by the noun's own rules as they stood at that time. */
async function live(work: Work, deps: MakingDeps, slice: Slice, planned: Planned): Promise<AnyRecord> {
  const { entity } = slice
  const place = { ownerId: planned.ownerId, departmentId: deps.departments.get(planned.ownerId)! }
  const derive = async (before: AnyRecord | null, next: AnyRecord, at: number): Promise<AnyRecord> => ({ ...(await slice.derive(before, next, { work: timed(work, at), deps: deps.records, undo: false })) })
  checkEdit(entity, planned.input, null, work.actor, deps.records.customFields(entity.name))
  let record = await derive(null, draft(slice, planned.id, slice.normalise({ ...planned.input }), place, new Date(planned.at).toISOString()), planned.at)
  for (const { at, patch } of planned.moves) {
    checkEdit(entity, patch, record, work.actor, deps.records.customFields(entity.name))
    record = { ...(await derive(record, merged(record, slice.normalise({ ...patch })), at)), updatedAt: new Date(at).toISOString() }
  }
  record = { ...record, ...planned.filled }
  if (!mayOn(entity, 'create', record, work.actor)) throw new Problem('permission-missing')
  return record
}

function shownBy(entity: Entity, record: AnyRecord, names: ReadonlyMap<string, string>): Shown {
  const links = Object.entries(entity.fields).filter(([field, f]) => f.ref?.show && typeof record[field] === 'string')
  return Object.fromEntries(links.map(([field]) => [field, names.get(String(record[field])) ?? null]))
}

/** Keys of records that have their own; a run that was killed after its keys were made finds them. */
export async function keysFor(vault: Vault, ids: readonly string[]): Promise<void> {
  const missing = ids.filter((id) => !vault.hasOwnerKey(id))
  if (missing.length > 0) await vault.createOwnerKeys(missing)
}

/** Makes records of one noun in one transaction, with one event that names them all, as an import does. */
export async function makeBatch(desk: Desk, deps: MakingDeps, run: DemoRun, n: number, planned: readonly Planned[]): Promise<void> {
  const slice = sliceFor(deps.records, planned[0]!.noun)
  const { entity } = slice
  const ids = planned.map((p) => p.id)
  if (entity.about !== 'record') await keysFor(desk.vault, ids)
  const records = await desk.write(async (work) => {
    const made: AnyRecord[] = []
    for (const p of planned) made.push(await live(work, deps, slice, p))
    const keys = made.map((r) => keyOf(work.vault, entity, r))
    await slice.store.insert(work.sql, made.map((r, i) => sealed(work.vault, deps.records, slice, keys[i]!, r)), made.map((r) => digestsOf(work.vault, entity, r)))
    await insertBatch(work.sql, deps.authority, run.id, { n, noun: entity.name, ids })
    const sorted = ids.toSorted()
    const subjects: OwnerKey[] = [...new Map(keys.map((k) => [k.ownerId, k])).values()]
    work.record({ action: `${entity.name}.imported`, object: { kind: 'demo', id: run.id }, subjects, purpose: 'demo', sealTo: work.actor.key, detail: { count: ids.length, from: sorted[0]!, to: sorted.at(-1)! } })
    return made
  })
  deps.lens.add(desk.lens, entity.name, records.map((r) => toLensRow(entity, r, shownBy(entity, r, deps.names), deps.records.customFields(entity.name))))
}
