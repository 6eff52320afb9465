import { z, type ZodType } from 'zod'

/** The view of a run on the wire. */
export const runView = <R extends ZodType>(result: R) =>
  z.object({
    id: z.uuid(),
    state: z.enum(['queued', 'running', 'done', 'failed']),
    progress: z.object({ done: z.int(), total: z.int() }),
    result: result.optional(),
    problem: z.record(z.string(), z.unknown()).optional(),
  })
