import { Problem, uuidv7 } from '../../kernel/base/index.ts'
import type { AnyRecord } from '../../kernel/entity/index.ts'
import { normalise } from '../../kernel/lens/index.ts'
import type { Actor, Desk, Work } from '../../kernel/work/types.ts'
import { fieldsOn, rightsOf, rowCondition } from '../access/index.ts'
import { companiesNamed } from '../companies/index.ts'
import { changeRecord, checkedNew, insertRecord, openOne, sliceFor, type RecordsDeps, type Slice, type Written } from '../records/index.ts'
import { Lead } from './leads.entity.ts'

type Fields = Record<string, unknown>

/** An existing record by id, the fields of a new one, null for none; left out: as the lead says. */
export interface ConvertBody {
  company?: Fields | null | undefined
  contact?: Fields | null | undefined
  deal?: Fields | null | undefined
}

/** What is made, and where it came from. `id` of one that is there, or of the one to be made. */
interface Target {
  noun: 'company' | 'contact' | 'deal'
  id: string
  fresh: Fields | null
}

const CARRIED = {
  contact: ['fullName', 'title', 'emails', 'phones', 'handles', 'city', 'note', 'source', 'tags', 'collectedAt', 'doNotContact'],
  company: ['city', 'source'],
  deal: ['source'],
} as const

const isEmpty = (v: unknown): boolean => v === null || v === undefined || v === '' || (Array.isArray(v) && v.length === 0)
const opens = (right: string | undefined): boolean => right === 'read' || right === 'edit'

/**
 * What the lead gives to a new record. Never more than its reader sees: a value masked in the lead goes only where it is masked as well, a
 * hidden one nowhere; it stays in the lead.
 */
function carried(actor: Actor, deps: RecordsDeps, slice: Slice, lead: AnyRecord, noun: Target['noun']): Fields {
  const from = fieldsOn(rightsOf(Lead, actor, deps.customFields(Lead.name)), lead)
  const to = rightsOf(slice.entity, actor, deps.customFields(slice.entity.name)).fields
  const out: Fields = {}
  for (const field of CARRIED[noun]) {
    const [given, taken] = [from.get(field)?.right, to.get(field)?.right]
    const fits = opens(given) ? taken === 'edit' || taken === 'masked' : given === 'masked' && taken === 'masked'
    if (fits && !isEmpty(lead[field])) out[field] = lead[field]
  }
  return out
}

function targetOf(desk: Desk, deps: RecordsDeps, lead: AnyRecord, noun: Target['noun'], asked: Fields | null | undefined, standard: Fields): Target | null {
  if (asked === null) return null
  if (typeof asked?.['id'] === 'string') return { noun, id: asked['id'], fresh: null }
  const slice = sliceFor(deps, noun)
  const given = checkedNew(desk.actor, deps, slice, { ...asked })
  const known = carried(desk.actor, deps, slice, lead, noun)
  return { noun, id: uuidv7(), fresh: { ownerId: lead.ownerId, ...standard, ...known, ...given } }
}

/** Of the name the lead gives, within the actor's sight; a new one when there is none. */
async function companyTarget(desk: Desk, deps: RecordsDeps, lead: AnyRecord, asked: Fields | null | undefined): Promise<Target | null> {
  const right = fieldsOn(rightsOf(Lead, desk.actor), lead).get('companyName')?.right
  const name = opens(right) && typeof lead['companyName'] === 'string' ? lead['companyName'] : null
  if (asked === undefined && name === null) return null
  if (asked === undefined && name !== null) {
    const found = (await companiesNamed(desk, sliceFor(deps, 'company'), [name])).get(normalise(name))
    if (found) return { noun: 'company', id: found, fresh: null }
  }
  return targetOf(desk, deps, lead, 'company', asked ?? {}, name === null ? {} : { name })
}

async function planOf(desk: Desk, deps: RecordsDeps, lead: AnyRecord, body: ConvertBody): Promise<Target[]> {
  const company = body.company === null ? null : await companyTarget(desk, deps, lead, body.company)
  const link = company ? { companyId: company.id } : {}
  const contact = targetOf(desk, deps, lead, 'contact', body.contact, link)
  const seen = fieldsOn(rightsOf(Lead, desk.actor), lead)
  const title = ['companyName', 'fullName'].filter((name) => opens(seen.get(name)?.right)).map((name) => lead[name]).find((v) => !isEmpty(v))
  const deal = body.deal === undefined ? null : targetOf(desk, deps, lead, 'deal', body.deal, { ...link, ...(contact ? { contactIds: [contact.id] } : {}), ...(title ? { title } : {}) })
  return [company, contact, deal].filter((t) => t !== null)
}

/** Makes a target, or looks whether the one that is named is there for the actor. */
async function settle(work: Work, deps: RecordsDeps, target: Target): Promise<void> {
  const slice = sliceFor(deps, target.noun)
  if (target.fresh) return void (await insertRecord(work, deps, slice, { id: target.id, input: target.fresh }))
  if (!(await slice.store.find(work.sql, target.id, rowCondition(work.actor, slice.entity, 'read')))) throw new Problem('invalid', { errors: [{ path: `${target.noun}.id`, code: 'not-found' }] })
}

/** Company, contact and deal are made, and the lead says so, in one transaction, each by the same gate as if it were made by itself. Throws Problem lead-converted. */
export async function convertLead(desk: Desk, deps: RecordsDeps, slice: Slice, id: string, body: ConvertBody): Promise<Written> {
  const { record: lead } = await openOne(desk, slice, id, rowCondition(desk.actor, Lead, 'read'))
  if (lead['status'] === 'converted') throw new Problem('lead-converted')
  if (lead['poolId'] !== null) throw new Problem('permission-missing')
  const targets = await planOf(desk, deps, lead, body)
  if (targets.length === 0) throw new Problem('invalid', { errors: [{ path: 'contact', code: 'required' }] })
  await desk.vault.createOwnerKeys(targets.filter((t) => t.fresh).map((t) => t.id))
  return desk.write(async (work) => {
    for (const target of targets) await settle(work, deps, target)
    const links = Object.fromEntries(targets.map((t) => [`${t.noun}Id`, t.id]))
    const next = { ...links, status: 'converted', convertedAt: work.at.toISOString(), claimedPoolId: null, claimedAt: null }
    // The version that was read: what is carried along is what stands in the lead.
    const written = await changeRecord(work, deps, slice, { id, version: lead.version, action: 'edit', event: 'lead.converted', next: () => next, note: links })
    work.answers({ id: written.record.id, version: written.record.version }, written.record.version)
    return written
  })
}
