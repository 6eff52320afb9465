import type { CustomFieldWords, Entity, Field, FieldClass } from '../../kernel/entity/index.ts'
import type { Condition } from '../../kernel/lens/types.ts'
import type { FieldRight, Grants } from '../../kernel/work/types.ts'
import { ALL, NONE } from './predicate.ts'
import { permissionsOf, SCOPES, type Action, type Role, type RoleRegistry, type Scope } from './roles.ts'

/** Where a person stands. `below` are the departments under theirs, without their own. */
export interface Place {
  personId: string
  departmentId: string
  below: readonly string[]
}

const RIGHTS = ['hidden', 'masked', 'read', 'edit'] as const satisfies readonly FieldRight[]
const rank = (r: FieldRight): number => RIGHTS.indexOf(r)
const least = (a: FieldRight, b: FieldRight): FieldRight => (rank(a) <= rank(b) ? a : b)
const most = (rights: readonly FieldRight[]): FieldRight => rights.reduce((a, b) => (rank(a) >= rank(b) ? a : b), 'hidden')

export function scopeCondition(scope: Scope, place: Place, alsoOwn: readonly string[] = []): Condition {
  const owner: Condition = { field: 'ownerId', op: 'eq', value: place.personId }
  const mine: Condition = alsoOwn.length === 0 ? owner : { or: [owner, ...alsoOwn.map((field): Condition => ({ field, op: 'eq', value: place.personId }))] }
  if (scope === 'all') return ALL
  if (scope === 'none') return NONE
  if (scope === 'own') return mine
  if (scope === 'department') return { or: [mine, { field: 'departmentId', op: 'eq', value: place.departmentId }] }
  return { or: [mine, { field: 'departmentId', op: 'in', value: [place.departmentId, ...place.below] }] }
}

/**
 * What hangs on a record is seen by whoever sees the record, and by the person it is given to; whoever wrote it and has lost sight of the
 * record has lost sight of this as well. `seen` is the scope of reading of another entity.
 */
export function hangingCondition(entity: Entity, place: Place, kinds: ReadonlyMap<string, Entity>, seen: (entity: Entity) => Condition): Condition {
  const given = (entity.alsoOwn ?? []).map((field): Condition => ({ field, op: 'eq', value: place.personId }))
  const hanging = (entity.fields['recordKind']?.values ?? []).flatMap((kind): Condition[] => {
    const target = kinds.get(kind)
    const rows = target ? seen(target) : NONE
    // What is concealed of a record in a pool is concealed of what hangs on it, too.
    const where: Condition = target?.conceal && rows !== NONE ? { and: [rows, { field: target.conceal.while, op: 'isEmpty' }] } : rows
    return target && where !== NONE ? [{ and: [{ field: 'recordKind', op: 'eq', value: kind }, { linked: 'recordId', target, where }] }] : []
  })
  return { or: [...given, ...hanging] }
}

/** The widest scope any of the roles gives, unless one of them denies the action. */
export function widestScope(roles: readonly Role[], entity: string, action: Action): Scope {
  if (roles.some((r) => r.deny?.rows?.[entity]?.includes(action))) return 'none'
  return roles.map((r) => r.entities[entity]?.rows[action] ?? 'none').reduce((a, b) => (SCOPES.indexOf(a) >= SCOPES.indexOf(b) ? a : b), 'none')
}

const givesWidest = (roles: readonly Role[], entity: string, action: Action): ((r: Role) => boolean) => {
  const widest = widestScope(roles, entity, action)
  return (r) => widest !== 'none' && (r.entities[entity]?.rows[action] ?? 'none') === widest
}

/** The name under which a custom field's right is asked: its class is data, so it travels with the question. */
export const customRightName = (words: Pick<CustomFieldWords, 'key' | 'class'>): string => `custom.${words.key}#${words.class}`

interface Asked {
  /** As roles name it: `phones`, `custom.salary`. */
  name: string
  class: FieldClass
  /** What the declaration itself allows at most. */
  cap: FieldRight
}

