import { z } from 'zod'
import { Problem } from '../../kernel/base/index.ts'
import type { EmailValue, PhoneValue } from '../../kernel/entity/index.ts'
import type { Desk } from '../../kernel/work/types.ts'
import { companyNamed } from '../companies/index.ts'
import { createRecord, type RecordsDeps, type Slice, type SliceWords, type Written } from '../records/index.ts'
import { Contact } from './contacts.entity.ts'
import { normaliseEmail } from './email.ts'
import type { CountryCode } from 'libphonenumber-js/max'
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

/** Stored shape of a contact's input: numbers parsed for the organisation's country, addresses normalised, repeats dropped. */
function normaliseContact(input: Record<string, unknown>, country: CountryCode): Record<string, unknown> {
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

export const contactWords = (country: () => CountryCode): SliceWords => ({
  entity: Contact,
  normalise: (input) => normaliseContact(input, country()),
  exactForms: (field, value) => formsOf(field, value, country()),
})

/** Besides its fields, a new contact may name its company. */
export const createExtra = { companyName: z.string().trim().min(1).max(200).optional() }

export async function createContact(desk: Desk, deps: RecordsDeps, slice: Slice, body: Record<string, unknown>): Promise<Written> {
  const { companyName, ...fields } = body
  if (typeof companyName !== 'string') return createRecord(desk, deps, slice, fields)
  if (fields['companyId']) throw new Problem('invalid', { errors: [{ path: 'companyName', code: 'either-or' }] })
  const companies = deps.slices.get('company')
  if (!companies) throw new Error('contacts need companies')
  return createRecord(desk, deps, slice, { ...fields, companyId: await companyNamed(desk, deps, companies, companyName) })
}
