import { Problem, type Locale } from '../../kernel/base/index.ts'
import { errorFields, type Log } from '../../kernel/log/index.ts'
import type { Mail, Mailer } from './mailer.ts'
import type { TellingDeps } from './notifications.service.ts'
import { dropStaleMail, mailWaitingFor, openNotification, settleMail, waitingMail, wantsMail, type Notification, type NotificationKind } from './notifications.store.ts'

export interface MailRoundDeps extends TellingDeps {
  mailer: Mailer
  log: Log
  /** Where the product is, for the link. */
  url: string
  /** Where a colleague reads mail, and in which language; null for one who does not work here any more. */
  addressOf(personId: string): Promise<{ email: string; locale: Locale } | null>
}

const WORDS: Record<Locale, { subject: (n: number) => string; count: Record<NotificationKind, (n: number) => string>; open: string; off: string }> = {
  en: {
    subject: (n) => (n === 1 ? 'Sealbook: one new notification' : `Sealbook: ${n} new notifications`),
    count: { reminder: (n) => (n === 1 ? 'You have 1 reminder.' : `You have ${n} reminders.`), assigned: (n) => (n === 1 ? '1 task was given to you.' : `${n} tasks were given to you.`) },
    open: 'Open Sealbook to see them:',
    off: 'You can switch these mails off in your settings.',
  },
  'zh-CN': {
    subject: (n) => `密客 CRM：${n} 条新通知`,
    count: { reminder: (n) => `您有 ${n} 条提醒。`, assigned: (n) => `有 ${n} 项任务分配给您。` },
    open: '请打开密客 CRM 查看：',
    off: '您可以在个人设置中关闭此类邮件。',
  },
}

/** How much there is and where, and nothing of what it is about: a mail is read by whoever carries it. */
export function mailOf(to: { email: string; locale: Locale }, list: readonly Pick<Notification, 'kind'>[], url: string): Mail {
  const words = WORDS[to.locale]
  const kinds: NotificationKind[] = ['reminder', 'assigned']
  const counts = kinds.flatMap((kind) => {
    const n = list.filter((x) => x.kind === kind).length
    return n > 0 ? [words.count[kind](n)] : []
  })
  return { to: to.email, subject: words.subject(list.length), text: [...counts, '', words.open, url, '', words.off, ''].join('\n') }
}

const FIRST_PAUSE_MS = 15_000
const LONGEST_PAUSE_MS = 30 * 60_000

/** Ever longer pauses, one for each thing that fails by itself. */
class Pauses {
  readonly #kept = new Map<string, { ms: number; until: number }>()

  hold(what: string, now: number): boolean {
    return now < (this.#kept.get(what)?.until ?? 0)
  }

  longer(what: string, now: number): void {
    const ms = Math.min(Math.max((this.#kept.get(what)?.ms ?? 0) * 2, FIRST_PAUSE_MS), LONGEST_PAUSE_MS)
    this.#kept.set(what, { ms, until: now + ms })
  }

  over(what: string): void {
    this.#kept.delete(what)
  }
}

const SERVER = 'server'

/** Sends what waits, one mail a person and round. What a mail server does not take is offered again after a while, ever longer, for a day. */
export class MailRound {
  readonly #deps: MailRoundDeps
  readonly #pauses = new Pauses()

  constructor(deps: MailRoundDeps) {
    this.#deps = deps
  }

  /** `renew` before each mail: a node that has lost its turn must not send it a second time. Resolves with how many mails went out. */
  async run(renew: () => Promise<boolean>, now = Date.now()): Promise<number> {
    await dropStaleMail(this.#deps.db)
    let sent = 0
    for (const personId of await mailWaitingFor(this.#deps.db)) {
      if (this.#pauses.hold(SERVER, now)) return sent
      // One mailbox that is full must not keep the others from theirs.
      if (this.#pauses.hold(personId, now)) continue
      if (!(await renew())) return sent
      if (await this.#one(personId, now)) sent++
    }
    return sent
  }

  async #one(personId: string, now: number): Promise<boolean> {
    const { db, mailer } = this.#deps
    const rows = await waitingMail(db, personId)
    const ids = rows.map((r) => r.id)
    const to = (await wantsMail(db, personId)) ? await this.#deps.addressOf(personId) : null
    const list = to ? this.#opened(rows) : []
    if (!to || list.length === 0) {
      await settleMail(db, ids, 'none')
      return false
    }
    try {
      await mailer.send(mailOf(to, list, this.#deps.url))
    } catch (error) {
      await this.#refused(personId, ids, now, error)
      return false
    }
    this.#pauses.over(SERVER)
    this.#pauses.over(personId)
    await this.#settled(personId, ids)
    return true
  }

  async #refused(personId: string, ids: readonly string[], now: number, error: unknown): Promise<void> {
    const forGood = isRefusedForGood(error)
    this.#deps.log.warn({ component: 'mail', ...errorFields(error) }, forGood ? 'the mail server refuses a mail for good' : 'the mail server is asked again later')
    if (forGood) await settleMail(this.#deps.db, ids, 'none')
    else this.#pauses.longer(ofOneMail(error) ? personId : SERVER, now)
  }

  /** A damaged row is not counted; the list in the product tells of it. */
  #opened(rows: Awaited<ReturnType<typeof waitingMail>>): Notification[] {
    return rows.flatMap((row) => {
      try {
        return [openNotification(this.#deps.vault, row)]
      } catch (error) {
        if (error instanceof Problem && (error.code === 'seal-broken' || error.code === 'key-unavailable')) return []
        throw error
      }
    })
  }

  async #settled(personId: string, ids: readonly string[]): Promise<void> {
    const { db, ledger, vault } = this.#deps
    const event = await db.tx(async (tx) => {
      await settleMail(tx, ids, 'sent')
      return ledger.record(tx, { action: 'notification.mailed', actor: null, object: { kind: 'person', id: personId }, subjects: [vault.ownerKey(personId)], detail: { count: ids.length } })
    })
    ledger.committed([event])
  }
}

/** The server took the connection and the sign-in, and did not take this mail. */
const ofOneMail = (error: unknown): boolean => ['EENVELOPE', 'EMESSAGE'].includes(String((error as { code?: unknown }).code))

/** 55x: the same mail will fare no better. One about the sign-in, or the server's own trouble, may pass. */
function isRefusedForGood(error: unknown): boolean {
  const { responseCode } = error as { responseCode?: unknown }
  return ofOneMail(error) && typeof responseCode === 'number' && responseCode >= 550 && responseCode < 560
}
