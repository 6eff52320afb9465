import { z } from 'zod'
import { currencyCode, date, defineEntity, id, many, money, number, oneOf, ref, shape, text, time } from '../../kernel/entity/index.ts'

const line = z.strictObject({
  name: z.string().trim().min(1).max(200),
  quantity: z.number().positive().max(1e9),
  unitPrice: z.strictObject({ minor: z.int(), currency: currencyCode }),
  discountPercent: z.number().min(0).max(100).default(0),
})

export type ProductLine = z.output<typeof line>

const move = z.object({ stageId: z.uuid(), at: z.string(), by: z.uuid() })

/** One stage a deal was in: since when, and who moved it there. */
export type StageMove = z.output<typeof move>

/** 商机: a possible sale, somewhere in a pipeline. */
export const Deal = defineEntity('deal', {
  plural: 'deals',
  table: 'deals',
  about: 'container',
  keep: { years: 10, since: 'updatedAt' },
  fields: {
    title: text(200, { class: 'confidential', edit: true, find: ['text', 'pinyin', 'sort'] }),
    pipelineId: ref('pipeline', { class: 'internal', edit: true }),
    stageId: id({ class: 'internal', edit: true }),
    /** Follows from the kind of the stage. */
    status: oneOf(['open', 'won', 'lost'], { class: 'internal', initial: 'open' }),
    stageSince: time({ class: 'internal' }),
    closedAt: time({ class: 'internal' }),
    amount: money({ class: 'confidential', edit: true, find: ['sort'] }),
    lines: many(shape<ProductLine>(line, { class: 'confidential', edit: true }), 200),
    probability: number(0, 100, { class: 'confidential', edit: true, find: ['sort'] }),
    expectedCloseOn: date({ class: 'confidential', edit: true, find: ['sort'] }),
    companyId: ref('company', { class: 'internal', edit: true, optional: true, show: 'name' }),
    contactIds: many(ref('contact', { class: 'confidential', edit: true, find: ['link'] }), 50),
    lostReason: text(500, { class: 'confidential', edit: true, find: ['text'], optional: true }),
    source: text(80, { class: 'confidential', edit: true, find: ['text'], optional: true }),
    tags: many(text(60, { class: 'confidential', edit: true, find: ['text'] }), 50),
    note: text(10_000, { class: 'confidential', edit: true, find: ['text'], optional: true }),
    history: many(shape<StageMove>(move, { class: 'confidential' }), 500),
    /** Every stage it has been in, for conversion. */
    reached: many(id({ class: 'confidential', find: ['link'] }), 100),
  },
})
