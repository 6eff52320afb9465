import { Problem } from '../../kernel/base/index.ts'
import type { Desk } from '../../kernel/work/types.ts'
import { checkWhere, fieldsOn, rightsOf, rowCondition } from '../access/index.ts'
import { openOne, type RecordsDeps, type Slice } from '../records/index.ts'
import { matches, rulesOf, type Rule } from '../score-rules/index.ts'
import { Lead } from './leads.entity.ts'

/** The rules that gave points, as far as their reader may ask what they ask: a rule on a hidden field is not told. */
export async function scoreFor(desk: Desk, deps: RecordsDeps, slice: Slice, id: string): Promise<{ score: number | null; rules: Pick<Rule, 'id' | 'name' | 'points'>[] }> {
  const { record, key } = await openOne(desk, slice, id, rowCondition(desk.actor, Lead, 'read'))
  const custom = deps.customFields(Lead.name)
  if (!['read', 'edit'].includes(fieldsOn(rightsOf(Lead, desk.actor, custom), record).get('score')?.right ?? 'hidden')) throw new Problem('permission-missing')
  desk.record({ action: 'lead.read', object: { kind: Lead.name, id }, subjects: [key], purpose: 'view' })
  const told = (await rulesOf(desk, deps)).filter((rule) => {
    try {
      // As the gate checks it, a rule on what is concealed holds for nothing that lies in a pool.
      return matches(Lead, checkWhere(Lead, rule.where, desk.actor, custom), record)
    } catch (error) {
      if (error instanceof Problem && ['field-unknown', 'invalid'].includes(error.code)) return false
      throw error
    }
  })
  return { score: record['score'] as number | null, rules: told.map(({ id: ruleId, name, points }) => ({ id: ruleId, name, points })) } // the entity's type of this field
}
