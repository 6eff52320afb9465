import { concealsCustom, exposedPart, findColumns, isConcealed, textsOf, type AnyRecord, type CustomFieldWords, type Entity, type Field, type FindColumn, type MoneyValue, type PhoneValue } from '../../kernel/entity/index.ts'
import type { Sql } from '../../kernel/db/types.ts'
import { normalise, pinyinOf, tail4, type LensRow, type LensTable, type Pinyin } from '../../kernel/lens/index.ts'
import type { Vault } from '../../kernel/vault/index.ts'
import { ALL } from '../access/index.ts'
import { cachedRow, openRow } from './open.ts'
import type { RecordsDeps, Slice } from './slice.ts'
import type { FullRow } from './store.ts'

const columnsOf = new WeakMap<Entity, readonly FindColumn[]>()

function columns(entity: Entity): readonly FindColumn[] {
  let list = columnsOf.get(entity)
  if (!list) columnsOf.set(entity, (list = findColumns(entity)))
  return list
}

export function lensTable(entity: Entity): LensTable {
  return { entity: entity.name, columns: columns(entity) }
}

/** Shown names of linked records by field: `companyId` → its name. */
export type Shown = Readonly<Record<string, string | null>>

type Value = LensRow['values'][number]

/** Texts by field as the lens reads them: a link stands for the name it is shown by. */
function textsFor(f: Field, record: AnyRecord, field: string, shown: Shown): string[] {
  if (f.ref) return shown[field] ? [shown[field]] : []
  return f.kind === 'phone' ? (record[field] as PhoneValue[]).map((p) => p.value ?? p.digits) : textsOf(f, record[field])
}

/** What one field's columns are made of; a text is read in pinyin once, whichever columns ask. */
class FieldTexts {
  readonly texts: readonly string[]
  readonly #linked: boolean
  #readings: readonly Pinyin[] | null = null

  constructor(texts: readonly string[], linked: boolean) {
    this.texts = texts
    this.#linked = linked
  }

  get readings(): readonly Pinyin[] {
    this.#readings ??= this.texts.map((t) => (this.#linked ? readingOfLink(t) : pinyinOf(t)))
    return this.#readings
  }
}

/** Some 15 MB; fewer than there are companies, and each is read again and again. */
const MOST_LINKS = 30_000
const links = new Map<string, Pinyin>()

/** Many rows are shown through one and the same name (a company and its people), so its reading is kept. */
function readingOfLink(name: string): Pinyin {
  const known = links.get(name)
  if (known) return known
  if (links.size >= MOST_LINKS) links.clear()
  const reading = pinyinOf(name)
  links.set(name, reading)
  return reading
}

/** Each once; of one text, which most fields hold, they are that already. */
function joined(readings: readonly Pinyin[], which: 'fulls' | 'allInitials'): readonly string[] {
  return readings.length === 1 ? readings[0]![which] : [...new Set(readings.flatMap((r) => r[which]))]
}

function cell(column: FindColumn, record: AnyRecord, field: FieldTexts): Value {
  if (column.part) return (record[column.field.replace('.currency', '')] as MoneyValue | null)?.[column.part] ?? null
  if (column.use === 'plain') return (record[column.field] ?? null) as Value // texts, times, flags, numbers and lists of ids
  if (field.texts.length === 0) return null
  if (column.use === 'pinyin') return joined(field.readings, 'fulls')
  if (column.use === 'initials') return joined(field.readings, 'allInitials')
  if (column.use === 'sort') return field.readings[0]?.sort || null
  const all: string[] = []
  for (const text of field.texts) {
    const found = column.use === 'tail4' ? tail4(text) : normalise(text)
    if (found) all.push(found)
  }
  return column.many ? all : (all[0] ?? null)
}

const NO_TEXTS = new FieldTexts([], false)

/** The lens row of a record. Sensitive custom fields never reach the lens, nor does anything while it is concealed: what is not there is found, sorted and counted by nobody. */
export function toLensRow(entity: Entity, whole: AnyRecord, shown: Shown, custom: readonly CustomFieldWords[]): LensRow {
  const record = exposedPart(entity, whole)
  const hides = isConcealed(entity, record)
  const texts = new Map<string, FieldTexts>()
  const textsOnce = (field: string): FieldTexts => {
    let kept = texts.get(field)
    const f = entity.fields[field]
    if (!kept) texts.set(field, (kept = f ? new FieldTexts(textsFor(f, record, field, shown), f.ref !== null) : NO_TEXTS))
    return kept
  }
  const values = columns(entity).map((c) => cell(c, record, c.use === 'plain' ? NO_TEXTS : textsOnce(c.field)))
  const extra = custom.flatMap((w) => {
    const value = record.custom[w.key]
    if (w.class === 'sensitive' || w.find.length === 0 || (hides && concealsCustom(entity, w)) || value === undefined || value === null) return []
    return [{ field: `custom.${w.key}`, value: typeof value === 'string' ? normalise(value) : typeof value === 'boolean' ? Number(value) : value }]
  })
  return { id: record.id, version: record.version, values, ...(extra.length > 0 ? { custom: extra } : {}) }
}

/** The name a linked record is shown by, whoever asks: the lens is not a person; its readers pass the gate. */
export async function shownName(sql: Sql, vault: Vault, slice: Slice, id: string, field: string): Promise<string | null> {
  const row = await slice.store.find(sql, id, ALL, { cachedStamp: slice.cache.stamp(id), deleted: true })
  if (!row) return null
  const record = row.main ? openRow(vault, slice, row as FullRow, vault.ownerKey(row.key_id)) : cachedRow(slice, row)
  return record ? String(record[field] ?? '') : null
}

/** `known`: names that need not be looked up. */
export async function shownOf(sql: Sql, vault: Vault, deps: RecordsDeps, entity: Entity, record: AnyRecord, known: Shown = {}): Promise<Shown> {
  const out: Record<string, string | null> = { ...known }
  for (const [name, f] of Object.entries(entity.fields)) {
    if (name in known) continue
    const target = f.ref?.show ? deps.slices.get(f.ref.entity) : undefined
    const id = record[name]
    if (target && f.ref?.show && typeof id === 'string') out[name] = await shownName(sql, vault, target, id, f.ref.show)
  }
  return out
}

export async function lensRow(at: { sql: Sql; vault: Vault }, deps: RecordsDeps, slice: Slice, record: AnyRecord): Promise<LensRow> {
  const shown = await shownOf(at.sql, at.vault, deps, slice.entity, record)
  return toLensRow(slice.entity, record, shown, deps.customFields(slice.entity.name))
}
