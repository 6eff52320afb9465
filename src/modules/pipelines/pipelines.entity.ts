import { z, type ZodType } from 'zod'
import { defineEntity, flag, many, shape, text } from '../../kernel/entity/index.ts'

const stage = z.strictObject({
  /** Stays when the name changes. Given by the server where a new stage has none. */
  id: z.uuid().toLowerCase().optional(),
  name: z.string().trim().min(1).max(100),
  kind: z.enum(['open', 'won', 'lost']),
  /** Of winning, in percent, for a deal that enters this stage; of won and lost ones always 100 and 0. */
  probability: z.int().min(0).max(100),
  /** A deal that stays longer counts as stuck; null: never. */
  stuckAfterDays: z.int().min(1).max(3650).nullable().default(null),
})

/** As it is stored and shown: with its id. */
export type Stage = z.output<typeof stage> & { id: string }

/** 销售流程: the stages deals go through, in order. Each organisation has its own, and may have several. */
export const Pipeline = defineEntity('pipeline', {
  plural: 'pipelines',
  table: 'pipelines',
  about: 'organisation',
  keep: { years: 10, since: 'updatedAt' },
  fields: {
    name: text(100, { class: 'confidential', edit: true, find: ['text', 'sort'] }),
    // A stage comes in with or without its id; `normalise` has given it one before it is stored.
    stages: many(shape<Stage>(stage as unknown as ZodType<Stage>, { class: 'confidential', edit: true }), 30),
    /** The one a deal goes into when it names none. */
    standard: flag({ class: 'internal', edit: true }),
  },
})
