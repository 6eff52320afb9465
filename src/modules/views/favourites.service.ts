import { Problem } from '../../kernel/base/index.ts'
import type { Desk, Reading } from '../../kernel/work/types.ts'
import { rowCondition } from '../access/index.ts'
import { subjectsOf } from '../records/index.ts'
import { countFavourites, deleteFavourite, insertFavourite, listFavourites, type Favourite } from './favourites.store.ts'
import { seenViews, sliceOfNoun, type ViewsDeps } from './views.service.ts'

const VIEWS = 'views'
const MOST_FAVOURITES = 200

/** Of these ids, those the actor may see now: what they once marked is no way back to it. */
async function seen(reading: Reading, deps: ViewsDeps, kind: string, ids: readonly string[]): Promise<Set<string>> {
  if (kind === VIEWS) return seenViews(reading, deps, ids)
  const slice = sliceOfNoun(deps, kind)
  if (!slice) return new Set()
  const rows = await slice.store.page(reading.sql, { scope: rowCondition(reading.actor, slice.entity, 'read'), ids, limit: ids.length })
  if (rows.length > 0) reading.record({ action: `${slice.entity.name}.listed`, object: { kind: slice.entity.name, id: null }, subjects: subjectsOf(reading.vault, rows), purpose: 'list' })
  return new Set(rows.map((r) => r.id))
}

export async function favouritesOf(reading: Reading, deps: ViewsDeps): Promise<{ items: Favourite[] }> {
  const all = await listFavourites(reading.sql, reading.actor.personId)
  reading.record({ action: 'favourite.listed', object: { kind: 'favourite', id: null }, purpose: 'list' })
  const visible = new Set<string>()
  for (const kind of new Set(all.map((f) => f.kind))) for (const id of await seen(reading, deps, kind, all.filter((f) => f.kind === kind).map((f) => f.id))) visible.add(`${kind} ${id}`)
  return { items: all.filter((f) => visible.has(`${f.kind} ${f.id}`)) }
}

/** Throws Problem not-found for what the actor does not see. */
export async function keepFavourite(desk: Desk, deps: ViewsDeps, kind: string, id: string): Promise<{ kind: string; id: string }> {
  if (!(await seen(desk, deps, kind, [id])).has(id)) throw new Problem('not-found')
  return desk.write(async (work) => {
    if ((await countFavourites(work.sql, work.actor.personId)) >= MOST_FAVOURITES) throw new Problem('invalid', { errors: [{ path: '', code: 'too-many' }] })
    await insertFavourite(work.sql, work.actor.personId, { kind, id, at: work.at.toISOString() })
    work.record({ action: 'favourite.added', object: { kind: 'favourite', id } })
    return { kind, id }
  })
}

export async function dropFavourite(desk: Desk, kind: string, id: string): Promise<{ kind: string; id: string }> {
  return desk.write(async (work) => {
    await deleteFavourite(work.sql, work.actor.personId, kind, id)
    work.record({ action: 'favourite.removed', object: { kind: 'favourite', id } })
    return { kind, id }
  })
}
