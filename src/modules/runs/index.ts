import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Problem, uuidv7 } from '../../kernel/base/index.ts'
import type { Jobs } from '../../kernel/jobs/index.ts'
import { errorFields } from '../../kernel/log/index.ts'
import type { Vault } from '../../kernel/vault/index.ts'
import { AuthorityMoved, openDesk, type Actor, type Desk, type WorkDeps } from '../../kernel/work/index.ts'
import { countUnfinished, expiredRuns, findRun, insertRun, moveRun, unfinishedRuns, type Run, type RunKind, type RunState } from './store.ts'

export interface Progress {
  done: number
  total: number
}

export interface RunView<R> {
  id: string
  state: RunState
  progress: Progress
  result?: R
  /** The problem that ended it. */
  problem?: Record<string, unknown>
}

/** What the words of every kind of run have in common. */
export interface RunWords<R> {
  /** The token it was asked with and its permissions: a job never has more than its asker had, and ends with it. Null for a session. */
  token?: { id: string; scopes: string[] } | null
  result?: R
  failure?: { code: string; extra: Record<string, string | number | boolean> }
}

/** Does one part of a run with the person's rights of that moment, and once more when they moved meanwhile. Its events are durable when it resolves. */
export type Step = <T>(part: (desk: Desk) => Promise<T>) => Promise<T>

export type RunHandler = (step: Step, run: Run<RunWords<unknown>>, progress: (done: number, total: number) => void) => Promise<unknown>

export interface RunsDeps {
  work: WorkDeps
  jobs: Jobs
  /** Folder of sealed working files, HOME/staging. */
  staging: string
  /** The person's rights of now within those of the token, or null for one who may not work here any more, or whose token was revoked. */
  actorOf(personId: string, token: { id: string; scopes: readonly string[] } | null): Promise<Actor | null>
}

export const RUN_QUEUES: Readonly<Record<RunKind, string>> = { import: 'import', export: 'export', bulk: 'bulk', transfer: 'transfer', 'tag-rename': 'tag-rename' }

/** Of one person: each has a file on the disk, and keeps the others waiting. */
const MOST_UNFINISHED = 20
/** Files of one person that are taken in at once. */
const MOST_RECEIVING = 3
/** How often a step is begun anew because people, roles or fields moved under it. */
const MOST_TRIES = 200
const SHORTEST_PAUSE_MS = 250
const LONGEST_PAUSE_MS = 15_000

/** What another try may find otherwise. A damaged row or table stays as it is. */
function mayPass(error: unknown): boolean {
  return error instanceof Problem && error.status === 503 && error.code !== 'seal-broken' && error.code !== 'database-damaged'
}

const tooMany = (): Problem => new Problem('rate', { extra: { retryAfterSeconds: 60 } })

/** Imports and exports in the background: queued in the transaction that asks for them, with the rights their person has when they run. */
export class Runs {
  readonly #deps: RunsDeps
  readonly #handlers = new Map<RunKind, RunHandler>()
  readonly #progress = new Map<string, Progress>()
  readonly #receiving = new Map<string, number>()
  readonly #stopping = new AbortController()

  constructor(deps: RunsDeps) {
    this.#deps = deps
  }

