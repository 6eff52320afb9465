import { createReadStream } from 'node:fs'
import { parse } from 'csv-parse'
import { uuidv7 } from '../../src/kernel/base/index.ts'
import type { DbConfig } from '../../src/kernel/db/index.ts'
import { Lanes } from './lanes.ts'
import { COLUMNS } from './schema.ts'
import { e164, type Phone } from './store.ts'

const TYPES: Record<(typeof COLUMNS)[number], string> = {
  id: 'uuid', version: 'int', created_at: 'timestamptz', updated_at: 'timestamptz', owner_id: 'uuid', company_id: 'uuid', collected_at: 'timestamptz',
  stage: 'text', full_name: 'text', email: 'text', email_label: 'text', phone: 'text', phone_typed: 'text', phone_label: 'text', more: 'jsonb',
  title: 'text', city: 'text', note: 'text', source: 'text', tags: 'text',
} // oxfmt-ignore

const picked = COLUMNS.map((c) => (c === 'tags' ? 'tags::text[]' : c)).join(', ')
const unnested = `unnest(${COLUMNS.map((c, i) => `$${i + 1}::${TYPES[c]}[]`).join(', ')}) AS rows (${COLUMNS.join(', ')})`
const INSERT = `INSERT INTO contacts (${COLUMNS.join(', ')}) SELECT ${picked} FROM ${unnested}`
const AUDITED = `WITH written AS (${INSERT} RETURNING id, owner_id) INSERT INTO audit (at, actor, action, object_id) SELECT now(), owner_id, 'contact.imported', id FROM written`
const COMPANIES = 'INSERT INTO companies (id, name, owner_id, created_at, updated_at) SELECT id, name, $3, now(), now() FROM unnest($1::uuid[], $2::text[]) AS rows (id, name)'

const BATCH = 1000
const IN_FLIGHT = 3

/** Columns of the file in its order (test/build/contacts-csv.ts). */
type Cells = readonly string[]

export interface Filling {
  database: DbConfig
  ownerId: string
  audit: boolean
  csvFile: string
}

/** Imports the CSV file as a plain product would: parse, split, one statement per thousand rows, three under way. Resolves with the rows written. */
export async function fill(filling: Filling): Promise<number> {
  const lanes = await Lanes.open(filling.database, 'bare-import', IN_FLIGHT)
  const companies = new Map<string, string>()
  const running = new Set<Promise<unknown>>()
  let rows = 0
  try {
    for await (const batch of batches(filling.csvFile)) {
      await addCompanies(lanes, filling.ownerId, companies, batch)
      const written = lanes.query({ name: 'import', text: filling.audit ? AUDITED : INSERT }, columnsOf(batch, filling.ownerId, companies))
      running.add(written)
      void written.finally(() => running.delete(written)).catch(() => undefined)
      rows += batch.length
      if (running.size >= IN_FLIGHT) await Promise.race(running)
    }
    await Promise.all(running)
  } finally {
    await lanes.close()
  }
  return rows
}

async function* batches(csvFile: string): AsyncGenerator<Cells[]> {
  let batch: Cells[] = []
  for await (const cells of createReadStream(csvFile).pipe(parse({ fromLine: 2 })) as AsyncIterable<Cells>) {
    if (batch.push(cells) < BATCH) continue
    yield batch
    batch = []
  }
  if (batch.length > 0) yield batch
}

async function addCompanies(lanes: Lanes, ownerId: string, known: Map<string, string>, batch: readonly Cells[]): Promise<void> {
  const fresh = [...new Set(batch.map((cells) => cells[4] ?? ''))].filter((name) => name !== '' && !known.has(name))
  if (fresh.length === 0) return
  for (const name of fresh) known.set(name, uuidv7())
  await lanes.query({ name: 'companies', text: COMPANIES }, [fresh.map((name) => known.get(name)), fresh, ownerId])
}

function columnsOf(batch: readonly Cells[], ownerId: string, companies: ReadonlyMap<string, string>): unknown[][] {
  const rows = batch.map((cells) => valuesOf(cells, ownerId, companies))
  return COLUMNS.map((_c, i) => rows.map((row) => row[i]))
}

function valuesOf(cells: Cells, ownerId: string, companies: ReadonlyMap<string, string>): unknown[] {
  const [name, mobile = '', work = '', email = '', company = '', title, city, tags = '', source, created = '', note] = cells
  const [phone, ...more] = phonesOf(mobile, work)
  const now = new Date().toISOString()
  return [
    uuidv7(), 1, now, now, ownerId, companies.get(company) ?? null, `${created}Z`, 'active', name,
    email.toLowerCase() || null, email ? 'other' : null, phone?.value ?? null, phone?.typed ?? null, phone?.label ?? null, more.length > 0 ? JSON.stringify({ phones: more }) : null,
    title || null, city || null, note || null, source || null, `{${tags.split('、').filter(Boolean).map((t) => `"${t}"`).join(',')}}`,
  ]
}

function phonesOf(mobile: string, work: string): Phone[] {
  const typed = [...mobile.split('/').map((text) => ({ text, label: 'mobile' })), { text: work, label: 'work' }]
  return typed.filter((t) => t.text !== '').map((t) => ({ value: e164(t.text), typed: t.text, label: t.label }))
}
