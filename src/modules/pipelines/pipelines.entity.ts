import { z } from 'zod'
import { defineEntity, flag, many, shape, text } from '../../kernel/entity/index.ts'

const stage = z.strictObject({
  id: z.uuid().toLowerCase(),
  name: z.string().trim().min(1).max(100),
  kind: z.enum(['open', 'won', 'lost']),
  /** Of winning, in percent, for a deal that enters this stage. */
  probability: z.int().min(0).max(100),
  /** A deal that stays longer counts as stuck; null: never. */
  stuckAfterDays: z.int().min(1).max(3650).nullable().default(null),
})

export type Stage = z.output<typeof stage>

/** 销售流程: the stages deals go through, in order. Each organisation has its own, and may have several. */
export const Pipeline = defineEntity('pipeline', {
  plural: 'pipelines',
  table: 'pipelines',
  about: 'organisation',
  keep: { years: 10, since: 'updatedAt' },
  fields: {
    name: text(100, { class: 'confidential', edit: true, find: ['text', 'sort'] }),
    stages: many(shape<Stage>(stage, { class: 'confidential', edit: true }), 30),
    /** The one a deal goes into when it names none. */
    standard: flag({ class: 'internal', edit: true }),
  },
})
