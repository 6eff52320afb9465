import { uuidv7 } from '../../src/kernel/base/index.ts'
import { COLUMNS } from './schema.ts'
import type { Lanes, Statement } from './lanes.ts'

/** The rows as the driver gives them; times are ISO 8601 text. */
export interface ContactRow {
  id: string
  version: number
  created_at: string
  updated_at: string
  owner_id: string
  company_id: string | null
  collected_at: string | null
  stage: string
  full_name: string | null
  email: string | null
  email_label: string | null
  phone: string | null
  phone_typed: string | null
  phone_label: string | null
  title: string | null
  city: string | null
  note: string | null
  source: string | null
  tags: string[]
  more: { phones: Phone[] } | null
}

export interface Phone {
  value: string | null
  typed: string
  label: string
}

export interface Lookups {
  get(id: string): Promise<ContactRow | null>
  page(limit: number, before: string | null): Promise<ContactRow[]>
  byEmail(email: string, limit: number): Promise<ContactRow[]>
  nameContaining(part: string, limit: number): Promise<ContactRow[]>
}

const all = COLUMNS.join(', ')
const SELECT = `SELECT ${all} FROM contacts WHERE deleted_at IS NULL`

const GET: Statement = { name: 'get', text: `${SELECT} AND id = $1` }
const FIRST: Statement = { name: 'first', text: `${SELECT} ORDER BY id DESC LIMIT $1` }
const NEXT: Statement = { name: 'next', text: `${SELECT} AND id < $2 ORDER BY id DESC LIMIT $1` }
const BY_EMAIL: Statement = { name: 'email', text: `${SELECT} AND email = $2 ORDER BY id DESC LIMIT $1` }

/** ILIKE folds every row's text, so it is used only where the words asked for have two cases. */
function nameContaining(part: string): Statement {
  const like = part.toLowerCase() === part.toUpperCase() ? 'LIKE' : 'ILIKE'
  return { text: `${SELECT} AND full_name ${like} $2 ORDER BY id DESC LIMIT $1` }
}

export function lookups(reads: Lanes): Lookups {
  return {
    get: async (id) => (await reads.query<ContactRow>(GET, [id]))[0] ?? null,
    page: (limit, before) => (before ? reads.query(NEXT, [limit, before]) : reads.query(FIRST, [limit])),
    byEmail: (email, limit) => reads.query(BY_EMAIL, [limit, email]),
    nameContaining: (part, limit) => reads.query(nameContaining(part), [limit, `%${part.replaceAll(/[\\%_]/g, '\\$&')}%`]),
  }
}

const SETTABLE = { fullName: 'full_name', title: 'title', city: 'city', note: 'note', source: 'source', stage: 'stage' } as const

export interface Body {
  fullName?: string
  title?: string
  city?: string
  note?: string
  source?: string
  stage?: string
  companyId?: string
  emails?: { value: string; label?: string }[]
  phones?: { value: string; label?: string }[]
  tags?: string[]
}

const INSERT = `INSERT INTO contacts (${all}) VALUES (${COLUMNS.map((_c, i) => `$${i + 1}`).join(', ')}) RETURNING ${all}`
const AUDITED = (write: string, n: number): string =>
  `WITH written AS (${write}), noted AS (INSERT INTO audit (at, actor, action, object_id) SELECT now(), $${n + 1}, $${n + 2}, id FROM written) SELECT * FROM written`

export interface Writes {
  create(body: Body): Promise<ContactRow>
  /** Null when the row has another version. */
  patch(id: string, version: number, body: Body): Promise<ContactRow | null>
}

/** One statement, one commit; with an actor the audit row is in the same one. */
export function writes(lanes: Lanes, ownerId: string, audit: boolean): Writes {
  const run = (name: string, text: string, values: unknown[], action: string): Promise<ContactRow[]> =>
    audit ? lanes.query({ name, text: AUDITED(text, values.length) }, [...values, ownerId, action]) : lanes.query({ name, text }, values)
  return {
    async create(body) {
      const [row] = await run('create', INSERT, valuesOf(body, ownerId), 'contact.created')
      return row!
    },
    async patch(id, version, body) {
      const set = Object.entries(SETTABLE).filter(([field]) => field in body)
      const text = `UPDATE contacts SET ${set.map(([, column], i) => `${column} = $${i + 3}`).join(', ')}, version = version + 1, updated_at = now() WHERE id = $1 AND version = $2 AND deleted_at IS NULL RETURNING ${all}`
      const values = [id, version, ...set.map(([field]) => body[field as keyof typeof SETTABLE])]
      const [row] = await run(`patch ${set.map(([f]) => f).join()}`, text, values, 'contact.updated')
      return row ?? null
    },
  }
}

function valuesOf(body: Body, ownerId: string): unknown[] {
  const now = new Date().toISOString()
  const [email] = body.emails ?? []
  const [phone] = body.phones ?? []
  return [
    uuidv7(), 1, now, now, ownerId, body.companyId ?? null, now, body.stage ?? 'active', body.fullName ?? null,
    email?.value.toLowerCase() ?? null, email?.label ?? null, e164(phone?.value), phone?.value ?? null, phone?.label ?? null, null,
    body.title ?? null, body.city ?? null, body.note ?? null, body.source ?? null, body.tags ?? [],
  ]
}

/** Digits with the country in front, without an extension; a plain product does no more. */
export function e164(typed: string | undefined): string | null {
  if (!typed) return null
  const digits = typed.replace(/(?:转|x).*$/, '').replaceAll(/\D/g, '')
  return typed.startsWith('+') ? `+${digits}` : `+86${digits.replace(/^0/, '')}`
}
