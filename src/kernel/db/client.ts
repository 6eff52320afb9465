import pg from 'pg'
import { clientOptions, type DbConfig, type SessionLimits } from './config.ts'
import { translate } from './errors.ts'
import type { DedicatedConnection } from './types.ts'
import { valueTypes } from './values.ts'

/** Options of every client of ours, pooled or not. */
export function ourClientOptions(config: DbConfig, name: string, limits?: SessionLimits): pg.ClientConfig {
  return { ...clientOptions(config, name, limits), types: valueTypes as pg.CustomTypesConfig, pipeline: true }
}

/** Runs one unnamed statement. A named one would be cached per connection and may switch to a generic plan a thousand times slower (measurements.md). */
export async function run<R extends object>(client: pg.ClientBase, text: string, params?: readonly unknown[]): Promise<R[]> {
  const result = await command(client, text, params)
  return result.rows as R[]
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
    end: () => client.end(),
  }
}
