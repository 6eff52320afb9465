import type { CountryCode } from 'libphonenumber-js/max'
import { Problem } from '../../kernel/base/index.ts'
import type { EmailValue, Entity, PhoneValue } from '../../kernel/entity/index.ts'
import type { SliceWords } from '../records/index.ts'
import { normaliseEmail } from './email.ts'
import { parsePhone } from './phone.ts'

interface PhoneInput {
  value?: string | null
  typed?: string
  extension?: string | null
  label: string
}

function phoneOf(input: PhoneInput, country: CountryCode): PhoneValue {
  // `typed` is what a person wrote; a client that sends only `value` has nothing else to keep.
  const parsed = parsePhone(input.typed || input.value || '', country)
  return { value: parsed.value, typed: parsed.typed, digits: parsed.digits, extension: parsed.extension ?? input.extension ?? null, label: input.label, valid: parsed.valid }
}

const phoneKey = (p: PhoneValue): string => `${p.value ?? p.digits}x${p.extension ?? ''}`

function distinct<T>(items: readonly T[], key: (item: T) => string): T[] {
  return [...new Map(items.map((i) => [key(i), i])).values()]
}

/** Stored shape of what was typed: numbers parsed for the organisation's country, addresses normalised, repeats dropped. */
function normalisePoints(input: Record<string, unknown>, country: CountryCode): Record<string, unknown> {
  const out = { ...input }
  if (Array.isArray(input['phones'])) out['phones'] = distinct((input['phones'] as PhoneInput[]).map((p) => phoneOf(p, country)), phoneKey)
  if (Array.isArray(input['emails'])) {
    const emails = (input['emails'] as EmailValue[]).map((e, i) => ({ ...e, value: emailOrRefuse(e.value, i) }))
    out['emails'] = distinct(emails, (e) => e.value)
  }
  return out
}

function emailOrRefuse(typed: string, i: number): string {
  const value = normaliseEmail(typed)
  if (value === null) throw new Problem('invalid', { errors: [{ path: `emails.${i}.value`, code: 'email-invalid' }] })
  return value
}

/** A phone may be asked for as typed anywhere in the world; the index holds E.164, or bare digits where it did not validate. */
function formsOf(field: string, value: string, country: CountryCode): string[] {
  if (field === 'emails') return [normaliseEmail(value) ?? value]
  if (field !== 'phones') return [value]
  const parsed = parsePhone(value, country)
  return [...new Set([parsed.value ?? parsed.digits, parsed.digits])]
}

/** The words of a noun with `phones` and `emails`. `country`: ISO 3166 code that bare phone numbers are read in. */
export const contactPointWords = (entity: Entity, country: () => CountryCode): SliceWords => ({
  entity,
  normalise: (input) => normalisePoints(input, country()),
  exactForms: (field, value) => formsOf(field, value, country()),
})
