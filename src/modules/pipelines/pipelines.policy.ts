import { Problem, uuidv7 } from '../../kernel/base/index.ts'
import type { Stage } from './pipelines.entity.ts'

const invalid = (path: string, code: string): Problem => new Problem('invalid', { errors: [{ path, code }] })

/** Gives an id to each stage that has none. */
export function withStageIds(input: Record<string, unknown>): Record<string, unknown> {
  const { stages } = input
  if (!Array.isArray(stages)) return input
  return { ...input, stages: stages.map((s: Partial<Stage>) => ({ ...s, id: s.id ?? uuidv7() })) } // the schema made them stages
}

const CERTAIN = { won: 100, lost: 0 } as const

/** A pipeline leads somewhere: at least one stage of each kind, each by itself. Throws Problem invalid. */
export function checkedStages(stages: readonly Stage[]): Stage[] {
  for (const kind of ['open', 'won', 'lost'] as const) if (!stages.some((s) => s.kind === kind)) throw invalid('stages', `no-${kind}-stage`)
  if (new Set(stages.map((s) => s.id)).size !== stages.length) throw invalid('stages', 'duplicate')
  return stages.map((s) => (s.kind === 'open' ? s : { ...s, probability: CERTAIN[s.kind], stuckAfterDays: null }))
}

/** Stages that were there and are not, or mean something else: no deal may be in them. */
export function stagesGone(before: readonly Stage[], next: readonly Stage[]): string[] {
  return before.filter((b) => next.find((n) => n.id === b.id)?.kind !== b.kind).map((s) => s.id)
}

/** Where a deal begins. */
export function firstStage(stages: readonly Stage[]): Stage {
  const first = stages.find((s) => s.kind === 'open')
  if (!first) throw new Error('a pipeline without an open stage was stored')
  return first
}

const DAY_MS = 86_400_000

/** Since when a deal that is stuck in this stage has been in it at least; null where none ever is. */
export function stuckSince(stage: Stage, now: Date): string | null {
  return stage.kind === 'open' && stage.stuckAfterDays !== null ? new Date(now.getTime() - stage.stuckAfterDays * DAY_MS).toISOString() : null
}

/** The pipeline a new instance begins with. */
export function standardWords(locale: 'zh-CN' | 'en'): { name: string; stages: Stage[]; standard: true } {
  const zh = locale === 'zh-CN'
  const open = (en: string, cn: string, probability: number, stuckAfterDays: number): Stage => ({ id: uuidv7(), name: zh ? cn : en, kind: 'open', probability, stuckAfterDays })
  const closed = (en: string, cn: string, kind: 'won' | 'lost'): Stage => ({ id: uuidv7(), name: zh ? cn : en, kind, probability: CERTAIN[kind], stuckAfterDays: null })
  return {
    name: zh ? '标准销售流程' : 'Sales pipeline',
    stages: [open('Contacted', '初步接洽', 10, 14), open('Qualified', '需求确认', 30, 14), open('Proposal', '方案报价', 50, 21), open('Negotiation', '商务谈判', 75, 21), closed('Won', '赢单', 'won'), closed('Lost', '输单', 'lost')],
    standard: true,
  }
}
