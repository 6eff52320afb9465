import { defineProblems, Problem } from '../../kernel/base/index.ts'

defineProblems({
  'import-file-unreadable': {
    status: 422,
    title: 'File unreadable',
    en: 'The file cannot be read as a table, and nothing was written. Save it as CSV (UTF-8 or GB18030) with one header row, and try again; reason names what is wrong.',
    zh: '无法将该文件作为表格读取，未写入任何内容。请另存为带一行表头的 CSV（UTF-8 或 GB18030）后重试；具体原因见 reason。',
  },
  'import-map-invalid': {
    status: 422,
    title: 'Column map invalid',
    en: 'Correct the entries of the map file named in errors; nothing was written.',
    zh: '请按 errors 修正列映射文件中的条目；未写入任何内容。',
  },
})

/** Why a file cannot be read as a whole. Published words: added to, never renamed. */
export type UnreadableReason =
  | 'empty'
  | 'archive'
  | 'spreadsheet'
  | 'pdf'
  | 'html'
  | 'binary'
  | 'line-too-long'
  | 'undecodable'
  | 'encoding-unknown'
  | 'header-missing'
  | 'header-broken'
  | 'header-duplicate'
  | 'too-many-columns'
  | 'no-identifying-column'
  | 'changed-while-read'

/** Says the reason and nothing else: a cell, a header or a file name could hold a person's data. */
export function unreadable(reason: UnreadableReason, cause?: unknown): Problem {
  return new Problem('import-file-unreadable', { extra: { reason }, cause })
}
