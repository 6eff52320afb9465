import { defineEntity, many, oneOf, text } from '../../kernel/entity/index.ts'

export const TAG_COLOURS = ['grey', 'red', 'orange', 'gold', 'green', 'cyan', 'blue', 'purple', 'magenta'] as const

/** 标签: a word records are marked with, as the organisation writes it. Records keep the word itself, so a new name is carried to them by a job. */
export const Tag = defineEntity('tag', {
  plural: 'tags',
  table: 'tags',
  about: 'organisation',
  keep: { years: 10, since: 'updatedAt' },
  fields: {
    /** Changed by renaming only, which changes the records, too. */
    name: text(60, { class: 'confidential', edit: true, fixed: true, find: ['text', 'pinyin', 'sort'] }),
    colour: oneOf(TAG_COLOURS, { class: 'internal', edit: true, initial: 'grey' }),
    /** Names it had, the newest first: records that nobody who renamed it could change still bear one. */
    formerly: many(text(60, { class: 'confidential', find: ['text'] }), 20),
  },
})
