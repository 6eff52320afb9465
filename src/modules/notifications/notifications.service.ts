import { Problem } from '../../kernel/base/index.ts'
import type { Db } from '../../kernel/db/types.ts'
import type { Ledger, LedgerEvent } from '../../kernel/ledger/types.ts'
import type { Vault } from '../../kernel/vault/index.ts'
import type { Desk, Reading, Work } from '../../kernel/work/types.ts'
import { rowCondition } from '../access/index.ts'
import type { RecordsDeps } from '../records/index.ts'
import { countUnread, insertNotification, knownKeys, markRead, notificationKey, notificationPage, openNotification, setMail, wantsMail, type Notification, type NotificationWords } from './notifications.store.ts'

/** Nothing about it is in the event but that this person was told something. */
const told = (vault: Vault, personId: string, id: string): Omit<LedgerEvent, 'actor'> => ({ action: 'notification.created', object: { kind: 'notification', id }, subjects: [vault.ownerKey(personId)] })

/** Tells a person something, inside the transaction in which it happened; once for each moment it is about. */
export async function notify(work: Work, words: NotificationWords & { personId: string }): Promise<void> {
  const { personId, ...about } = words
  if (!work.vault.hasOwnerKey(personId)) return
  const id = await insertNotification(work.sql, work.vault, personId, about, work.at)
  if (id !== null) work.record(told(work.vault, personId, id))
}

export interface TellingDeps {
  db: Db
  vault: Vault
  ledger: Ledger
}

/** The same for what nobody does (a time has come). Those told before are left out. Resolves with how many were new. */
export async function notifyAll(deps: TellingDeps, personId: string, about: readonly NotificationWords[]): Promise<number> {
  const { db, vault, ledger } = deps
  const known = await knownKeys(db, about.map((w) => notificationKey(vault, personId, w)))
  const fresh = about.filter((w) => !known.has(notificationKey(vault, personId, w).toString('hex')))
  if (fresh.length === 0) return 0
  const done = await db.tx(async (tx) => {
    const events: LedgerEvent[] = []
    for (const words of fresh) {
      const id = await insertNotification(tx, vault, personId, words, new Date())
      if (id !== null) events.push({ ...told(vault, personId, id), actor: null })
    }
    return events.length === 0 ? [] : ledger.recordMany(tx, events)
  })
  ledger.committed(done)
  return done.length
}

/** Of things told before, so that whoever looks for what is due need not open them again. Keys in hex. */
export async function toldBefore(deps: Pick<TellingDeps, 'db' | 'vault'>, asked: readonly (NotificationWords & { personId: string })[]): Promise<boolean[]> {
  const keys = asked.map(({ personId, ...w }) => notificationKey(deps.vault, personId, w))
  const known = await knownKeys(deps.db, keys)
  return keys.map((k) => known.has(k.toString('hex')))
}

export interface NotificationView {
  id: string
  kind: string
  /** Null when the person no longer sees what it is about. */
  object: { kind: string; id: string } | null
  at: string
  createdAt: string
  readAt: string | null
}

/** Ids of these things that the actor sees now. */
async function seen(reading: Reading, deps: RecordsDeps, list: readonly Notification[]): Promise<Set<string>> {
  const out = new Set<string>()
  for (const kind of new Set(list.map((n) => n.object.kind))) {
    const slice = deps.slices.get(kind)
    const ids = [...new Set(list.filter((n) => n.object.kind === kind).map((n) => n.object.id))]
    const rows = slice ? await slice.store.page(reading.sql, { scope: rowCondition(reading.actor, slice.entity, 'read'), ids, limit: ids.length }) : []
    for (const r of rows) out.add(r.id)
  }
  return out
}

function openOrTell(reading: Reading, row: Awaited<ReturnType<typeof notificationPage>>[number]): Notification[] {
  try {
    return [openNotification(reading.vault, row)]
  } catch (error) {
    if (!(error instanceof Problem) || error.code !== 'seal-broken') throw error
    // One damaged row must not take the whole list with it; it is written down.
    reading.record({ action: 'seal.refused', object: { kind: 'notification', id: row.id }, detail: { code: error.code } })
    return []
  }
}

const LIMIT = 50

/** One's own, newest first. */
export async function listNotifications(reading: Reading, deps: RecordsDeps, q: { cursor: string | null; unread: boolean }): Promise<{ items: NotificationView[]; nextCursor: string | null; unread: number }> {
  const { personId, key } = reading.actor
  const rows = await notificationPage(reading.sql, personId, { before: q.cursor, unread: q.unread, limit: LIMIT + 1 })
  const page = rows.slice(0, LIMIT)
  const opened = page.flatMap((row) => openOrTell(reading, row))
  const visible = await seen(reading, deps, opened)
  reading.record({ action: 'notification.listed', object: { kind: 'notification', id: null }, subjects: [key], purpose: 'list' })
  const items = opened.map((n): NotificationView => ({ id: n.id, kind: n.kind, object: visible.has(n.object.id) ? n.object : null, at: n.at, createdAt: iso(n.createdAt), readAt: n.readAt === null ? null : iso(n.readAt) }))
  return { items, nextCursor: rows.length > LIMIT ? page.at(-1)!.id : null, unread: await countUnread(reading.sql, personId) }
}

const iso = (at: string): string => new Date(at).toISOString()

/** One's own only: another person's id is one that does not exist. */
export function readNotifications(desk: Desk, ids: readonly string[] | null): Promise<{ read: number }> {
  return desk.write(async (work) => {
    const read = await markRead(work.sql, work.actor.personId, ids, work.at)
    work.record({ action: 'notification.read', object: { kind: 'notification', id: null }, subjects: [work.actor.key], detail: { read } })
    return { read }
  })
}

export async function readSettings(reading: Reading): Promise<{ mail: boolean }> {
  reading.record({ action: 'notification.settings-read', object: { kind: 'person', id: reading.actor.personId }, subjects: [reading.actor.key], purpose: 'view' })
  return { mail: await wantsMail(reading.sql, reading.actor.personId) }
}

export function changeSettings(desk: Desk, mail: boolean): Promise<{ mail: boolean }> {
  return desk.write(async (work) => {
    await setMail(work.sql, work.actor.personId, mail)
    work.record({ action: 'notification.settings-changed', object: { kind: 'person', id: work.actor.personId }, subjects: [work.actor.key], detail: { mail } })
    return { mail }
  })
}
