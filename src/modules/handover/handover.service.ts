import { Problem } from '../../kernel/base/index.ts'
import type { AnyRecord } from '../../kernel/entity/index.ts'
import type { Condition } from '../../kernel/lens/types.ts'
import type { Desk, Work } from '../../kernel/work/types.ts'
import { checkWhere, mayOn, rowCondition } from '../access/index.ts'
import { changeMany, checkedPatch, newUndoToken, searchRecords, sliceFor, undoChange, type BulkAnswer, type Change, type RecordsDeps, type SearchAnswer, type Slice } from '../records/index.ts'
import type { Step } from '../runs/index.ts'
import type { SharedViews } from '../views/index.ts'

export interface HandoverDeps {
  records: RecordsDeps
  views: SharedViews
  /** Ends every session and token of a person and keeps them out. */
  disable(desk: Desk, personId: string): Promise<void>
}

export interface HandoverWords {
  from: string
  to: readonly string[]
  /** Entities; null: everything, open tasks too. */
  nouns: readonly string[] | null
  where?: unknown
  ids?: readonly string[] | undefined
  disable: boolean
  /** The token of the hand-over that this one takes back; then there is nothing to give. */
  undoes?: string
  /** Kept from the first attempt to the last, so that all of it is taken back as one. */
  undoToken: string
}

export interface HandoverResult {
  nouns: { noun: string; matched: number; done: number }[]
  failed: BulkAnswer['failed']
  failedCount: number
  disabled: boolean
  undoToken: string | null
}

const PAGE = 200
const MOST_TOLD = 1_000
const TASKS = 'tasks'
const VIEWS = 'views'

/** Nouns whose rows one person gives to another. What hangs on a record stays whose it is: who wrote a note has written it. Pools come first: what lies in them follows them. */
export function givenNouns(deps: RecordsDeps): Slice[] {
  const all = [...deps.slices.values()].filter((s) => s.entity.about !== 'record')
  return all.toSorted((a, b) => Number(b.entity.name === 'pool') - Number(a.entity.name === 'pool'))
}

/** Those of them this person may give. */
const mayGive = (desk: Desk, slice: Slice): boolean => ['read', 'assign'].every((verb) => desk.actor.grants.permissions.has(`${slice.entity.plural}:${verb}`))

/** `where` of what lies in no pool: that is nobody's to give away, and leaves the pool by a claim or an assignment alone. */
function ofPerson(slice: Slice, from: string, pooled: boolean): Condition[] {
  const { conceal } = slice.entity
  const owned: Condition = { field: 'ownerId', op: 'eq', value: from }
  return conceal ? [owned, pooled ? { not: { field: conceal.while, op: 'isEmpty' } } : { field: conceal.while, op: 'isEmpty' }] : [owned]
}

const openTasksOf = (from: string): Condition => ({
  and: [{ field: 'kind', op: 'eq', value: 'task' }, { field: 'doneAt', op: 'isEmpty' }, { or: [{ field: 'assigneeId', op: 'eq', value: from }, { and: [{ field: 'assigneeId', op: 'isEmpty' }, { field: 'ownerId', op: 'eq', value: from }] }] }],
})

/** Views are given by whoever may give the person's customers: what is shared is asked by others, and goes on under another name. */
async function mayGiveViews(desk: Desk, deps: RecordsDeps, from: string): Promise<boolean> {
  const place = await deps.place(desk.sql, from)
  const { entity } = sliceFor(deps, 'contact')
  return place !== null && mayOn(entity, 'assign', { id: from, version: 1, createdAt: '', updatedAt: '', deletedAt: null, ownerId: from, departmentId: place.departmentId, custom: {} }, desk.actor)
}

