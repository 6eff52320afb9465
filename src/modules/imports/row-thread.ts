// A thread beside an import: reads and cleans the rows ahead of the batch that is being written, and makes the lens's rows of what was
// written. It holds no key and no connection: bytes of the file and records come in, rows and texts go out.
import { parentPort, workerData } from 'node:worker_threads'
import { Problem } from '../../kernel/base/index.ts'
import type { AnyRecord, CustomFieldWords } from '../../kernel/entity/index.ts'
import { batchMaker, type LensBatch } from '../../kernel/lens/index.ts'
import { errorFields } from '../../kernel/log/index.ts'
import { Company } from '../companies/index.ts'
import { Contact } from '../contacts/index.ts'
import { lensTable, toLensRow, type Shown } from '../records/index.ts'
import { takenRows, type RowsWords } from './rows.ts'

/** What the lens shall hold of records. */
export interface ForLens {
  entity: 'contact' | 'company'
  records: readonly AnyRecord[]
  shown: readonly Shown[]
  custom: readonly CustomFieldWords[]
}

/** `piece`: bytes of the file, null at its end. `more`: another batch may be read. Records travel as JSON, which is three times cheaper than a structured clone. */
export type ToThread = { piece: Uint8Array | null } | { more: true } | { id: number; forLens: string }
export type Broken = { problem: string; extra: Record<string, string | number | boolean> } | { fields: Record<string, string> }
export type FromThread = { wants: true } | { rows: string | null } | { id: number; batch: LensBatch } | { id: number; broken: Broken } | { broken: Broken }

const port = parentPort
if (!port) throw new Error('runs as a worker only')
const say = (message: FromThread): void => port.postMessage(message)
const brokenOf = (error: unknown): Broken => (error instanceof Problem ? { problem: error.code, extra: { ...error.extra } } : { fields: errorFields(error) })

/** One value at a time from a message to whoever waits for it. */
class Box<T> {
  readonly #items: T[] = []
  #take: ((item: T) => void) | null = null

  put(item: T): void {
    if (this.#take) this.#take(item)
    else this.#items.push(item)
    this.#take = null
  }

  next(): Promise<T> {
    if (this.#items.length > 0) return Promise.resolve(this.#items.shift()!)
    return new Promise((resolve) => (this.#take = resolve))
  }
}

const pieces = new Box<Uint8Array | null>()
const turns = new Box<true>()

async function* file(): AsyncGenerator<Uint8Array> {
  for (;;) {
    say({ wants: true })
    const piece = await pieces.next()
    if (piece === null) return
    yield piece
  }
}

const makers = { contact: { entity: Contact, make: batchMaker(lensTable(Contact)) }, company: { entity: Company, make: batchMaker(lensTable(Company)) } }

function prepare({ entity: name, records, shown, custom }: ForLens): LensBatch {
  const { entity, make } = makers[name]
  return make(records.map((record, i) => toLensRow(entity, record, shown[i] ?? {}, custom)))
}

port.on('message', (message: ToThread) => {
  if ('piece' in message) return pieces.put(message.piece)
  if ('more' in message) return turns.put(true)
  const { id } = message
  try {
    say({ id, batch: prepare(JSON.parse(message.forLens) as ForLens) }) // written by RowThread
  } catch (error) {
    say({ id, broken: brokenOf(error) })
  }
})

try {
  for await (const rows of takenRows(file, workerData as RowsWords)) { // written by RowThread
    await turns.next()
    say({ rows: JSON.stringify(rows) })
  }
  say({ rows: null })
} catch (error) {
  say({ broken: brokenOf(error) })
}
