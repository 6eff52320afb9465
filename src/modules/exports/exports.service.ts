import { createHash } from 'node:crypto'
import type { Writable } from 'node:stream'
import type { Entity } from '../../kernel/entity/index.ts'
import type { Condition } from '../../kernel/lens/types.ts'
import type { Desk } from '../../kernel/work/types.ts'
import { rightsOf, rowCondition, viewRecord, type RecordView } from '../access/index.ts'
import { csvLine } from '../imports/index.ts'
import { openRows, type RecordsDeps, type Slice } from '../records/index.ts'
import type { Step } from '../runs/index.ts'

export interface ExportWords {
  noun: string
  format: 'csv' | 'jsonl'
  reason: string
}

export interface ExportResult {
  exportId: string
  rows: number
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

/** Columns of the file: what the person may see, custom fields one by one. */
function columnsFor(desk: Desk, deps: RecordsDeps, entity: Entity): string[] {
  return [...rightsOf(entity, desk.actor, deps.customFields(entity.name)).fields.keys()]
}

function lineOf(view: RecordView, columns: readonly string[], format: ExportWords['format']): string {
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
}

/** One page: every person in it is named in an event of its own before their line is written. */
async function exportPage(desk: Desk, deps: RecordsDeps, slice: Slice, words: ExportWords & { id: string }, before: string | null, columns: readonly string[]): Promise<Part> {
  const { entity } = slice
  const rows = await slice.store.page(desk.sql, { scope: scopeOf(desk, entity), limit: PAGE, ...(before ? { before } : {}) })
  const subjects = rows.map((r) => desk.vault.ownerKey(r.id))
  if (rows.length > 0) desk.record({ action: `${entity.name}.exported`, object: { kind: 'export', id: words.id }, subjects, purpose: 'export', detail: { reason: words.reason, format: words.format }, sealTo: desk.actor.key })
  const records = await openRows(desk, slice, rows)
  const text = records.map((r) => lineOf(viewRecord(entity, r, desk.actor, deps.customFields(entity.name)), columns, words.format)).join('')
  return { text, next: rows.length === PAGE ? rows.at(-1)!.id : null, rows: records.length }
}

/** Writes every row the person may take out, page by page, with the rights they have at each page. */
export async function exportRows(step: Step, deps: RecordsDeps, slice: Slice, words: ExportWords & { id: string }, out: Writable, progress: (done: number, total: number) => void): Promise<ExportResult> {
  const hash = createHash('sha256')
  const write = async (text: string): Promise<void> => {
    hash.update(text)
    if (!out.write(text)) await new Promise((resolve) => out.once('drain', resolve))
  }
  const { columns, total } = await step(async (desk) => ({ columns: columnsFor(desk, deps, slice.entity), total: await slice.store.count(desk.sql, { scope: scopeOf(desk, slice.entity) }) }))
  // The byte order mark tells spreadsheet programs that Chinese text is UTF-8.
  if (words.format === 'csv') await write(`\ufeff${csvLine(columns)}`)
  let rows = 0
  let before: string | null = null
  do {
    const part: Part = await step((desk) => exportPage(desk, deps, slice, words, before, columns))
    await write(part.text)
    rows += part.rows
    before = part.next
    progress(rows, total)
  } while (before)
  return { exportId: words.id, rows, sha256: hash.digest('hex'), format: words.format }
}
