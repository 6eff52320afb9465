import { lensRow, type RecordForLens } from './project.ts'
import { openLens } from './engine.ts'
import type { Lens, LensColumn, LensQuery, LensRow, LensTable } from './types.ts'

const column = (name: string, field: string, use: LensColumn['use'], type: LensColumn['type'] = 'text', many = false): LensColumn => ({ name, field, use, type, many })

/** A table like the one contacts have, used by the tests and the bench. */
export const contacts: LensTable = {
  entity: 'contact',
  columns: [
    column('owner_id', 'ownerId', 'plain', 'uuid'),
    column('department_id', 'departmentId', 'plain', 'uuid'),
    column('stage', 'stage', 'plain'),
    column('created_at', 'createdAt', 'plain', 'time'),
    column('updated_at', 'updatedAt', 'plain', 'time'),
    column('full_name', 'fullName', 'text'),
    column('full_name__pinyin', 'fullName', 'pinyin'),
    column('full_name__initials', 'fullName', 'initials'),
    column('full_name__sort', 'fullName', 'sort'),
    column('emails', 'emails', 'text', 'text', true),
    column('phones__tail4', 'phones', 'tail4', 'text', true),
    column('company', 'company', 'text'),
    column('company__pinyin', 'company', 'pinyin'),
    column('title', 'title', 'text'),
    column('city', 'city', 'text'),
    column('tags', 'tags', 'text', 'text', true),
    column('source', 'source', 'text'),
    column('score', 'score', 'plain', 'integer'),
    column('vip', 'vip', 'plain', 'boolean'),
  ],
}

export const EVERYTHING = { and: [] } as const
export const TEXT_FIELDS: readonly string[] = ['fullName', 'emails', 'phones', 'company', 'title', 'city', 'tags', 'source']

/** The n-th id; later ones sort after earlier ones. */
export function id(n: number): string {
  return `01900000-0000-7000-8000-${n.toString(16).padStart(12, '0')}`
}

export function row(n: number, fields: RecordForLens['fields'], rest: Partial<RecordForLens> = {}): LensRow {
  return lensRow(contacts, { id: id(n), version: 1, fields: { createdAt: new Date(Date.UTC(2026, 0, 1) + n * 1000).toISOString(), ...fields }, ...rest })
}

export async function opened(rows: readonly LensRow[] = [], memoryLimitMb = 256): Promise<Lens> {
  const lens = await openLens({ tables: [contacts], memoryLimitMb })
  if (rows.length > 0) await lens.apply('contact', rows)
  return lens
}

export function query(parts: Partial<LensQuery> = {}): LensQuery {
  return { entity: 'contact', scope: EVERYTHING, sort: [], limit: 50, count: true, ...parts }
}

export function find(terms: string, parts: Partial<LensQuery> = {}, fields: readonly string[] = TEXT_FIELDS): LensQuery {
  return query({ text: { terms, fields }, ...parts })
}

/** The small numbers behind ids. */
export function numbers(ids: readonly string[]): number[] {
  return ids.map((each) => Number.parseInt(each.slice(24), 16))
}
