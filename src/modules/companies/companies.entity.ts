import { defineEntity, many, oneOf, phone, ref, text, time } from '../../kernel/entity/index.ts'

/** 客户: an organisation one does business with. */
export const Company = defineEntity('company', {
  plural: 'companies',
  table: 'companies',
  about: 'container',
  conceal: { while: 'poolId', fields: ['phones', 'website', 'address', 'note'] },
  keep: { years: 10, since: 'updatedAt' },
  fields: {
    name: text(200, { class: 'confidential', edit: true, find: ['text', 'pinyin', 'sort'] }),
    legalName: text(200, { class: 'confidential', edit: true, find: ['text', 'pinyin'], optional: true }),
    aliases: many(text(200, { class: 'confidential', edit: true, find: ['text'] }), 20),
    registrationNumber: text(60, { class: 'confidential', edit: true, find: ['exact', 'text'], optional: true }),
    industry: text(100, { class: 'confidential', edit: true, find: ['text'], optional: true }),
    size: oneOf(['micro', 'small', 'medium', 'large'], { class: 'internal', edit: true, optional: true }),
    stage: oneOf(['prospect', 'active', 'dormant', 'former'], { class: 'internal', edit: true, initial: 'prospect' }),
    website: text(300, { class: 'confidential', edit: true, find: ['text'], optional: true }),
    phones: many(phone({ class: 'confidential', edit: true, find: ['exact', 'tail4'] }), 10),
    address: text(500, { class: 'confidential', edit: true, find: ['text'], optional: true }),
    city: text(100, { class: 'confidential', edit: true, find: ['text'], optional: true }),
    parentId: ref('company', { class: 'internal', edit: true, optional: true }),
    source: text(80, { class: 'confidential', edit: true, find: ['text'], optional: true }),
    tags: many(text(60, { class: 'confidential', edit: true, find: ['text'] }), 50),
    note: text(10_000, { class: 'confidential', edit: true, find: ['text'], optional: true }),
    /** Of one that was merged away: what it has become. */
    mergedIntoId: ref('company', { class: 'internal', optional: true }),
    poolId: ref('pool', { class: 'internal', optional: true }),
    pooledAt: time({ class: 'internal' }),
    claimedPoolId: ref('pool', { class: 'internal', optional: true }),
    claimedAt: time({ class: 'internal' }),
  },
})
