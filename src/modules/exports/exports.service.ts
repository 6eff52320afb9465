import { createHash } from 'node:crypto'
import { once } from 'node:events'
import type { Writable } from 'node:stream'
import type { AnyRecord, Entity } from '../../kernel/entity/index.ts'
import type { Condition } from '../../kernel/lens/types.ts'
import type { Desk } from '../../kernel/work/types.ts'
import { rightsOf, rowCondition, viewRecord, type RecordView } from '../access/index.ts'
import { csvLine } from '../imports/index.ts'
import { openRows, subjectsOf, type RecordsDeps, type Slice } from '../records/index.ts'
import type { Step } from '../runs/index.ts'

export interface ExportWords {
  noun: string
  format: 'csv' | 'jsonl'
  reason: string
}

export interface ExportResult {
  exportId: string
  rows: number
  /** Rows that do not match their seal and are not in the file. */
  refused: number
  /** Of the file as downloaded, hexadecimal. */
  sha256: string
  format: ExportWords['format']
}

const PAGE = 500

/** Only rows that may be both seen and taken out. */
function scopeOf(desk: Desk, entity: Entity): Condition {
  return { and: [rowCondition(desk.actor, entity, 'read'), rowCondition(desk.actor, entity, 'export')] }
}

const cellText = (v: unknown): string => {
  if (v === null || v === undefined) return ''
  if (Array.isArray(v)) return v.map(cellText).filter(Boolean).join('; ')
  if (typeof v !== 'object') return String(v)
  const o = v as { value?: unknown; typed?: unknown; kind?: unknown } // contact points and handles
  const text = String(o.value ?? o.typed ?? '')
  return o.kind ? `${String(o.kind)}:${text}` : text
}

/** A link is taken out with the name it is shown by: an id means nothing in another system. `companyId` → `companyName`. */
const nameColumn = (field: string): string => `${field.replace(/Id$/, '')}Name`

/** Columns of the file: what the person may see, custom fields one by one, and the names of links they may see. */
function columnsFor(desk: Desk, deps: RecordsDeps, entity: Entity): string[] {
  const seen = [...rightsOf(entity, desk.actor, deps.customFields(entity.name)).fields.keys()]
  const links = seen.filter((f) => showable(desk, entity, f))
  return [...seen, ...links.map(nameColumn)]
}

function showable(desk: Desk, entity: Entity, field: string): boolean {
  const ref = entity.fields[field]?.ref
  return Boolean(ref?.show) && ['read', 'edit'].includes(desk.actor.grants.field(ref!.entity, ref!.show!))
}

/** Names of linked records by id, through the same gate as reading them one by one. */
async function linkedNames(desk: Desk, deps: RecordsDeps, entity: Entity, records: readonly AnyRecord[], exportId: string): Promise<Map<string, string>> {
  const names = new Map<string, string>()
  for (const [field, f] of Object.entries(entity.fields)) {
    const other = f.ref?.show && showable(desk, entity, field) ? deps.slices.get(f.ref.entity) : undefined
    const ids = [...new Set(records.map((r) => r[field]).filter((id): id is string => typeof id === 'string'))]
    if (!other || ids.length === 0) continue
    const rows = await other.store.page(desk.sql, { scope: rowCondition(desk.actor, other.entity, 'read'), ids, limit: ids.length })
    desk.record({ action: `${other.entity.name}.exported`, object: { kind: 'export', id: exportId }, subjects: subjectsOf(desk.vault, rows), purpose: 'export' })
    for (const r of (await openRows(desk, other, rows)).records) names.set(r.id, String(r[f.ref!.show!] ?? ''))
  }
  return names
}

function lineOf(full: RecordView, columns: readonly string[], format: ExportWords['format'], names: ReadonlyMap<string, string>): string {
  const view: RecordView = { ...full }
  for (const field of Object.keys(full)) if (columns.includes(nameColumn(field)) && typeof full[field] === 'string') view[nameColumn(field)] = names.get(full[field]) ?? null
  if (format === 'jsonl') {
    const { can: _, ...rest } = view
    return `${JSON.stringify(rest)}\n`
  }
  const custom = (view['custom'] ?? {}) as Record<string, unknown> // viewRecord made it
  return csvLine(columns.map((c) => view.masks[c]?.join('; ') ?? cellText(c.startsWith('custom.') ? custom[c.slice(7)] : view[c])))
}

interface Part {
  text: string
  next: string | null
  rows: number
  refused: number
}

/** One page: every person in it is named in an event of its own before their line is written. */
async function exportPage(desk: Desk, deps: RecordsDeps, slice: Slice, words: ExportWords & { id: string }, before: string | null, columns: readonly string[]): Promise<Part> {
  const { entity } = slice
  const rows = await slice.store.page(desk.sql, { scope: scopeOf(desk, entity), limit: PAGE, ...(before ? { before } : {}) })
  const subjects = subjectsOf(desk.vault, rows)
  if (rows.length > 0) desk.record({ action: `${entity.name}.exported`, object: { kind: 'export', id: words.id }, subjects, purpose: 'export', detail: { reason: words.reason, format: words.format }, sealTo: desk.actor.key })
  const { records, refused } = await openRows(desk, slice, rows)
  const names = await linkedNames(desk, deps, entity, records, words.id)
  const text = records.map((r) => lineOf(viewRecord(entity, r, desk.actor, deps.customFields(entity.name)), columns, words.format, names)).join('')
  return { text, next: rows.length === PAGE ? rows.at(-1)!.id : null, rows: records.length, refused }
}

/** Writes every row the person may take out, page by page, with the rights they have at each page. Throws what `out` failed with; who made it listens to its errors. */
export async function exportRows(step: Step, deps: RecordsDeps, slice: Slice, words: ExportWords & { id: string }, out: Writable, progress: (done: number, total: number) => void): Promise<ExportResult> {
  const hash = createHash('sha256')
  const write = async (text: string): Promise<void> => {
    hash.update(text)
    if (out.errored) throw out.errored
    if (!out.write(text)) await once(out, 'drain')
  }
  const { columns, total } = await step(async (desk) => ({ columns: columnsFor(desk, deps, slice.entity), total: await slice.store.count(desk.sql, { scope: scopeOf(desk, slice.entity) }) }))
  // The byte order mark tells spreadsheet programs that Chinese text is UTF-8.
  if (words.format === 'csv') await write(`\ufeff${csvLine(columns)}`)
  let rows = 0
  let refused = 0
  let before: string | null = null
  do {
    const part: Part = await step((desk) => exportPage(desk, deps, slice, words, before, columns))
    await write(part.text)
    rows += part.rows
    refused += part.refused
    before = part.next
    progress(rows, total)
  } while (before)
  return { exportId: words.id, rows, refused, sha256: hash.digest('hex'), format: words.format }
}
