import { lengthPrefixed, uuidv7 } from '../../kernel/base/index.ts'
import type { Sql } from '../../kernel/db/types.ts'
import type { Cell, Vault } from '../../kernel/vault/index.ts'

/** Why somebody is told. */
export type NotificationKind = 'reminder' | 'assigned'

/** What is kept sealed: kinds, ids and times only. Names are looked up when it is shown, by the rights of that moment. */
export interface NotificationWords {
  kind: NotificationKind
  object: { kind: string; id: string }
  /** The moment it is about; a thing is told once for each. ISO 8601 UTC. */
  at: string
}

export interface Notification extends NotificationWords {
  id: string
  personId: string
  createdAt: string
  readAt: string | null
}

interface Row extends Omit<Notification, keyof NotificationWords> {
  words: Buffer
}

const COLUMNS = 'id, person_id AS "personId", created_at AS "createdAt", read_at AS "readAt", words'

const cellOf = (id: string, personId: string): Cell => ({ table: 'notification', compartment: 'words', rowId: id, rowVersion: 1, bound: lengthPrefixed([personId]) })

/** 16 bytes that stand for "this person, of this thing, for this moment". */
export const notificationKey = (vault: Vault, personId: string, w: NotificationWords): Buffer => vault.blind('notification.key', JSON.stringify([personId, w.kind, w.object.kind, w.object.id, w.at]))

/** Resolves with the new id, or null where the person was told before. */
export async function insertNotification(sql: Sql, vault: Vault, personId: string, words: NotificationWords, now: Date): Promise<string | null> {
  const id = uuidv7()
  const sealed = vault.seal(vault.ownerKey(personId), cellOf(id, personId), Buffer.from(JSON.stringify(words)))
  const made = await sql.query("INSERT INTO notification (id, person_id, key, created_at, mail, words) VALUES ($1, $2, $3, $4, 'waits', $5) ON CONFLICT (key) DO NOTHING RETURNING 1 AS made", [
    id, personId, notificationKey(vault, personId, words), now.toISOString(), sealed,
  ])
  return made.length === 1 ? id : null
}

/** Of these keys, those that were told before, in hex. */
export async function knownKeys(sql: Sql, keys: readonly Buffer[]): Promise<Set<string>> {
  const rows = await sql.query<{ key: Buffer }>('SELECT key FROM notification WHERE key = ANY ($1::bytea[])', [keys])
  return new Set(rows.map((r) => r.key.toString('hex')))
}

/** Throws Problem seal-broken or key-unavailable. */
export function openNotification(vault: Vault, { words, ...row }: Row): Notification {
  return { ...row, ...(JSON.parse(vault.open(vault.ownerKey(row.personId), cellOf(row.id, row.personId), words).toString()) as NotificationWords) } // our own bytes, authenticated
}

export function notificationPage(sql: Sql, personId: string, q: { before: string | null; unread: boolean; limit: number }): Promise<Row[]> {
  return sql.query<Row>(`SELECT ${COLUMNS} FROM notification WHERE person_id = $1 AND ($2::uuid IS NULL OR id < $2) AND (read_at IS NULL OR NOT $3) ORDER BY id DESC LIMIT $4`, [personId, q.before, q.unread, q.limit])
}

export async function countUnread(sql: Sql, personId: string): Promise<number> {
  const [row] = await sql.query<{ n: number }>('SELECT count(*) AS n FROM notification WHERE person_id = $1 AND read_at IS NULL', [personId])
  return row?.n ?? 0
}

/** `ids` null: all. Resolves with how many became read. */
export async function markRead(sql: Sql, personId: string, ids: readonly string[] | null, at: Date): Promise<number> {
  return (await sql.query('UPDATE notification SET read_at = $3 WHERE person_id = $1 AND read_at IS NULL AND ($2::uuid[] IS NULL OR id = ANY ($2)) RETURNING 1 AS done', [personId, ids, at.toISOString()])).length
}

/** On, unless the person has switched it off. */
export async function wantsMail(sql: Sql, personId: string): Promise<boolean> {
  const [row] = await sql.query<{ mail: boolean }>('SELECT mail FROM notification_setting WHERE person_id = $1', [personId])
  return row?.mail ?? true
}

export async function setMail(sql: Sql, personId: string, mail: boolean): Promise<void> {
  await sql.query('INSERT INTO notification_setting (person_id, mail) VALUES ($1, $2) ON CONFLICT (person_id) DO UPDATE SET mail = $2', [personId, mail])
}

/** After a day a mail is no use; of what was read meanwhile there is none to send. */
const MAIL_HOURS = 24
const STALE = `(read_at IS NOT NULL OR created_at < now() - interval '${MAIL_HOURS} hours')`

export async function dropStaleMail(sql: Sql): Promise<void> {
  await sql.query(`UPDATE notification SET mail = 'none' WHERE mail = 'waits' AND ${STALE}`)
}

export async function mailWaitingFor(sql: Sql): Promise<string[]> {
  return (await sql.query<{ id: string }>("SELECT DISTINCT person_id AS id FROM notification WHERE mail = 'waits'")).map((r) => r.id)
}

export function waitingMail(sql: Sql, personId: string): Promise<Row[]> {
  return sql.query<Row>(`SELECT ${COLUMNS} FROM notification WHERE person_id = $1 AND mail = 'waits' AND NOT ${STALE} ORDER BY id LIMIT 1000`, [personId])
}

export async function settleMail(sql: Sql, ids: readonly string[], mail: 'sent' | 'none'): Promise<void> {
  await sql.query("UPDATE notification SET mail = $2 WHERE id = ANY ($1::uuid[]) AND mail = 'waits'", [ids, mail])
}

const KEPT_DAYS = 90

export async function purgeNotifications(sql: Sql): Promise<void> {
  await sql.query(`DELETE FROM notification WHERE created_at < now() - interval '${KEPT_DAYS} days'`)
}
