import type { Context } from './context.ts'
import type { LoadedPerson } from './person.rows.ts'

interface History {
  granted: number
  removed: number
  status: string | null
  ended: boolean
}

const HISTORY = `SELECT
  count(*) FILTER (WHERE e.object_id = $1 AND e.action = 'role.granted')::int AS granted,
  count(*) FILTER (WHERE e.object_id = $1 AND e.action = 'role.removed')::int AS removed,
  (array_agg(e.action ORDER BY e.id DESC) FILTER (WHERE e.object_id = $1 AND e.action IN ('user.disabled', 'user.enabled')))[1] AS status,
  coalesce(bool_or(e.object_id = $2 AND e.action IN ('token.revoked', 'session.ended')), false) AS ended
  FROM ledger_event e
  WHERE e.object_id IN ($1, $2) AND e.action IN ('role.granted', 'role.removed', 'user.disabled', 'user.enabled', 'token.revoked', 'session.ended')`

/**
 * A row put back whole, as it was before a role was taken away or a token revoked, carries a MAC that is right. The ledger
 * knows better: what it says must still be true of the person and the credential. Asked when they are loaded, once per
 * authority epoch and minute. Throws Problem seal-broken and records `authority.tampered`.
 */
export async function checkHistory(c: Context, person: LoadedPerson, credential: { table: 'api_token' | 'session'; id: string }): Promise<void> {
  const [h] = await c.db.query<History>(HISTORY, [person.id, credential.id])
  if (!h) return
  if (h.granted - h.removed !== person.roles.length) c.authority.tampered('person_role', person.id)
  if (h.status === 'user.disabled' && person.disabledAt === null) c.authority.tampered('person', person.id)
  if (h.ended) c.authority.tampered(credential.table, credential.id)
}
