import { z, type ZodType } from 'zod'

/** Protection class of a field; the table of classes is in docs/architecture.md. */
export type FieldClass = 'public' | 'internal' | 'confidential' | 'personal' | 'sensitive' | 'secret'

/** How a field can be found: `exact` by blind index, the rest through the lens in memory. `link` is for several ids, `sort` also for ranges. */
export type Find = 'exact' | 'text' | 'pinyin' | 'sort' | 'tail4' | 'link'

export type Kind = 'text' | 'email' | 'phone' | 'handle' | 'oneOf' | 'ref' | 'id' | 'time' | 'date' | 'flag' | 'number' | 'money' | 'shape'

export type Mask = (value: string) => string

export interface FieldWords {
  class: FieldClass
  /** Writable through the API. Silence means no. */
  edit?: true
  /** With `edit`: given when the record is made and never changed after. */
  fixed?: true
  find?: readonly Find[]
  mask?: Mask
  optional?: true
}

/** A declared field. `T` is the value as stored and shown. */
export interface Field<T = unknown> {
  readonly kind: Kind
  readonly class: FieldClass
  readonly edit: boolean
  readonly fixed: boolean
  readonly find: readonly Find[]
  readonly mask: Mask | null
  readonly optional: boolean
  readonly many: boolean
  /** Of `many`: how many at most. */
  readonly most: number | null
  /** For `ref`: the entity referred to, and its field shown and found through this one. */
  readonly ref: { entity: string; show: string | null } | null
  readonly values: readonly string[] | null
  readonly initial: T | null
  /** What the API accepts. */
  readonly input: ZodType
  /** What the API shows. */
  readonly view: ZodType
  /** Phantom: carries T to RecordOf. */
  readonly type?: T
}

export interface EmailValue {
  value: string
  label: string
}
export interface PhoneValue {
  /** E.164, or null when the number does not validate. */
  value: string | null
  typed: string
  digits: string
  extension: string | null
  label: string
  valid: boolean
}
export interface HandleValue {
  kind: string
  value: string
}
/** An amount in minor units (cents, 分) of an ISO 4217 currency. */
export interface MoneyValue {
  minor: number
  currency: string
}

// Control characters other than tab and newline never belong to a value; NUL would also be refused by PostgreSQL's JSON.
const CONTROL = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/
const clean = (max: number) => z.string().max(max).refine((s) => !CONTROL.test(s), { message: 'control-character' })
const label = z.string().max(40).default('')

type Extra<T> = Partial<Pick<Field<T>, 'ref' | 'values' | 'initial' | 'many'>>

function field<T>(kind: Kind, words: FieldWords, input: ZodType, view: ZodType, extra: Extra<T> = {}): Field<T> {
  return {
    kind,
    class: words.class,
    edit: words.edit === true,
    fixed: words.fixed === true,
    find: words.find ?? [],
    mask: words.mask ?? null,
    optional: words.optional === true,
    many: false,
    most: null,
    ref: null,
    values: null,
    initial: null,
    input,
    view,
    ...extra,
  }
}

export function text(max: number, words: FieldWords & { optional: true }): Field<string | null>
export function text(max: number, words: FieldWords): Field<string>
export function text(max: number, words: FieldWords): Field<string> | Field<string | null> {
  const input = words.optional ? clean(max).trim() : clean(max).trim().min(1)
  return field<string>('text', words, input, z.string())
}

export function email(words: FieldWords): Field<EmailValue> {
  return field('email', words, z.strictObject({ value: clean(320).trim().min(1), label }), z.object({ value: z.string(), label: z.string() }))
}

export function phone(words: FieldWords): Field<PhoneValue> {
  const input = z
    .strictObject({
      value: clean(60).nullish(),
      typed: clean(60).optional(),
      extension: clean(20).nullish(),
      label,
      // Sent back by clients that edit what they read; recomputed from `typed`, never believed.
      digits: z.string().max(60).optional(),
      valid: z.boolean().optional(),
    })
    .refine((p) => Boolean(p.value || p.typed), { message: 'phone-empty' })
  const view = z.object({ value: z.string().nullable(), typed: z.string(), digits: z.string(), extension: z.string().nullable(), label: z.string(), valid: z.boolean() })
  return field('phone', words, input, view)
}

