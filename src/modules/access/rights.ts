import type { AnyRecord, CustomFieldWords, Entity, Field } from '../../kernel/entity/index.ts'
import { concealsCustom, concealsField, isConcealed, whole } from '../../kernel/entity/index.ts'
import type { Actor, FieldRight, Grants } from '../../kernel/work/types.ts'
import { customRightName } from './grants.ts'
import { toCheck } from './predicate.ts'
import type { Action } from './roles.ts'

/** One field as one actor sees it. */
export interface SeenField {
  /** As the API names it: `phones`, `custom.salary`. */
  name: string
  right: FieldRight
  field: Field | null
  custom: CustomFieldWords | null
  /** The name is a base field of every record: ids and times. */
  base: boolean
}

/** What one actor may do with one entity, worked out once and kept as long as the grants live. */
export interface Rights {
  readonly entity: Entity
  readonly fields: ReadonlyMap<string, SeenField>
  /** Those that are left of a record whose contact details are concealed. */
  readonly exposed: ReadonlyMap<string, SeenField>
  readonly reveals: boolean
  may(action: Action, record: AnyRecord): boolean
}

export const BASE_FIELDS = ['id', 'version', 'createdAt', 'updatedAt', 'deletedAt', 'ownerId', 'departmentId'] as const

function seenFields(entity: Entity, grants: Grants, custom: readonly CustomFieldWords[]): Map<string, SeenField> {
  const fields = new Map<string, SeenField>()
  const reads = grants.permissions.has(`${entity.plural}:read`)
  const add = (f: SeenField): unknown => f.right !== 'hidden' && fields.set(f.name, f)
  for (const name of BASE_FIELDS) add({ name, right: reads ? 'read' : 'hidden', field: null, custom: null, base: true })
  for (const [name, field] of Object.entries(entity.fields)) add({ name, right: grants.field(entity.name, name), field, custom: null, base: false })
  for (const words of custom) add({ name: `custom.${words.key}`, right: grants.field(entity.name, customRightName(words)), field: null, custom: words, base: false })
  return fields
}

function makeRights(entity: Entity, grants: Grants, custom: readonly CustomFieldWords[]): Rights {
  const checks = new Map<Action, (record: AnyRecord) => boolean>()
  const fields = seenFields(entity, grants, custom)
  return {
    entity,
    fields,
    exposed: entity.conceal ? new Map([...fields].filter(([, f]) => !conceals(entity, f))) : fields,
    reveals: grants.permissions.has(`${entity.plural}:reveal`),
    may(action, record) {
      let check = checks.get(action)
      if (!check) {
        // Reading asks links of a row that was found through the same rule in SQL, or of one just written, whose links were checked and are fixed.
        check = toCheck(entity, grants.scope(entity.name, action), action === 'read' ? () => true : undefined)
        checks.set(action, check)
      }
      return check(record)
    },
  }
}

const kept = new WeakMap<Grants, WeakMap<Entity, { custom: readonly CustomFieldWords[]; rights: Rights }>>()
const NO_CUSTOM: readonly CustomFieldWords[] = []

/** `custom` are the declared custom fields of the entity; one that is not in it is hidden, whatever a record holds. */
export function rightsOf(entity: Entity, actor: Pick<Actor, 'grants'>, custom: readonly CustomFieldWords[] = NO_CUSTOM): Rights {
  let perEntity = kept.get(actor.grants)
  if (!perEntity) kept.set(actor.grants, (perEntity = new WeakMap()))
  const found = perEntity.get(entity)
  if (found && found.custom === custom) return found.rights
  const rights = makeRights(entity, actor.grants, custom)
  perEntity.set(entity, { custom, rights })
  return rights
}

/** True for a field that nobody sees of a record in a pool. */
export const conceals = (entity: Entity, f: SeenField): boolean => (f.custom ? concealsCustom(entity, f.custom) : concealsField(entity, f.name))

/** The fields one actor sees of this record. */
export function fieldsOn(rights: Rights, record: AnyRecord): ReadonlyMap<string, SeenField> {
  return isConcealed(rights.entity, record) ? rights.exposed : rights.fields
}

/** The mask of a field; one that states none shows only that there is a value. */
export const maskOf = (f: SeenField): ((value: string) => string) => f.field?.mask ?? whole

const PROBE = '+8613800001234'

/** True where the mask shows the last four characters anyway, so finding by them tells nothing new. */
export function showsLastFour(f: SeenField): boolean {
  return maskOf(f)(PROBE).endsWith('1234')
}
