import { createHash } from 'node:crypto'
import { isUuid, Problem } from '../../kernel/base/index.ts'
import type { Entity } from '../../kernel/entity/index.ts'
import type { Condition } from '../../kernel/lens/types.ts'
import type { Reading } from '../../kernel/work/types.ts'
import { rowCondition, type MatchBudget } from '../access/index.ts'
import { changeOf, wasInside, type Change } from './change.ts'
import { presentRows, rowsBetween, type PresentRow } from './changes.store.ts'

export interface ChangesDeps {
  nouns: ReadonlyMap<string, Entity>
  /** How many ids each person may still be told this hour. */
  budget: MatchBudget
}

export interface ChangeItem {
  leaf: number
  entity: string
  id: string
  action: string
  at: string
  gone?: true
}

/** Where somebody stands: the next leaf, the last id told of it where a leaf has many, and which rows they saw when they came by last. */
interface Place {
  leaf: number
  after: string | null
  scopes: Record<string, string>
}

/** Leaves looked at for one answer. */
const WINDOW = 1_000

const digest = (c: Condition): string => createHash('sha256').update(JSON.stringify(c)).digest('base64url').slice(0, 16)

/** What hangs on a record goes with that record; its rule follows links and is not compared. */
const own = (e: Entity): boolean => e.about !== 'record'

const scopesOf = (reading: Reading, deps: ChangesDeps): Record<string, string> =>
  Object.fromEntries([...deps.nouns.values()].filter(own).map((e) => [e.name, digest(rowCondition(reading.actor, e, 'read'))]))

const label = (reading: Reading): string => `changes ${reading.actor.personId}`

function readCursor(reading: Reading, cursor: string): Place {
  try {
    return JSON.parse(reading.vault.openInstance(label(reading), Buffer.from(cursor, 'base64url')).toString()) as Place // our own sealed bytes
  } catch {
    throw new Problem('invalid', { errors: [{ path: 'cursor', code: 'cursor-invalid' }] })
  }
}

const writeCursor = (reading: Reading, place: Place): string => reading.vault.sealInstance(label(reading), Buffer.from(JSON.stringify(place))).toString('base64url')

/** The rows that changes name one by one and the actor sees, deleted ones included, by id. */
export async function seenRows(reading: Reading, changes: readonly Change[]): Promise<Map<string, PresentRow>> {
  const seen = new Map<string, PresentRow>()
  for (const [entity, list] of Map.groupBy(changes, (c) => c.entity)) {
    const ids = [...new Set(list.map((c) => c.id).filter(isUuid))]
    for (const row of await presentRows(reading.sql, entity, rowCondition(reading.actor, entity, 'read'), ids)) seen.set(row.id, row)
  }
  return seen
}

/** The rows an import made, as far as the actor sees them. */
export function importedRows(reading: Reading, change: Change, after: string | null, limit: number): Promise<PresentRow[]> {
  if (!change.range) return Promise.resolve([])
  return rowsBetween(reading.sql, change.entity, rowCondition(reading.actor, change.entity, 'read'), { ...change.range, after }, limit)
}

const itemOf = (c: Change, id: string, gone: boolean): ChangeItem => ({ leaf: c.leaf, entity: c.entity.name, id, action: c.action, at: c.at, ...(gone ? { gone: true as const } : {}) })

/**
 * A record out of sight is told of only to whoever was shown it before: with the rows they saw last time, which are still those they see
 * now, and which it was among until this very change. Everybody else hears nothing, not even that there is such an id.
 */
function hasLeft(reading: Reading, change: Change, since: Place): boolean {
  const { entity } = change
  const scope = rowCondition(reading.actor, entity, 'read')
  return own(entity) && since.scopes[entity.name] === digest(scope) && wasInside(change, scope)
}

interface Told {
  items: ChangeItem[]
  rows: PresentRow[]
  next: Pick<Place, 'leaf' | 'after'>
}

/** Works off the changes of a window in order until there are enough. */
async function tell(reading: Reading, changes: readonly Change[], since: Place, end: number, limit: number): Promise<Told> {
  const seen = await seenRows(reading, changes)
  const told: Told = { items: [], rows: [], next: { leaf: end, after: null } }
  for (const change of changes) {
    const left = limit - told.items.length
    const rows = change.range ? await importedRows(reading, change, change.leaf === since.leaf ? since.after : null, left) : [seen.get(change.id!)].filter((r) => r !== undefined)
    told.rows.push(...rows)
    told.items.push(...rows.map((r) => itemOf(change, r.id, r.deleted)))
    if (rows.length === 0 && change.id !== null && hasLeft(reading, change, since)) told.items.push(itemOf(change, change.id, true))
    if (told.items.length < limit) continue
    told.next = change.range && rows.length === left ? { leaf: change.leaf, after: rows.at(-1)!.id } : { leaf: change.leaf + 1, after: null }
    break
  }
  return told
}

/** What changed in the records the actor sees now, from where the cursor stands. Throws Problem invalid for a foreign cursor, rate beyond the hour's ids. */
export async function changesSince(reading: Reading, deps: ChangesDeps, cursor: string | undefined, limit: number): Promise<{ items: ChangeItem[]; nextCursor: string; more: boolean }> {
  const scopes = scopesOf(reading, deps)
  const { size } = reading.ledger.status()
  if (cursor === undefined) return { items: [], nextCursor: writeCursor(reading, { leaf: size, after: null, scopes }), more: false }
  const since = readCursor(reading, cursor)
  const entries = await reading.ledger.tail(since.leaf, WINDOW, { detail: true })
  // Events that are not ours are left out; where a whole window of them is, it is gone past, and the ledger's alarm has told of them.
  const end = entries.length > 0 ? entries.at(-1)!.leaf + 1 : size > since.leaf + WINDOW ? since.leaf + WINDOW : since.leaf
  const changes = entries.map((e) => changeOf(e, deps.nouns)).filter((c) => c !== null)
  const { items, rows, next } = await tell(reading, changes, since, end, limit)
  deps.budget.spend(reading.actor.personId, items.length)
  const keys = new Set(rows.map((r) => r.key_id).filter((id) => reading.vault.hasOwnerKey(id)))
  if (items.length > 0) reading.record({ action: 'change.listed', object: { kind: 'change', id: null }, subjects: [...keys].map((id) => reading.vault.ownerKey(id)), purpose: 'list' })
  return { items, nextCursor: writeCursor(reading, { ...next, scopes }), more: reading.ledger.status().size > next.leaf }
}
