import type { Condition } from '../lens/types.ts'
import type { Actor, Grants } from './types.ts'

const NONE: Condition = { or: [] }
const ALL: Condition = { and: [] }
const NOBODY = '00000000-0000-0000-0000-000000000000'

type Action = Parameters<Grants['scope']>[1]

/** What a job of the system's own may do: these actions on these nouns, and nothing else. */
function systemGrants(may: Readonly<Record<string, readonly Action[]>>): Grants {
  return {
    scope: (entity, action) => (may[entity]?.includes(action) ? ALL : NONE),
    field: (entity) => (may[entity] ? 'edit' : 'hidden'),
    roles: [],
    permissions: new Set(),
  }
}

/** Acts for no person: a job that keeps a rule of the organisation. Its events name nobody; a key it does not have cannot be used. */
export function systemActor(may: Readonly<Record<string, readonly Action[]>>): Actor {
  return {
    personId: NOBODY, departmentId: NOBODY, via: 'system', credentialId: NOBODY, factorAt: null, locale: 'en', grants: systemGrants(may), epoch: 0,
    get key(): never {
      throw new Error('the system itself has no key')
    },
  }
}
