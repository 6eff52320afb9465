import { defineProblems, Problem } from '../../kernel/base/index.ts'
import type { Entity } from '../../kernel/entity/index.ts'
import type { Condition } from '../../kernel/lens/types.ts'
import type { Desk } from '../../kernel/work/types.ts'
import { ALL, rightsOf, rowCondition } from '../access/index.ts'
import type { RecordsDeps, Slice } from './slice.ts'

defineProblems({
  'merge-too-large': { status: 409, title: 'Too much to merge', en: 'More records hang on these than one merge moves; move some of them by hand first.', zh: '关联记录过多，无法一次合并；请先手动转移部分记录。' },
  'merge-has-files': { status: 409, title: 'Files on a record to merge', en: 'A record that would be merged away has files, which are sealed with its key; keep it as the one that stays, or take its files off first.', zh: '被合并的记录带有附件（以其密钥加密）；请将其保留为主记录，或先移除附件。' },
})

const MOST_LINKED = 1_000

/** A row that names one of the losers, in these fields. */
export interface LinkedRow {
  slice: Slice
  id: string
  fields: string[]
}

/** Where records of this entity are named. */
function placesOf(deps: RecordsDeps, entity: Entity): { slice: Slice; field: string; hangs: boolean }[] {
  return [...deps.slices.values()].flatMap((slice) => {
    const links = Object.entries(slice.entity.fields).flatMap(([field, f]) => (f.ref?.entity === entity.name && field !== 'mergedIntoId' ? [{ slice, field, hangs: false }] : []))
    const hangs = slice.entity.about === 'record' && slice.entity.fields['recordKind']?.values?.includes(entity.name)
    return hangs ? [...links, { slice, field: 'recordId', hangs: true }] : links
  })
}

/** Rows inside `scope` that name one of `ids` in a field. One id stands plain in its column; several are sealed, and the lens knows. Throws Problem lens-warming, merge-too-large. */
async function naming(desk: Desk, { slice, field, hangs }: ReturnType<typeof placesOf>[number], entity: Entity, ids: readonly string[], scope: Condition): Promise<string[]> {
  const named: Condition = { field, op: 'in', value: ids }
  const where: Condition = hangs ? { and: [{ field: 'recordKind', op: 'eq', value: entity.name }, named] } : named
  if (!slice.entity.fields[field]?.many) return (await slice.store.page(desk.sql, { scope, where, limit: MOST_LINKED + 1 })).map((r) => r.id)
  const answer = await desk.lens.search({ entity: slice.entity.name, scope, where, sort: [], limit: MOST_LINKED + 1, count: false })
  if (!answer.complete) throw new Problem('lens-warming')
  return answer.ids
}

/** Everything that names a loser, whoever may see it: a link must not be left pointing at nothing because it is somebody else's. */
export async function linkedTo(desk: Desk, deps: RecordsDeps, entity: Entity, losers: readonly string[], winner: string): Promise<LinkedRow[]> {
  const rows = new Map<string, LinkedRow>()
  for (const place of placesOf(deps, entity)) {
    for (const id of await naming(desk, place, entity, losers, ALL)) {
      if (id === winner || losers.includes(id)) continue
      if (place.hangs && !place.slice.rehangs) throw new Problem('merge-has-files')
      const row = rows.get(id) ?? { slice: place.slice, id, fields: [] }
      row.fields.push(place.field)
      rows.set(id, row)
    }
    if (rows.size > MOST_LINKED) throw new Problem('merge-too-large')
  }
  return [...rows.values()]
}

/** How many of them the actor sees, by noun and field; a count is never of rows they may not see. */
export async function countedFor(desk: Desk, deps: RecordsDeps, entity: Entity, losers: readonly string[]): Promise<{ noun: string; field: string; count: number }[]> {
  const out: { noun: string; field: string; count: number }[] = []
  for (const place of placesOf(deps, entity)) {
    if (!rightsOf(place.slice.entity, desk.actor).fields.has(place.field)) continue
    const ids = await naming(desk, place, entity, losers, rowCondition(desk.actor, place.slice.entity, 'read'))
    if (ids.length > 0) out.push({ noun: place.slice.entity.plural, field: place.field, count: ids.length })
  }
  return out
}
