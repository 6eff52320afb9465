import { Problem } from '../../kernel/base/index.ts'
import { isConcealed, type AnyRecord } from '../../kernel/entity/index.ts'
import { poolingRules } from '../pools/index.ts'
import type { Deriving } from '../records/index.ts'
import { rulesOf, scoreOf } from '../score-rules/index.ts'
import { Lead } from './leads.entity.ts'

const invalid = (path: string, code: string): Problem => new Problem('invalid', { errors: [{ path, code }] })

/** Only a conversion makes a lead converted, and nothing unmakes it; who gives one up says why. */
function statusRules(before: AnyRecord | null, next: AnyRecord, undo: boolean): AnyRecord {
  if (next['status'] === 'converted' && next['convertedAt'] === null) throw invalid('status', 'convert-only')
  if (!undo && before?.['status'] === 'converted' && next['status'] !== 'converted') throw new Problem('lead-converted')
  if (next['status'] === 'converted' && next['poolId'] !== null) throw new Problem('lead-converted')
  if (next['status'] !== 'disqualified') return next['disqualifiedReason'] === null ? next : { ...next, disqualifiedReason: null }
  if (before?.['status'] !== 'disqualified' && !next['disqualifiedReason']) throw invalid('disqualifiedReason', 'required')
  return next
}

/** The rules of a lead. While its contact details are concealed its score stands still: points must not tell what nobody may see. */
export async function leadRules(before: AnyRecord | null, asked: AnyRecord, at: Deriving): Promise<AnyRecord> {
  const next = statusRules(before, poolingRules(before, asked, at), at.undo)
  if (isConcealed(Lead, next) || next.deletedAt !== null) return next
  const score = scoreOf(Lead, await rulesOf({ sql: at.work.sql, vault: at.work.vault }, at.deps), next)
  return score === next['score'] ? next : { ...next, score }
}
