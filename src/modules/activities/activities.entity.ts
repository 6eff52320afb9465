import { z } from 'zod'
import { defineEntity, id, many, oneOf, ref, shape, text, time } from '../../kernel/entity/index.ts'

/** What an activity, or a file, can hang on. */
export const RECORD_KINDS = ['contact', 'company', 'lead', 'deal', 'contract'] as const

export const ACTIVITY_KINDS = ['note', 'call', 'meeting', 'mail', 'task'] as const
export type ActivityKind = (typeof ACTIVITY_KINDS)[number]

const recurrence = z.strictObject({
  every: z.enum(['day', 'week', 'month', 'year']),
  interval: z.int().min(1).max(365),
  /** The last day on which it may be due again. */
  until: z.iso.date().nullable().default(null),
  /** Of a month or year: the day of the month it is meant for, that of the first due day by itself. */
  day: z.int().min(1).max(31).nullable().default(null),
})

/** When a task that was done comes back. */
export type Recurrence = z.output<typeof recurrence>

/** 跟进记录: a note, call, meeting, mail or task. It hangs on one record, is sealed with its key and seen by whoever sees it. */
export const Activity = defineEntity('activity', {
  plural: 'activities',
  table: 'activities',
  about: 'record',
  alsoOwn: ['assigneeId'],
  keep: { years: 3, since: 'updatedAt' },
  fields: {
    recordKind: oneOf(RECORD_KINDS, { class: 'internal', edit: true, fixed: true }),
    recordId: id({ class: 'internal', edit: true, fixed: true }),
    kind: oneOf(ACTIVITY_KINDS, { class: 'internal', edit: true, fixed: true }),
    title: text(200, { class: 'confidential', edit: true, find: ['text', 'pinyin', 'sort'], optional: true }),
    body: text(20_000, { class: 'confidential', edit: true, find: ['text'], optional: true }),
    outcome: text(200, { class: 'confidential', edit: true, find: ['text'], optional: true }),
    /** When it happened, or begins. */
    at: time({ class: 'internal', edit: true }),
    endsAt: time({ class: 'internal', edit: true }),
    dueAt: time({ class: 'internal', edit: true }),
    doneAt: time({ class: 'internal', edit: true }),
    remindAt: time({ class: 'internal', edit: true }),
    assigneeId: ref('user', { class: 'internal', edit: true, optional: true }),
    /** The task that came after this one, which comes back. Set once. */
    nextId: id({ class: 'internal', optional: true }),
    recurrence: shape<Recurrence>(recurrence, { class: 'confidential', edit: true }),
    contactIds: many(ref('contact', { class: 'confidential', edit: true, find: ['link'] }), 50),
  },
})
