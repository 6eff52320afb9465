import type { Entity, FieldClass } from '../../../src/kernel/entity/index.ts'

// The policy once more, told from docs/architecture.md (Gate, Entities) and the table of roles, in as few words as it takes and with none of the
// code that enforces it. A noun that is not in these lists is expected closed to everybody: whoever adds one says here for whom it is.

export type Scope = 'none' | 'own' | 'team' | 'all'
export type Right = 'hidden' | 'masked' | 'shown'

export interface Policy {
  /** By noun. */
  read: Readonly<Record<string, Scope>>
  export: Readonly<Record<string, Scope>>
  classes: Readonly<Partial<Record<FieldClass, Right>>>
  /** Nouns whose masked fields may be revealed. */
  reveals: readonly string[]
  /** Nouns that may be claimed from a pool. */
  claims: readonly string[]
}

/** What belongs to customers, and what is the organisation's own. */
export const CUSTOMERS = ['contact', 'company', 'lead', 'deal', 'contract', 'activity', 'attachment']
export const ORGANISATION = ['pipeline', 'rate', 'pool', 'score-rule', 'tag']

const of = (nouns: readonly string[], scope: Scope): Record<string, Scope> => Object.fromEntries(nouns.map((n) => [n, scope]))
const open: Policy['classes'] = { public: 'shown', internal: 'shown', confidential: 'shown', personal: 'shown', sensitive: 'masked' }

/** The built-in roles: one's own customers; the department's and those below; numbers only; no customers at all. */
export const POLICIES: Readonly<Record<string, Policy>> = {
  rep: { read: { ...of(CUSTOMERS, 'own'), ...of(ORGANISATION, 'all') }, export: {}, classes: open, reveals: [], claims: ['lead', 'company'] },
  manager: { read: { ...of(CUSTOMERS, 'team'), ...of(ORGANISATION, 'all') }, export: of(CUSTOMERS, 'team'), classes: open, reveals: ['contact', 'company', 'lead'], claims: ['lead', 'company'] },
  analyst: { read: of(['pipeline', 'rate', 'tag'], 'all'), export: {}, classes: open, reveals: [], claims: [] },
  administrator: { read: of(ORGANISATION, 'all'), export: {}, classes: open, reveals: [], claims: [] },
}

/** A token of one scope has that and nothing else of its person. */
export function narrowed(policy: Policy, noun: string): Policy {
  return { ...policy, read: { [noun]: policy.read[noun] ?? 'none' }, export: {}, reveals: [], claims: [] }
}

export interface Someone {
  id: string
  departmentId: string
  /** Their department and those below it. */
  team: readonly string[]
}

export interface Thing {
  noun: string
  id: string
  ownerId: string
  departmentId: string
  assigneeId: string | null
  /** The record it hangs on. */
  parent: Thing | null
  /** Departments that may claim it, where it lies in a pool. */
  pool: readonly string[] | null
}

/** One's own is what one owns, and the task one was given. */
function within(scope: Scope | undefined, who: Someone, thing: Thing): boolean {
  const own = thing.ownerId === who.id || thing.assigneeId === who.id
  if (scope === 'all') return true
  if (scope === 'team') return own || who.team.includes(thing.departmentId)
  return scope === 'own' && own
}

/**
 * What hangs on a record is seen by whoever sees the record, and by the person it is given to; what hangs on one in a pool by nobody else. What lies in a
 * pool is seen by those who may claim it, as well.
 */
export function sees(policy: Policy, who: Someone, thing: Thing): boolean {
  const scope = policy.read[thing.noun]
  if (thing.parent && (scope ?? 'none') !== 'none') return thing.assigneeId === who.id || (thing.parent.pool === null && sees(policy, who, thing.parent))
  const claimable = thing.pool !== null && (scope ?? 'none') !== 'none' && policy.claims.includes(thing.noun) && thing.pool.includes(who.departmentId)
  return claimable || within(scope, who, thing)
}

export function takesOut(policy: Policy, who: Someone, thing: Thing): boolean {
  return sees(policy, who, thing) && within(policy.export[thing.noun], who, thing)
}

export const rightTo = (policy: Policy, fieldClass: FieldClass): Right => (fieldClass === 'secret' ? 'hidden' : (policy.classes[fieldClass] ?? 'hidden'))

/** Contact details that nobody sees of a record in a pool; sensitive ones and custom fields of persons are among them always. */
const CONCEALED: Readonly<Record<string, readonly string[]>> = {
  lead: ['emails', 'phones', 'handles', 'note'],
  company: ['phones', 'website', 'address', 'note'],
}

export function isConcealed(thing: Thing, field: string, fieldClass: FieldClass): boolean {
  if (thing.pool === null) return false
  return CONCEALED[thing.noun]!.includes(field) || fieldClass === 'sensitive' || (field.startsWith('custom.') && fieldClass === 'personal')
}

export const classOf = (entity: Entity, field: string): FieldClass => entity.fields[field]!.class
