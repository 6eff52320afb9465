// A thread that fills the lens: reads a page of rows on a connection of its own, opens them, and makes them ready for DuckDB. It only
// reads: keys and rows. What it learns leaves it in one direction, to the thread that holds the lens.
import type { KeyObject } from 'node:crypto'
import { parentPort, workerData } from 'node:worker_threads'
import { openDb, type DbConfig } from '../../kernel/db/index.ts'
import type { Entity } from '../../kernel/entity/index.ts'
import { errorFields } from '../../kernel/log/index.ts'
import { openReadingVault } from '../../kernel/vault/index.ts'
import { PageReader, type PageAsked, type PreparedPage } from './fill-page.ts'

export interface ThreadWords {
  /** Module that exports ENTITIES. */
  entities: string
  keyStore: string
  root: KeyObject
  db: DbConfig
}

export type Asked = PageAsked & { id: number }
export type Answer = { id: number; page: PreparedPage } | { id: number; broken: Record<string, string> }

const words = workerData as ThreadWords // written by FillThreads
const port = parentPort
if (!port) throw new Error('runs as a worker only')

const { ENTITIES } = (await import(words.entities)) as { ENTITIES: readonly Entity[] } // app.ts says where
// One connection for the page that is being opened and one for the page after it.
const reader = new PageReader(openDb(words.db, { name: 'sealbook-fill', max: 2 }), openReadingVault(words.keyStore, words.root), ENTITIES)

let last: Promise<void> = Promise.resolve()
port.on('message', (asked: Asked) => {
  const rows = reader.rows(asked)
  rows.catch(() => undefined) // told when its turn comes
  last = last.then(async () => {
    const answer = await rows.then((list) => reader.prepare(asked, list)).then(
      (page): Answer => ({ id: asked.id, page }),
      (error: unknown): Answer => ({ id: asked.id, broken: errorFields(error) }),
    )
    port.postMessage(answer)
  })
})
