import { requestBytes, type Answer, type Connection } from './connection.ts'

export const OPERATIONS = ['get', 'list 50', 'list 50, next pages', 'exact e-mail', 'substring zh', 'substring en', 'create', 'patch'] as const
export type OperationName = (typeof OPERATIONS)[number]

/** What the requests ask for; the same for every server, but for the ids. */
export interface Samples {
  emails: readonly string[]
  /** Parts of names, drawn from names that are there: two Chinese characters, or four Latin letters. */
  zh: readonly string[]
  en: readonly string[]
  creates: readonly CreateBody[]
}

export interface CreateBody {
  fullName: string
  emails: { value: string; label: string }[]
  phones: { value: string; label: string }[]
  title: string
  city: string
  source: string
  tags: string[]
}

export interface Context {
  headers: Readonly<Record<string, string>>
  ids: IdList
  samples: Samples
  connection: Connection
  /** Which of the connections this is, from 0. */
  lane: number
  /** Kept between the connections of one server. */
  shared: { starts?: Promise<(string | null)[]> }
}

export interface IdList {
  readonly length: number
  at(index: number): string
}

/** One connection's requests of one kind. */
export interface Turn {
  next(): Buffer
  /** Null when the answer is right; otherwise what is wrong with it. */
  check(answer: Answer): string | null
}

const CONTACTS = '/api/v1/contacts'
const SEARCH = `${CONTACTS}/search`
const LANES = 16

const anyOf = <T>(list: { readonly length: number; at(index: number): T | undefined }): T => {
  const item = list.at(Math.floor(Math.random() * list.length))
  if (item === undefined) throw new Error('nothing to draw from')
  return item
}

function expected(answer: Answer, status: number, part: string): string | null {
  if (answer.status !== status) return `status ${answer.status} instead of ${status}`
  return answer.body.includes(part) ? null : 'the answer does not hold what was asked for'
}

function get({ headers, ids }: Context): Turn {
  let id = ''
  return {
    next: () => requestBytes('GET', `${CONTACTS}/${(id = anyOf(ids))}`, headers),
    check: (answer) => expected(answer, 200, id),
  }
}

const ITEM = Buffer.from('"fullName":')

function fifty(answer: Answer): string | null {
  let count = 0
  for (let at = answer.body.indexOf(ITEM); at >= 0; at = answer.body.indexOf(ITEM, at + ITEM.length)) count++
  if (answer.status !== 200) return `status ${answer.status} instead of 200`
  return count === 50 ? null : `${count} rows instead of 50`
}

function firstPage({ headers }: Context): Turn {
  const request = requestBytes('POST', SEARCH, headers, { limit: 50 })
  return { next: () => request, check: fifty }
}

const cursorIn = (answer: Answer): string | null => /"nextCursor":"([^"]+)"/.exec(answer.body.toString('latin1', answer.body.lastIndexOf('"nextCursor"')))?.[1] ?? null

const STEPS_APART = 20

/** Cursors 4,000 rows apart: walkers that begin there read rows that nobody has read lately. */
async function startsOf({ headers, connection }: Context): Promise<(string | null)[]> {
  const starts: (string | null)[] = [null]
  let cursor: string | null = null
  for (let step = 1; step < LANES * STEPS_APART; step++) {
    cursor = cursorIn(await connection.send(requestBytes('POST', SEARCH, headers, { limit: 200, ...(cursor === null ? {} : { cursor }) })))
    if (cursor === null) break
    if (step % STEPS_APART === 0) starts.push(cursor)
  }
  return starts
}

async function nextPages(context: Context): Promise<Turn> {
  const starts = await (context.shared.starts ??= startsOf(context))
  const start = starts[context.lane % starts.length] ?? null
  let cursor = start
  return {
    next: () => requestBytes('POST', SEARCH, context.headers, { limit: 50, ...(cursor === null ? {} : { cursor }) }),
    check: (answer) => {
      const wrong = fifty(answer)
      cursor = cursorIn(answer)
      // The last page of all may be short, and the walk begins again.
      if (cursor !== null || answer.status !== 200) return wrong
      cursor = start
      return null
    },
  }
}

function search(headers: Context['headers'], values: readonly string[], field: string, op: string): Turn {
  let value = ''
  return {
    next: () => requestBytes('POST', SEARCH, headers, { where: { field, op, value: (value = anyOf(values)) }, limit: 50 }),
    check: (answer) => expected(answer, 200, value),
  }
}

let created = 0

function create({ headers, samples }: Context): Turn {
  let email = ''
  const body = (): CreateBody => {
    const person = anyOf(samples.creates)
    email = `new${process.pid}.${created++}@bench.example`
    return { ...person, emails: [{ value: email, label: 'work' }] }
  }
  return { next: () => requestBytes('POST', CONTACTS, headers, body()), check: (answer) => expected(answer, 201, email) }
}

const PATCHED = 256

/** Each connection changes rows of its own, spread over the whole table, and knows their versions from the answers. */
async function patch({ headers, ids, connection, lane }: Context): Promise<Turn> {
  const rows: { id: string; version: string }[] = []
  const each = Math.floor(ids.length / LANES)
  const step = Math.max(1, Math.floor(each / PATCHED))
  for (let i = 0; i < each && rows.length < PATCHED; i += step) {
    const id = ids.at(lane + LANES * i)
    const { body } = await connection.send(requestBytes('GET', `${CONTACTS}/${id}`, headers))
    rows.push({ id, version: versionIn(body) })
  }
  let at = 0
  let title = ''
  return {
    next: () => {
      const row = rows[(at = (at + 1) % rows.length)]!
      title = `经理 ${Math.random().toString(36).slice(2, 10)}`
      return requestBytes('PATCH', `${CONTACTS}/${row.id}`, { ...headers, 'If-Match': `"${row.version}"` }, { title })
    },
    check: (answer) => {
      const wrong = expected(answer, 200, title)
      if (wrong === null) rows[at]!.version = versionIn(answer.body)
      return wrong
    },
  }
}

function versionIn(body: Buffer): string {
  return /"version":(\d+)/.exec(body.toString())?.[1] ?? ''
}

export function turnOf(name: OperationName, context: Context): Turn | Promise<Turn> {
  const { headers, samples } = context
  if (name === 'get') return get(context)
  if (name === 'list 50') return firstPage(context)
  if (name === 'list 50, next pages') return nextPages(context)
  if (name === 'exact e-mail') return search(headers, samples.emails, 'emails', 'eq')
  if (name === 'substring zh') return search(headers, samples.zh, 'fullName', 'contains')
  if (name === 'substring en') return search(headers, samples.en, 'fullName', 'contains')
  return name === 'create' ? create(context) : patch(context)
}
