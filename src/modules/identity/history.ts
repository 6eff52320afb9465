import type { PastEvent } from '../../kernel/ledger/types.ts'
import { currentEpoch } from '../access/index.ts'
import type { Context } from './context.ts'
import type { LoadedPerson } from './person.rows.ts'

/** Each ends every session of a person, and moves the number that sessions are made under. */
const ENDS_SESSIONS = ['password.changed', 'reset.redeemed', 'user.disabled', 'user.reset', 'user.reset-at-host']
const ENDS_TOKENS = ['user.disabled', 'user.reset', 'user.reset-at-host']
const ACTIONS = ['role.granted', 'role.removed', 'user.enabled', 'user.moved', 'token.revoked', 'session.ended', ...ENDS_SESSIONS]

interface Past {
  roles: Set<string>
  disabled: boolean
  /** Where the last move led; null when there was none. */
  departmentId: string | null
  sessionEpoch: number
  tokenEpoch: number
  ended: boolean
}

function pastOf(events: readonly PastEvent[]): Past {
  const past: Past = { roles: new Set(), disabled: false, departmentId: null, sessionEpoch: 1, tokenEpoch: 1, ended: false }
  for (const { action, detail } of events) {
    const { role = '', to = null } = (detail ?? {}) as { role?: string; to?: string | null } // written by applyChange and set-up, opened with the person's key
    if (ENDS_SESSIONS.includes(action)) past.sessionEpoch++
    if (ENDS_TOKENS.includes(action)) past.tokenEpoch++
    if (action === 'role.granted') past.roles.add(role)
    if (action === 'role.removed') past.roles.delete(role)
    if (action === 'user.moved') past.departmentId = to
    if (action === 'user.disabled' || action === 'user.enabled') past.disabled = action === 'user.disabled'
    if (action === 'token.revoked' || action === 'session.ended') past.ended = true
  }
  return past
}

interface Credential {
  table: 'api_token' | 'session'
  id: string
}

/** The row that does not say what happened, or null. */
function faultOf(past: Past, person: LoadedPerson, credential: Credential): { table: string; id: string } | null {
  const held = person.roles.map((r) => r.role)
  if (held.length !== past.roles.size || !held.every((role) => past.roles.has(role))) return { table: 'person_role', id: person.id }
  const moved = past.departmentId !== null && past.departmentId !== person.departmentId
  const older = past.sessionEpoch !== person.sessionEpoch || past.tokenEpoch !== person.tokenEpoch
  if (moved || older || (past.disabled && person.disabledAt === null)) return { table: 'person', id: person.id }
  return past.ended ? credential : null
}

/**
 * A row put back whole, as it was before a role was taken away or a password changed, carries a MAC that is right. The ledger
 * knows better: what it says must still be true of the person and the credential. Only events that carry our MAC speak, so none
 * can be planted to excuse it. Asked when they are loaded, once per authority epoch and minute. False: rights moved between the two
 * looks, so load again. Throws Problem seal-broken and records `authority.tampered`.
 */
export async function agreesWithHistory(c: Context, person: LoadedPerson, credential: Credential): Promise<boolean> {
  const fault = faultOf(pastOf(await c.ledger.happened([person.id, credential.id], ACTIONS)), person, credential)
  if (!fault) return true
  if ((await currentEpoch(c.db)) !== person.epoch) return false
  return c.authority.tampered(fault.table, fault.id)
}
