import { setTimeout as sleep } from 'node:timers/promises'
import { uuidv7 } from '../../kernel/base/index.ts'
import { errorFields } from '../../kernel/log/index.ts'
import { AuthorityMoved, openDesk, type Actor, type Desk, type WorkDeps } from '../../kernel/work/index.ts'
import type { MatchBudget } from '../access/index.ts'
import { claim, dueDeliveries, follow, noteAttempt, noteHealth, release, type Delivery, type Progress } from './deliveries.store.ts'
import { messageOf, visible, wanted, type Message } from './message.ts'
import { signedHeaders } from './signature.ts'
import { post, type Outcome } from './target.ts'
import { secretsAt, type HooksDeps } from './webhooks.service.ts'
import { dueHooks, hookById, updateHook, type Hook, type HookReason } from './webhooks.store.ts'

export interface DispatcherDeps extends HooksDeps {
  work: WorkDeps
  /** Ids and records with fields that each person's webhooks may still send this hour. */
  budgets: { ids: MatchBudget; records: MatchBudget }
}

const ROUND_MS = 500
const WINDOW = 500
/** Windows of the ledger followed and messages sent before another look at the rights of the webhook itself. */
const MOST_WINDOWS = 20
const MOST_SENT = 50
/** Webhooks worked on at once. */
const MOST_AT_ONCE = 8
const MOST_ATTEMPTS = 18
const LONGEST_PAUSE_MS = 3 * 3_600_000
const OVER_BUDGET_MS = 60_000
const DISABLED_AFTER_DAYS = 5
const MOST_TRIES = 20

const pauseAfter = (failures: number): number => Math.min(1_000 * 2 ** Math.min(failures - 1, 20), LONGEST_PAUSE_MS) * (0.75 + Math.random() / 2)

/** Nothing may leave for a while; it is no failure of the target. */
class Later extends Error {}

/**
 * Follows the ledger for every active webhook and sends what its person may see at that moment, each message until it is taken.
 * One node works on a webhook at a time. What ends a process in the middle is sent again by the next one.
 */
export class Dispatcher {
  readonly #deps: DispatcherDeps
  readonly #stopping = new AbortController()
  readonly #working = new Map<string, Promise<void>>()
  #loop: Promise<void> = Promise.resolve()

  constructor(deps: DispatcherDeps) {
    this.#deps = deps
  }

  start(): void {
    this.#loop = this.#run()
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#loop
    await Promise.allSettled(this.#working.values())
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping
    while (!signal.aborted) {
      await this.#round().catch((error: unknown) => this.#tell(error))
      await sleep(ROUND_MS, undefined, { signal }).catch(() => undefined)
    }
  }

  #tell(error: unknown): void {
    if (!this.#stopping.signal.aborted) this.#deps.work.log.warn({ component: 'webhooks', ...errorFields(error) }, 'webhooks wait and go on by themselves')
  }

  async #round(): Promise<void> {
    const { work, signing } = this.#deps
    for (const hook of await dueHooks(work.db, signing, work.ledger.status().size)) {
      if (this.#working.has(hook.id) || this.#working.size >= MOST_AT_ONCE) continue
      const done = this.#work(hook).catch((error: unknown) => this.#tell(error)).finally(() => this.#working.delete(hook.id))
      this.#working.set(hook.id, done)
    }
  }

  async #work(hook: Hook): Promise<void> {
    const { work, signing } = this.#deps
    const progress = await claim(work.db, signing, hook.id)
    if (!progress) return
    try {
      if (!(await this.#actor(hook))) return await this.#disable(hook, 'ended')
      await this.#follow(hook, progress)
      await this.#send(hook, progress)
    } finally {
      await release(work.db, hook.id)
    }
  }

  /** The rights of this moment; null for good when they ended. */
  async #actor(hook: Hook): Promise<Actor | null> {
    for (let tries = 1; ; tries++) {
      try {
        return await this.#deps.principals.actor(hook.personId, hook.principalId)
      } catch (error) {
        if (!(error instanceof AuthorityMoved) || tries === MOST_TRIES) throw error
        await sleep(tries * 5)
      }
    }
  }

  /** Does a part with the rights of its moment, and again when they moved meanwhile; what it recorded is durable when this resolves. */
  async #step<T>(hook: Hook, part: (desk: Desk) => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries++) {
      const actor = await this.#actor(hook)
      if (!actor) throw new Later()
      const open = openDesk(this.#deps.work, actor, uuidv7())
      try {
        const result = await part(open.desk)
        await open.settled()
        return result
      } catch (error) {
        if (!(error instanceof AuthorityMoved) || tries === MOST_TRIES) throw error
        await sleep(tries * 5)
      }
    }
  }

