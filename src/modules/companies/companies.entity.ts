import { defineEntity, text } from '../../kernel/entity/index.ts'

/** 客户: an organisation. Minimal until the nouns of the daily CRM land: what a contact needs. */
export const Company = defineEntity('company', {
  plural: 'companies',
  table: 'companies',
  about: 'container',
  keep: { years: 10, since: 'updatedAt' },
  fields: {
    name: text(200, { class: 'confidential', edit: true, find: ['text', 'pinyin', 'sort'] }),
  },
})
