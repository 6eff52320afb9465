import { Problem } from '../../kernel/base/index.ts'
import type { RecordOf } from '../../kernel/entity/index.ts'
import { linesTotal } from '../currencies/index.ts'
import { firstStage, type Stage } from '../pipelines/index.ts'
import type { Deal } from './deals.entity.ts'

export type DealRecord = RecordOf<typeof Deal>

const invalid = (path: string, code: string): Problem => new Problem('invalid', { errors: [{ path, code }] })
const same = (a: unknown, b: unknown): boolean => JSON.stringify(a ?? null) === JSON.stringify(b ?? null)

/** What of the history is kept: a deal that is moved to and fro for years. */
const MOST_MOVES = 500
const MOST_REACHED = 100

/** With product lines the amount is their sum. Throws Problem invalid for several currencies, and for another amount that is asked for beside them. */
export function priced(before: DealRecord | null, next: DealRecord): DealRecord {
  const amount = linesTotal(next.lines)
  if (!amount) return next
  const asked = before ? !same(next.amount, before.amount) : next.amount !== null
  if (asked && !same(next.amount, amount)) throw invalid('amount', 'follows-lines')
  return { ...next, amount }
}

/** Throws Problem lost-reason-required, or invalid for a reason of a deal that is not lost. */
export function reasoned(before: DealRecord | null, next: DealRecord): DealRecord {
  if (next.status === 'lost') {
    if (!next.lostReason?.trim()) throw new Problem('lost-reason-required', { errors: [{ path: 'lostReason', code: 'required' }] })
    return next
  }
  if (next.lostReason && next.lostReason !== before?.lostReason) throw invalid('lostReason', 'not-lost')
  return next.lostReason === null ? next : { ...next, lostReason: null }
}

/** Throws Problem invalid for odds of what is decided. */
export function checkOdds(before: DealRecord, next: DealRecord): void {
  if (next.status !== 'open' && next.probability !== before.probability) throw invalid('probability', 'closed')
}

/** The stage a deal is to be in: the one asked for, or the first one of a pipeline it comes into without saying which. Throws Problem invalid. */
export function stageFor(before: DealRecord | null, next: DealRecord, stages: readonly Stage[]): Stage {
  const asked = stages.find((s) => s.id === next.stageId)
  if (asked) return asked
  if (!next.stageId || next.stageId === before?.stageId) return firstStage(stages)
  throw invalid('stageId', 'stage-of-another')
}

/** The deal as it enters a stage: what the stage decides, and who moved it there. */
export function entered(before: DealRecord | null, next: DealRecord, stage: Stage, at: string, by: string): DealRecord {
  const given = before ? next.probability !== before.probability : next.probability !== null
  return {
    ...next,
    stageId: stage.id,
    status: stage.kind,
    stageSince: at,
    closedAt: stage.kind === 'open' ? null : at,
    probability: stage.kind === 'open' && given && next.probability !== null ? next.probability : stage.probability,
    history: [...next.history, { stageId: stage.id, at, by }].slice(-MOST_MOVES),
    reached: next.reached.includes(stage.id) ? next.reached : [...next.reached, stage.id].slice(-MOST_REACHED),
  }
}
