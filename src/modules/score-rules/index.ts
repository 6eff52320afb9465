import { Problem } from '../../kernel/base/index.ts'
import type { Sql } from '../../kernel/db/types.ts'
import type { AnyRecord, Entity } from '../../kernel/entity/index.ts'
import type { Condition } from '../../kernel/lens/types.ts'
import type { Module } from '../../kernel/module.ts'
import type { Vault } from '../../kernel/vault/types.ts'
import { ALL, checkWhereCounting } from '../access/index.ts'
import { openRow, recordRoutes, sliceFor, sliceOf, type Deriving, type RecordsDeps, type Slice } from '../records/index.ts'
import { matches } from './matches.ts'
import { ScoreRule } from './score-rules.entity.ts'

export { ScoreRule } from './score-rules.entity.ts'
export { matches } from './matches.ts'

/** Scores are reckoned anew in the background when a rule changes. */
export const SCORE_QUEUE = 'score'

const MOST_RULES = 100
/** Of a condition as JSON: all rules are asked of each lead, in the process that answers. */
const MOST_WHERE = 16_000

/** A rule is asked of every lead, so what it asks must be what its writer could ask; a value they see only masked is not to be guessed by points. */
async function ruleRules(entity: Entity, before: AnyRecord | null, next: AnyRecord, { work, deps }: Deriving): Promise<AnyRecord> {
  const invalid = (path: string, code: string): Problem => new Problem('invalid', { errors: [{ path, code }] })
  if (next['where'] === null) throw invalid('where', 'required')
  if (JSON.stringify(next['where']).length > MOST_WHERE && next['deletedAt'] === null) throw invalid('where', 'too-big')
  if (next['points'] === null) throw invalid('points', 'required')
  if (JSON.stringify(before?.['where']) !== JSON.stringify(next['where'])) {
    const { maskedMatches } = checkWhereCounting(entity, next['where'], work.actor, deps.customFields(entity.name))
    if (maskedMatches > 0) throw invalid('where', 'masked')
  }
  if (before === null && (await sliceFor(deps, ScoreRule.name).store.count(work.sql, { scope: ALL })) >= MOST_RULES) throw invalid('', 'too-many')
  const counts = (r: AnyRecord | null): string => JSON.stringify([r?.['where'], r?.['points'], r?.['paused'] === true, r?.deletedAt ?? null])
  if (counts(before) !== counts(next)) await work.enqueue(SCORE_QUEUE, {})
  return next
}

/** `scored`: whose fields the rules compare. */
export const scoreRuleSlice = (scored: Entity): Slice => sliceOf({ entity: ScoreRule, derive: (before, next, at) => ruleRules(scored, before, next, at) })

export interface Rule {
  id: string
  name: string
  where: Condition
  points: number
}

/** The rules that count now. Throws Problem seal-broken: a score by half the rules is a wrong one. */
export async function rulesOf(at: { sql: Sql; vault: Vault }, deps: RecordsDeps): Promise<Rule[]> {
  const slice = sliceFor(deps, ScoreRule.name)
  const stamps = await slice.store.page(at.sql, { scope: ALL, limit: MOST_RULES })
  if (stamps.length === 0) return []
  const rows = await slice.store.full(at.sql, stamps.map((s) => s.id))
  const rules = rows.map((row) => slice.cache.get(row.id, row.stamp) ?? openRow(at.vault, slice, row, at.vault.ownerKey(row.key_id)))
  return rules.filter((r) => r['paused'] !== true).map((r) => ({ id: r.id, name: String(r['name']), where: r['where'] as Condition, points: Number(r['points']) })) // checked when they were written
}

const MOST_POINTS = 1000

/** Null where there are no rules. */
export function scoreOf(entity: Entity, rules: readonly Rule[], record: AnyRecord): number | null {
  if (rules.length === 0) return null
  const sum = rules.reduce((n, r) => n + (matches(entity, r.where, record) ? r.points : 0), 0)
  return Math.min(MOST_POINTS, Math.max(0, sum))
}

export function scoreRulesModule(deps: RecordsDeps, slice: Slice): Module {
  return { name: 'score-rules', entities: [ScoreRule], routes: recordRoutes(deps, slice) }
}
