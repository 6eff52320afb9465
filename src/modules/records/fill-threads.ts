import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import { Problem } from '../../kernel/base/index.ts'
import type { PageAsked, PreparedPage } from './fill-page.ts'
import type { Answer, Asked, ThreadWords } from './fill-thread.ts'

/** More than four would wait for PostgreSQL and for DuckDB. */
const MOST_THREADS = 4
/** Pages at each thread: the one that is opened and the one that is read meanwhile. */
const PAGES_EACH = 2
/** A page's objects die young; more room for them costs memory and saves little. */
const YOUNG_MB = 32

interface Waiting {
  resolve(page: PreparedPage): void
  reject(error: Error): void
}

/** What ended a page in its thread, in the words a log may show. */
export class ThreadFailed extends Error {
  readonly fields: Readonly<Record<string, string>>

  constructor(fields: Readonly<Record<string, string>>) {
    super('a thread that fills the lens failed')
    this.name = 'ThreadFailed'
    this.fields = fields
  }
}

class Thread {
  readonly #worker: Worker
  readonly #waiting = new Map<number, Waiting>()
  #ended: Error | null = null

  constructor(words: ThreadWords) {
    this.#worker = new Worker(new URL('./fill-thread.ts', import.meta.url), { workerData: words, resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MB } })
    this.#worker.unref()
    this.#worker.on('message', (answer: Answer) => {
      const waiting = this.#waiting.get(answer.id)
      this.#waiting.delete(answer.id)
      if ('broken' in answer) waiting?.reject(new ThreadFailed(answer.broken))
      else waiting?.resolve(answer.page)
    })
    this.#worker.on('error', (error) => this.#end(error as Error))
    this.#worker.on('exit', () => this.#end(new Problem('shutting-down')))
  }

  get pages(): number {
    return this.#waiting.size
  }

  ask(asked: Asked): Promise<PreparedPage> {
    if (this.#ended) return Promise.reject(this.#ended)
    return new Promise((resolve, reject) => {
      this.#waiting.set(asked.id, { resolve, reject })
      this.#worker.postMessage(asked)
    })
  }

  async stop(): Promise<void> {
    await this.#worker.terminate()
  }

  #end(error: Error): void {
    this.#ended ??= error
    for (const waiting of this.#waiting.values()) waiting.reject(this.#ended)
    this.#waiting.clear()
  }
}

/** Threads that read, open and prepare pages of rows side by side, while this one serves. They are begun by the first page. */
export class FillThreads {
  readonly #words: ThreadWords
  readonly #count: number
  #threads: readonly Thread[] | null = null
  #stopped = false
  #pages = 0

  constructor(words: ThreadWords, count = Math.min(MOST_THREADS, availableParallelism())) {
    this.#words = words
    this.#count = count
  }

  /** Pages that are taken in at once. */
  get room(): number {
    return this.#count * PAGES_EACH
  }

  /** Rejects with what ended it; all pages of a thread that died, too. */
  async prepare(asked: PageAsked): Promise<PreparedPage> {
    if (this.#stopped) throw new Problem('shutting-down')
    this.#threads ??= Array.from({ length: this.#count }, () => new Thread(this.#words))
    const thread = this.#threads.reduce((least, t) => (t.pages < least.pages ? t : least))
    return thread.ask({ ...asked, id: ++this.#pages })
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await Promise.all((this.#threads ?? []).map((t) => t.stop()))
  }
}
