import { Problem } from '../../kernel/base/index.ts'
import type { Entity } from '../../kernel/entity/index.ts'
import type { Condition } from '../../kernel/lens/types.ts'
import type { Actor } from '../../kernel/work/types.ts'
import { NONE, rowCondition } from '../access/index.ts'
import { isFirstOfMonth } from './periods.ts'

export interface Sight {
  /** Rows that are counted. */
  counted: Condition
  /** Of these, rows the person may see one by one. */
  seen: Condition
  /** True where they may count more than they may see. */
  wider: boolean
}

/** Throws Problem permission-missing when the person may neither see nor count any. */
export function sightOf(actor: Pick<Actor, 'grants'>, entity: Entity): Sight {
  const seen = rowCondition(actor, entity, 'read')
  const more = rowCondition(actor, entity, 'report')
  if (seen === NONE && more === NONE) throw new Problem('permission-missing')
  return more === NONE ? { counted: seen, seen, wider: false } : { counted: { or: [seen, more] }, seen, wider: true }
}

/**
 * A field a report groups by or adds up is one the person may read; whoever only counts (and reads no row) may have it in groups that are
 * not small. Masked is not enough: sums and groups would tell what the mask hides. Throws Problem field-unknown.
 */
export function checkAggregated(actor: Pick<Actor, 'grants'>, entity: Entity, fields: readonly string[]): void {
  if (!actor.grants.permissions.has(`${entity.plural}:read`)) return
  const hidden = fields.filter((f) => f in entity.fields && !['read', 'edit'].includes(actor.grants.field(entity.name, f)))
  if (hidden.length > 0) throw new Problem('field-unknown', { errors: hidden.map(() => ({ path: 'report', code: 'field-unknown' })) })
}

/** Two stretches that differ by a day would tell what happened on that day: whoever counts more than they see asks for whole months. Throws Problem invalid. */
export function checkStretch(sight: Sight, stretch: { from: string; to: string }): void {
  if (!sight.wider) return
  for (const [path, day] of Object.entries({ from: stretch.from, to: stretch.to })) {
    if (!isFirstOfMonth(day)) throw new Problem('invalid', { errors: [{ path, code: 'whole-months-only' }] })
  }
}