  /** Notes which leaves are to be sent. Only those whose record is seen now: the list of deliveries must not tell how often the others' records change. */
  async #follow(hook: Hook, progress: Progress): Promise<void> {
    const { work, signing, records } = this.#deps
    let next = progress.nextLeaf
    for (let i = 0; i < MOST_WINDOWS && next < work.ledger.status().size && !this.#stopping.signal.aborted; i++) {
      const entries = await work.ledger.tail(next, WINDOW, { detail: true })
      const { size } = work.ledger.status()
      // A window in which no event is ours any more is gone past; the ledger's alarm has told of it.
      const end = entries.length > 0 ? entries.at(-1)!.leaf + 1 : size > next + WINDOW ? next + WINDOW : next
      if (end === next) return
      const changes = wanted(records, hook.words, entries)
      const leaves = changes.length === 0 ? [] : (await this.#step(hook, (desk) => visible(desk, changes))).map((c) => c.leaf)
      const from = next
      if (!(await work.db.tx((tx) => follow(tx, signing, hook.id, from, end, leaves, new Date())))) return
      next = end
    }
  }

  async #send(hook: Hook, progress: Progress): Promise<void> {
    const { work } = this.#deps
    let { failures } = progress
    for (const delivery of await dueDeliveries(work.db, hook.id, MOST_SENT)) {
      if (this.#stopping.signal.aborted) return
      const failed = await this.#attempt(hook, delivery).catch((error: unknown) => {
        if (!(error instanceof Later)) throw error
        return null
      })
      const now = new Date()
      if (failed === null) return noteHealth(work.db, hook.id, failures, now, new Date(now.getTime() + OVER_BUDGET_MS))
      failures = failed.ok ? 0 : failures + 1
      const wait = failed.ok ? 0 : Math.max(pauseAfter(failures), (failed.retryAfterSeconds ?? 0) * 1_000)
      await noteHealth(work.db, hook.id, failures, now, new Date(now.getTime() + Math.min(wait, LONGEST_PAUSE_MS)))
      if (failed.ok) continue
      const since = progress.failingSince === null ? now.getTime() : Date.parse(progress.failingSince)
      if (failed.gone) return this.#disable(hook, 'gone')
      if (now.getTime() - since > DISABLED_AFTER_DAYS * 86_400_000) return this.#disable(hook, 'failing')
      return
    }
  }

  async #attempt(hook: Hook, delivery: Delivery): Promise<{ ok: boolean; gone: boolean; retryAfterSeconds: number | null }> {
    const { db } = this.#deps.work
    const message = await this.#message(hook, delivery)
    if (!message) {
      await noteAttempt(db, delivery, { state: 'withheld', status: null, nextAt: new Date() })
      return { ok: true, gone: false, retryAfterSeconds: null }
    }
    const at = new Date()
    const sent: Outcome = await post(this.#deps.targets, hook.words.url, signedHeaders(secretsAt(hook.words, at), `msg_${delivery.id}`, at, message.body), message.body, this.#stopping.signal)
    const ok = sent.outcome === 'delivered'
    const state = ok ? 'delivered' : delivery.attempts + 1 >= MOST_ATTEMPTS ? 'failed' : 'waiting'
    await noteAttempt(db, delivery, { state, status: sent.status, nextAt: new Date(at.getTime() + (ok ? 0 : pauseAfter(delivery.attempts + 1))) })
    return { ok, gone: sent.status === 410, retryAfterSeconds: 'retryAfterSeconds' in sent ? sent.retryAfterSeconds : null }
  }

  /** The message as the rights of now allow it, recorded; null when they allow nothing. Throws Later when the hour's budget is used up. */
  async #message(hook: Hook, delivery: Delivery): Promise<Message | null> {
    const { records, budgets } = this.#deps
    return this.#step(hook, async (desk) => {
      // Read from the ledger again: a delivery that somebody planted in the table says nothing of itself.
      const [change] = wanted(records, hook.words, await desk.ledger.tail(delivery.leaf, 1, { detail: true }))
      if (!change) return null
      if (!budgets.ids.take(hook.personId, 1) || (hook.words.fields[change.entity.name] && !budgets.records.take(hook.personId, 1))) throw new Later()
      const message = await messageOf(desk, records, hook, change)
      if (message && message.ids > 1) budgets.ids.take(hook.personId, message.ids - 1)
      return message
    })
  }

  async #disable(hook: Hook, reason: HookReason): Promise<void> {
    const { work, signing } = this.#deps
    const done = await work.db.tx(async (tx) => {
      const current = await hookById(tx, signing, hook.id)
      if (!current || current.version !== hook.version) return null
      await updateHook(tx, signing, current, { state: 'disabled', reason }, new Date())
      return work.ledger.recordMany(tx, [{ action: 'webhook.disabled', actor: null, object: { kind: 'webhook', id: hook.id }, subjects: work.vault.hasOwnerKey(hook.personId) ? [work.vault.ownerKey(hook.personId)] : [], detail: { reason } }])
    })
    if (!done) return
    work.ledger.committed(done)
    work.log.warn({ component: 'webhooks', id: hook.id, code: reason }, 'a webhook was disabled')
  }
}

