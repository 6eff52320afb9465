import { normalise } from '../../kernel/lens/index.ts'
import type { Desk } from '../../kernel/work/types.ts'
import { Problem } from '../../kernel/base/index.ts'
import { rowCondition } from '../access/index.ts'
import { createRecord, type RecordsDeps, type Slice } from '../records/index.ts'
import { Company } from './companies.entity.ts'

/** Companies of these names the actor may see, by normalised name. Names have no index at rest, so this asks the lens. Throws Problem lens-warming. */
export async function companiesNamed(desk: Desk, names: readonly string[]): Promise<Map<string, string>> {
  const found = new Map<string, string>()
  for (const name of new Set(names.map(normalise))) {
    const answer = await desk.lens.search({ entity: Company.name, scope: rowCondition(desk.actor, Company, 'read'), where: { field: 'name', op: 'eq', value: name }, sort: [], limit: 1, count: false })
    if (!answer.complete) throw new Problem('lens-warming')
    if (answer.ids[0]) found.set(name, answer.ids[0])
  }
  return found
}

/** The company of this name within the actor's sight, made when there is none. */
export async function companyNamed(desk: Desk, deps: RecordsDeps, slice: Slice, name: string): Promise<string> {
  const found = (await companiesNamed(desk, [name])).get(normalise(name))
  if (found) return found
  if (!desk.actor.grants.permissions.has('companies:create')) throw new Problem('permission-missing')
  return (await createRecord(desk, deps, slice, { name })).record.id
}