export function handle(words: FieldWords): Field<HandleValue> {
  const shape = { kind: z.string().regex(/^[a-z][a-z0-9-]{0,29}$/), value: clean(300).trim().min(1) }
  return field('handle', words, z.strictObject(shape), z.object({ kind: z.string(), value: z.string() }))
}

export function oneOf<const V extends readonly string[]>(values: V, words: FieldWords & { initial?: V[number] }): Field<V[number]> {
  const schema = z.enum(values)
  return field<V[number]>('oneOf', words, schema, schema, { values, initial: words.initial ?? null })
}

/** A link to another record. `show` names the field of the target that is found (text, pinyin) through this one. */
export function ref(entity: string, words: FieldWords & { show?: string; optional: true }): Field<string | null>
export function ref(entity: string, words: FieldWords & { show?: string }): Field<string>
export function ref(entity: string, words: FieldWords & { show?: string }): Field<string> | Field<string | null> {
  return field<string>('ref', words, z.uuid().toLowerCase(), z.uuid(), { ref: { entity, show: words.show ?? null } })
}

/** An instant of our calendar as `toISOString` writes it: the year 0 and years of more than four digits are none, and PostgreSQL takes neither. */
export const isInstant = (iso: string): boolean => iso.length === 24 && iso >= '0001'

/** An instant, ISO 8601 UTC with milliseconds. */
export function time(words: FieldWords): Field<string | null> {
  const iso = z.iso.datetime({ offset: true }).transform((s) => new Date(s).toISOString()).refine(isInstant, { message: 'time-out-of-range' })
  return field<string | null>('time', { ...words, optional: true }, iso, z.string())
}

export function flag(words: FieldWords): Field<boolean> {
  return field('flag', words, z.boolean(), z.boolean(), { initial: false })
}

/** The id of something that is no record of its own: a stage of a pipeline, the record an activity hangs on. */
export function id(words: FieldWords & { optional: true }): Field<string | null>
export function id(words: FieldWords): Field<string>
export function id(words: FieldWords): Field<string> | Field<string | null> {
  return field<string>('id', words, z.uuid().toLowerCase(), z.uuid())
}

/** A calendar day, `YYYY-MM-DD`, in no time zone. */
export function date(words: FieldWords): Field<string | null> {
  return field<string | null>('date', { ...words, optional: true }, z.iso.date().refine((s) => s >= '0001'), z.string())
}

/** A whole number between two bounds, both included. */
export function number(least: number, most: number, words: FieldWords): Field<number | null> {
  return field<number | null>('number', { ...words, optional: true }, z.int().min(least).max(most), z.number())
}

const CURRENCIES: ReadonlySet<string> = new Set(Intl.supportedValuesOf('currency'))

export const isCurrency = (code: string): boolean => CURRENCIES.has(code)

/** A code of ISO 4217. */
export const currencyCode = z.string().refine(isCurrency, { message: 'currency-unknown' })

export function money(words: FieldWords): Field<MoneyValue | null> {
  return field<MoneyValue | null>('money', { ...words, optional: true }, z.strictObject({ minor: z.int(), currency: currencyCode }), z.object({ minor: z.int(), currency: z.string() }))
}

/** A structure of its own (product lines, a recurrence): sealed whole, shown whole, found by nothing. */
export function shape<T>(schema: ZodType<T>, words: FieldWords & { initial?: T }): Field<T | null> {
  return field<T | null>('shape', { ...words, optional: true }, schema, schema, { initial: words.initial ?? null })
}

/** Several values of one field; empty by default. */
export function many<T>(of: Field<T>, maxItems = 50): Field<NonNullable<T>[]> {
  return { ...of, many: true, most: maxItems, optional: true, initial: [], input: z.array(of.input).max(maxItems), view: z.array(of.view) } as unknown as Field<NonNullable<T>[]> // the phantom type is all that differs
}

/** `+8613812345678` and `13812345678` → `138****5678`: the first three and last four digits as people say them; short values are hidden whole. */
export const middle: Mask = (value) => {
  const national = value.replace(/^\+(?:86|1)(?=\d{10})/, '').replace(/^\+/, '')
  if (national.length < 8) return '****'
  return `${national.slice(0, 3)}****${national.slice(-4)}`
}

/** Shows the last `n` characters only, and none of a value of which that would be more than half. */
export const lastDigits = (n: number): Mask => (value) => (value.length < 2 * n ? '****' : `****${value.slice(-n)}`)

/** Shows nothing but that there is a value. */
export const whole: Mask = () => '****'
