import { describe, expect, it } from 'vitest'
import { actorWith, BELOW, Client, CUSTOM, DEPARTMENT, Firm, ME, PERMISSIONS, registryWith, PLACE, ROLES } from './fixture.ts'
import { compileGrants, customRightName } from './grants.ts'
import { ALL, NONE } from './predicate.ts'
import { ACTIONS, checkRolePermissions, roleRegistry, type Role } from './roles.ts'

const role = (name: string, words: Partial<Role>): Role => ({ name, title: { en: name, zh: name }, entities: {}, permissions: [], ...words })
const allOpen = { public: 'edit', internal: 'edit', confidential: 'edit', personal: 'edit', sensitive: 'masked' } as const

describe('built-in roles', () => {
  const mine = { field: 'ownerId', op: 'eq', value: ME }
  const team = { or: [mine, { field: 'departmentId', op: 'in', value: [DEPARTMENT, BELOW] }] }
  it.each([
    ['rep', 'read', mine], ['rep', 'create', mine], ['rep', 'edit', mine], ['rep', 'delete', mine], ['rep', 'assign', NONE], ['rep', 'export', NONE],
    ['manager', 'read', team], ['manager', 'create', team], ['manager', 'edit', team], ['manager', 'delete', team], ['manager', 'assign', team], ['manager', 'export', team],
    ...ACTIONS.map((a) => ['administrator', a, NONE] as const),
  ] as const)('%s may %s', (name, action, scope) => {
    expect(actorWith([name]).grants.scope('contact', action)).toEqual(scope)
  })

  it('the administrator sees no field of any customer', () => {
    const { grants } = actorWith(['administrator'])
    for (const e of [Client, Firm]) for (const f of Object.keys(e.fields)) expect(grants.field(e.name, f)).toBe('hidden')
    expect([...grants.permissions].filter((p) => /^(contacts|companies):/.test(p))).toEqual([])
  })

  it.each([
    ['rep', ['contacts:import', 'contacts:read', 'contacts:create', 'contacts:edit', 'contacts:delete'], ['contacts:export', 'contacts:reveal', 'contacts:assign', 'users:manage', 'ledger:read']],
    ['manager', ['contacts:import', 'contacts:export', 'contacts:assign', 'contacts:reveal', 'approvals:decide'], ['users:manage', 'departments:manage', 'tokens:manage', 'keys:read']],
    ['administrator', ['users:manage', 'departments:manage', 'tokens:manage', 'custom-fields:manage', 'ledger:read', 'keys:read'], ['approvals:decide', 'contacts:import']],
  ])('%s holds exactly what it should', (name, has, lacks) => {
    const { permissions } = actorWith([name]).grants
    for (const p of has) expect(permissions, p).toContain(p)
    for (const p of lacks) expect(permissions, p).not.toContain(p)
  })

  it('masks sensitive fields for all and never shows secret ones', () => {
    for (const name of ['rep', 'manager']) {
      const { grants } = actorWith([name])
      expect(grants.field('contact', 'nationalId')).toBe('masked')
      expect(grants.field('contact', customRightName(CUSTOM[1]!))).toBe('masked')
      expect(grants.field('contact', 'pin')).toBe('hidden')
      expect(grants.field('contact', 'lastSeenAt')).toBe('read')
    }
  })
})

