import { Problem, uuidv7 } from '../../kernel/base/index.ts'
import type { Sql, Tx } from '../../kernel/db/types.ts'
import { instant, type Authority, type Part } from './authority.ts'

/** A change of authority in closed words: role names, ids and states. */
export interface AuthorityChange {
  roles?: readonly string[]
  departmentId?: string
  status?: 'active'
  parentId?: string
}

export type ApprovalKind = 'person' | 'department'

export interface Approval {
  id: string
  kind: ApprovalKind
  subjectId: string
  change: AuthorityChange
  state: 'pending' | 'approved' | 'refused'
  version: number
  requestedBy: string
  requestedAt: string
  decidedBy: string | null
  decidedAt: string | null
}

/** Asked for and not decided, it lapses. */
const LAPSES_MS = 7 * 86_400_000

export const hasLapsed = (a: Approval, now: Date): boolean => a.state === 'pending' && now.getTime() - Date.parse(a.requestedAt) > LAPSES_MS

type Row = Omit<Approval, 'change'> & { change: string; mac: Buffer }

const parts = (a: Omit<Approval, 'change'>, change: string): Part[] => [a.id, a.kind, a.subjectId, change, a.state, a.version, a.requestedBy, instant(a.requestedAt), a.decidedBy, instant(a.decidedAt)]

const COLUMNS = `id, kind, subject_id AS "subjectId", change, state, version, requested_by AS "requestedBy", requested_at AS "requestedAt", decided_by AS "decidedBy", decided_at AS "decidedAt", mac`

function checked(authority: Authority, { mac, change, ...a }: Row): Approval {
  authority.check('approval', a.id, parts(a, change), mac)
  return { ...a, change: JSON.parse(change) as AuthorityChange } // our own text, authenticated
}

export async function insertApproval(tx: Tx, authority: Authority, words: Pick<Approval, 'kind' | 'subjectId' | 'change' | 'requestedBy'>, at: Date): Promise<Approval> {
  const a: Approval = { id: uuidv7(), ...words, state: 'pending', version: 1, requestedAt: at.toISOString(), decidedBy: null, decidedAt: null }
  const change = JSON.stringify(a.change)
  await tx.query('INSERT INTO approval (id, kind, subject_id, change, state, version, requested_by, requested_at, mac) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)', [
    a.id, a.kind, a.subjectId, change, a.state, a.version, a.requestedBy, a.requestedAt,
    authority.mac('approval', parts(a, change)),
  ])
  return a
}

export async function listApprovals(sql: Sql, authority: Authority, limit: number): Promise<Approval[]> {
  const rows = await sql.query<Row>(`SELECT ${COLUMNS} FROM approval WHERE state = 'pending' ORDER BY requested_at DESC, id LIMIT $1`, [limit])
  return rows.map((r) => checked(authority, r))
}

/** Locks it: two deciders at once must not both succeed. */
export async function lockApproval(tx: Tx, authority: Authority, id: string): Promise<Approval> {
  const [row] = await tx.query<Row>(`SELECT ${COLUMNS} FROM approval WHERE id = $1 FOR UPDATE`, [id])
  if (!row) throw new Problem('not-found')
  return checked(authority, row)
}

export async function decideApproval(tx: Tx, authority: Authority, before: Approval, state: 'approved' | 'refused', by: string, at: Date): Promise<Approval> {
  const a: Approval = { ...before, state, version: before.version + 1, decidedBy: by, decidedAt: at.toISOString() }
  const done = await tx.query('UPDATE approval SET state = $3, version = $4, decided_by = $5, decided_at = $6, mac = $7 WHERE id = $1 AND version = $2 AND state = $8 RETURNING id', [
    a.id, before.version, a.state, a.version, a.decidedBy, a.decidedAt,
    authority.mac('approval', parts(a, JSON.stringify(a.change))), 'pending',
  ])
  if (done.length === 0) throw new Problem('conflict')
  return a
}
