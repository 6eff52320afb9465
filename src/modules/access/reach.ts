import { widestScope } from './grants.ts'
import { ACTIONS, type RoleRegistry, type Scope, SCOPES } from './roles.ts'

/**
 * Who can reach which customers, and who would after a change. Pure, so that the side doors of an administrator are
 * judged in one place: whatever path a change takes, it is compared before and after.
 */
export interface WorldPerson {
  id: string
  departmentId: string
  status: 'active' | 'disabled'
  roles: readonly string[]
  /** When the administrator role was taken away, ISO 8601; null: never held, or held now. */
  administratorUntil: string | null
}

export interface World {
  readonly people: ReadonlyMap<string, WorldPerson>
  /** Parent of each department. */
  readonly departments: ReadonlyMap<string, string | null>
  /** Departments that a pool is open to; with it to those below them. */
  readonly pooled?: ReadonlySet<string>
}

export type Reach = ReadonlySet<string>

const DAY_MS = 86_400_000
const GUARDED_DAYS = 30

export function departmentsBelow(departments: ReadonlyMap<string, string | null>, top: string): string[] {
  const below: string[] = []
  for (const id of departments.keys()) {
    // The step bound keeps a circle planted in the database from hanging us.
    for (let at = departments.get(id) ?? null, steps = 0; at !== null && steps < 1_000; at = departments.get(at) ?? null, steps++) {
      if (at !== top) continue
      if (id !== top) below.push(id)
      break
    }
  }
  return below
}

/** The widest rows a person reaches on any entity by any action but counting, which shows nobody. Words of the organisation's own hold no customer: whoever sets them up reaches nobody by it. */
function widest(registry: RoleRegistry, person: WorldPerson): Scope {
  const roles = person.roles.flatMap((name) => registry.roles.get(name) ?? [])
  const customers = [...registry.entities.values()].filter((e) => e.about !== 'organisation').map((e) => e.name)
  const scopes = customers.flatMap((entity) => ACTIONS.filter((a) => a !== 'report').map((action) => widestScope(roles, entity, action)))
  return scopes.reduce((a, b) => (SCOPES.indexOf(a) >= SCOPES.indexOf(b) ? a : b), 'none')
}

/** Whether somebody of this department may claim from some pool. */
function claims(world: World, departmentId: string): boolean {
  for (let at: string | null = departmentId, steps = 0; at !== null && steps < 1_000; at = world.departments.get(at) ?? null, steps++) if (world.pooled?.has(at)) return true
  return false
}

/** `all`, `d:DEPARTMENT` for the customers of a department, `c:DEPARTMENT` for those its people may claim, `p:PERSON` for a person's own. */
export function reachOf(registry: RoleRegistry, world: World, personId: string): Reach {
  const person = world.people.get(personId)
  if (!person || person.status !== 'active') return new Set()
  const scope = widest(registry, person)
  if (scope === 'none') return new Set()
  const reach = new Set([`p:${person.id}`])
  if (claims(world, person.departmentId)) reach.add(`c:${person.departmentId}`)
  if (scope === 'all') reach.add('all')
  if (scope === 'department' || scope === 'department-and-below') reach.add(`d:${person.departmentId}`)
  if (scope === 'department-and-below') for (const d of departmentsBelow(world.departments, person.departmentId)) reach.add(`d:${d}`)
  return reach
}

/** True when somebody with reach `a` sees at least what `b` holds. A person's own customers live in that person's department; a pool is opened to a department only by who reaches it. */
export function covers(world: World, a: Reach, b: Iterable<string>): boolean {
  if (a.has('all')) return true
  return [...b].every((item) => a.has(item) || (item.startsWith('c:') && a.has(`d:${item.slice(2)}`)) || (item.startsWith('p:') && a.has(`d:${world.people.get(item.slice(2))?.departmentId}`)))
}

/** Is, or in the last 30 days was, an administrator. */
export function isGuarded(person: WorldPerson, now: Date): boolean {
  if (person.roles.includes('administrator')) return true
  return person.administratorUntil !== null && now.getTime() - Date.parse(person.administratorUntil) < GUARDED_DAYS * DAY_MS
}

export interface Gain {
  personId: string
  items: string[]
}

/**
 * What each person would newly reach. Customers of one's own count only for somebody who is or lately was an
 * administrator: anybody else has none yet and gains nothing by the right to have some.
 */
export function gains(registry: RoleRegistry, before: World, after: World, now: Date): Gain[] {
  return [...after.people.values()].flatMap((person) => {
    const has = [...reachOf(registry, after, person.id)]
    if (has.length === 0) return []
    if (becomesAdministrator(before, after, person.id)) return [{ personId: person.id, items: has }]
    const guarded = guardedInEither(before, person, now)
    const had = reachOf(registry, before, person.id)
    const items = has.filter((i) => !had.has(i) && !had.has('all') && isOld(before, i) && (guarded || i !== `p:${person.id}`))
    return items.length > 0 ? [{ personId: person.id, items }] : []
  })
}

function guardedInEither(before: World, after: WorldPerson, now: Date): boolean {
  const was = before.people.get(after.id)
  return isGuarded(after, now) || (was !== undefined && isGuarded(was, now))
}

/** Customers first and the administrator role second must ask the same question as the other order. */
function becomesAdministrator(before: World, after: World, personId: string): boolean {
  const holds = (w: World): boolean => w.people.get(personId)?.roles.includes('administrator') ?? false
  return holds(after) && !holds(before)
}

/** A department that this very change makes holds no customers yet. */
const isOld = (before: World, item: string): boolean => !item.startsWith('d:') || before.departments.has(item.slice(2))

/**
 * The gains that need a second person: by whoever asks for the change, by somebody who is or lately was an
 * administrator, or beyond what the asker can see themself. The last rule is what makes a puppet account worthless:
 * an administrator who sees no customers can give customers to nobody alone, however the account came to be.
 */
export function needsSecondPerson(registry: RoleRegistry, before: World, after: World, askerId: string, now: Date): Gain[] {
  const asker = reachOf(registry, before, askerId)
  return gains(registry, before, after, now).filter(({ personId, items }) => {
    return personId === askerId || guardedInEither(before, after.people.get(personId)!, now) || !covers(before, asker, items)
  })
}

/** Fit to decide: neither the asker nor one who gains, and already sees all that would be given. */
export function mayDecide(registry: RoleRegistry, before: World, all: readonly Gain[], askerId: string, deciderId: string): boolean {
  if (deciderId === askerId || all.some((g) => g.personId === deciderId)) return false
  return covers(before, reachOf(registry, before, deciderId), all.flatMap((g) => g.items))
}

export function withPerson(world: World, person: WorldPerson): World {
  return { ...world, people: new Map(world.people).set(person.id, person) }
}

export function withParent(world: World, departmentId: string, parentId: string | null): World {
  return { ...world, departments: new Map(world.departments).set(departmentId, parentId) }
}
