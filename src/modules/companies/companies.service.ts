import { normalise } from '../../kernel/lens/index.ts'
import type { Desk } from '../../kernel/work/types.ts'
import { Problem } from '../../kernel/base/index.ts'
import type { AnyRecord } from '../../kernel/entity/index.ts'
import { rowCondition } from '../access/index.ts'
import { poolingRules } from '../pools/index.ts'
import { createRecord, openRows, type Deriving, type RecordsDeps, type Slice } from '../records/index.ts'
import { closesCircle } from './companies.store.ts'
import { Company } from './companies.entity.ts'

/** The rules of a company: it stands under no company that stands under it. */
export async function companyRules(before: AnyRecord | null, next: AnyRecord, at: Deriving): Promise<AnyRecord> {
  const parentId = next['parentId']
  if (before && typeof parentId === 'string' && parentId !== before['parentId'] && (await closesCircle(at.work.sql, next.id, parentId))) throw new Problem('company-circle')
  return poolingRules(before, next, at)
}

const PER_QUESTION = 100

/** Companies of these names the actor may see, by normalised name. Names have no index at rest, so this asks the lens. Throws Problem lens-warming. */
export async function companiesNamed(desk: Desk, slice: Slice, names: readonly string[]): Promise<Map<string, string>> {
  const found = new Map<string, string>()
  const wanted = [...new Set(names.map(normalise))]
  for (let at = 0; at < wanted.length; at += PER_QUESTION) {
    const value = wanted.slice(at, at + PER_QUESTION)
    // Two companies may have one name; the oldest is taken, so that a second import finds what the first one made.
    const answer = await desk.lens.search({ entity: Company.name, scope: rowCondition(desk.actor, Company, 'read'), where: { field: 'name', op: 'in', value }, sort: [{ field: 'createdAt', direction: 'desc' }], limit: 1000, count: false })
    if (!answer.complete) throw new Problem('lens-warming')
    const rows = await slice.store.page(desk.sql, { scope: rowCondition(desk.actor, Company, 'read'), ids: answer.ids, limit: answer.ids.length })
    for (const r of (await openRows(desk, slice, rows)).records) found.set(normalise(String(r['name'])), r.id)
  }
  return found
}

/** The company of this name within the actor's sight, made when there is none. */
export async function companyNamed(desk: Desk, deps: RecordsDeps, slice: Slice, name: string): Promise<string> {
  const found = (await companiesNamed(desk, slice, [name])).get(normalise(name))
  if (found) return found
  if (!desk.actor.grants.permissions.has('companies:create')) throw new Problem('permission-missing')
  return (await createRecord(desk, deps, slice, { name }, 'on-the-way')).record.id
}
