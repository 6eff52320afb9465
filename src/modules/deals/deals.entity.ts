import { z } from 'zod'
import { currencyCode, date, defineEntity, id, many, money, number, oneOf, ref, shape, text, time } from '../../kernel/entity/index.ts'

/** Not more than so many decimal places: what a sum is made of is read to the last digit. */
const places = (most: number) => (n: number): boolean => new RegExp(`^\\d+(?:\\.\\d{1,${most}})?$`).test(String(n))

const line = z.strictObject({
  name: z.string().trim().min(1).max(200),
  /** At most six decimal places. */
  quantity: z.number().positive().max(1e9).refine(places(6), { message: 'too-many-places' }),
  unitPrice: z.strictObject({ minor: z.int(), currency: currencyCode }),
  /** At most four decimal places. */
  discountPercent: z.number().min(0).max(100).refine(places(4), { message: 'too-many-places' }).default(0),
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
    /** With product lines, their sum. */
    amount: money({ class: 'confidential', edit: true, find: ['sort'] }),
    lines: many(shape<ProductLine>(line, { class: 'confidential', edit: true }), 200),
    /** That of the stage it enters, unless another one is given with it; of won and lost deals 100 and 0. */
    probability: number(0, 100, { class: 'confidential', edit: true, find: ['sort'] }),
    expectedCloseOn: date({ class: 'confidential', edit: true, find: ['sort'] }),
    companyId: ref('company', { class: 'internal', edit: true, optional: true, show: 'name' }),
    contactIds: many(ref('contact', { class: 'confidential', edit: true, find: ['link'] }), 50),
    /** Asked for when it is lost, gone when it is opened again. */
    lostReason: text(500, { class: 'confidential', edit: true, find: ['text'], optional: true }),
    source: text(80, { class: 'confidential', edit: true, find: ['text'], optional: true }),
    tags: many(text(60, { class: 'confidential', edit: true, find: ['text'] }), 50),
    note: text(10_000, { class: 'confidential', edit: true, find: ['text'], optional: true }),
    history: many(shape<StageMove>(move, { class: 'confidential' }), 500),
    /** Every stage it has been in, for conversion. */
    reached: many(id({ class: 'confidential', find: ['link'] }), 100),
  },
})