/** How much there is of each noun that the asker may give; a count is never of rows they may not. */
export async function previewOf(desk: Desk, { records: deps, views }: HandoverDeps, from: string): Promise<{ nouns: { noun: string; count: number }[]; total: number }> {
  await checkPeople(desk, deps, from, [])
  const nouns: { noun: string; count: number }[] = []
  for (const slice of givenNouns(deps).filter((s) => mayGive(desk, s))) {
    const { entity, store } = slice
    const scope: Condition = { and: [rowCondition(desk.actor, entity, 'read'), rowCondition(desk.actor, entity, 'assign')] }
    nouns.push({ noun: entity.plural, count: await store.count(desk.sql, { scope, where: { field: 'ownerId', op: 'eq', value: from } }) })
    desk.record({ action: `${entity.name}.listed`, object: { kind: entity.name, id: null }, purpose: 'list' })
  }
  const tasks = sliceFor(deps, 'activity')
  if (desk.actor.grants.permissions.has('activities:edit')) nouns.push({ noun: TASKS, count: await tasks.store.count(desk.sql, { scope: { and: [rowCondition(desk.actor, tasks.entity, 'read'), rowCondition(desk.actor, tasks.entity, 'edit')] }, where: openTasksOf(from) }) })
  if (await mayGiveViews(desk, deps, from)) nouns.push({ noun: VIEWS, count: await views.count(desk.sql, from) })
  return { nouns, total: nouns.reduce((n, { count }) => n + count, 0) }
}

async function checkPeople(desk: Desk, deps: RecordsDeps, from: string, to: readonly string[]): Promise<void> {
  const invalid = (path: string, code: string): Problem => new Problem('invalid', { errors: [{ path, code }] })
  if (!(await deps.place(desk.sql, from))) throw invalid('from', 'not-found')
  for (const [i, id] of to.entries()) {
    if (id === from || to.indexOf(id) !== i) throw invalid('to', 'repeated')
    if (!(await deps.place(desk.sql, id))?.active) throw invalid('to', 'not-found')
  }
}

/** Refuses at once what would be refused at the end. Throws Problem invalid, field-unknown or permission-missing. */
export async function wordsFor(desk: Desk, deps: RecordsDeps, asked: Omit<HandoverWords, 'undoToken' | 'undoes'>): Promise<HandoverWords> {
  await checkPeople(desk, deps, asked.from, asked.to)
  const slices = asked.nouns?.map((n) => sliceFor(deps, n)) ?? givenNouns(deps)
  if (!slices.some((s) => mayGive(desk, s))) throw new Problem('permission-missing')
  if (asked.disable && (!desk.actor.grants.permissions.has('users:manage') || asked.from === desk.actor.personId)) throw new Problem('permission-missing')
  for (const s of slices) if (asked.where !== undefined) checkWhere(s.entity, asked.where, desk.actor, deps.customFields(s.entity.name))
  return { ...asked, undoToken: newUndoToken() }
}

/** A row to give, and what it is dealt out by: rows of one company go to one person. */
interface Found {
  id: string
  together: string
}

async function findAll(step: Step, deps: RecordsDeps, slice: Slice, where: unknown): Promise<Found[]> {
  const out: Found[] = []
  const together = slice.entity.fields['companyId'] ? 'companyId' : slice.entity.about === 'record' ? 'recordId' : 'id'
  let cursor: string | undefined
  do {
    const from = cursor
    const page = await step(async (desk) => {
      const fields = checkSeen(desk, slice, together) ? ['id', together] : ['id']
      return JSON.parse(await searchRecords(desk, deps, slice, { where, fields, limit: PAGE, cursor: from })) as SearchAnswer // searchRecords wrote it a moment ago
    })
    if (!page.complete) throw new Problem('lens-warming')
    for (const item of page.items as AnyRecord[]) out.push({ id: String(item.id), together: typeof item[together] === 'string' ? item[together] : String(item.id) })
    cursor = page.nextCursor ?? undefined
  } while (cursor)
  return out
}

const checkSeen = (desk: Desk, slice: Slice, field: string): boolean => field !== 'id' && ['read', 'edit'].includes(desk.actor.grants.field(slice.entity.name, field))

/** The same person for the same company, in every attempt. */
const dealtTo = (to: readonly string[], together: string): string => to[Number(BigInt(`0x${together.replaceAll('-', '').slice(-12)}`) % BigInt(to.length))]!

class Giving {
  readonly result: HandoverResult = { nouns: [], failed: [], failedCount: 0, disabled: false, undoToken: null }
  readonly #step: Step
  readonly #deps: RecordsDeps
  readonly #words: HandoverWords
  readonly #progress: (done: number, total: number) => void
  #seen = 0

