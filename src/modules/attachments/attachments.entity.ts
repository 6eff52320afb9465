import { defineEntity, id, number, oneOf, text } from '../../kernel/entity/index.ts'
import { RECORD_KINDS } from '../activities/index.ts'

/** 附件: a file on a record. It is sealed with the record's key, file and all, and seen by whoever sees the record. */
export const Attachment = defineEntity('attachment', {
  plural: 'attachments',
  table: 'attachments',
  about: 'record',
  keep: { years: 3, since: 'updatedAt' },
  fields: {
    recordKind: oneOf(RECORD_KINDS, { class: 'internal', edit: true, fixed: true }),
    recordId: id({ class: 'internal', edit: true, fixed: true }),
    name: text(255, { class: 'confidential', edit: true, find: ['text', 'pinyin', 'sort'] }),
    /** As the bytes say, never as the sender does. */
    mediaType: text(120, { class: 'confidential', find: ['text'] }),
    /** Bytes. */
    size: number(0, 2 ** 31, { class: 'confidential', find: ['sort'] }),
    /** Of the content, hexadecimal. */
    sha256: text(64, { class: 'confidential' }),
    /** Whether a virus scanner has seen it; what it found something in was never kept. */
    scan: oneOf(['none', 'clean'], { class: 'internal', initial: 'none' }),
  },
})
