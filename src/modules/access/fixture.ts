import { defineEntity, email, flag, lastDigits, many, middle, oneOf, phone, ref, text, time, type AnyRecord, type CustomFieldWords } from '../../kernel/entity/index.ts'
import { compileGrants } from './grants.ts'
import { BUILT_IN_ROLES, entityPermissions, roleRegistry, type Role, type RoleRegistry } from './roles.ts'
import type { Actor } from '../../kernel/work/types.ts'

/** An entity with every kind of field, for the tests of this module: the gate must hold for any entity, not for contacts alone. */
export const Client = defineEntity('contact', {
  plural: 'contacts',
  table: 'client',
  about: 'person',
  keep: { years: 3, since: 'lastSeenAt' },
  fields: {
    fullName: text(200, { class: 'personal', edit: true, find: ['text', 'pinyin', 'sort'] }),
    emails: many(email({ class: 'personal', edit: true, find: ['exact', 'text'] })),
    phones: many(phone({ class: 'personal', edit: true, find: ['exact', 'tail4'], mask: middle })),
    nationalId: text(32, { class: 'sensitive', edit: true, find: ['exact'], mask: lastDigits(4), optional: true }),
    salary: text(32, { class: 'confidential', edit: true, optional: true }),
    source: text(80, { class: 'confidential', edit: true, find: ['text'], optional: true }),
    companyId: ref('company', { class: 'internal', edit: true, show: 'name', optional: true }),
    stage: oneOf(['active', 'dormant', 'former'], { class: 'internal', edit: true, initial: 'active' }),
    vip: flag({ class: 'internal', edit: true }),
    lastSeenAt: time({ class: 'internal' }),
    pin: text(20, { class: 'secret', optional: true }),
  },
})

export const Firm = defineEntity('company', {
  plural: 'companies',
  table: 'firm',
  about: 'container',
  keep: { years: 3, since: 'updatedAt' },
  fields: { name: text(200, { class: 'confidential', edit: true, find: ['text', 'pinyin', 'sort'] }) },
})

export const CUSTOM: readonly CustomFieldWords[] = [
  { key: 'hobby', type: 'text', class: 'personal', find: ['text'] },
  { key: 'bank', type: 'text', class: 'sensitive', find: ['exact'] },
  { key: 'size', type: 'number', class: 'confidential', find: ['exact'] },
  { key: 'silent', type: 'text', class: 'confidential', find: [] },
]

export const PERMISSIONS = [
  'users:read', 'users:manage', 'departments:read', 'departments:manage', 'tokens:create', 'tokens:manage', 'approvals:decide',
  'custom-fields:read', 'custom-fields:manage', 'ledger:read', 'ledger:export', 'keys:read', 'keys:manage', ...Object.keys(entityPermissions([Client, Firm])),
]

const KNOWN = [Client.name, Firm.name]

/** The built-in roles, as far as they speak of the two nouns here. */
export const ROLES: readonly Role[] = BUILT_IN_ROLES.map((r) => ({
  ...r,
  entities: Object.fromEntries(Object.entries(r.entities).filter(([name]) => KNOWN.includes(name))),
  permissions: r.permissions.filter((p) => PERMISSIONS.includes(p)),
}))

export const registryWith = (...roles: Role[]): RoleRegistry => roleRegistry([...ROLES, ...roles], [Client, Firm])

export const ME = '11111111-1111-4111-8111-111111111111'
export const OTHER = '22222222-2222-4222-8222-222222222222'
export const STRANGER = '33333333-3333-4333-8333-333333333333'
export const DEPARTMENT = 'aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa'
export const BELOW = 'bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb'
export const ELSEWHERE = 'cccccccc-cccc-4ccc-8ccc-cccccccccccc'

export const PLACE = { personId: ME, departmentId: DEPARTMENT, below: [BELOW] }

/** An actor in the middle of a tree: one department under theirs, one elsewhere. */
export function actorWith(roles: readonly string[], options: { registry?: RoleRegistry; only?: ReadonlySet<string> } = {}): Pick<Actor, 'grants' | 'personId'> {
  return { personId: ME, grants: compileGrants(options.registry ?? registryWith(), { place: PLACE, roles, only: options.only ?? null }) }
}

export function client(change: Partial<AnyRecord> = {}): AnyRecord {
  return {
    id: 'dddddddd-dddd-4ddd-8ddd-dddddddddddd',
    version: 1,
    createdAt: '2026-11-24T06:00:00.000000Z',
    updatedAt: '2026-11-24T06:00:00.000000Z',
    deletedAt: null,
    ownerId: ME,
    departmentId: DEPARTMENT,
    fullName: '王小明',
    emails: [{ value: 'ming@example.com', label: '' }],
    phones: [{ value: '+8613812345678', typed: '13812345678', digits: '8613812345678', extension: null, label: '', valid: true }],
    nationalId: '110101199003071234',
    salary: '100',
    source: 'fair',
    companyId: null,
    stage: 'active',
    vip: false,
    lastSeenAt: null,
    pin: '0000',
    custom: { hobby: 'chess', bank: '6222000011112222', size: 3, undeclared: 'x' },
    ...change,
  }
}
