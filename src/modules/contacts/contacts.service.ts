import { z } from 'zod'
import { Problem } from '../../kernel/base/index.ts'
import type { Desk } from '../../kernel/work/types.ts'
import { companyNamed } from '../companies/index.ts'
import { createRecord, type RecordsDeps, type Slice, type Written } from '../records/index.ts'

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
