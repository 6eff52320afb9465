import { defineEntity, email, handle, many, middle, number, oneOf, phone, ref, text, time } from '../../kernel/entity/index.ts'
import { CHANNELS } from '../contact-points/index.ts'

export const LEAD_STATUS = ['new', 'working', 'qualified', 'disqualified', 'converted'] as const

/** 线索: somebody who may become a customer. Its conversion makes a company, a contact and a deal of it and keeps its history. */
export const Lead = defineEntity('lead', {
  plural: 'leads',
  table: 'leads',
  about: 'person',
  conceal: { while: 'poolId', fields: ['emails', 'phones', 'handles', 'note'] },
  keep: { years: 2, since: 'updatedAt' },
  fields: {
    fullName: text(200, { class: 'personal', edit: true, find: ['text', 'pinyin', 'sort'], optional: true }),
    companyName: text(200, { class: 'confidential', edit: true, find: ['text', 'pinyin', 'sort'], optional: true }),
    title: text(200, { class: 'personal', edit: true, find: ['text'], optional: true }),
    emails: many(email({ class: 'personal', edit: true, find: ['exact', 'text'] }), 20),
    phones: many(phone({ class: 'personal', edit: true, find: ['exact', 'tail4'], mask: middle }), 20),
    handles: many(handle({ class: 'personal', edit: true, find: ['text'] }), 20),
    city: text(100, { class: 'personal', edit: true, find: ['text'], optional: true }),
    note: text(10_000, { class: 'personal', edit: true, find: ['text'], optional: true }),
    source: text(80, { class: 'confidential', edit: true, find: ['text'], optional: true }),
    tags: many(text(60, { class: 'confidential', edit: true, find: ['text'] }), 50),
    status: oneOf(LEAD_STATUS, { class: 'internal', edit: true, initial: 'new' }),
    score: number(0, 1000, { class: 'confidential', find: ['sort'] }),
    disqualifiedReason: text(500, { class: 'confidential', edit: true, find: ['text'], optional: true }),
    collectedAt: time({ class: 'internal', edit: true }),
    doNotContact: many(oneOf(CHANNELS, { class: 'personal', edit: true, find: ['text'] }), CHANNELS.length),
    convertedAt: time({ class: 'internal' }),
    contactId: ref('contact', { class: 'internal', optional: true }),
    companyId: ref('company', { class: 'internal', optional: true }),
    dealId: ref('deal', { class: 'internal', optional: true }),
    poolId: ref('pool', { class: 'internal', optional: true }),
    pooledAt: time({ class: 'internal' }),
    claimedPoolId: ref('pool', { class: 'internal', optional: true }),
    claimedAt: time({ class: 'internal' }),
  },
})
