import type { AnyRecord, EmailValue, HandleValue, PhoneValue } from '../../kernel/entity/index.ts'
import { normalise } from '../../kernel/lens/index.ts'
import { most } from './draft.ts'
import type { ContactDraft } from './row.ts'

export type MatchKey = 'email' | 'phone'

const nameKey = (name: unknown): string => normalise(String(name ?? '')).replaceAll(' ', '')

/**
 * Sharing an address or a number is not enough: mailboxes and switchboards are shared, and two people of the same name stay
 * two. A row is the same person when it shares a contact point and the names agree, or one of the two has none.
 */
export function sameName(a: unknown, b: unknown): boolean {
  const [x, y] = [nameKey(a), nameKey(b)]
  return x === '' || y === '' || x === y
}

const union = <T>(have: readonly T[], more: readonly T[], key: (item: T) => string): T[] => {
  const known = new Set(have.map(key))
  return [...have, ...more.filter((item) => !known.has(key(item)))]
}

const SCALARS = ['title', 'city', 'note', 'nationalId'] as const

/**
 * What a row adds to a record: contact points, handles, tags and channels are joined; single values replace what stands
 * there in an update, and only fill what is empty when rows of one file are merged. An empty cell never takes anything away.
 */
export function additions(record: AnyRecord, draft: ContactDraft, companyId: string | null, replace: boolean): Record<string, unknown> {
  const patch: Record<string, unknown> = {}
  const put = (field: string, value: unknown): void => {
    const stands = record[field] ?? null
    if (value === null || value === '' || value === stands) return
    if (replace || stands === null || stands === '') patch[field] = value
  }
  for (const f of SCALARS) put(f, draft[f])
  put('companyId', companyId)
  if (draft.stage !== 'active') put('stage', draft.stage)
  if (!record['fullName']) put('fullName', draft.fullName)
  if (!record['source']) put('source', draft.source)
  if (!record['collectedAt']) put('collectedAt', draft.collectedAt)
  joinLists(record, draft, patch)
  const custom = Object.entries(draft.custom).filter(([k, v]) => v !== record.custom[k] && (replace || (record.custom[k] ?? null) === null))
  if (custom.length > 0) patch['custom'] = Object.fromEntries(custom)
  return patch
}

function joinLists(record: AnyRecord, draft: ContactDraft, patch: Record<string, unknown>): void {
  const join = <T>(field: string, more: readonly T[], key: (item: T) => string, limit = Number.POSITIVE_INFINITY): void => {
    const have = (record[field] ?? []) as T[] // the entity's type of this field
    // Rows that come again and again must not grow a record beyond what a person could save.
    const all = union(have, more, key).slice(0, Math.max(limit, have.length))
    if (all.length > have.length) patch[field] = all
  }
  join<EmailValue>('emails', draft.emails, (e) => e.value, most.emails)
  join<PhoneValue>('phones', draft.phones, (p) => `${p.value ?? p.digits}x${p.extension ?? ''}`, most.phones)
  join<HandleValue>('handles', draft.handles, (h) => `${h.kind}:${h.value}`, most.handles)
  join<string>('tags', draft.tags, (t) => t, most.tags)
  join<string>('doNotContact', draft.doNotContact, (c) => c)
}

/** A patch without some of its fields; custom ones are named `custom.key`. */
export function without(patch: Record<string, unknown>, names: readonly string[]): Record<string, unknown> {
  if (names.length === 0) return patch
  const left = new Set(names)
  const { custom, ...fields } = patch
  const out = Object.fromEntries(Object.entries(fields).filter(([name]) => !left.has(name)))
  const kept = Object.entries((custom ?? {}) as Record<string, unknown>).filter(([key]) => !left.has(`custom.${key}`)) // additions made it an object
  return kept.length > 0 ? { ...out, custom: Object.fromEntries(kept) } : out
}
