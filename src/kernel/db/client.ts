import type { Duplex } from 'node:stream'
import pg from 'pg'
import { clientOptions, type DbConfig, type SessionLimits } from './config.ts'
import { translate } from './errors.ts'
import type { DedicatedConnection } from './types.ts'
import { valueTypes } from './values.ts'

/** Options of every client of ours, pooled or not. */
export function ourClientOptions(config: DbConfig, name: string, limits?: SessionLimits): pg.ClientConfig {
  return { ...clientOptions(config, name, limits), types: valueTypes as pg.CustomTypesConfig, pipeline: true }
}

/** Runs one unnamed statement. A named one would be cached per connection and may switch to a generic plan; for a search that was a thousand times slower. */
export async function run<R extends object>(client: pg.ClientBase, text: string, params?: readonly unknown[]): Promise<R[]> {
  const result = await command(client, text, params)
  return result.rows as R[]
}

/** The socket of a connected client. */
export function streamOf(client: pg.ClientBase): Duplex {
  return (client as unknown as { connection: { stream: Duplex } }).connection.stream // the driver's own field
}

const names = new Map<string, string>()
/** Texts of prepared statements are built from declarations and scopes, so there are few; beyond this the statement stays unnamed. */
const MOST_NAMES = 500

function nameOf(text: string): string | undefined {
  const known = names.get(text)
  if (known !== undefined || names.size >= MOST_NAMES) return known
  const name = `sealbook_${names.size}`
  names.set(text, name)
  return name
}

/** Runs a prepared statement. */
export async function runPrepared<R extends object>(client: pg.ClientBase, text: string, params: readonly unknown[]): Promise<R[]> {
  const name = nameOf(text)
  if (name === undefined) return run<R>(client, text, params)
  try {
    return (await client.query({ name, text, values: params as unknown[] })).rows as R[]
  } catch (error) {
    throw translate(error)
  }
}

export async function command(client: pg.ClientBase, text: string, params?: readonly unknown[]): Promise<pg.QueryResult> {
  try {
    return await client.query(text, params as unknown[] | undefined)
  } catch (error) {
    throw translate(error)
  }
}

/** A connection of its own, not from a pool. Rejects with Problem database-unavailable. */
export async function dedicated(config: DbConfig, name: string, limits?: SessionLimits): Promise<DedicatedConnection & { client: pg.Client }> {
  const client = new pg.Client(ourClientOptions(config, name, limits))
  const lost = new Promise<void>((resolve) => {
    client.on('end', () => resolve())
    // Without a listener a dying server would end the whole process.
    client.on('error', () => resolve())
  })
  try {
    await client.connect()
  } catch (error) {
    throw translate(error)
  }
  return {
    client,
    lost,
    query: (text, params) => run(client, text, params),
    prepared: (text, params) => runPrepared(client, text, params),
    end: () => client.end(),
  }
}
