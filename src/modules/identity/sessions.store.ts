import { randomBytes } from 'node:crypto'
import { lengthPrefixed, Problem, uuidv7 } from '../../kernel/base/index.ts'
import type { Sql, Tx } from '../../kernel/db/types.ts'
import type { Vault } from '../../kernel/vault/types.ts'
import { instant, type Authority, type Part } from '../access/index.ts'
import { checkedPerson, PERSON_COLUMNS, type LoadedPerson, type Person, type PersonRow } from './person.rows.ts'
import type { Signing } from './people.store.ts'

export const IDLE_MS = 30 * 60_000
export const ABSOLUTE_MS = 12 * 3_600_000

export interface Session {
  id: string
  personId: string
  version: number
  digest: Buffer
  sessionEpoch: number
  createdAt: string
  seenAt: string
  /** When a factor was last proven. */
  factorAt: string
  expiresAt: string
}

export interface OpenedSession {
  session: Session
  /** Goes into the cookie and is kept nowhere. */
  secret: string
  csrf: string
}

export const sessionDigest = (vault: Vault, secret: string): Buffer => vault.mac('session', lengthPrefixed(['session', secret]))

/** Follows from the session's secret, so it changes with it and needs no storage. */
export const csrfOf = (vault: Vault, session: Pick<Session, 'id' | 'digest'>): string => vault.mac('session', lengthPrefixed(['csrf', session.id, session.digest])).toString('base64url')

const parts = (s: Session): Part[] => [s.id, s.personId, s.version, s.digest, s.sessionEpoch, instant(s.createdAt), instant(s.seenAt), instant(s.factorAt), instant(s.expiresAt)]

const macOf = (authority: Authority, s: Session): Buffer => authority.mac('session', parts(s))

function open(vault: Vault, session: Omit<Session, 'digest'>): OpenedSession {
  const secret = randomBytes(32).toString('base64url')
  const full: Session = { ...session, digest: sessionDigest(vault, secret) }
  return { session: full, secret, csrf: csrfOf(vault, full) }
}

export async function createSession(tx: Tx, s: Signing, person: Pick<Person, 'id' | 'sessionEpoch'>, at: Date): Promise<OpenedSession> {
  const now = at.toISOString()
  const opened = open(s.vault, {
    id: uuidv7(), personId: person.id, version: 1, sessionEpoch: person.sessionEpoch,
    createdAt: now, seenAt: now, factorAt: now, expiresAt: new Date(at.getTime() + ABSOLUTE_MS).toISOString(),
  })
  const { session } = opened
  await tx.query('INSERT INTO session (id, person_id, version, digest, session_epoch, created_at, seen_at, factor_at, expires_at, mac) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)', [
    session.id, session.personId, session.version, session.digest, session.sessionEpoch, session.createdAt, session.seenAt, session.factorAt, session.expiresAt,
    macOf(s.authority, session),
  ])
  return opened
}

async function save(sql: Sql, s: Signing, before: Session, after: Session): Promise<boolean> {
  const done = await sql.query('UPDATE session SET version = $3, digest = $4, seen_at = $5, factor_at = $6, mac = $7 WHERE id = $1 AND version = $2 RETURNING id', [
    after.id, before.version, after.version, after.digest, after.seenAt, after.factorAt,
    macOf(s.authority, after),
  ])
  return done.length === 1
}

/** A fresh factor gives the session a new secret: one that leaked before is worth nothing after. */
export async function stepUpSession(tx: Tx, s: Signing, before: Session, at: Date): Promise<OpenedSession> {
  const now = at.toISOString()
  const opened = open(s.vault, { ...before, version: before.version + 1, seenAt: now, factorAt: now })
  if (!(await save(tx, s, before, opened.session))) throw new Problem('conflict')
  return opened
}

/** Moves the idle limit on. Another request may have done so just before; then there is nothing to do. */
export async function touchSession(sql: Sql, s: Signing, before: Session, at: Date): Promise<void> {
  await save(sql, s, before, { ...before, version: before.version + 1, seenAt: at.toISOString() })
}

export async function deleteSession(tx: Tx, id: string): Promise<void> {
  await tx.query('DELETE FROM session WHERE id = $1', [id])
}

/** The rows of a person; what ends the sessions for good is the person's session_epoch. */
export async function deleteSessions(tx: Tx, personId: string): Promise<void> {
  await tx.query('DELETE FROM session WHERE person_id = $1', [personId])
}

export async function purgeSessions(sql: Sql): Promise<void> {
  await sql.query("DELETE FROM session WHERE expires_at < now() - interval '1 day'")
}

type SessionRow = PersonRow & { session: Omit<Session, 'digest'> & { digest: string; mac: string } }

const SESSION = `json_build_object('id', s.id, 'personId', s.person_id, 'version', s.version, 'digest', encode(s.digest, 'hex'), 'sessionEpoch', s.session_epoch,
  'createdAt', s.created_at, 'seenAt', s.seen_at, 'factorAt', s.factor_at, 'expiresAt', s.expires_at, 'mac', encode(s.mac, 'hex')) AS session`

export interface LoadedSession {
  session: Session
  person: LoadedPerson
}

/** Session, person, roles, factors, departments and epoch in one statement, every MAC checked. Null: no such session. */
export async function loadSession(sql: Sql, s: Signing, by: { digest: Buffer } | { id: string }): Promise<LoadedSession | null> {
  const [where, param] = 'digest' in by ? ['s.digest = $1', by.digest] : ['s.id = $1', by.id]
  const [row] = await sql.query<SessionRow>(`SELECT ${SESSION}, ${PERSON_COLUMNS} FROM session s JOIN person p ON p.id = s.person_id WHERE ${where}`, [param])
  if (!row) return null
  const { session: raw, ...personRow } = row
  const { mac, ...fields } = raw
  const session: Session = { ...fields, digest: Buffer.from(raw.digest, 'hex') }
  s.authority.check('session', session.id, parts(session), Buffer.from(mac, 'hex'))
  return { session, person: checkedPerson(s.authority, personRow) }
}

/** Alive: not idle, not over, its person active, and not ended with all of the person's sessions. */
export function isAlive({ session, person }: LoadedSession, now: Date): boolean {
  const t = now.getTime()
  if (person.disabledAt !== null || session.sessionEpoch !== person.sessionEpoch) return false
  return t < Date.parse(session.expiresAt) && t - Date.parse(session.seenAt) < IDLE_MS
}
