import type { Entity, FieldClass } from '../../kernel/entity/index.ts'
import type { FieldRight } from '../../kernel/work/types.ts'

/** Rows a role reaches, from nothing to everything; each one contains those before it. */
export const SCOPES = ['none', 'own', 'department', 'department-and-below', 'all'] as const
export type Scope = (typeof SCOPES)[number]

/** `report` counts rows that may not be read one by one; whoever reads rows may count them without it. */
export const ACTIONS = ['read', 'create', 'edit', 'delete', 'assign', 'export', 'report'] as const
export type Action = (typeof ACTIONS)[number]

export interface EntityRights {
  /** An action left out is `none`. */
  rows: Partial<Record<Action, Scope>>
  /** Opens fields by protection class; a class left out stays hidden. */
  classes: Partial<Record<FieldClass, FieldRight>>
  /** Names single fields (`custom.key` for a declared one); stronger than the class. */
  fields?: Readonly<Record<string, FieldRight>>
}

/** What a role takes away, whatever another role of the same person gives. */
export interface Denials {
  permissions?: readonly string[]
  rows?: Readonly<Record<string, readonly Action[]>>
  /** The most that is left of a field. */
  fields?: Readonly<Record<string, Readonly<Record<string, FieldRight>>>>
}

/** A role is data. Everything it does not say is off. */
export interface Role {
  name: string
  title: { en: string; zh: string }
  entities: Readonly<Record<string, EntityRights>>
  /** `noun:verb` beside those that follow from `entities` (see permissionsOf). */
  permissions: readonly string[]
  deny?: Denials
}

const OPEN: EntityRights['classes'] = { public: 'edit', internal: 'edit', confidential: 'edit', personal: 'edit', sensitive: 'masked' }

/** Words of the organisation's own that all work with and few set up: pipelines, tags. No customer is in them. */
const shared: EntityRights = { rows: { read: 'all' }, classes: { public: 'read', internal: 'read', confidential: 'read' } }
const setUp: EntityRights = { rows: { read: 'all', create: 'all', edit: 'all', delete: 'all', assign: 'all' }, classes: OPEN }

const nouns = (rights: EntityRights, names: readonly string[]): Record<string, EntityRights> => Object.fromEntries(names.map((n) => [n, rights]))
const CUSTOMERS = ['contact', 'company', 'lead', 'deal', 'contract', 'activity', 'attachment'] as const
/** Who sets up a pool decides who may take customers out of it, so its rows are a manager's, and only within their reach. */
const POOLS: EntityRights = { rows: { read: 'all', create: 'department-and-below', edit: 'department-and-below', delete: 'department-and-below', assign: 'department-and-below' }, classes: OPEN }
const ORGANISATION = ['pipeline', 'rate', 'tag'] as const

const own: EntityRights = { rows: { read: 'own', create: 'own', edit: 'own', delete: 'own' }, classes: OPEN }

const team: EntityRights = {
  rows: {
    read: 'department-and-below',
    create: 'department-and-below',
    edit: 'department-and-below',
    delete: 'department-and-below',
    assign: 'department-and-below',
    export: 'department-and-below',
  },
  classes: OPEN,
}

/** Every colleague sees who works here and manages tokens of their own. */
const EVERYONE = ['users:read', 'departments:read', 'custom-fields:read', 'tokens:create', 'notifications:read', 'calendar:use'] as const

export const BUILT_IN_ROLES: readonly Role[] = [
  {
    name: 'rep',
    title: { en: 'Sales rep', zh: '销售' },
    entities: { ...nouns(own, CUSTOMERS), ...nouns(shared, ORGANISATION), pool: shared, 'score-rule': shared },
    permissions: [...EVERYONE, 'leads:claim', 'companies:claim', 'contacts:import', 'reports:read'],
  },
  {
    name: 'manager',
    title: { en: 'Sales manager', zh: '销售主管' },
    entities: { ...nouns(team, CUSTOMERS), ...nouns(setUp, ORGANISATION), pool: POOLS, 'score-rule': setUp },
    permissions: [...EVERYONE, 'leads:claim', 'companies:claim', 'contacts:import', 'contacts:reveal', 'companies:reveal', 'leads:reveal', 'reports:read', 'webhooks:create', 'approvals:decide'],
  },
  {
    // Numbers of the whole firm, and nobody's record.
    name: 'analyst',
    title: { en: 'Analyst', zh: '分析员' },
    entities: { ...nouns({ rows: { report: 'all' }, classes: {} }, ['lead', 'deal', 'contract', 'activity']), ...nouns(shared, ORGANISATION) },
    permissions: [...EVERYONE, 'reports:read'],
  },
  {
    // Grants no customer data; it does not deny it either: the one person of a new firm holds manager as well.
    name: 'administrator',
    title: { en: 'Administrator', zh: '管理员' },
    entities: { ...nouns(setUp, ORGANISATION), pool: shared, 'score-rule': setUp },
    permissions: [...EVERYONE, 'users:manage', 'departments:manage', 'tokens:manage', 'custom-fields:manage', 'organisation:manage', 'webhooks:manage', 'demo:manage', 'ledger:read', 'ledger:export', 'keys:read', 'keys:manage'],
  },
]

