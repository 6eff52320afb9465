import { DatabaseSync, type SQLInputValue } from 'node:sqlite'

/** Somebody as the naive policy knows them. */
export interface Colleague {
  id: string
  /** owner: everything; manager: their department and those below; rep: their own; analyst: counts everything and sees nothing. */
  role: 'owner' | 'manager' | 'rep' | 'analyst'
  departmentId: string
}

export type Row = Record<string, SQLInputValue>

const TABLES = `
CREATE TABLE department (id TEXT PRIMARY KEY, parent TEXT);
CREATE TABLE stage (id TEXT PRIMARY KEY, kind TEXT);
CREATE TABLE company (id TEXT PRIMARY KEY, owner TEXT, department TEXT, gone INTEGER, version INTEGER, source TEXT, industry TEXT);
CREATE TABLE contact (id TEXT PRIMARY KEY, owner TEXT, department TEXT, gone INTEGER, version INTEGER, stage TEXT, company TEXT);
CREATE TABLE lead (id TEXT PRIMARY KEY, owner TEXT, department TEXT, gone INTEGER, version INTEGER, source TEXT, status TEXT, made TEXT);
CREATE TABLE deal (id TEXT PRIMARY KEY, owner TEXT, department TEXT, gone INTEGER, version INTEGER, pipeline TEXT, stage TEXT, status TEXT, minor INTEGER, currency TEXT, probability INTEGER, expected TEXT, source TEXT, made TEXT, since TEXT, closed TEXT);
CREATE TABLE reached (deal TEXT, stage TEXT, UNIQUE (deal, stage));
CREATE TABLE contract (id TEXT PRIMARY KEY, owner TEXT, department TEXT, gone INTEGER, version INTEGER, status TEXT, deal TEXT);
CREATE TABLE activity (id TEXT PRIMARY KEY, owner TEXT, department TEXT, gone INTEGER, version INTEGER, on_kind TEXT, on_id TEXT, kind TEXT, at TEXT, made TEXT, done TEXT, assignee TEXT);
`

/** An unsealed copy of what the staff did, kept by the test and asked in the plainest SQL there is. */
export class Books {
  readonly #db = new DatabaseSync(':memory:')

  constructor() {
    this.#db.exec(TABLES)
    this.#db.function('local_day', { deterministic: true }, (at: SQLInputValue, zone: SQLInputValue) => Temporal.Instant.from(String(at)).toZonedDateTimeISO(String(zone)).toPlainDate().toString())
    this.#db.function('period', { deterministic: true }, (day: SQLInputValue, bucket: SQLInputValue) => firstDay(String(day), String(bucket)))
  }

  insert(table: string, row: Row): void {
    const names = Object.keys(row)
    this.#db.prepare(`INSERT INTO ${table} (${names.join(', ')}) VALUES (${names.map(() => '?').join(', ')})`).run(...Object.values(row))
  }

  update(table: string, id: string, row: Row): void {
    this.#db.prepare(`UPDATE ${table} SET ${Object.keys(row).map((n) => `${n} = ?`).join(', ')} WHERE id = ?`).run(...Object.values(row), id)
  }

  reach(deal: string, stage: string): void {
    this.#db.prepare('INSERT OR IGNORE INTO reached (deal, stage) VALUES (?, ?)').run(deal, stage)
  }

  all<R extends object = Record<string, SQLInputValue>>(sql: string, ...params: SQLInputValue[]): R[] {
    return this.#db.prepare(sql).all(...params) as R[]
  }

  count(sql: string, ...params: SQLInputValue[]): number {
    return this.all<{ n: number }>(sql, ...params)[0]!.n
  }

  close(): void {
    this.#db.close()
  }
}

/** The first day of a period; weeks begin on Monday. */
function firstDay(day: string, bucket: string): string {
  const date = new Date(`${day}T00:00:00Z`)
  if (bucket === 'week') return new Date(date.getTime() - ((date.getUTCDay() + 6) % 7) * 86_400_000).toISOString().slice(0, 10)
  return bucket === 'month' ? `${day.slice(0, 7)}-01` : day
}

const quoted = (text: string): string => `'${text.replaceAll("'", "''")}'`
const below = (c: Colleague): string => `(WITH RECURSIVE tree(id) AS (SELECT ${quoted(c.departmentId)} UNION SELECT d.id FROM department d JOIN tree ON d.parent = tree.id) SELECT id FROM tree)`

/** Rows of a table (by its own name) that are there and that somebody may see; `counted`: that they may count. */
export function sight(c: Colleague, table: string, counted = false): string {
  if (c.role === 'analyst') return counted ? `NOT ${table}.gone` : 'FALSE'
  if (table === 'activity') return `NOT activity.gone AND (activity.assignee = ${quoted(c.id)} OR ${['company', 'contact', 'lead', 'deal', 'contract'].map((t) => `activity.on_kind = '${t}' AND activity.on_id IN (SELECT id FROM ${t} WHERE ${sight(c, t)})`).join(' OR ')})`
  if (c.role === 'rep') return `NOT ${table}.gone AND ${table}.owner = ${quoted(c.id)}`
  return `NOT ${table}.gone AND (${table}.owner = ${quoted(c.id)} OR ${table}.department IN ${below(c)})`
}
