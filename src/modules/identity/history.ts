import type { PastEvent } from '../../kernel/ledger/types.ts'
import type { Context } from './context.ts'
import type { LoadedPerson } from './person.rows.ts'

const ACTIONS = ['role.granted', 'role.removed', 'user.disabled', 'user.enabled', 'user.moved', 'token.revoked', 'session.ended']

interface Past {
  roles: Set<string>
  disabled: boolean
  /** Where the last move led; null when there was none. */
  departmentId: string | null
  ended: boolean
}

function pastOf(events: readonly PastEvent[]): Past {
  const past: Past = { roles: new Set(), disabled: false, departmentId: null, ended: false }
  for (const { action, detail } of events) {
    const { role = '', to = null } = (detail ?? {}) as { role?: string; to?: string | null } // written by applyChange and set-up, opened with the person's key
    if (action === 'role.granted') past.roles.add(role)
    else if (action === 'role.removed') past.roles.delete(role)
    else if (action === 'user.moved') past.departmentId = to
    else if (action === 'user.disabled' || action === 'user.enabled') past.disabled = action === 'user.disabled'
    else past.ended = true
  }
  return past
}

/**
 * A row put back whole, as it was before a role was taken away or a token revoked, carries a MAC that is right. The ledger
 * knows better: what it says must still be true of the person and the credential. Only events that carry our MAC speak, so none
 * can be planted to excuse it. Asked when they are loaded, once per authority epoch and minute. Throws Problem seal-broken and
 * records `authority.tampered`.
 */
export async function checkHistory(c: Context, person: LoadedPerson, credential: { table: 'api_token' | 'session'; id: string }): Promise<void> {
  const past = pastOf(await c.ledger.happened([person.id, credential.id], ACTIONS))
  const held = person.roles.map((r) => r.role)
  if (held.length !== past.roles.size || !held.every((role) => past.roles.has(role))) c.authority.tampered('person_role', person.id)
  if (past.disabled && person.disabledAt === null) c.authority.tampered('person', person.id)
  if (past.departmentId !== null && past.departmentId !== person.departmentId) c.authority.tampered('person', person.id)
  if (past.ended) c.authority.tampered(credential.table, credential.id)
}