describe('silence is closed', () => {
  it('the built-in roles name only what is declared', () => {
    expect(() => checkRolePermissions(registryWith(), PERMISSIONS)).not.toThrow()
  })

  it('an entity no role names, an unknown field, an unknown role, a name from the prototype', () => {
    const { grants } = actorWith(['manager', 'no-such-role'])
    expect(grants.roles).toEqual(['manager'])
    expect(grants.scope('deal', 'read')).toEqual(NONE)
    for (const f of ['nothing', 'constructor', '__proto__', 'custom.hobby', 'custom.x#secret', 'custom.x#internal']) expect(grants.field('contact', f)).toBe('hidden')
    expect(grants.field('deal', 'title')).toBe('hidden')
  })

  it.each([
    [role('x', { permissions: ['contacts:fly'] }), 'unknown permission contacts:fly'],
    [role('x', { entities: { planet: { rows: {}, classes: {} } } }), 'unknown entity planet'],
    [role('x', { entities: { contact: { rows: {}, classes: {}, fields: { nose: 'read' } } } }), 'unknown field contact.nose'],
    [role('x', { deny: { permissions: ['a:b'] } }), 'unknown permission a:b'],
    [role('x', { deny: { rows: { moon: ['read'] }, fields: { contact: { ear: 'hidden' } } } }), 'unknown entity moon; role x deny names the unknown field contact.ear'],
    [role('rep', {}), 'same name'],
  ])('a role that names what is not declared stops the boot', (bad, message) => {
    expect(() => checkRolePermissions(roleRegistry([...ROLES, bad], [Client, Firm]), PERMISSIONS)).toThrow(message)
  })
})

describe('several roles', () => {
  const grants = (registry: Role[], names: string[], only?: Set<string>) => compileGrants(registryWith(...registry), { place: PLACE, roles: names, only: only ?? null })

  it('rows add up, deny beats allow in any order', () => {
    const noExport = role('no-export', { deny: { permissions: ['contacts:reveal'], rows: { contact: ['export'] }, fields: { contact: { phones: 'masked', 'custom.hobby': 'hidden' } } } })
    for (const names of [['manager', 'no-export'], ['no-export', 'manager']]) {
      const g = grants([noExport], names)
      expect(g.scope('contact', 'export')).toEqual(NONE)
      expect(g.permissions.has('contacts:export')).toBe(false)
      expect(g.permissions.has('contacts:reveal')).toBe(false)
      expect(g.field('contact', 'phones')).toBe('masked')
      expect(g.field('contact', customRightName(CUSTOM[0]!))).toBe('hidden')
      expect(g.field('contact', 'fullName')).toBe('edit')
    }
  })

  it('a right to a field does not leak from narrow rows into wide ones', () => {
    const seesAllMasked = role('viewer', { entities: { contact: { rows: { read: 'all' }, classes: { personal: 'read' }, fields: { phones: 'masked' } } } })
    const g = grants([seesAllMasked], ['rep', 'viewer'])
    expect(g.scope('contact', 'read')).toEqual(ALL)
    expect(g.field('contact', 'phones')).toBe('masked')
    expect(g.field('contact', 'salary')).toBe('hidden')
    // The viewer's own right is `read`; rep's `edit` belongs to narrower rows.
    expect(g.field('contact', 'fullName')).toBe('read')
  })

  it('a right to edit does not leak from narrow rows to edit into wide ones', () => {
    const wideReader = role('wide-reader', { entities: { contact: { rows: { read: 'all', edit: 'own' }, classes: allOpen } } })
    const wideEditor = role('wide-editor', { entities: { contact: { rows: { read: 'own', edit: 'all' }, classes: { internal: 'edit', personal: 'read' } } } })
    expect(grants([wideReader, wideEditor], ['wide-reader', 'wide-editor']).field('contact', 'phones')).toBe('read')
  })

  it('reveal counts only from the role with the widest rows', () => {
    const revealer = role('revealer', { entities: { contact: { rows: { read: 'own' }, classes: allOpen } }, permissions: ['contacts:reveal'] })
    const viewer = role('viewer', { entities: { contact: { rows: { read: 'all' }, classes: allOpen } } })
    expect(grants([revealer, viewer], ['revealer', 'viewer']).permissions.has('contacts:reveal')).toBe(false)
    expect(grants([revealer, viewer], ['revealer']).permissions.has('contacts:reveal')).toBe(true)
  })

  it('a token never has more than its scopes or its person', () => {
    const g = grants([], ['rep'], new Set(['contacts:read', 'contacts:export', 'users:manage']))
    expect([...g.permissions]).toEqual(['contacts:read'])
    expect(g.scope('contact', 'read')).not.toEqual(NONE)
    expect(g.scope('contact', 'edit')).toEqual(NONE)
    expect(grants([], ['rep'], new Set(['users:read'])).field('contact', 'fullName')).toBe('hidden')
  })
})
