import type { TailEntry } from '../../kernel/ledger/types.ts'
import type { Entity } from '../../kernel/entity/index.ts'
import { Problem } from '../../kernel/base/index.ts'
import type { Reading } from '../../kernel/work/types.ts'
import { rowCondition, viewRecord } from '../access/index.ts'
import { changeOf, importedRows, seenRows, type Change, type PresentRow } from '../changes/index.ts'
import { openOne, sliceFor, type RecordsDeps } from '../records/index.ts'
import type { HookWords } from './webhooks.store.ts'

export interface Message {
  body: string
  /** Ids it tells of. */
  ids: number
  /** Records it shows fields of. */
  records: number
}

/** Ids in one message; an import writes far fewer in one event. */
const MOST_IDS = 10_000
/** Of an event of the ledger. */
const MOST_SUBJECTS = 1_000

const nounsOf = (deps: RecordsDeps): Map<string, Entity> => new Map([...deps.slices].map(([name, slice]) => [name, slice.entity]))

/** The changes among events that a webhook asks for. */
export function wanted(deps: RecordsDeps, words: HookWords, entries: readonly TailEntry[]): Change[] {
  const nouns = nounsOf(deps)
  const asked = new Set(words.events)
  return entries.map((e) => changeOf(e, nouns)).filter((c): c is Change => c !== null && (asked.has(c.action) || asked.has(`${c.entity.name}.*`)))
}

/** Those of them that are about a record its person sees now: of the others there is not even a delivery to be listed. */
export async function visible(reading: Reading, changes: readonly Change[]): Promise<Change[]> {
  const seen = await seenRows(reading, changes)
  const out: Change[] = []
  for (const change of changes) {
    const there = change.range ? (await importedRows(reading, change, null, 1)).length > 0 : seen.has(change.id!)
    if (there) out.push(change)
  }
  return out
}

/** The fields asked for of a record that may be both seen and taken out; null when it may not, or is gone or damaged. */
async function fieldsOf(reading: Reading, deps: RecordsDeps, change: Change, names: readonly string[]): Promise<object | null> {
  const { entity } = change
  const slice = sliceFor(deps, entity.name)
  const scope = { and: [rowCondition(reading.actor, entity, 'read'), rowCondition(reading.actor, entity, 'export')] }
  const opened = await openOne(reading, slice, change.id!, scope).catch((error: unknown) => {
    if (error instanceof Problem && ['not-found', 'seal-broken', 'key-unavailable'].includes(error.code)) return null
    throw error
  })
  if (!opened) return null
  const view = viewRecord(entity, opened.record, reading.actor, deps.customFields(entity.name))
  const custom = (view['custom'] ?? {}) as Record<string, unknown> // viewRecord made it
  const valueOf = (name: string): unknown => (name.startsWith('custom.') ? custom[name.slice(7)] : view[name])
  const shown = names.filter((n) => valueOf(n) !== undefined)
  const masks = Object.fromEntries(Object.entries(view.masks).filter(([n]) => names.includes(n)))
  return { version: view.version, fields: Object.fromEntries(shown.map((n) => [n, valueOf(n)])), masks }
}

async function rowsOf(reading: Reading, change: Change): Promise<PresentRow[]> {
  if (change.range) return importedRows(reading, change, null, MOST_IDS)
  return [...(await seenRows(reading, [change])).values()]
}

/** Sent is a look like any other: who was told of whom is in the ledger before the message leaves. */
function recordSent(reading: Reading, change: Change, rows: readonly PresentRow[], hookId: string, named: readonly string[]): void {
  const keys = [...new Set(rows.map((r) => r.key_id))].filter((id) => reading.vault.hasOwnerKey(id)).map((id) => reading.vault.ownerKey(id))
  for (let i = 0; i < Math.max(keys.length, 1); i += MOST_SUBJECTS) {
    reading.record({ action: `${change.entity.name}.sent`, object: { kind: change.entity.name, id: change.id }, subjects: keys.slice(i, i + MOST_SUBJECTS), purpose: 'webhook', detail: { webhookId: hookId, leaf: change.leaf, fields: [...named] } })
  }
}

/** What may be said of a change now, by the rights of now; null when nothing may. */
export async function messageOf(reading: Reading, deps: RecordsDeps, hook: { id: string; words: HookWords }, change: Change): Promise<Message | null> {
  const { entity, leaf } = change
  const rows = await rowsOf(reading, change)
  if (rows.length === 0) return null
  const names = hook.words.fields[entity.name] ?? []
  const [only] = rows
  const record = change.id !== null && names.length > 0 && !only!.deleted ? await fieldsOf(reading, deps, change, names) : null
  recordSent(reading, change, rows, hook.id, record ? names : [])
  const about = change.id === null ? { ids: rows.map((r) => r.id) } : { id: change.id, ...(only!.deleted ? { deleted: true } : {}) }
  const body = JSON.stringify({ type: change.action, timestamp: change.at, data: { entity: entity.name, leaf, ...about, ...(record ? { record } : {}) } })
  return { body, ids: rows.length, records: record ? 1 : 0 }
}
