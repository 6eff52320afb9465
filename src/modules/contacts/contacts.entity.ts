import { CHANNELS } from '../contact-points/index.ts'
import { defineEntity, email, handle, lastDigits, many, middle, oneOf, phone, ref, text, time } from '../../kernel/entity/index.ts'

/** 联系人: a person one does business with. The table of every column is docs/generated/data-map.md. */
export const Contact = defineEntity('contact', {
  plural: 'contacts',
  table: 'contacts',
  about: 'person',
  keep: { years: 3, since: 'updatedAt' },
  fields: {
    fullName: text(200, { class: 'personal', edit: true, find: ['text', 'pinyin', 'sort'], optional: true }),
    emails: many(email({ class: 'personal', edit: true, find: ['exact', 'text'] }), 20),
    phones: many(phone({ class: 'personal', edit: true, find: ['exact', 'tail4'], mask: middle }), 20),
    handles: many(handle({ class: 'personal', edit: true, find: ['text'] }), 20),
    companyId: ref('company', { class: 'internal', edit: true, optional: true, show: 'name' }),
    title: text(200, { class: 'personal', edit: true, find: ['text'], optional: true }),
    city: text(100, { class: 'personal', edit: true, find: ['text'], optional: true }),
    note: text(10_000, { class: 'personal', edit: true, find: ['text'], optional: true }),
    stage: oneOf(['active', 'dormant', 'former'], { class: 'internal', edit: true, initial: 'active' }),
    tags: many(text(60, { class: 'confidential', edit: true, find: ['text'] }), 50),
    source: text(80, { class: 'confidential', edit: true, find: ['text'], optional: true }),
    collectedAt: time({ class: 'internal', edit: true }),
    doNotContact: many(oneOf(CHANNELS, { class: 'personal', edit: true, find: ['text'] }), CHANNELS.length),
    /** Of one that was merged away: whom it has become. */
    mergedIntoId: ref('contact', { class: 'internal', optional: true }),
    nationalId: text(32, { class: 'sensitive', edit: true, find: ['exact'], mask: lastDigits(4), optional: true }),
  },
})
