import { once } from 'node:events'
import type { Writable } from 'node:stream'
import iconv from 'iconv-lite'
import type { GeneratedContact } from './chinese.ts'

export type CsvEncoding = 'utf8' | 'gb18030' | 'utf16le'

export interface CsvForm {
  encoding?: CsvEncoding
  header?: 'zh' | 'en'
  newline?: '\n' | '\r\n' | '\r'
  delimiter?: ',' | ';' | '\t'
  /** A byte order mark; UTF-16 has one unless told otherwise. */
  mark?: boolean
}

const headers = {
  zh: ['姓名', '手机', '办公电话', '邮箱', '公司名称', '职务', '城市', '标签', '来源', '创建时间', '备注'],
  en: ['Full Name', 'Mobile', 'Work Phone', 'Email', 'Company', 'Job Title', 'City', 'Tags', 'Source', 'Created', 'Notes'],
}

/** The bytes of a CSV file of contacts, about 64 kB at a time. */
export function* csvBytes(contacts: Iterable<GeneratedContact>, form: CsvForm = {}): Generator<Buffer> {
  const { encoding = 'utf8', header = 'zh', newline = '\r\n', delimiter = ',' } = form
  let text = (form.mark ?? encoding === 'utf16le') ? '\ufeff' : ''
  text += headers[header].join(delimiter) + newline
  for (const contact of contacts) {
    text += cells(contact).map((cell) => quoted(cell, delimiter)).join(delimiter) + newline
    if (text.length < 1 << 15) continue
    yield encode(text, encoding)
    text = ''
  }
  yield encode(text, encoding)
}

/** Writes them to a stream and waits where it is slow; the stream stays open. */
export async function writeCsv(out: Writable, contacts: Iterable<GeneratedContact>, form: CsvForm = {}): Promise<void> {
  for (const bytes of csvBytes(contacts, form)) if (!out.write(bytes)) await once(out, 'drain')
}

function cells(c: GeneratedContact): string[] {
  const [mobile = '', work = '', ...more] = c.phones
  return [c.fullName, [mobile, ...more].join('/'), work, c.emails.join(';'), c.company, c.title, c.city, c.tags.join('、'), c.source, c.createdAt.slice(0, 19).replace('T', ' '), c.note]
}

function quoted(cell: string, delimiter: string): string {
  return cell.includes(delimiter) || /["\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell
}

function encode(text: string, encoding: CsvEncoding): Buffer {
  return encoding === 'gb18030' ? iconv.encode(text, 'gb18030') : Buffer.from(text, encoding)
}
