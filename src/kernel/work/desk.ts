import type { Db, Tx } from '../db/types.ts'
import type { Ledger } from '../ledger/types.ts'
import type { Lens, LensRow } from '../lens/types.ts'
import { errorFields, type Log } from '../log/index.ts'
import type { OwnerKey, Vault } from '../vault/types.ts'
import type { AuthorityCounter, EpochWatch } from './epoch.ts'
import type { Actor, Desk, NewEvent, Work } from './types.ts'

/** Thrown inside when the actor's grants were compiled at an older epoch; the door signs the actor in again and repeats once. */
export class AuthorityMoved extends Error {}

export interface WorkDeps {
  db: Db
  vault: Vault
  ledger: Ledger
  lens: Lens
  log: Log
  authority: AuthorityCounter
  epochs: EpochWatch
  /** Puts a job into the transaction. */
  send(tx: Tx, queue: string, data: Record<string, string | number>): Promise<void>
}

/** Runs inside the transaction that states the request's answer; throwing, or failing what it sent, ends it and nothing is changed. */
export type KeepAnswer = (tx: Tx, answer: { body: object; version: number | null }) => void

export interface OpenDesk {
  desk: Desk
  /** Waits until every read event is durable and the grants are known to hold. Throws AuthorityMoved or Problem ledger-unavailable. */
  settled(): Promise<void>
  /** True once a transaction of this desk has committed: such a request is never repeated. */
  readonly committed: boolean
}

interface LensChange {
  entity: string
  rows: readonly LensRow[]
  removed: readonly string[]
}

class Transaction implements Work {
  readonly events: NewEvent[] = []
  readonly changes: LensChange[] = []
  readonly at = new Date()
  answer: { body: object; version: number | null } | null = null
  readonly actor: Actor
  readonly requestId: string
  readonly sql: Tx
  readonly vault: Vault
  readonly #deps: WorkDeps
  #bumped = false

  constructor(deps: WorkDeps, actor: Actor, requestId: string, sql: Tx) {
    this.#deps = deps
    this.actor = actor
    this.requestId = requestId
    this.sql = sql
    this.vault = deps.vault
  }

  record(event: NewEvent): void {
    this.events.push(event)
  }

  enqueue(queue: string, data: Record<string, string | number>): Promise<void> {
    return this.#deps.send(this.sql, queue, data)
  }

  lens(entity: string, rows: readonly LensRow[], removed: readonly string[] = []): void {
    this.changes.push({ entity, rows, removed })
  }

  answers(body: object, version?: number): void {
    this.answer = { body, version: version ?? null }
  }

  async bumpAuthority(): Promise<void> {
    if (this.#bumped) return
    this.#bumped = true
    this.#deps.epochs.moves.count(this.actor.personId)
    await this.#deps.authority.bump(this.sql)
  }
}

/** Ledger events of a write are inserted last, so the row lock order is the same for every use-case. */
async function runTransaction<T>(deps: WorkDeps, actor: Actor, requestId: string, fn: (work: Work) => Promise<T>, keep?: KeepAnswer): Promise<T> {
  const done = await deps.db.tx(async (tx) => {
    // Travels with the work's own statements; nothing is committed when it is not the epoch of these grants.
    if (actor.via !== 'system') deps.authority.hold(tx, actor.epoch)
    const work = new Transaction(deps, actor, requestId, tx)
    const result = await fn(work)
    if (keep && work.answer) keep(tx, work.answer)
    if (work.events.length === 0) throw new Error('a write without a ledger event')
    const ids = deps.ledger.send(tx, work.events.map((e) => ({ ...e, actor: by(actor) })))
    return { result, work, ids }
  })
  deps.ledger.committed(done.ids)
  await applyToLens(deps, done.work.changes)
  return done.result
}

async function applyToLens(deps: WorkDeps, changes: readonly LensChange[]): Promise<void> {
  try {
    await Promise.all(changes.map((c) => deps.lens.apply(c.entity, c.rows, c.removed)))
  } catch (error) {
    // The write is committed and stays; the lens catches up from the ledger's tail. The answer must not say it failed.
    deps.log.error({ component: 'lens', ...errorFields(error) }, 'a committed change did not reach the lens')
  }
}

/** The system itself is nobody: its events name no person. */
const by = (actor: Actor): OwnerKey | null => (actor.via === 'system' ? null : actor.key)

/** The epoch, asked for with the first call. */
function epochOnce(deps: WorkDeps, actor: Actor): () => Promise<number> {
  let asked: Promise<number> | null = null
  return () => {
    if (asked) return asked
    asked = actor.via === 'system' ? Promise.resolve(actor.epoch) : deps.epochs.current()
    asked.catch(() => undefined) // awaited in settled()
    return asked
  }
}

/** `reads`: nothing but reading is to be expected, so that the epoch is asked for at once, beside the handler's own queries; a write asks in its transaction. */
export function openDesk(deps: WorkDeps, actor: Actor, requestId: string, { keep, reads = false }: { keep?: KeepAnswer | undefined; reads?: boolean } = {}): OpenDesk {
  const pending: Promise<unknown>[] = []
  let committed = false
  const epoch = epochOnce(deps, actor)
  if (reads) void epoch()
  const desk: Desk = {
    actor,
    requestId,
    at: new Date(),
    sql: deps.db,
    vault: deps.vault,
    lens: deps.lens,
    ledger: deps.ledger,
    record(event) {
      const appended = deps.ledger.append({ ...event, actor: by(actor) })
      appended.catch(() => undefined) // awaited in settled(); this only keeps Node from calling it unhandled meanwhile
      pending.push(appended)
      void epoch()
    },
    async write(fn) {
      const result = await runTransaction(deps, actor, requestId, fn, keep)
      committed = true
      return result
    },
  }
  return {
    desk,
    get committed() {
      return committed
    },
    async settled() {
      await Promise.all(pending)
      if (!committed && (await epoch()) !== actor.epoch) throw new AuthorityMoved()
    },
  }
}

