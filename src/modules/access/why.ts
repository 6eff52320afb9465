import type { AnyRecord, Entity } from '../../kernel/entity/index.ts'
import type { FieldRight } from '../../kernel/work/types.ts'
import { compileGrants, scopeCondition, type GrantWords } from './grants.ts'
import { toCheck, type LinkCheck } from './predicate.ts'
import { ACTIONS, type Action, type RoleRegistry, type Scope } from './roles.ts'

/** One link of the chain that answers "why can X see this?". Words and ids only. */
export interface Rule {
  role: string
  action: Action
  scope: Scope
  /** The rule covers this record. */
  holds: boolean
  because: 'owner' | 'department' | 'department-below' | 'everyone' | 'record' | 'pool' | 'not-in-scope' | 'denied'
}

export interface Explanation {
  rules: Rule[]
  /** What is left after every role and denial together. */
  may: Record<Action, boolean>
  fields: Record<string, FieldRight>
}

function reason(scope: Scope, record: AnyRecord, words: GrantWords, holds: boolean): Rule['because'] {
  if (!holds) return 'not-in-scope'
  if (scope === 'all') return 'everyone'
  if (record.ownerId === words.place.personId) return 'owner'
  return record.departmentId === words.place.departmentId ? 'department' : 'department-below'
}

/** Explains a person's rights to a record by the very rules the gate uses. `hangsOn`: the record it hangs on, where it hangs on one that is there. */
export function whyCan(registry: RoleRegistry, words: GrantWords, entity: Entity, record: AnyRecord, hangsOn: AnyRecord | null = null): Explanation {
  const links: LinkCheck = ({ target, where }) => hangsOn !== null && record['recordKind'] === target.name && toCheck(target, where)(hangsOn)
  const grants = compileGrants(registry, words)
  const rules: Rule[] = []
  const held = words.roles.flatMap((name) => registry.roles.get(name) ?? [])
  for (const role of held) {
    for (const action of ACTIONS) {
      if (role.deny?.rows?.[entity.name]?.includes(action)) rules.push({ role: role.name, action, scope: 'none', holds: true, because: 'denied' })
      const scope = role.entities[entity.name]?.rows[action] ?? 'none'
      if (scope === 'none') continue
      const follows = entity.about === 'record' && action === 'read'
      const holds = toCheck(entity, follows ? grants.scope(entity.name, 'read') : scopeCondition(scope, words.place, entity.alsoOwn), links)(record)
      rules.push({ role: role.name, action, scope, holds, because: follows && holds ? 'record' : reason(scope, record, words, holds) })
    }
  }
  const pool = entity.conceal ? record[entity.conceal.while] : null
  if (typeof pool === 'string' && words.pools?.includes(pool)) rules.push({ role: '', action: 'read', scope: 'none', holds: true, because: 'pool' })
  const may = Object.fromEntries(ACTIONS.map((a) => [a, toCheck(entity, grants.scope(entity.name, a), links)(record)])) as Record<Action, boolean> // one entry per action
  const fields = Object.fromEntries(Object.keys(entity.fields).map((f) => [f, may.read ? grants.field(entity.name, f) : 'hidden']))
  return { rules, may, fields }
}
