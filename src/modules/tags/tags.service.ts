import { Problem } from '../../kernel/base/index.ts'
import type { AnyRecord } from '../../kernel/entity/index.ts'
import { normalise } from '../../kernel/lens/index.ts'
import type { Condition } from '../../kernel/lens/types.ts'
import { AuthorityMoved } from '../../kernel/work/index.ts'
import type { Desk } from '../../kernel/work/types.ts'
import { rowCondition } from '../access/index.ts'
import { changeRecord, checkedPatch, openOne, openRows, searchRecords, type RecordsDeps, type SearchAnswer, type Slice } from '../records/index.ts'
import type { Step } from '../runs/index.ts'
import { Tag } from './tags.entity.ts'

export interface TagsDeps {
  records: RecordsDeps
  /** Of the tags themselves. */
  slice: Slice
}

/** Every name under which records may bear a tag. */
const namesOf = (tag: AnyRecord): string[] => [String(tag['name']), ...(tag['formerly'] as string[])] // the entity says so

/** Nouns whose tags the actor sees: elsewhere a count would tell what is hidden. */
function tagged(desk: Desk, deps: TagsDeps, rights: readonly string[]): Slice[] {
  const { grants } = desk.actor
  return [...deps.records.slices.values()].filter(({ entity }) => entity.fields['tags'] && grants.permissions.has(`${entity.plural}:read`) && rights.includes(grants.field(entity.name, 'tags')))
}

export interface Usage {
  id: string
  /** By noun (`contacts`). */
  counts: Record<string, number>
}

/** Counts each tag's records inside the actor's scope of reading. Throws Problem lens-warming. */
export async function usageOf(desk: Desk, deps: TagsDeps, ids: readonly string[]): Promise<Usage[]> {
  const rows = await deps.slice.store.page(desk.sql, { scope: rowCondition(desk.actor, Tag, 'read'), ids, limit: ids.length })
  desk.record({ action: 'tag.usage-read', object: { kind: 'tag', id: null }, purpose: 'list' })
  const { records: tags } = await openRows(desk, deps.slice, rows)
  const usage = tags.map((t): Usage => ({ id: t.id, counts: {} }))
  if (tags.length === 0) return usage
  const measures = tags.map((t) => ({ count: { field: 'tags', op: 'in', value: namesOf(t) } as Condition })) // of the lens's own words
  for (const { entity } of tagged(desk, deps, ['read', 'edit'])) {
    const [group] = await desk.lens.aggregate({ entity: entity.name, scope: rowCondition(desk.actor, entity, 'read'), by: [], measures })
    for (const [i, u] of usage.entries()) u.counts[entity.plural] = group?.measures[i] ?? 0
  }
  return usage
}

/** Kept sealed with the run. */
export interface RenameWords {
  tagId: string
  name: string
}

export interface RenameResult {
  done: number
  failed: { id: string; code: string }[]
  failedCount: number
}

const PAGE = 200
const MOST_TOLD = 1_000
const MOST_FORMER = 20

/** Throws Problem not-found, permission-missing, before anything is queued. */
export async function checkRename(desk: Desk, deps: TagsDeps, id: string): Promise<void> {
  await openOne(desk, deps.slice, id, rowCondition(desk.actor, Tag, 'edit'))
  desk.record({ action: 'tag.read', object: { kind: 'tag', id }, purpose: 'view' })
}

/** The tag first, so that whoever marks a record from now on takes the new name. Resolves with the names that records may still bear. */
async function renameTag(desk: Desk, deps: TagsDeps, { tagId, name }: RenameWords): Promise<string[]> {
  const next = (tag: AnyRecord): Record<string, unknown> => {
    const former = namesOf(tag).filter((n) => n !== name)
    return { name, formerly: [...new Set(former)].slice(0, MOST_FORMER) }
  }
  const { record } = await desk.write((work) => changeRecord(work, deps.records, deps.slice, { id: tagId, version: null, action: 'edit', event: 'tag.renamed', next }))
  return namesOf(record).filter((n) => n !== name)
}

/** The tags of a record with the new name in the place of the old one; a record that bears both bears it once. */
function renamed(tags: readonly string[], former: ReadonlySet<string>, name: string): string[] {
  return [...new Set(tags.map((t) => (former.has(normalise(t)) ? name : t)))]
}

async function bearing(step: Step, deps: TagsDeps, slice: Slice, former: readonly string[]): Promise<string[]> {
  const ids: string[] = []
  let cursor: string | undefined
  do {
    const from = cursor
    const answer = await step((desk) => searchRecords(desk, deps.records, slice, { where: { field: 'tags', op: 'in', value: former }, fields: ['id'], limit: PAGE, ...(from ? { cursor: from } : {}) }))
    const found = JSON.parse(answer) as SearchAnswer // searchRecords wrote it a moment ago
    if (!found.complete) throw new Problem('lens-warming')
    ids.push(...found.items.map((i) => String(i.id)))
    cursor = found.nextCursor ?? undefined
  } while (cursor)
  return ids
}

async function renameOn(step: Step, deps: TagsDeps, slice: Slice, id: string, former: ReadonlySet<string>, name: string): Promise<string | null> {
  try {
    await step((desk) =>
      desk.write((work) => {
        const next = (record: AnyRecord): Promise<Record<string, unknown>> => checkedPatch(work, deps.records, slice, { tags: renamed(record['tags'] as string[], former, name) }, record) // the schema made them texts
        return changeRecord(work, deps.records, slice, { id, version: null, action: 'edit', next })
      }),
    )
    return null
  } catch (error) {
    if (error instanceof AuthorityMoved || !(error instanceof Problem) || error.status >= 500) throw error
    return error.code
  }
}

/**
 * Renames a tag and then each record that bears a former name of it, as far as the person may change it. Taken up anew after a kill it goes on;
 * asked again by somebody who sees others, with the same name, it carries it to those.
 */
export async function runRename(step: Step, deps: TagsDeps, words: RenameWords, progress: (done: number, total: number) => void): Promise<RenameResult> {
  const names = await step((desk) => renameTag(desk, deps, words))
  const result: RenameResult = { done: 0, failed: [], failedCount: 0 }
  if (names.length === 0) return result
  const former = new Set(names.map(normalise))
  for (const slice of await step(async (desk) => tagged(desk, deps, ['edit']))) {
    const ids = await bearing(step, deps, slice, names)
    for (const [i, id] of ids.entries()) {
      const code = await renameOn(step, deps, slice, id, former, words.name)
      if (code === null) result.done++
      else if (++result.failedCount <= MOST_TOLD) result.failed.push({ id, code })
      if (i % 20 === 0) progress(i, ids.length)
    }
  }
  return result
}
