import pg from 'pg'
import { Problem } from '../base/index.ts'
import { dedicated, command, ourClientOptions, run, runPrepared, streamOf } from './client.ts'
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
    const begun = tx.command('BEGIN ISOLATION LEVEL READ COMMITTED')
    begun.catch(ignore)
    const value = await fn(tx)
    tx.open = false
    // One that failed behind a savepoint, and was rolled back to it, would not keep COMMIT from succeeding.
    if (tx.failure !== undefined) throw tx.failure
    // Behind whatever is still under way: PostgreSQL runs it after that, and makes a ROLLBACK of it when that has failed.
    const committed = tx.command('COMMIT')
    committed.catch(ignore)
    await begun
    const { command: tag } = await committed
    // After a swallowed SQL error PostgreSQL answers COMMIT with ROLLBACK; reporting success would lose the write silently.
    if (tag !== 'COMMIT') throw new Error('the transaction had failed, so nothing was committed')
    return value
  } catch (error) {
    tx.open = false
    failure = error
    await tx.command('ROLLBACK').catch((e: unknown) => (failure = e))
    throw tx.failure ?? error
  } finally {
    giveBack(client, failure)
  }
}

class OpenTx implements Tx {
  open = true
  /** What the first of the statements sent without waiting failed with. All of them are answered when COMMIT or ROLLBACK is. */
  failure: unknown
  readonly #client: pg.PoolClient
  #gathering = false

  constructor(client: pg.PoolClient) {
    this.#client = client
  }

  query<R extends object = Record<string, unknown>>(text: string, params?: readonly unknown[]): Promise<R[]> {
    return this.#running(() => run<R>(this.#client, text, params))
  }

  prepared<R extends object = Record<string, unknown>>(text: string, params: readonly unknown[]): Promise<R[]> {
    return this.#running(() => runPrepared<R>(this.#client, text, params))
  }

  send(text: string, params: readonly unknown[], failed: (error: unknown) => unknown = (error) => error): void {
    if (!this.open) throw new Error(OVER)
    // Refused here, by throwing: what the driver cannot send fails only there, and COMMIT would go out behind it.
    if (!params.every(isPlain)) throw new TypeError('a parameter of a kind that is not sent')
    this.#gather()
    runPrepared(this.#client, text, params).catch((error: unknown) => (this.failure ??= failed(error)))
  }

  /** BEGIN, COMMIT or ROLLBACK: in line with the statements, so that a statement nobody awaited runs before them and none after. */
  command(text: string): Promise<pg.QueryResult> {
    this.#gather()
    return command(this.#client, text)
  }

  #running<R>(start: () => Promise<R[]>): Promise<R[]> {
    if (!this.open) return Promise.reject(new Error(OVER))
    this.#gather()
    const running = start()
    running.catch(ignore) // nobody may await it; its failure is then that of COMMIT
    return running
  }

  /** What is asked for in one go leaves as one packet: each is a system call here and a process woken there. */
  #gather(): void {
    if (this.#gathering) return
    this.#gathering = true
    const stream = streamOf(this.#client)
    stream.cork()
    process.nextTick(() => {
      this.#gathering = false
      stream.uncork()
    })
  }
}

function isPlain(value: unknown): boolean {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return true
  if (typeof value === 'number') return Number.isFinite(value)
  return Buffer.isBuffer(value) || (Array.isArray(value) && value.every(isPlain))
}

const OVER = 'the transaction is over'
