import type { AnyRecord, Entity } from '../../kernel/entity/index.ts'
import type { Actor } from '../../kernel/work/types.ts'
import { rightsOf, viewRecord, type Rights } from '../access/index.ts'
import type { RecordsDeps } from './slice.ts'

/** The view of an opened record as JSON text, for the rights it was last shown with. It goes when the record leaves the cache. */
const kept = new WeakMap<AnyRecord, { rights: Rights; text: string }>()

/** `viewRecord` as JSON text. Opened records are never changed in place, and rights are one object as long as they hold. */
export function viewText(entity: Entity, record: AnyRecord, actor: Actor, deps: RecordsDeps): string {
  const custom = deps.customFields(entity.name)
  const rights = rightsOf(entity, actor, custom)
  const known = kept.get(record)
  if (known?.rights === rights) return known.text
  const text = JSON.stringify(viewRecord(entity, record, actor, custom))
  kept.set(record, { rights, text })
  return text
}
