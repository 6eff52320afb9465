import pg from 'pg'
import { Problem } from '../base/index.ts'
import { dedicated, command, ourClientOptions, run, runPrepared } from './client.ts'
import { appLimits, clientOptions, quietLog, type DbConfig, type DbLog, type SessionLimits } from './config.ts'
import { translate } from './errors.ts'
import { Lanes } from './lanes.ts'
import type { Db, Tx } from './types.ts'

/** Two keep a slow look-up from holding up all others; more would only send smaller packets. */
const LANES = 2

export interface DbOptions {
  /** Shown in pg_stat_activity. */
  name?: string
  /** Connections of the pool. */
  max?: number
  limits?: SessionLimits
  log?: DbLog
}

/** Opens a pool. Nothing is connected before the first statement. */
export function openDb(config: DbConfig, options: DbOptions = {}): Db {
  const limits = options.limits ?? appLimits
  const name = options.name ?? 'sealbook'
  const log = options.log ?? quietLog
  const pool = new pg.Pool({ ...ourClientOptions(config, name, limits), max: options.max ?? 20, idleTimeoutMillis: 60_000 })
  // An idle connection that breaks reports here; the pool has already dropped it. Without a listener Node would exit.
  const lanes = new Lanes(config, { name, limits, log, count: Math.min(LANES, options.max ?? 20) })
  pool.on('error', () => {
    // The driver reports closed before its sockets are, so a server that stops right after may still end one of them.
    if (!closing) log.warn({ pool: name }, 'a database connection was lost')
  })
  let closing: Promise<void> | undefined
  return {
    query: (text, params) => withClient(pool, (client) => run(client, text, params)),
    prepared: (text, params) => lanes.run(text, params),
    tx: (fn) => transaction(pool, fn),
    connect: (purpose) => dedicated(config, `${name}:${purpose}`, limits),
    connectionOptions: clientOptions(config, name, limits),
    close: () => (closing ??= Promise.all([lanes.close(), pool.end()]).then(() => undefined)),
  }
}

async function withClient<T>(pool: pg.Pool, fn: (client: pg.PoolClient) => Promise<T>): Promise<T> {
  const client = await borrow(pool)
  let failure: unknown
  try {
    return await fn(client)
  } catch (error) {
    failure = error
    throw error
  } finally {
    giveBack(client, failure)
  }
}

async function borrow(pool: pg.Pool): Promise<pg.PoolClient> {
  try {
    const client = await pool.connect()
    client.on('error', ignore)
    return client
  } catch (error) {
    throw translate(error)
  }
}

// While a client is lent out the pool does not listen for its errors; the statement that is running rejects anyway.
function ignore(): void {}

/** Keeps the connection after an ordinary SQL error (a duplicate must not cost a reconnect); drops it when it may be dead, or is not idle and clean. */
function giveBack(client: pg.PoolClient, failure: unknown): void {
  client.off('error', ignore)
  const broken = failure instanceof Problem && failure.code === 'database-unavailable'
  client.release(broken || client.getTransactionStatus() !== 'I')
}

async function transaction<T>(pool: pg.Pool, fn: (tx: Tx) => Promise<T>): Promise<T> {
  const client = await borrow(pool)
  const tx = new OpenTx(client)
  let failure: unknown
  try {
    // Sent and not waited for: the first statement goes out behind it, one round trip earlier. Its failure ends the transaction below.
    const begun = command(client, 'BEGIN ISOLATION LEVEL READ COMMITTED')
    begun.catch(ignore)
    const value = await fn(tx)
    await tx.finish()
    await begun
    const { command: tag } = await command(client, 'COMMIT')
    // After a swallowed SQL error PostgreSQL answers COMMIT with ROLLBACK; reporting success would lose the write silently.
    if (tag !== 'COMMIT') throw new Error('the transaction had failed, so nothing was committed')
    return value
  } catch (error) {
    await tx.finish()
    failure = error
    await command(client, 'ROLLBACK').catch((e: unknown) => (failure = e))
    throw error
  } finally {
    giveBack(client, failure)
  }
}

class OpenTx implements Tx {
  open = true
  readonly #client: pg.PoolClient
  readonly #running = new Set<Promise<unknown>>()

  constructor(client: pg.PoolClient) {
    this.#client = client
  }

  query<R extends object = Record<string, unknown>>(text: string, params?: readonly unknown[]): Promise<R[]> {
    return this.#watched(() => run<R>(this.#client, text, params))
  }

  prepared<R extends object = Record<string, unknown>>(text: string, params: readonly unknown[]): Promise<R[]> {
    return this.#watched(() => runPrepared<R>(this.#client, text, params))
  }

  #watched<R>(start: () => Promise<R[]>): Promise<R[]> {
    if (!this.open) return Promise.reject(new Error('the transaction is over'))
    const running = start()
    this.#running.add(running)
    const done = (): void => void this.#running.delete(running)
    running.then(done, done)
    return running
  }

  /** Closes the door and waits for statements nobody awaited, so that none runs outside the transaction. */
  async finish(): Promise<void> {
    this.open = false
    await Promise.allSettled(this.#running)
  }
}
