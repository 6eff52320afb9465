import { exposedPart } from './conceal.ts'
import type { AnyRecord, Entity } from './entity.ts'
import { snake } from './entity.ts'
import type { EmailValue, Field, HandleValue, MoneyValue, PhoneValue } from './fields.ts'

/** A custom field as an administrator declared it, in the same words as a built-in one. */
export interface CustomFieldWords {
  key: string
  type: 'text' | 'number' | 'date' | 'flag'
  class: 'confidential' | 'personal' | 'sensitive'
  find: readonly ('text' | 'exact')[]
}

export interface FindColumn {
  name: string
  field: string
  use: 'text' | 'pinyin' | 'initials' | 'sort' | 'tail4' | 'exact' | 'plain'
  type: 'text' | 'uuid' | 'integer' | 'time' | 'boolean'
  many: boolean
  /** Of an amount: which part of it. */
  part?: 'minor' | 'currency'
  /** The entity whose field it shows through a link. */
  linked?: string
}

const PLAIN_TYPE = { uuid: 'uuid', time: 'time', enumeration: 'text', flag: 'boolean' } as const

/** The lens columns an entity's `find` words ask for; plain columns are always there, for filters and sorting. */
export function findColumns(entity: Entity): FindColumn[] {
  const columns: FindColumn[] = entity.plain.map((c) => ({ name: c.column, field: c.field, use: 'plain', type: PLAIN_TYPE[c.kind], many: false }))
  for (const [name, f] of Object.entries(entity.fields)) columns.push(...columnsOf(name, f))
  return columns
}

function columnsOf(name: string, f: Field): FindColumn[] {
  const column = (use: FindColumn['use'], suffix: string): FindColumn => ({ name: snake(name) + suffix, field: name, use, type: 'text', many: f.many })
  if (f.class === 'sensitive' || f.class === 'secret') return []
  const shown = f.ref?.show ? [column('text', '__shown'), column('pinyin', '__pinyin'), column('initials', '__initials'), column('sort', '__sort')] : null
  if (shown) return shown.map((c) => ({ ...c, linked: f.ref!.entity }))
  const out: FindColumn[] = []
  if (f.find.includes('link')) out.push({ ...column('plain', ''), type: 'uuid' })
  if (f.kind === 'money' && f.find.includes('sort')) return amountColumns(name)
  if ((f.kind === 'date' || f.kind === 'number') && f.find.includes('sort')) return [{ ...column('plain', ''), type: f.kind === 'number' ? 'integer' : 'text' }]
  if (f.find.includes('text')) out.push(column('text', ''))
  else if (f.find.includes('exact')) out.push(column('exact', ''))
  if (f.find.includes('pinyin')) out.push(column('pinyin', '__pinyin'), column('initials', '__initials'))
  if (f.find.includes('sort')) out.push({ ...column('sort', '__sort'), many: false })
  if (f.find.includes('tail4')) out.push(column('tail4', '__tail4'))
  return out
}

/** Compared by its minor units; the currency stands beside them for whoever adds up. */
function amountColumns(field: string): FindColumn[] {
  return [
    { name: snake(field), field, use: 'plain', type: 'integer', many: false, part: 'minor' },
    { name: `${snake(field)}__currency`, field: `${field}.currency`, use: 'plain', type: 'text', many: false, part: 'currency' },
  ]
}

/** The searchable strings of one value, as shown (not yet normalised). */
export function textsOf(f: Field, value: unknown): string[] {
  if (value === null || value === undefined) return []
  const items: unknown[] = f.many ? (value as unknown[]) : [value] // `many` fields hold arrays by construction
  return items.map((item) => {
    if (f.kind === 'email') return (item as EmailValue).value
    if (f.kind === 'handle') return (item as HandleValue).value
    if (f.kind === 'phone') return (item as PhoneValue).value ?? (item as PhoneValue).digits
    if (f.kind === 'money') return `${(item as MoneyValue).minor} ${(item as MoneyValue).currency}`
    return String(item)
  })
}

/** Last four base digits of a phone, also of one that does not validate. */
export function tail4Of(value: PhoneValue): string {
  return (value.value ?? value.digits).slice(-4)
}

/** Normal form for exact look-ups, the same for storing and asking. */
export function exactForm(kind: Field['kind'], value: string): string {
  const s = value.normalize('NFKC').trim()
  if (kind === 'phone') return s.replace(/(?!^\+)[^0-9]/g, '')
  return s.toLowerCase()
}

export interface ExactKey {
  /** `table.column`, the name the blind key is derived from. */
  index: string
  value: string
}

/** Every value of a record that goes into the blind index; none that is concealed. */
export function exactKeys(entity: Entity, record: AnyRecord): ExactKey[] {
  const seen = new Map<string, ExactKey>()
  const exposed = exposedPart(entity, record)
  for (const [name, f] of Object.entries(entity.fields)) {
    if (!f.find.includes('exact')) continue
    for (const value of textsOf(f, exposed[name])) {
      const key = { index: `${entity.table}.${snake(name)}`, value: exactForm(f.kind, value) }
      if (key.value) seen.set(`${key.index} ${key.value}`, key)
    }
  }
  return [...seen.values()]
}
