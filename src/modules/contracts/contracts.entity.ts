import { date, defineEntity, many, money, number, oneOf, ref, text } from '../../kernel/entity/index.ts'

/** 合同: what was agreed, for how long and for how much. Its paper is an attachment. */
export const Contract = defineEntity('contract', {
  plural: 'contracts',
  table: 'contracts',
  about: 'container',
  keep: { years: 10, since: 'updatedAt' },
  fields: {
    number: text(100, { class: 'confidential', edit: true, find: ['text', 'sort'] }),
    title: text(200, { class: 'confidential', edit: true, find: ['text', 'pinyin', 'sort'], optional: true }),
    /** Active and expired follow the period; renewed is what a follow-up makes of it. */
    status: oneOf(['draft', 'active', 'expired', 'terminated', 'renewed'], { class: 'internal', edit: true, initial: 'draft' }),
    companyId: ref('company', { class: 'internal', edit: true, optional: true, show: 'name' }),
    dealId: ref('deal', { class: 'internal', edit: true, optional: true }),
    /** The contract that this one follows up. */
    renewsId: ref('contract', { class: 'internal', optional: true }),
    contactIds: many(ref('contact', { class: 'confidential', edit: true, find: ['link'] }), 50),
    amount: money({ class: 'confidential', edit: true, find: ['sort'] }),
    signedOn: date({ class: 'confidential', edit: true, find: ['sort'] }),
    startsOn: date({ class: 'confidential', edit: true, find: ['sort'] }),
    endsOn: date({ class: 'confidential', edit: true, find: ['sort'] }),
    /** How many days before its last day its owner gets a task; null: none. */
    noticeDays: number(0, 730, { class: 'confidential', edit: true }),
    tags: many(text(60, { class: 'confidential', edit: true, find: ['text'] }), 50),
    note: text(10_000, { class: 'confidential', edit: true, find: ['text'], optional: true }),
  },
})