  constructor(step: Step, deps: RecordsDeps, words: HandoverWords, progress: (done: number, total: number) => void) {
    this.#step = step
    this.#deps = deps
    this.#words = words
    this.#progress = progress
  }

  async give(slice: Slice, noun: string, where: Condition, next: (work: Work, to: string, record: AnyRecord) => ReturnType<Change['next']>, action: Change['action'] = 'assign'): Promise<void> {
    const found = await findAll(this.#step, this.#deps, slice, where)
    let tally = this.result.nouns.find((n) => n.noun === noun)
    if (!tally) this.result.nouns.push((tally = { noun, matched: 0, done: 0 }))
    tally.matched += found.length
    const person = new Map(found.map((f) => [f.id, dealtTo(this.#words.to, f.together)]))
    for (let at = 0; at < found.length; at += PAGE) {
      const ids = found.slice(at, at + PAGE).map((f) => f.id)
      const changeOf = (work: Work, id: string): Change => ({ id, version: null, action, next: (record) => next(work, person.get(id)!, record) })
      const answer = await this.#step((desk) => changeMany(desk, this.#deps, slice, { ids, route: `POST /${slice.entity.plural}/transfer`, token: this.#words.undoToken, changeOf }))
      tally.done += answer.done
      this.#refused(answer.failed)
      this.#seen += ids.length
      this.#progress(this.#seen, this.#seen + found.length - at - ids.length)
      if (answer.undoToken) this.result.undoToken = answer.undoToken
    }
  }

  #refused(failed: BulkAnswer['failed']): void {
    this.result.failed.push(...failed.slice(0, MOST_TOLD - this.result.failed.length))
    this.result.failedCount += failed.length
  }
}

/** Gives page by page with the rights the asker has at each. Taken up anew after a kill it asks again, and what is given already is not found any more. */
export async function runHandover(step: Step, { records, views, disable }: HandoverDeps, words: HandoverWords, progress: (done: number, total: number) => void): Promise<HandoverResult> {
  const { undoes, from, nouns } = words
  if (undoes !== undefined) return undone(await step((desk) => undoChange(desk, records, undoes)))
  const giving = new Giving(step, records, words, progress)
  const slices = nouns?.map((n) => sliceFor(records, n)) ?? givenNouns(records)
  for (const slice of slices) {
    if (!(await step(async (desk) => mayGive(desk, slice)))) continue
    const where = { and: [...ofPerson(slice, from, false), ...(words.ids ? [{ field: 'id', op: 'in', value: words.ids }] : []), ...(words.where === undefined ? [] : [words.where])] } as Condition // the gate reads it as any caller's
    await giving.give(slice, slice.entity.plural, where, (work, to, record) => checkedPatch(work, records, slice, { ownerId: to }, record))
    // What lies in a pool gets another keeper and stays where it is.
    if (nouns === null && slice.entity.conceal) await giving.give(slice, slice.entity.plural, { and: ofPerson(slice, from, true) }, (work, to) => ({ ownerId: to, pooledAt: work.at.toISOString() }))
  }
  const tasks = sliceFor(records, 'activity')
  if (nouns === null && (await step(async (desk) => desk.actor.grants.permissions.has('activities:edit')))) {
    await giving.give(tasks, TASKS, openTasksOf(from), (work, to, record) => checkedPatch(work, records, tasks, { assigneeId: to }, record), 'edit')
  }
  if (nouns === null && (await step((desk) => mayGiveViews(desk, records, from)))) {
    const count = await step(async (desk) => ((await views.count(desk.sql, from)) === 0 ? 0 : desk.write((work) => views.give(work, from, words.to[0]!))))
    giving.result.nouns.push({ noun: VIEWS, matched: count, done: count })
  }
  // Whoever still has something is not shut out: somebody must be able to ask them.
  if (words.disable && giving.result.failedCount === 0) {
    await step(async (desk) => {
      if (!desk.actor.grants.permissions.has('users:manage')) throw new Problem('permission-missing')
      await disable(desk, from)
    })
    giving.result.disabled = true
  }
  return giving.result
}

const undone = ({ done, failed }: BulkAnswer): HandoverResult => ({ nouns: [{ noun: 'undone', matched: done + failed.length, done }], failed: failed.slice(0, MOST_TOLD), failedCount: failed.length, disabled: false, undoToken: null })
