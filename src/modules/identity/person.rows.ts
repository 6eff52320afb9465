import { createHash } from 'node:crypto'
import { lengthPrefixed, type Locale } from '../../kernel/base/index.ts'
import type { Authority, DepartmentRow, Part } from '../access/index.ts'
import { checkDepartment, instant } from '../access/index.ts'

export type FactorKind = 'password' | 'totp' | 'recovery' | 'reset'
export type FactorState = 'pending' | 'active' | 'retired'

export interface Factor {
  id: string
  personId: string
  kind: FactorKind
  state: FactorState
  version: number
  data: Buffer
  lastStep: number | null
  setBy: string
  createdAt: string
}

export interface RoleRow {
  role: string
  grantedBy: string
  grantedAt: string
}

/** A colleague with everything that decides what they may do, as read in one statement and checked. */
export interface Person {
  id: string
  version: number
  departmentId: string
  disabledAt: string | null
  locale: Locale
  sessionEpoch: number
  tokenEpoch: number
  administratorUntil: string | null
  emailBlind: Buffer
  sealed: Buffer
  createdAt: string
  updatedAt: string
  roles: readonly RoleRow[]
  factors: readonly Factor[]
}

/** A person, with the departments from theirs downwards and the epoch of that moment. */
export interface LoadedPerson extends Person {
  below: readonly string[]
  epoch: number
}

type InJson<T> = { [K in keyof T]: T[K] extends Buffer ? string : T[K] } & { mac: string }

export interface PersonRow extends Omit<Person, 'roles' | 'factors'> {
  factorDigest: Buffer
  mac: Buffer
  roles: readonly InJson<RoleRow>[]
  factors: readonly InJson<Factor>[]
  departments: readonly InJson<DepartmentRow>[]
  epoch: number
}

const FACTORS = `SELECT coalesce(json_agg(json_build_object('id', f.id, 'personId', f.person_id, 'kind', f.kind, 'state', f.state, 'version', f.version,
  'data', encode(f.data, 'hex'), 'lastStep', f.last_step, 'setBy', f.set_by, 'createdAt', f.created_at, 'mac', encode(f.mac, 'hex'))), '[]')
  FROM factor f WHERE f.person_id = p.id`
const ROLES = `SELECT coalesce(json_agg(json_build_object('role', r.role, 'grantedBy', r.granted_by, 'grantedAt', r.granted_at, 'mac', encode(r.mac, 'hex'))), '[]')
  FROM person_role r WHERE r.person_id = p.id`
// UNION, not UNION ALL: a circle planted in the table ends the recursion instead of running for ever; its MACs then fail.
const DEPARTMENTS = `WITH RECURSIVE tree(id) AS (SELECT p.department_id UNION SELECT c.id FROM department c JOIN tree t ON c.parent_id = t.id)
  SELECT coalesce(json_agg(json_build_object('id', d.id, 'organisationId', d.organisation_id, 'parentId', d.parent_id, 'version', d.version,
  'createdAt', d.created_at, 'mac', encode(d.mac, 'hex'))), '[]') FROM department d JOIN tree USING (id)`

/** What a person row and its roles say, without factors and departments: for lists and for judging a change. */
export const LISTED_COLUMNS = `p.id, p.version, p.department_id AS "departmentId", p.disabled_at AS "disabledAt", p.locale, p.session_epoch AS "sessionEpoch", p.token_epoch AS "tokenEpoch",
  p.administrator_until AS "administratorUntil", p.factor_digest AS "factorDigest", p.email_blind AS "emailBlind", p.sealed,
  p.created_at AS "createdAt", p.updated_at AS "updatedAt", p.mac, (${ROLES}) AS roles`

/** The columns of `person p` for a PersonRow: one statement, so one moment. */
export const PERSON_COLUMNS = `${LISTED_COLUMNS}, (${FACTORS}) AS factors, (${DEPARTMENTS}) AS departments, (SELECT epoch FROM authority_epoch) AS epoch`

/** Over the set of factors: which there are and whether each is in use. A deleted second factor changes it, a used TOTP step does not. */
export function factorDigest(factors: readonly Factor[]): Buffer {
  const words = factors.map((f) => `${f.id} ${f.kind} ${f.state}`).sort()
  return createHash('sha256').update(lengthPrefixed(words)).digest()
}

export function personParts(p: Omit<Person, 'factors'>, digest: Buffer): Part[] {
  const roles = p.roles.map((r) => r.role).sort()
  return [
    p.id, p.version, p.departmentId, instant(p.disabledAt), p.locale, p.sessionEpoch, p.tokenEpoch, instant(p.administratorUntil),
    digest, p.emailBlind, instant(p.createdAt), instant(p.updatedAt), lengthPrefixed(roles),
  ]
}

export const roleParts = (personId: string, r: RoleRow): Part[] => [personId, r.role, r.grantedBy, instant(r.grantedAt)]

export const factorParts = (f: Factor): Part[] => [f.id, f.personId, f.kind, f.state, f.version, f.data, f.lastStep, f.setBy, instant(f.createdAt)]

const hex = (s: string): Buffer => Buffer.from(s, 'hex')

export type ListedRow = Omit<PersonRow, 'factors' | 'departments' | 'epoch'>
export type ListedPerson = Omit<Person, 'factors'>

/** Checks the row and its roles. Throws Problem seal-broken. */
export function checkedListed(authority: Authority, row: ListedRow): ListedPerson {
  const { mac, factorDigest: digest, roles, ...columns } = row
  authority.check('person', row.id, personParts({ ...columns, roles }, digest), mac)
  for (const r of roles) authority.check('person_role', row.id, roleParts(row.id, r), hex(r.mac))
  return { ...columns, roles: roles.map(({ role, grantedBy, grantedAt }) => ({ role, grantedBy, grantedAt })) }
}

/** Checks every MAC of a loaded person. Throws Problem seal-broken. */
export function checkedPerson(authority: Authority, row: PersonRow): LoadedPerson {
  const { departments, epoch, factors, ...listed } = row
  const person = checkedListed(authority, listed)
  const checked = factors.map(({ mac: factorMac, ...f }): Factor => {
    const factor = { ...f, data: hex(f.data) }
    authority.check('factor', f.id, factorParts(factor), hex(factorMac))
    return factor
  })
  if (!factorDigest(checked).equals(row.factorDigest)) authority.tampered('factor', row.id)
  for (const d of departments) checkDepartment(authority, { ...d, mac: hex(d.mac) })
  if (!departments.some((d) => d.id === row.departmentId)) authority.tampered('department', row.departmentId)
  return { ...person, factors: checked, below: departments.map((d) => d.id).filter((id) => id !== row.departmentId), epoch }
}
