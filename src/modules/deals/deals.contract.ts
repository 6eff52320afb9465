import { z } from 'zod'
import { isInstant, viewSchema } from '../../kernel/entity/index.ts'
import { endpoint } from '../../kernel/http/index.ts'
import { Deal } from './deals.entity.ts'

const uuid = z.uuid().toLowerCase()

/** A deal made without a pipeline goes into the standard one; without a stage, into the first open one. */
export const createBody = { pipelineId: uuid.optional(), stageId: uuid.optional() }

const amount = z.object({ currency: z.string(), minor: z.int() })
const inBase = z.object({ amount, unconverted: z.array(z.string()) })

const column = z.object({
  stageId: z.uuid(),
  name: z.string(),
  kind: z.enum(['open', 'won', 'lost']),
  count: z.int(),
  /** How many have been here longer than the stage allows, and since when at least; null where none ever is, or the caller does not see since when. */
  stuck: z.int().nullable(),
  stuckSince: z.string().nullable(),
  /** Null where the caller does not see amounts, or odds. */
  amounts: z.array(amount).nullable(),
  weighted: z.array(amount).nullable(),
  amountInBase: inBase.nullable(),
  weightedInBase: inBase.nullable(),
  /** The first cards; for more, the same question again with `stageId`, `at` and `nextCursor` as `cursor`. */
  items: z.array(z.intersection(viewSchema(Deal), z.object({ stuck: z.boolean().optional() }))),
  nextCursor: z.string().nullable(),
})

const boardBody = z.strictObject({
  pipelineId: uuid.optional(),
  where: z.unknown().optional(),
  /** Only deals that are stuck. */
  stuck: z.literal(true).optional(),
  sort: z.array(z.strictObject({ field: z.string().max(80), direction: z.enum(['asc', 'desc']).default('asc') })).max(5).optional(),
  cards: z.int().min(0).max(100).default(20),
  /** Only this column. */
  stageId: uuid.optional(),
  cursor: z.string().max(4000).optional(),
  /** The moment at which a deal is or is not stuck; now by default. */
  at: z.iso.datetime({ offset: true }).transform((s) => new Date(s).toISOString()).refine(isInstant, { message: 'time-out-of-range' }).optional(),
})

export type BoardBody = z.output<typeof boardBody>

export const boardContract = endpoint({
  method: 'POST',
  path: '/deals/board',
  permission: 'deals:read',
  summary: 'A pipeline stage by stage: how many deals of those in sight, for how much, weighted by their odds, how many are stuck, and the first cards.',
  body: boardBody,
  response: z.object({ pipelineId: z.uuid(), name: z.string(), baseCurrency: z.string(), at: z.string(), columns: z.array(column) }),
})
