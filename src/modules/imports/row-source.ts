import { Worker } from 'node:worker_threads'
import { Problem } from '../../kernel/base/index.ts'
import type { Lens } from '../../kernel/lens/index.ts'
import { Company } from '../companies/index.ts'
import { Contact } from '../contacts/index.ts'
import { toLensRow } from '../records/index.ts'
import type { CsvSource } from './read/index.ts'
import type { Broken, ForLens, FromThread, ToThread } from './row-thread.ts'
import { takenRows, type RowsWords, type TakenRow } from './rows.ts'

/** Where an import's rows come from, and where the lens's rows are made of what was written. */
export interface RowSource {
  /** May be walked once. Throws Problem import-file-unreadable. */
  batches(): AsyncGenerator<TakenRow[]>
  /** Resolves when the lens holds them. */
  tell(lens: Lens, records: ForLens): Promise<void>
  close(): Promise<void>
}

/** From so many rows on a thread is worth its start. */
const WORTH_A_THREAD = 2_000
/** Batches that are read and cleaned ahead of the one that is written. */
const AHEAD = 2

export function rowSource(open: CsvSource, words: RowsWords): RowSource {
  return words.profile.rows < WORTH_A_THREAD ? new HereRows(open, words) : new RowThread(open, words)
}

class HereRows implements RowSource {
  readonly #open: CsvSource
  readonly #words: RowsWords

  constructor(open: CsvSource, words: RowsWords) {
    this.#open = open
    this.#words = words
  }

  batches(): AsyncGenerator<TakenRow[]> {
    return takenRows(this.#open, this.#words)
  }

  tell(lens: Lens, { entity, records, shown, custom }: ForLens): Promise<void> {
    return lens.fill(entity, records.map((r, i) => toLensRow(entity === 'contact' ? Contact : Company, r, shown[i] ?? {}, custom)))
  }

  async close(): Promise<void> {}
}

function errorOf(broken: Broken): Error {
  if ('problem' in broken) return new Problem(broken.problem, { extra: broken.extra })
  return Object.assign(new Error('the thread of an import failed'), { name: broken.fields['errorType'] ?? 'Error', code: broken.fields['errorCode'] })
}

interface Waiting<T> {
  resolve(value: T): void
  reject(error: Error): void
}

class RowThread implements RowSource {
  readonly #worker: Worker
  readonly #file: AsyncIterator<Uint8Array>
  readonly #batches: (string | null)[] = []
  readonly #lens = new Map<number, Waiting<Extract<FromThread, { batch: object }>>>()
  #reader: Waiting<void> | null = null
  #failed: Error | null = null
  #asked = 0

  constructor(open: CsvSource, words: RowsWords) {
    this.#file = open()[Symbol.asyncIterator]()
    this.#worker = new Worker(new URL('./row-thread.ts', import.meta.url), { workerData: words })
    this.#worker.on('message', (message: FromThread) => this.#take(message))
    this.#worker.on('error', (error) => this.#fail(error as Error))
    this.#worker.on('exit', () => this.#fail(new Problem('shutting-down')))
    for (let n = 0; n < AHEAD; n++) this.#say({ more: true })
  }

  async *batches(): AsyncGenerator<TakenRow[]> {
    for (;;) {
      while (this.#batches.length === 0) {
        if (this.#failed) throw this.#failed
        await new Promise<void>((resolve, reject) => (this.#reader = { resolve, reject }))
      }
      const rows = this.#batches.shift()
      if (rows === null || rows === undefined) return
      this.#say({ more: true })
      yield JSON.parse(rows) as TakenRow[] // written by our own thread
    }
  }

  async tell(lens: Lens, records: ForLens): Promise<void> {
    if (this.#failed) throw this.#failed
    const id = ++this.#asked
    const { batch } = await new Promise<{ batch: Parameters<Lens['fillBatch']>[1] }>((resolve, reject) => {
      this.#lens.set(id, { resolve, reject })
      this.#say({ id, forLens: JSON.stringify(records) })
    })
    await lens.fillBatch(records.entity, batch)
  }

  async close(): Promise<void> {
    await this.#worker.terminate()
    await this.#file.return?.()
  }

  #say(message: ToThread): void {
    this.#worker.postMessage(message)
  }

  #take(message: FromThread): void {
    if ('wants' in message) return void this.#feed()
    if ('rows' in message) {
      this.#batches.push(message.rows)
      this.#reader?.resolve()
      this.#reader = null
    } else if ('id' in message) {
      const waiting = this.#lens.get(message.id)
      this.#lens.delete(message.id)
      if ('batch' in message) waiting?.resolve(message)
      else waiting?.reject(errorOf(message.broken))
    } else this.#fail(errorOf(message.broken))
  }

  /** The file is opened here, where its key is; the thread gets plain bytes. */
  async #feed(): Promise<void> {
    try {
      const next = await this.#file.next()
      this.#say({ piece: next.done ? null : next.value })
    } catch (error) {
      this.#fail(error as Error)
    }
  }

  #fail(error: Error): void {
    this.#failed ??= error
    this.#reader?.reject(this.#failed)
    this.#reader = null
    for (const waiting of this.#lens.values()) waiting.reject(this.#failed)
    this.#lens.clear()
  }
}
