import type { Json } from '../../kernel/base/index.ts'
import type { AnyRecord, CustomValues } from '../../kernel/entity/index.ts'

/** Old and new value of each changed field; goes into the ledger sealed under the subject's key. */
export type Changes = Record<string, { from: Json; to: Json }>

const asJson = (value: unknown): Json => (value === undefined ? null : (value as Json)) // records hold JSON only: they were parsed from it

/** Puts a patch over a record: `custom` key by key, everything else whole. */
export function merged(record: AnyRecord, patch: Readonly<Record<string, unknown>>): AnyRecord {
  const { custom, ...fields } = patch
  const next: AnyRecord = { ...record, ...fields }
  if (custom) {
    const values: CustomValues = { ...record.custom, ...(custom as CustomValues) } // the schema made it an object of plain values
    next.custom = Object.fromEntries(Object.entries(values).filter(([, v]) => v !== null && v !== ''))
  }
  return next
}

/** What differs, by field; custom fields as `custom.key`. */
export function changesBetween(before: AnyRecord, after: AnyRecord, fields: readonly string[]): Changes {
  const out: Changes = {}
  const compare = (name: string, from: unknown, to: unknown): void => {
    if (JSON.stringify(from ?? null) !== JSON.stringify(to ?? null)) out[name] = { from: asJson(from ?? null), to: asJson(to ?? null) }
  }
  for (const f of fields) compare(f, before[f], after[f])
  for (const k of new Set([...Object.keys(before.custom), ...Object.keys(after.custom)])) compare(`custom.${k}`, before.custom[k], after.custom[k])
  return out
}

/** The patch that undoes changes. */
export function inverseOf(changes: Changes): Record<string, unknown> {
  const patch: Record<string, unknown> = {}
  const custom: Record<string, Json> = {}
  for (const [name, { from }] of Object.entries(changes)) {
    if (name.startsWith('custom.')) custom[name.slice(7)] = from
    else patch[name] = from
  }
  return Object.keys(custom).length > 0 ? { ...patch, custom } : patch
}
