import type { Field } from './fields.ts'
import { checkTags } from './tags.ts'

type Fields = Record<string, Field>

export interface EntityWords<F extends Fields> {
  plural: string
  /** Table name; also bound into every sealed cell. */
  table: string
  /**
   * What a row is about, and so whose key seals it: itself, as a person or as a container of business; the record it hangs on (fields
   * `recordKind` and `recordId`), with which it is erased; or itself, as words of the organisation's own (pipelines, tags) in which there is no customer.
   */
  about: 'person' | 'container' | 'record' | 'organisation'
  /** Plain fields beside the owner that make a row one's own: the person a task is given to. */
  alsoOwn?: readonly string[]
  /** Fields that nobody sees, finds or writes while the plain link `while` is filled: contact details of what lies in a pool. Custom fields of persons go with them. */
  conceal?: { while: string; fields: readonly string[] }
  /** How long a record is kept; `since` names a field or a base time. */
  keep: { years: number; since: string }
  fields: F
}

export interface Entity<F extends Fields = Fields> extends EntityWords<F> {
  readonly name: string
  /** Columns that stay readable in the database, beside id and version, in the order they are bound into the seal. */
  readonly plain: readonly PlainColumn[]
  readonly sealed: { readonly main: readonly string[]; readonly sensitive: readonly string[] }
  /** Column and field that hold the id of the key owner. */
  readonly keyColumn: 'id' | 'record_id'
  readonly keyField: 'id' | 'recordId'
}

export interface PlainColumn {
  field: string
  column: string
  kind: 'uuid' | 'time' | 'enumeration' | 'flag'
}

type Simplify<T> = { [K in keyof T]: T[K] }
type ValueOf<X> = X extends Field<infer T> ? T : never

export interface BaseRecord {
  id: string
  version: number
  createdAt: string
  updatedAt: string
  deletedAt: string | null
  ownerId: string
  departmentId: string
}

export type CustomValues = Record<string, string | number | boolean | null>

/** The row type of an entity, as stored and opened. */
export type RecordOf<E> = E extends Entity<infer F> ? Simplify<BaseRecord & { [K in keyof F]: ValueOf<F[K]> } & { custom: CustomValues }> : never

/** Any record, where the entity is not known statically (kernel and cross-cutting modules). */
export type AnyRecord = BaseRecord & { custom: CustomValues } & Record<string, unknown>

const BASE_PLAIN: readonly PlainColumn[] = [
  { field: 'createdAt', column: 'created_at', kind: 'time' },
  { field: 'updatedAt', column: 'updated_at', kind: 'time' },
  { field: 'deletedAt', column: 'deleted_at', kind: 'time' },
  { field: 'ownerId', column: 'owner_id', kind: 'uuid' },
  { field: 'departmentId', column: 'department_id', kind: 'uuid' },
]

// Columns and members of their own; `main` and `sensitive` are compartments.
const RESERVED = new Set(['id', 'version', 'createdAt', 'updatedAt', 'deletedAt', 'ownerId', 'departmentId', 'custom', 'masks', 'can', 'main', 'sensitive'])
const CLASSES: readonly unknown[] = ['public', 'internal', 'confidential', 'personal', 'sensitive', 'secret']