  stagingFile(id: string): string {
    return join(this.#deps.staging, `${id}.sealed`)
  }

  get vault(): Vault {
    return this.#deps.work.vault
  }

  /** Takes a working file away. */
  async discard(id: string): Promise<void> {
    await rm(this.stagingFile(id), { force: true })
  }

  handle(kind: RunKind, handler: RunHandler): void {
    this.#handlers.set(kind, handler)
  }

  /** Takes up what the last process left, then works the queues. */
  async start(): Promise<void> {
    for (const kind of this.#handlers.keys()) await this.#deps.jobs.work(RUN_QUEUES[kind], (data) => this.#perform(kind, String(data['id'])))
    const left = await unfinishedRuns(this.#deps.work.db)
    for (const run of left) await this.#deps.work.db.tx((tx) => this.#deps.jobs.send(tx, RUN_QUEUES[run.kind], { id: run.id }))
  }

  /** Ends what runs at its next step; the next start takes it up. Called before the queue is stopped. */
  stop(): void {
    this.#stopping.abort()
  }

  /** Takes in the file of a run to come. Throws Problem rate for somebody who has enough under way: a file may be as large as what is free on the disk. */
  async receive<T>(desk: Desk, take: () => Promise<T>): Promise<T> {
    const { personId } = desk.actor
    const others = this.#receiving.get(personId) ?? 0
    if (others >= MOST_RECEIVING) throw tooMany()
    this.#receiving.set(personId, others + 1)
    try {
      if ((await countUnfinished(desk.sql, personId)) >= MOST_UNFINISHED) throw tooMany()
      return await take()
    } finally {
      const left = (this.#receiving.get(personId) ?? 1) - 1
      if (left > 0) this.#receiving.set(personId, left)
      else this.#receiving.delete(personId)
    }
  }

  async ask(desk: Desk, kind: RunKind, words: object, id = uuidv7()): Promise<{ id: string }> {
    return desk.write(async (work) => {
      if ((await countUnfinished(work.sql, work.actor.personId)) >= MOST_UNFINISHED) throw tooMany()
      const run: Run<object> = { id, kind, personId: work.actor.personId, version: 1, state: 'queued', createdAt: work.at.toISOString(), words: { ...words, token: work.actor.via === 'token' ? { id: work.actor.credentialId, scopes: [...work.actor.grants.permissions] } : null } }
      await insertRun(work.sql, work.vault, run)
      await work.enqueue(RUN_QUEUES[kind], { id })
      work.record({ action: `${kind}.requested`, object: { kind, id }, purpose: kind })
      work.answers({ id })
      return { id }
    })
  }

  async view<R>(desk: Desk, kind: RunKind, id: string): Promise<RunView<R>> {
    const run = await findRun<RunWords<R>>(desk.sql, desk.vault, kind, id, desk.actor.personId)
    const { result, failure } = run.words
    const problem = failure ? new Problem(failure.code, { extra: failure.extra }).toJSON(desk.requestId, desk.actor.locale) : null
    return { id, state: run.state, progress: this.#progress.get(id) ?? { done: 0, total: 0 }, ...(result ? { result } : {}), ...(problem ? { problem } : {}) }
  }

  /** What a run of the actor's own was asked with. */
  async asked<W>(desk: Desk, kind: RunKind, id: string): Promise<W> {
    return (await findRun<W>(desk.sql, desk.vault, kind, id, desk.actor.personId)).words
  }

  /** A finished run of the actor's own, for its file. */
  async finished<R>(desk: Desk, kind: RunKind, id: string): Promise<R> {
    const run = await findRun<RunWords<R>>(desk.sql, desk.vault, kind, id, desk.actor.personId)
    if (run.state !== 'done' || !run.words.result) throw new Problem('conflict')
    return run.words.result
  }

  /** Working files and rows older than a day go. */
  async purge(): Promise<void> {
    for (const { id } of await expiredRuns(this.#deps.work.db)) await this.discard(id)
  }

  /** A run waits for a database, key or disk that is away, for as long as it takes: the queue would give it up after some tries. */
  async #perform(kind: RunKind, id: string): Promise<void> {
    for (let pause = SHORTEST_PAUSE_MS; ; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
      try {
        return await this.#take(kind, id)
      } catch (error) {
        if (!mayPass(error) || this.#stopping.signal.aborted) throw error
        this.#deps.work.log.warn({ component: 'runs', id, ...errorFields(error) }, 'a run waits for what is away')
      }
      await sleep(pause, undefined, { signal: this.#stopping.signal }).catch(() => undefined)
    }
  }

  async #take(kind: RunKind, id: string): Promise<void> {
    const { db, vault } = this.#deps.work
    const run = await findRun<RunWords<unknown>>(db, vault, kind, id, null)
    if (run.state === 'done' || run.state === 'failed') return
    const taken = await moveRun(db, vault, run, 'running', run.words)
    if (!taken) return
    try {
      const result = await this.#attempt(taken)
      await moveRun(db, vault, taken, 'done', { ...taken.words, result })
    } catch (error) {
      if (mayPass(error)) throw error
      if (!(error instanceof Problem)) this.#deps.work.log.error({ component: 'runs', id, ...errorFields(error) }, 'a run failed')
      await moveRun(db, vault, taken, 'failed', { ...taken.words, failure: error instanceof Problem ? { code: error.code, extra: { ...error.extra } } : { code: 'internal', extra: {} } })
    }
    await this.#tidy(kind, id)
  }

  /** What was uploaded is needed no more; what was exported waits to be fetched. */
  async #tidy(kind: RunKind, id: string): Promise<void> {
    if (kind === 'import') await this.discard(id)
  }

  #attempt(run: Run<RunWords<unknown>>): Promise<unknown> {
    const handler = this.#handlers.get(run.kind)
    if (!handler) throw new Error(`no handler for ${run.kind}`)
    return handler((part) => this.#step(run, part), run, (done, total) => this.#progress.set(run.id, { done, total }))
  }

  async #step<T>(run: Run<RunWords<unknown>>, part: (desk: Desk) => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries++) {
      if (this.#stopping.signal.aborted) throw new Problem('shutting-down')
      try {
        return await this.#once(run, part)
      } catch (error) {
        if (!(error instanceof AuthorityMoved) || tries === MOST_TRIES) throw error
        // Nobody waits for it, so it can wait for a quiet moment.
        await sleep(tries, undefined, { signal: this.#stopping.signal }).catch(() => undefined)
      }
    }
  }

  async #once<T>(run: Run<RunWords<unknown>>, part: (desk: Desk) => Promise<T>): Promise<T> {
    const actor = await this.#deps.actorOf(run.personId, run.words.token ?? null)
    if (!actor) throw new Problem('permission-missing')
    const open = openDesk(this.#deps.work, actor, run.id)
    const result = await part(open.desk)
    await open.settled()
    return result
  }
}

export type { Run, RunKind, RunState } from './store.ts'
export { runView } from './contract.ts'
