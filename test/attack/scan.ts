import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import iconv from 'iconv-lite'
import { openDb, type Db } from '../../src/kernel/db/index.ts'
import type { TestServer } from '../harness/server.ts'

/** A value that must not be found, and where it went in. */
export interface Canary {
  name: string
  value: string
}

export interface Hit {
  canary: string
  form: string
  where: string
}

/** Every form in which a careless program could leave a value behind. */
function formsOf(value: string): Map<string, Buffer> {
  const utf8 = Buffer.from(value)
  const forms = new Map<string, Buffer>([
    ['utf-8', utf8],
    ['utf-16le', Buffer.from(value, 'utf16le')],
    ['utf-16be', iconv.encode(value, 'utf-16be', { addBOM: false })],
    ['gb18030', iconv.encode(value, 'gb18030')],
    ['hex', Buffer.from(utf8.toString('hex'))],
    ['HEX', Buffer.from(utf8.toString('hex').toUpperCase())],
    ['json', Buffer.from(JSON.stringify(value).slice(1, -1).replace(/[^\x20-\x7e]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`))],
    ['lower case', Buffer.from(value.toLowerCase())],
    ['percent', Buffer.from(encodeURIComponent(value))],
  ])
  // Base64 of a text inside other bytes starts at one of three offsets; its own characters are those that no neighbour touches.
  for (const shift of [0, 1, 2]) {
    const whole = Buffer.concat([Buffer.alloc(shift, 0x20), utf8, Buffer.from('  ')]).toString('base64')
    const inner = whole.slice(Math.ceil((shift * 8) / 6), Math.floor(((shift + utf8.length) * 8) / 6))
    forms.set(`base64+${shift}`, Buffer.from(inner))
    forms.set(`base64url+${shift}`, Buffer.from(inner.replaceAll('+', '-').replaceAll('/', '_')))
  }
  return forms
}

interface Needle {
  canary: string
  form: string
  bytes: Buffer
}

/** Looks for all forms of all canaries in one pass: a table says at which three bytes one of them may begin. */
export class Scanner {
  readonly #begins = new Uint8Array(1 << 24)
  readonly #needles = new Map<number, Needle[]>()

  constructor(canaries: readonly Canary[]) {
    for (const c of canaries) {
      for (const [form, bytes] of formsOf(c.value)) {
        if (bytes.length < 6) continue
        const key = bytes.readUIntBE(0, 3)
        this.#begins[key] = 1
        this.#needles.set(key, [...(this.#needles.get(key) ?? []), { canary: c.name, form, bytes }])
      }
    }
  }

  bytes(where: string, haystack: Buffer): Hit[] {
    const found = new Map<string, Hit>()
    let key = 0
    for (let i = 0; i < haystack.length; i++) {
      key = ((key << 8) | haystack[i]!) & 0xffffff
      if (this.#begins[key] === 0) continue
      for (const n of this.#needles.get(key)!) {
        const from = i - 2
        if (from >= 0 && haystack.compare(n.bytes, 0, n.bytes.length, from, Math.min(haystack.length, from + n.bytes.length)) === 0) found.set(`${n.canary} ${n.form}`, { canary: n.canary, form: n.form, where })
      }
    }
    return [...found.values()]
  }

  /** Every file below a folder, links followed once; sockets and the like are left out. */
  folder(root: string): { hits: Hit[]; files: number; bytes: number } {
    const hits: Hit[] = []
    let files = 0
    let bytes = 0
    for (const entry of readdirSync(root, { recursive: true, withFileTypes: true })) {
      const path = join(entry.parentPath, entry.name)
      if (!entry.isFile() || !statSync(path, { throwIfNoEntry: false })?.isFile()) continue
      const content = readFileSync(path)
      files++
      bytes += content.length
      hits.push(...this.bytes(path.slice(root.length), content))
    }
    return { hits, files, bytes }
  }
}

/** A connection with every right there is, as a thief of the database's machine would have. */
export function superuser(server: TestServer, max = 2): Db {
  return openDb({ host: join(server.place.home, 'postgres', 'run'), port: 5432, user: 'sealbook_super', database: 'sealbook', ssl: false }, { max })
}

/** All rows of all tables and the catalogue's views of activity, statistics and functions, as text. */
export async function catalogueText(db: Db): Promise<Buffer> {
  const tables = await db.query<{ name: string }>(`
    SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables WHERE schemaname NOT IN ('information_schema')
    UNION ALL SELECT format('pg_catalog.%I', viewname) FROM pg_views WHERE schemaname = 'pg_catalog' AND viewname IN ('pg_stats', 'pg_stat_activity', 'pg_stats_ext', 'pg_prepared_statements', 'pg_cursors', 'pg_settings')`)
  const parts: string[] = []
  for (const { name } of tables) {
    const rows = await db.query<{ line: string }>(`SELECT t::text AS line FROM ${name} t`)
    parts.push(name, ...rows.map((r) => r.line))
  }
  return Buffer.from(parts.join('\n'))
}

/** Writes what PostgreSQL holds in memory to its files, so that a scan of the folder sees it. */
export async function settle(db: Db): Promise<void> {
  await db.query('CHECKPOINT')
}

/** Command lines and environments of the server's own processes: both are readable by others. */
export function processText(pid: number): Buffer {
  const children = spawnSync('ps', ['-o', 'pid=', '--ppid', String(pid)], { encoding: 'utf8' }).stdout.split('\n').map((s) => Number(s.trim())).filter(Boolean)
  const read = (p: number, file: string): Buffer => {
    try {
      return readFileSync(`/proc/${p}/${file}`)
    } catch {
      return Buffer.alloc(0) // it ended meanwhile, or belongs to another user
    }
  }
  return Buffer.concat([pid, ...children].flatMap((p) => [read(p, 'cmdline'), read(p, 'environ')]))
}
