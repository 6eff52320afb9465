import type { Entity } from './entity.ts'
import { tagOf } from './tags.ts'
import type { EmailValue, Field, HandleValue, MoneyValue, PhoneValue } from './fields.ts'

/**
 * The compact JSON inside a sealed compartment. A field is named by two characters made from its name, and contact points
 * are short arrays: names and punctuation would otherwise be half of what is sealed, and push most rows into the next padding bucket.
 */
interface Codec {
  tagOf: ReadonlyMap<string, string>
  fieldOf: ReadonlyMap<string, string>
}

const codecs = new WeakMap<Entity, Codec>()

function codecOf(entity: Entity): Codec {
  let codec = codecs.get(entity)
  if (!codec) {
    const tags = Object.keys(entity.fields).map((name): [string, string] => [name, tagOf(name)])
    codec = { tagOf: new Map(tags), fieldOf: new Map(tags.map(([name, tag]) => [tag, name])) }
    codecs.set(entity, codec)
  }
  return codec
}

const digitsIn = (text: string): string => text.replace(/\D/g, '')

type Short = string | number | boolean | null | Short[]

function shortPhone(p: PhoneValue): Short {
  const typed = p.typed === p.value ? '' : p.typed
  const all = digitsIn(p.typed)
  const derived = p.extension ? all.slice(0, all.length - p.extension.length) : all
  // '' means "as derived"; where there are truly none although some were typed, that is said by a zero.
  const digits = p.digits === derived ? '' : p.digits || 0
  const parts: Short[] = [p.value ?? 0, typed, p.label, p.extension ?? '', digits, p.valid === (p.value !== null) ? '' : p.valid]
  while (parts.length > 1 && parts.at(-1) === '') parts.pop()
  return parts
}

function longPhone(s: Short): PhoneValue {
  const [value, typed, label, extension, digits, valid] = s as (string | number | boolean | undefined)[] // what shortPhone made
  const e164 = typeof value === 'string' ? value : null
  const text = String(typed || (e164 ?? ''))
  const ext = extension ? String(extension) : null
  const all = digitsIn(text)
  const derived = ext ? all.slice(0, all.length - ext.length) : all
  return { value: e164, typed: text, digits: digits === 0 ? '' : digits ? String(digits) : derived, extension: ext, label: String(label ?? ''), valid: typeof valid === 'boolean' ? valid : e164 !== null }
}

function shorten(f: Field, value: unknown): Short {
  if (f.kind === 'phone') return shortPhone(value as PhoneValue) // the kind says what the value is
  if (f.kind === 'email') return (value as EmailValue).label ? [(value as EmailValue).value, (value as EmailValue).label] : (value as EmailValue).value
  if (f.kind === 'handle') return [(value as HandleValue).kind, (value as HandleValue).value]
  if (f.kind === 'money') return [(value as MoneyValue).minor, (value as MoneyValue).currency]
  return value as Short // text, numbers, flags and times are JSON as they are
}

function lengthen(f: Field, s: Short): unknown {
  if (f.kind === 'phone') return longPhone(s)
  if (f.kind === 'email') return Array.isArray(s) ? { value: s[0], label: s[1] } : { value: s, label: '' }
  if (f.kind === 'handle') return Array.isArray(s) ? { kind: s[0], value: s[1] } : null
  if (f.kind === 'money') return Array.isArray(s) ? { minor: s[0], currency: s[1] } : null
  return s
}

const isEmpty = (v: unknown): boolean => v === null || v === undefined || v === '' || (Array.isArray(v) && v.length === 0)

/** The filled ones of these fields, ready to be sealed. */
export function encodeFields(entity: Entity, fields: readonly string[], record: Readonly<Record<string, unknown>>): Record<string, Short> {
  const codec = codecOf(entity)
  const out: Record<string, Short> = {}
  for (const name of fields) {
    const value = record[name]
    const f = entity.fields[name]
    if (f && !isEmpty(value)) out[codec.tagOf.get(name)!] = f.many ? (value as unknown[]).map((v) => shorten(f, v)) : shorten(f, value)
  }
  return out
}

/** The inverse of encodeFields. A tag no field has (the field was retired) is left out. */
export function decodeFields(entity: Entity, encoded: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const { fieldOf } = codecOf(entity)
  const out: Record<string, unknown> = {}
  for (const [t, value] of Object.entries(encoded)) {
    const name = fieldOf.get(t)
    const f = name === undefined ? undefined : entity.fields[name]
    if (name !== undefined && f) out[name] = f.many ? (value as Short[]).map((s) => lengthen(f, s)) : lengthen(f, value as Short)
  }
  return out
}
