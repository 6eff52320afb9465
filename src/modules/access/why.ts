import type { AnyRecord, Entity } from '../../kernel/entity/index.ts'
import type { FieldRight } from '../../kernel/work/types.ts'
import { compileGrants, scopeCondition, type GrantWords } from './grants.ts'
import { toCheck } from './predicate.ts'
import { ACTIONS, type Action, type RoleRegistry, type Scope } from './roles.ts'

/** One link of the chain that answers "why can X see this?". Words and ids only. */
export interface Rule {
  role: string
  action: Action
  scope: Scope
  /** The rule covers this record. */
  holds: boolean
  because: 'owner' | 'department' | 'department-below' | 'everyone' | 'not-in-scope' | 'denied'
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

/** Explains a person's rights to a record by the very rules the gate uses. */
export function whyCan(registry: RoleRegistry, words: GrantWords, entity: Entity, record: AnyRecord): Explanation {
  const rules: Rule[] = []
  const held = words.roles.flatMap((name) => registry.roles.get(name) ?? [])
  for (const role of held) {
    for (const action of ACTIONS) {
      if (role.deny?.rows?.[entity.name]?.includes(action)) rules.push({ role: role.name, action, scope: 'none', holds: true, because: 'denied' })
      const scope = role.entities[entity.name]?.rows[action] ?? 'none'
      if (scope === 'none') continue
      const holds = toCheck(entity, scopeCondition(scope, words.place))(record)
      rules.push({ role: role.name, action, scope, holds, because: reason(scope, record, words, holds) })
    }
  }
  const grants = compileGrants(registry, words)
  const may = Object.fromEntries(ACTIONS.map((a) => [a, toCheck(entity, grants.scope(entity.name, a))(record)])) as Record<Action, boolean> // one entry per action
  const fields = Object.fromEntries(Object.keys(entity.fields).map((f) => [f, may.read ? grants.field(entity.name, f) : 'hidden']))
  return { rules, may, fields }
}