export const snake = (name: string): string => name.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`)

const isPlainClass = (f: Field): boolean => f.class === 'public' || f.class === 'internal'

function plainKind(f: Field): PlainColumn['kind'] | null {
  if (f.many) return null
  if (f.kind === 'ref' || f.kind === 'id') return 'uuid'
  if (f.kind === 'time') return 'time'
  if (f.kind === 'oneOf') return 'enumeration'
  return f.kind === 'flag' ? 'flag' : null
}

function faultsOf(name: string, field: Field): string[] {
  const faults: string[] = []
  if (RESERVED.has(name)) faults.push(`${name} is a base field`)
  if (!/^[a-z][A-Za-z0-9]*$/.test(name)) faults.push(`${name} is not a camelCase word, which its column is named after`)
  if (!CLASSES.includes(field.class)) faults.push(`${name} states no class`)
  if (isPlainClass(field) && !plainKind(field)) faults.push(`${name} is ${field.class}, but only ids, times, flags and closed enumerations may be plain`)
  if (field.class === 'secret' && (field.find.length > 0 || field.edit)) faults.push(`${name} is secret: neither found nor edited`)
  if (field.class === 'sensitive' && field.find.some((f) => f !== 'exact')) faults.push(`${name} is sensitive: only an exact match of the full value`)
  if (field.class === 'sensitive' && !field.mask) faults.push(`${name} is sensitive and states no mask`)
  if (field.find.includes('exact') && !['email', 'phone', 'text', 'handle'].includes(field.kind)) faults.push(`${name}: exact is for near-unique text`)
  if (field.find.includes('tail4') && field.kind !== 'phone') faults.push(`${name}: tail4 is for phones`)
  if (field.find.includes('link') !== (field.many && (field.kind === 'ref' || field.kind === 'id'))) faults.push(`${name}: link is for several ids, and several ids are found by nothing else`)
  if (field.many && field.ref?.show) faults.push(`${name}: several links show no name`)
  if (field.kind === 'shape' && field.find.length > 0) faults.push(`${name}: a structure is found by nothing`)
  if (ORDERED.has(field.kind) && field.find.some((f) => f !== 'sort')) faults.push(`${name}: days, numbers and amounts are found by sort only`)
  if (field.fixed && !field.edit) faults.push(`${name} is fixed, but nobody may give it`)
  return faults
}

/** Compared by size, never by text. */
const ORDERED: ReadonlySet<string> = new Set(['date', 'number', 'money'])

/** A row under another record's key must say for good which one that is. */
function hangingFaults<F extends Fields>({ about, fields }: EntityWords<F>): string[] {
  if (about !== 'record') return []
  const { recordKind, recordId } = fields
  const fit = recordKind?.kind === 'oneOf' && isPlainClass(recordKind) && recordKind.fixed && recordId?.kind === 'id' && isPlainClass(recordId) && recordId.fixed && !recordId.optional
  return fit ? [] : ['hangs on a record and needs recordKind (oneOf) and recordId (id), both plain and fixed']
}

function concealFaults<F extends Fields>({ conceal, fields }: EntityWords<F>): string[] {
  if (!conceal) return []
  const link = fields[conceal.while]
  const faults = link?.kind === 'ref' && isPlainClass(link) && link.optional && !link.edit ? [] : [`conceal.while names no plain link that only the program fills: ${conceal.while}`]
  return [...faults, ...conceal.fields.filter((f) => !fields[f] || isPlainClass(fields[f])).map((f) => `conceal names no sealed field: ${f}`)]
}

/** Declares an entity once. Throws at import with everything that is wrong, so a slip never reaches a boot. */
export function defineEntity<const F extends Fields>(name: string, words: EntityWords<F>): Entity<F> {
  const entries = Object.entries(words.fields)
  const faults = entries.flatMap(([n, f]) => faultsOf(n, f))
  faults.push(...hangingFaults(words), ...concealFaults(words))
  if (words.about === 'organisation') faults.push(...entries.filter(([, f]) => f.class === 'personal' || f.class === 'sensitive').map(([n]) => `${n} is of a person, but the organisation's own words hold nobody`))
  for (const own of words.alsoOwn ?? []) if (words.fields[own]?.kind !== 'ref' || !isPlainClass(words.fields[own])) faults.push(`alsoOwn names no plain link: ${own}`)
  const since = words.keep.since
  const times = [...BASE_PLAIN, ...entries.map(([n, f]) => ({ field: n, kind: f.kind }))].filter((f) => f.kind === 'time')
  if (!times.some((f) => f.field === since)) faults.push(`keep.since names no field that is a time: ${since}`)
  if (faults.length > 0) throw new Error(`entity ${name}: ${faults.join('; ')}`)
  const declared = entries.flatMap(([n, f]) => {
    const kind = isPlainClass(f) ? plainKind(f) : null
    return kind ? [{ field: n, column: snake(n), kind }] : []
  })
  declared.sort((a, b) => (a.column < b.column ? -1 : 1)) // the order of writing them down must not decide what old seals open to
  const sealed = (classes: readonly string[]) => entries.filter(([, f]) => classes.includes(f.class)).map(([n]) => n)
  const entity: Entity<F> = Object.freeze({
    ...words,
    name,
    plain: [...BASE_PLAIN, ...declared],
    sealed: { main: sealed(['personal', 'confidential', 'secret']), sensitive: sealed(['sensitive']) },
    ...(words.about === 'record' ? { keyColumn: 'record_id' as const, keyField: 'recordId' as const } : { keyColumn: 'id' as const, keyField: 'id' as const }),
  })
  checkTags(Object.keys(words.fields))
  return entity
}