/** The permissions that follow from rows: `contacts:read` where a role reads any contact, and so on. */
export function permissionsOf(role: Role, entities: ReadonlyMap<string, Entity>): string[] {
  const derived = Object.entries(role.entities).flatMap(([name, rights]) => {
    const plural = entities.get(name)?.plural
    return plural ? ACTIONS.filter((a) => (rights.rows[a] ?? 'none') !== 'none').map((a) => `${plural}:${a}`) : []
  })
  return [...new Set([...derived, ...role.permissions])]
}

const WORDS: Record<Action | 'import' | 'reveal', string> = {
  read: 'see those in scope',
  create: 'create them',
  edit: 'change those in scope',
  delete: 'delete and restore those in scope',
  assign: 'give those in scope to another owner',
  export: 'take those in scope out in a file',
  report: 'count and add up those in scope, in groups that are not small, without seeing one of them',
  import: 'import them from a file',
  reveal: 'see a masked value, with a reason and a fresh factor',
}

/** Declares `plural:verb` for every action on every entity, for the registry of permissions and the generated documents. */
export function entityPermissions(entities: readonly Entity[]): Record<string, string> {
  return Object.fromEntries(entities.flatMap((e) => Object.entries(WORDS).map(([verb, says]) => [`${e.plural}:${verb}`, `${e.plural}: ${says}`])))
}

export interface RoleRegistry {
  readonly roles: ReadonlyMap<string, Role>
  readonly entities: ReadonlyMap<string, Entity>
}

const isCustom = (field: string): boolean => /^custom\.[a-z][a-zA-Z0-9_]{0,59}$/.test(field)

function entityFaults(at: string, name: string, fields: readonly string[], entities: ReadonlyMap<string, Entity>): string[] {
  const entity = entities.get(name)
  if (!entity) return [`${at} names the unknown entity ${name}`]
  return fields.filter((f) => !(f in entity.fields) && !isCustom(f)).map((f) => `${at} names the unknown field ${name}.${f}`)
}

function faultsOf(role: Role, entities: ReadonlyMap<string, Entity>): string[] {
  const at = `role ${role.name}`
  const faults: string[] = []
  for (const [name, rights] of Object.entries(role.entities)) {
    faults.push(...entityFaults(at, name, Object.keys(rights.fields ?? {}), entities))
    for (const [action, scope] of Object.entries(rights.rows)) {
      if (!(ACTIONS as readonly string[]).includes(action)) faults.push(`${at} names the unknown action ${action}`)
      if (!SCOPES.includes(scope)) faults.push(`${at} names the unknown scope ${String(scope)}`)
    }
  }
  for (const name of Object.keys(role.deny?.rows ?? {})) faults.push(...entityFaults(`${at} deny`, name, [], entities))
  for (const [name, fields] of Object.entries(role.deny?.fields ?? {})) faults.push(...entityFaults(`${at} deny`, name, Object.keys(fields), entities))
  return faults
}

/**
 * The roles this process knows, checked against the entities it mounts. Throws with everything that is wrong at once,
 * which stops the boot. A role a person holds that is not here gives nothing; an entity no role names is closed to all.
 */
export function roleRegistry(roles: readonly Role[], entities: readonly Entity[]): RoleRegistry {
  const byName = new Map(entities.map((e) => [e.name, e]))
  const faults = roles.flatMap((r) => faultsOf(r, byName))
  const named = new Map(roles.map((r) => [r.name, r]))
  if (named.size !== roles.length) faults.push('two roles have the same name')
  if (faults.length > 0) throw new Error(faults.join('; '))
  return { roles: named, entities: byName }
}

/** The other half of the check, once every module has declared its permissions: a role that names an unknown one stops the boot. */
export function checkRolePermissions(registry: RoleRegistry, declared: Iterable<string>): void {
  const known = new Set(declared)
  const faults = [...registry.roles.values()].flatMap((r) =>
    [...permissionsOf(r, registry.entities), ...(r.deny?.permissions ?? [])].filter((p) => !known.has(p)).map((p) => `role ${r.name} names the unknown permission ${p}`),
  )
  if (faults.length > 0) throw new Error(faults.join('; '))
}
