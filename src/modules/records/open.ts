import { Problem } from '../../kernel/base/index.ts'
import type { AnyRecord, Entity } from '../../kernel/entity/index.ts'
import { openRecord, type OwnerKey, type Vault } from '../../kernel/vault/index.ts'
import type { Reading } from '../../kernel/work/types.ts'
import type { Slice } from './slice.ts'
import type { FullRow, RowStamp } from './store.ts'

/** Opens one whole row and keeps the record. Throws Problem seal-broken or key-unavailable; the caller shows nothing then. */
export function openRow(vault: Vault, slice: Slice, row: FullRow, key: OwnerKey): AnyRecord {
  const record = openRecord(vault, slice.entity, key, row)
  slice.cache.put(record, row.stamp)
  return record
}

/** The kept record of a row whose blobs were left out, or null. */
export function cachedRow(slice: Slice, row: RowStamp): AnyRecord | null {
  return slice.cache.get(row.id, row.stamp)
}

/** The key of the person, thing or record that a record is about. Throws Problem key-unavailable. */
export const keyOf = (vault: Vault, entity: Entity, record: AnyRecord): OwnerKey => vault.ownerKey(String(record[entity.keyField]))

/** The key owners of rows, each once, as far as they have a key. */
export function subjectsOf(vault: Vault, rows: readonly RowStamp[]): OwnerKey[] {
  return [...new Set(rows.map((r) => r.key_id))].flatMap((id) => vault.findOwnerKey(id) ?? [])
}

/** A row that does not open is an attack or damage: it is written down before the refusal leaves. */
export async function reportBroken(reading: Reading, slice: Slice, id: string, error: unknown): Promise<never> {
  if (error instanceof Problem && (error.code === 'seal-broken' || error.code === 'key-unavailable')) {
    await reading.ledger.append({ action: 'seal.refused', actor: reading.actor.key, object: { kind: slice.entity.name, id }, detail: { code: error.code } })
  }
  throw error
}

/** Lets the refusal of one row pass; anything else, a ledger that cannot write it down above all, ends the whole answer. */
function onlyBroken(error: unknown): void {
  if (!(error instanceof Problem) || (error.code !== 'seal-broken' && error.code !== 'key-unavailable')) throw error
}

export interface OpenedRows {
  records: AnyRecord[]
  /** Rows that did not open: left out, written down, and told by number. One damaged row must not take the whole list with it. */
  refused: number
}

/** Opens the rows of a page in their order; those not cached are fetched whole in one more statement. Throws Problem ledger-unavailable. */
export async function openRows(reading: Reading, slice: Slice, rows: readonly RowStamp[]): Promise<OpenedRows> {
  let refused = 0
  const opened = new Map<string, AnyRecord>()
  const missing: RowStamp[] = []
  for (const row of rows) {
    const cached = cachedRow(slice, row)
    if (cached) opened.set(row.id, cached)
    else missing.push(row)
  }
  const full = missing.length > 0 ? await slice.store.full(reading.sql, missing.map((r) => r.id)) : []
  const wanted = new Map(missing.map((r) => [r.id, r.stamp]))
  for (const row of full) {
    if (wanted.get(row.id) !== row.stamp) continue // changed between the two statements: it is simply not on this page
    try {
      opened.set(row.id, openRow(reading.vault, slice, row, reading.vault.ownerKey(row.key_id)))
    } catch (error) {
      await reportBroken(reading, slice, row.id, error).catch(onlyBroken)
      refused++
    }
  }
  return { records: rows.flatMap((r) => opened.get(r.id) ?? []), refused }
}

/** One record inside the actor's scope, opened. Throws Problem not-found, seal-broken, key-unavailable. Records nothing: the caller says what the reading was for. */
export async function openOne(reading: Reading, slice: Slice, id: string, scope: Parameters<Slice['store']['find']>[2], deleted = false): Promise<{ record: AnyRecord; key: OwnerKey }> {
  const row = await slice.store.find(reading.sql, id, scope, { cachedStamp: slice.cache.stamp(id), deleted })
  if (!row) throw new Problem('not-found')
  try {
    const key = reading.vault.ownerKey(row.key_id)
    if (row.main) return { record: openRow(reading.vault, slice, row as FullRow, key), key }
    const cached = cachedRow(slice, row)
    if (cached) return { record: cached, key }
    slice.cache.drop(id)
    return await openOne(reading, slice, id, scope, deleted)
  } catch (error) {
    return reportBroken(reading, slice, id, error)
  }
}