function asked(entity: Entity, field: string): Asked | null {
  const custom = /^(custom\.[^#]+)#(confidential|personal|sensitive)$/.exec(field)
  if (custom) return { name: custom[1]!, class: custom[2] as FieldClass, cap: 'edit' } // the pattern names three of the classes
  const f: Field | undefined = Object.hasOwn(entity.fields, field) ? entity.fields[field] : undefined
  if (!f || f.class === 'secret') return null
  return { name: field, class: f.class, cap: f.edit ? 'edit' : 'read' }
}

/**
 * The right to one field. A right counts only from a role that also gives the widest rows: "all contacts, phones masked"
 * beside "my contacts, phones open" must not add up to all phones open. In the same way `edit` counts only from a role
 * that gives the widest rows to edit.
 */
function fieldRight(roles: readonly Role[], entity: Entity, field: string): FieldRight {
  const a = asked(entity, field)
  if (!a) return 'hidden'
  const reads = givesWidest(roles, entity.name, 'read')
  const edits = givesWidest(roles, entity.name, 'edit')
  const given = roles.filter(reads).map((r): FieldRight => {
    const rights = r.entities[entity.name]!
    const right = rights.fields?.[a.name] ?? rights.classes[a.class] ?? 'hidden'
    return right === 'edit' && !edits(r) ? 'read' : right
  })
  const denied = roles.flatMap((r) => r.deny?.fields?.[entity.name]?.[a.name] ?? [])
  return [...denied, a.cap].reduce(least, most(given))
}

/** `contacts:reveal` opens masks, so like a field right it counts only from a role that gives the widest rows. */
function countsFrom(role: Role, roles: readonly Role[], permission: string, entities: readonly Entity[]): boolean {
  const entity = entities.find((e) => permission === `${e.plural}:reveal`)
  return !entity || givesWidest(roles, entity.name, 'read')(role)
}

function permissionSet(roles: readonly Role[], registry: RoleRegistry, only: ReadonlySet<string> | null): Set<string> {
  const entities = [...registry.entities.values()]
  const out = new Set(roles.flatMap((r) => permissionsOf(r, registry.entities).filter((p) => countsFrom(r, roles, p, entities))))
  for (const r of roles) {
    for (const p of r.deny?.permissions ?? []) out.delete(p)
    for (const [name, actions] of Object.entries(r.deny?.rows ?? {})) for (const a of actions) out.delete(`${registry.entities.get(name)?.plural}:${a}`)
  }
  if (only) for (const p of out) if (!only.has(p)) out.delete(p)
  return out
}

/** Bounded, because a field name may come from a request. */
const MOST_KNOWN = 1_000

function memo<V>(make: (key: string) => V): (key: string) => V {
  const known = new Map<string, V>()
  return (key) => {
    let v = known.get(key)
    if (v === undefined) {
      v = make(key)
      if (known.size < MOST_KNOWN) known.set(key, v)
    }
    return v
  }
}

export interface GrantWords {
  place: Place
  /** Role names as stored; one the registry does not know gives nothing. */
  roles: readonly string[]
  /** Scopes of a token: it never has more than these, nor more than its person. Null for a session. */
  only?: ReadonlySet<string> | null
  /** Pools the person may claim from: they see what lies in them, without what is concealed there. */
  pools?: readonly string[]
}

function withPools(entity: Entity, action: Action, scope: Condition, pools: readonly string[]): Condition {
  if (!entity.conceal || action !== 'read' || pools.length === 0 || scope === NONE || scope === ALL) return scope
  return { or: [scope, { field: entity.conceal.while, op: 'in', value: pools }] }
}

/**
 * Compiles what a person may do, once per authority epoch. Rows need the permission too (`contacts:export` for exporting
 * contacts), so a token that lacks it reaches no row by any path.
 */
export function compileGrants(registry: RoleRegistry, words: GrantWords): Grants {
  const roles = [...new Set(words.roles)].flatMap((name) => registry.roles.get(name) ?? [])
  const permissions = permissionSet(roles, registry, words.only ?? null)
  const scopeOf = memo((key): Condition => {
    const [name, action] = key.split(' ') as [string, Action] // made below from exactly these two
    const entity = registry.entities.get(name)
    if (!entity || !permissions.has(`${entity.plural}:${action}`)) return NONE
    const scope = widestScope(roles, name, action)
    if (entity.about === 'record' && action === 'read' && scope !== 'none') return hangingCondition(entity, words.place, registry.entities, (other) => scopeOf(`${other.name} read`))
    return withPools(entity, action, scopeCondition(scope, words.place, entity.alsoOwn), words.pools ?? [])
  })
  const rightOf = memo((key): FieldRight => {
    const at = key.indexOf(' ')
    const entity = registry.entities.get(key.slice(0, at))
    return entity && permissions.has(`${entity.plural}:read`) ? fieldRight(roles, entity, key.slice(at + 1)) : 'hidden'
  })
  return {
    scope: (entity, action) => scopeOf(`${entity} ${action}`),
    field: (entity, field) => rightOf(`${entity} ${field}`),
    roles: roles.map((r) => r.name),
    permissions,
  }
}
