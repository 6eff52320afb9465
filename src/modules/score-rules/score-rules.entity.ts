import { z } from 'zod'
import { defineEntity, flag, number, shape, text } from '../../kernel/entity/index.ts'

/** A condition as a search takes it; checked by the gate when it is written. */
const condition = z.record(z.string(), z.unknown())

/** 评分规则: points for leads of which a condition holds. A lead's score is the sum, between 0 and 1,000. */
export const ScoreRule = defineEntity('score-rule', {
  plural: 'score-rules',
  table: 'score_rules',
  about: 'organisation',
  keep: { years: 10, since: 'updatedAt' },
  fields: {
    name: text(100, { class: 'confidential', edit: true, find: ['text', 'sort'] }),
    where: shape<Record<string, unknown>>(condition, { class: 'confidential', edit: true }),
    points: number(-1000, 1000, { class: 'confidential', edit: true, find: ['sort'] }),
    paused: flag({ class: 'internal', edit: true }),
  },
})
