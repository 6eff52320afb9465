import { createHash } from 'node:crypto'
import { closeSync, existsSync, lstatSync, openSync, readdirSync, readFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import pg from 'pg'
import { startEmbedded } from '../../src/kernel/db/index.ts'

/** SQLite's own, made and removed by opening; logs grow by what they tell. */
const NOT_DATA = /-(?:wal|shm)$|^log\//

/** Every folder and file of a home with its mode and digest: equal before and after means that nothing was changed. */
export function snapshot(home: string): Record<string, string> {
  const seen: Record<string, string> = {}
  const look = (below: string): void => {
    for (const name of readdirSync(join(home, below))) {
      const path = join(below, name)
      const stat = lstatSync(join(home, path), { throwIfNoEntry: false })
      if (!stat || NOT_DATA.test(path)) continue
      const digest = stat.isFile() ? createHash('sha256').update(readFileSync(join(home, path))).digest('base64url') : ''
      seen[path] = `${stat.mode.toString(8)} ${digest}`
      if (stat.isDirectory()) look(path)
    }
  }
  if (existsSync(home)) look('')
  return seen
}

/** What differs from a snapshot taken before. */
export function changesIn(home: string, before: Readonly<Record<string, string>>): string[] {
  const now = snapshot(home)
  return [...new Set([...Object.keys(before), ...Object.keys(now)])].filter((path) => before[path] !== now[path])
}

/** Overwrites the middle of a file, or the bytes from `at`, with noise; the size stays. */
export function garble(path: string, at?: number, length = 512): void {
  const { size } = lstatSync(path)
  const from = at ?? Math.max(0, Math.floor(size / 2) - length)
  const noise = createHash('sha512').update(path).digest()
  const file = openSync(path, 'r+')
  for (let i = 0; i < length; i += noise.length) writeSync(file, noise, 0, Math.min(noise.length, length - i), from + i)
  closeSync(file)
}

/** The postmaster of a home, by its own file; null when there is none. */
export function postmasterOf(home: string): number | null {
  try {
    return Number(readFileSync(join(home, 'postgres', 'data', 'postmaster.pid'), 'utf8').split('\n')[0])
  } catch {
    return null
  }
}

/** Runs one statement as the cluster's superuser, which only the account that runs Sealbook can be. */
export async function asSuperuser<R extends object>(home: string, text: string, values: readonly unknown[] = [], database = 'sealbook'): Promise<R[]> {
  const client = new pg.Client({ host: join(home, 'postgres', 'run'), user: 'sealbook_super', database })
  client.on('error', () => undefined)
  await client.connect()
  try {
    return (await client.query(text, [...values])).rows as R[] // the caller's own columns
  } finally {
    await client.end()
  }
}

/** A digest of every row of every table, as text; the server is started for it and stopped again. */
export async function rowsOf(home: string): Promise<Record<string, string>> {
  return withDatabase(home, async () => {
    const tables = await asSuperuser<{ name: string }>(home, "SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables WHERE schemaname IN ('public', 'pgboss') ORDER BY 1")
    const digests: Record<string, string> = {}
    for (const { name } of tables) {
      const [row] = await asSuperuser<{ digest: string }>(home, `SELECT count(*) || ' ' || coalesce(md5(string_agg(t::text, ',' ORDER BY t::text)), '') AS digest FROM ${name} t`)
      digests[name] = row?.digest ?? ''
    }
    return digests
  })
}

/** Runs `then` beside the database of a home that no server uses. */
export async function withDatabase<T>(home: string, then: () => Promise<T>): Promise<T> {
  const server = await startEmbedded({ home, create: false })
  try {
    return await then()
  } finally {
    await server.stop()
  }
}
