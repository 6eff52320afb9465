import { randomUUID } from 'node:crypto'
import { Problem } from '../../kernel/base/index.ts'
import type { AnyRecord } from '../../kernel/entity/index.ts'
import type { Condition } from '../../kernel/lens/types.ts'
import { AuthorityMoved, openDesk, type Actor, type Desk, type WorkDeps } from '../../kernel/work/index.ts'
import { createAuthority, MatchBudget, rowCondition, viewRecord, type RecordView } from '../access/index.ts'
import { Activity } from '../activities/index.ts'
import type { Principals } from '../identity/index.ts'
import { openRows, sliceFor, subjectsOf, type RecordsDeps } from '../records/index.ts'
import { deleteFeed, feedBySecret, feedsOf, insertFeed, looksLikeFeed, type Feed, type FeedDetail, type Signing } from './calendar.store.ts'
import { calendarText, type CalendarEvent } from './ics.ts'

export interface CalendarDeps {
  work: WorkDeps
  records: RecordsDeps
  principals: Principals
  /** Where the product is; null: where it is asked. */
  origin: string | null
}

const MOST_FEEDS = 10
/** Programs read once an hour, some every five minutes. */
const READS_PER_HOUR = 60
const MOST_EVENTS = 1_000
const DAY_MS = 86_400_000
const DAYS_BACK = 30
const DAYS_AHEAD = 366
const TRIES = 5

export type FeedView = Omit<Feed, 'personId' | 'principalId' | 'words'> & Feed['words'] & { active: boolean }

const viewOf = ({ personId: _p, principalId: _i, words, ...feed }: Feed, active: boolean): FeedView => ({ ...feed, ...words, active })

const WORDS = { en: { calendar: 'Sealbook', MEETING: 'Meeting', TASK: 'Task' }, 'zh-CN': { calendar: '密客 CRM', MEETING: '会议', TASK: '任务' } } as const

/** My meetings and open tasks, for programs that can send nothing but an address. Each address is a person with fewer rights than theirs, and a budget. */
export class Calendar {
  readonly #deps: CalendarDeps
  readonly #signing: Signing
  readonly #budget = new MatchBudget(READS_PER_HOUR)

  constructor(deps: CalendarDeps) {
    this.#deps = deps
    this.#signing = { vault: deps.work.vault, authority: createAuthority(deps.work) }
  }

