import { Problem } from '../../kernel/base/index.ts'
import { isConcealed, type AnyRecord, type CustomValues, type Entity } from '../../kernel/entity/index.ts'

const isEmpty = (v: unknown): boolean => v === null || v === undefined || v === '' || (Array.isArray(v) && v.length === 0)

/** What somebody said they do not want is said for all of them, whatever is chosen. */
const ALWAYS_JOINED = 'doNotContact'

function joined(records: readonly AnyRecord[], name: string, most: number): unknown[] {
  const all = new Map(records.flatMap((r) => ((r[name] ?? []) as unknown[]).map((v) => [JSON.stringify(v), v] as const))) // a field of several values
  if (all.size > most) throw new Problem('invalid', { errors: [{ path: `fields.${name}`, code: 'too-many' }] })
  return [...all.values()]
}

/** A link to one of those that become one is a link to itself: the next one up that is not takes its place. */
function outside(value: unknown, name: string, records: readonly AnyRecord[]): unknown {
  let at = value
  for (let steps = 0; steps <= records.length; steps++) {
    const inside = records.find((r) => r.id === at)
    if (!inside) return at
    at = inside[name] ?? null
  }
  return null
}

/**
 * What the winner holds afterwards: of a single value the chosen one, else the winner's, else the first there is; of several values all of
 * them, each once, unless one record's are chosen. Throws Problem invalid where they are more than the field takes: then one must be chosen.
 */
export function mergedValues(entity: Entity, winner: AnyRecord, losers: readonly AnyRecord[], chosen: Readonly<Record<string, string>>): Record<string, unknown> {
  const records = [winner, ...losers]
  const out: Record<string, unknown> = {}
  for (const [name, f] of Object.entries(entity.fields)) {
    if (!f.edit || f.fixed) continue
    const from = records.find((r) => r.id === chosen[name])
    const values = from && name !== ALWAYS_JOINED ? [from] : records
    const value = f.many ? joined(values, name, f.most ?? Number.POSITIVE_INFINITY) : (values.map((r) => r[name]).find((v) => !isEmpty(v)) ?? null)
    out[name] = f.ref?.entity === entity.name ? outside(value, name, records) : value
  }
  const custom: CustomValues = Object.assign({}, ...records.toReversed().map((r) => r.custom)) as CustomValues // the winner's last, so it stands
  return { ...out, custom }
}

/** Throws Problem permission-missing for one whose details nobody may see now: whoever merges would learn them. */
export function checkExposed(entity: Entity, records: readonly AnyRecord[]): void {
  if (records.some((r) => isConcealed(entity, r))) throw new Problem('permission-missing')
}
