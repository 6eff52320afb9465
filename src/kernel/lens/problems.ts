import { defineProblems, Problem } from '../base/index.ts'

defineProblems({
  'lens-unavailable': { status: 503, title: 'Search unavailable', en: 'Narrow the search or try again; if it lasts, ask the operator to run doctor.', zh: '检索暂不可用：请缩小范围或稍后重试；如持续出现，请联系运维人员运行 doctor。' },
})

/** A condition that does not fit its column. `path` is a field's name, never a value. */
export function invalid(path: string, code: string): Problem {
  return new Problem('invalid', { errors: [{ path, code }] })
}

/**
 * What went wrong in DuckDB, as the kind of error alone: its messages quote the values they stumbled over, so neither message nor cause
 * may reach a log.
 */
export function kindOf(error: unknown): string {
  const message = error instanceof Error ? error.message : ''
  return /^([A-Z][A-Za-z ]{2,40}) Error:/.exec(message)?.[1] ?? 'Unknown'
}