  /** What such an address may do: read activities, and know which records its person sees. */
  #scopes(desk: Desk): string[] {
    const kinds = [Activity.name, ...(Activity.fields.recordKind.values ?? [])]
    const wanted = new Set(kinds.map((k) => `${sliceFor(this.#deps.records, k).entity.plural}:read`))
    return [...desk.actor.grants.permissions].filter((p) => wanted.has(p))
  }

  async create(desk: Desk, asked: { name: string; detail: FeedDetail; expiresAt?: string | undefined }, host: string): Promise<FeedView & { url: string }> {
    const scopes = this.#scopes(desk)
    if (!scopes.includes(`${Activity.plural}:read`)) throw new Problem('permission-missing')
    if ((await feedsOf(desk.sql, this.#signing, desk.actor.personId)).length >= MOST_FEEDS) throw new Problem('conflict')
    const usual = new Date(desk.at.getTime() + 365 * DAY_MS).toISOString()
    const principal = await this.#deps.principals.check(desk, { name: `Calendar: ${asked.name}`, scopes, expiresAt: asked.expiresAt ?? usual })
    return desk.write(async (work) => {
      const principalId = await principal.write(work)
      const words = { name: asked.name, expiresAt: principal.expiresAt.toISOString() }
      const { feed, secret } = await insertFeed(work.sql, this.#signing, { personId: work.actor.personId, principalId, detail: asked.detail, createdAt: work.at.toISOString(), words })
      work.record({ action: 'calendar.created', object: { kind: 'calendar', id: feed.id }, subjects: [work.actor.key], detail: { detail: feed.detail, expiresAt: words.expiresAt } })
      return { ...viewOf(feed, true), url: `${this.#deps.origin ?? `https://${host}`}/calendar/${secret}.ics` }
    })
  }

  async list(desk: Desk): Promise<{ items: FeedView[] }> {
    const feeds = await feedsOf(desk.sql, this.#signing, desk.actor.personId)
    desk.record({ action: 'calendar.listed', object: { kind: 'calendar', id: null }, subjects: [desk.actor.key], purpose: 'list' })
    return { items: await Promise.all(feeds.map(async (f) => viewOf(f, (await this.#deps.principals.actor(f.personId, f.principalId)) !== null))) }
  }

  /** One's own only; another person's is one that does not exist. */
  async revoke(desk: Desk, id: string): Promise<void> {
    await desk.write(async (work) => {
      const feed = (await feedsOf(work.sql, this.#signing, work.actor.personId)).find((f) => f.id === id)
      if (!feed) throw new Problem('not-found')
      await this.#deps.principals.end(work, feed.principalId)
      await deleteFeed(work.sql, id)
      work.record({ action: 'calendar.revoked', object: { kind: 'calendar', id }, subjects: [work.actor.key] })
    })
  }

  /** The calendar behind a secret. Throws Problem not-found for whatever is no address of this moment: unknown, revoked, run out, or of somebody who may not work here any more. */
  async read(file: string): Promise<string> {
    const secret = file.endsWith('.ics') ? file.slice(0, -4) : ''
    const feed = looksLikeFeed(secret) ? await feedBySecret(this.#deps.work.db, this.#signing, secret) : null
    if (!feed) throw new Problem('not-found')
    this.#budget.spend(feed.id, 1)
    for (let tries = 1; ; tries++) {
      try {
        return await this.#once(feed)
      } catch (error) {
        // Rights moved while it was made: made anew with those of now.
        if (!(error instanceof AuthorityMoved)) throw error
        if (tries === TRIES) throw new Problem('conflict', { cause: error })
      }
    }
  }

  async #once(feed: Feed): Promise<string> {
    const actor = await this.#deps.principals.actor(feed.personId, feed.principalId)
    if (!actor) throw new Problem('not-found')
    const open = openDesk(this.#deps.work, actor, randomUUID())
    const text = await this.#made(open.desk, actor, feed)
    await open.settled()
    return text
  }

  async #made(desk: Desk, actor: Actor, feed: Feed): Promise<string> {
    const slice = sliceFor(this.#deps.records, Activity.name)
    const rows = await slice.store.page(desk.sql, { scope: rowCondition(actor, Activity, 'read'), where: mine(actor.personId, desk.at), limit: MOST_EVENTS })
    desk.record({ action: 'calendar.read', object: { kind: 'calendar', id: feed.id }, subjects: subjectsOf(desk.vault, rows), purpose: 'list' })
    const { records } = await openRows(desk, slice, rows)
    const custom = this.#deps.records.customFields(Activity.name)
    const events = records.flatMap((r) => eventOf(r, viewRecord(Activity, r, actor, custom), feed.detail, actor.locale, desk.vault.instanceId))
    return calendarText(WORDS[actor.locale].calendar, events)
  }
}

/** Meetings and open tasks of this person, of a month ago to a year ahead. */
function mine(personId: string, at: Date): Condition {
  const span = [new Date(at.getTime() - DAYS_BACK * DAY_MS).toISOString(), new Date(at.getTime() + DAYS_AHEAD * DAY_MS).toISOString()]
  const is = (field: string, value: string): Condition => ({ field, op: 'eq', value })
  const kinds: Condition[] = [
    { and: [is('kind', 'meeting'), { field: 'at', op: 'between', value: span }] },
    { and: [is('kind', 'task'), { field: 'dueAt', op: 'between', value: span }, { field: 'doneAt', op: 'isEmpty' }] },
  ]
  return { and: [{ or: [is('ownerId', personId), is('assigneeId', personId)] }, { or: kinds }] }
}

/** As far as the gate shows it: without its time there is nothing to tell. */
function eventOf(record: AnyRecord, view: RecordView, detail: FeedDetail, locale: Actor['locale'], instanceId: string): CalendarEvent[] {
  const category = view['kind'] === 'meeting' ? 'MEETING' : view['kind'] === 'task' ? 'TASK' : null
  const start = view[category === 'TASK' ? 'dueAt' : 'at']
  if (category === null || typeof start !== 'string') return []
  const title = detail === 'titles' && typeof view['title'] === 'string' ? view['title'] : ''
  const end = category === 'MEETING' && typeof view['endsAt'] === 'string' ? view['endsAt'] : null
  return [{ uid: `${record.id}@${instanceId}.sealbook`, summary: title || WORDS[locale][category], category, start, end, changedAt: record.updatedAt, sequence: record.version - 1 }]
}
