import { extensionOf } from './names.ts'

/** So much of the beginning decides what a file is, or which container it is. */
export const HEAD_BYTES = 4096

/** `container`: its inside decides, which is looked at when the whole of it is there. */
export type Sniffed = { type: string } | { container: 'zip' | 'cfb' } | { text: string } | null

type Test = (b: Buffer) => boolean

const at = (offset: number, ...bytes: number[]): Test => (b) => bytes.every((v, i) => b[offset + i] === v)
const ascii = (offset: number, word: string): Test => (b) => b.subarray(offset, offset + word.length).toString('latin1') === word
const both = (...tests: Test[]): Test => (b) => tests.every((t) => t(b))
const either = (...tests: Test[]): Test => (b) => tests.some((t) => t(b))

/** Brands of ISO media files. QuickTime's own are left to `video/mp4`, which players treat alike. */
const brand = (...brands: string[]): Test => both(ascii(4, 'ftyp'), (b) => brands.includes(b.subarray(8, 12).toString('latin1')))

const BMP_HEADERS = [12, 40, 52, 56, 64, 108, 124]

const SIGNATURES: readonly [string, Test][] = [
  ['image/jpeg', at(0, 0xff, 0xd8, 0xff)],
  ['image/png', at(0, 0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a)],
  ['image/gif', either(ascii(0, 'GIF87a'), ascii(0, 'GIF89a'))],
  ['image/webp', both(ascii(0, 'RIFF'), ascii(8, 'WEBP'))],
  ['image/bmp', both(ascii(0, 'BM'), at(6, 0, 0, 0, 0), (b) => b.length > 18 && BMP_HEADERS.includes(b.readUInt32LE(14)))],
  ['image/tiff', either(at(0, 0x49, 0x49, 0x2a, 0), at(0, 0x4d, 0x4d, 0, 0x2a))],
  ['image/heic', brand('heic', 'heix', 'heim', 'heis', 'mif1', 'msf1')],
  ['image/avif', brand('avif', 'avis')],
  ['application/pdf', ascii(0, '%PDF-')],
  ['application/rtf', ascii(0, '{\\rtf1')],
  ['application/x-7z-compressed', at(0, 0x37, 0x7a, 0xbc, 0xaf, 0x27, 0x1c)],
  ['application/vnd.rar', ascii(0, 'Rar!\u001a\u0007')],
  ['application/gzip', at(0, 0x1f, 0x8b, 8)],
  ['audio/mpeg', either(ascii(0, 'ID3'), at(0, 0xff, 0xfb), at(0, 0xff, 0xf3), at(0, 0xff, 0xf2))],
  ['audio/wav', both(ascii(0, 'RIFF'), ascii(8, 'WAVE'))],
  ['audio/ogg', ascii(0, 'OggS')],
  ['audio/amr', ascii(0, '#!AMR')],
  ['audio/mp4', brand('M4A ', 'M4B ')],
  ['video/mp4', brand('isom', 'iso2', 'iso4', 'iso5', 'iso6', 'mp41', 'mp42', 'avc1', 'M4V ', 'qt  ', '3gp4', '3gp5', '3gp6')],
]

const isZip = either(at(0, 0x50, 0x4b, 3, 4), at(0, 0x50, 0x4b, 5, 6))
const isCfb = at(0, 0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1)

/** Bytes no text has; tab, newlines, form feed and escape are left. */
const BINARY = /[\u0000-\u0008\u000b\u000e-\u001a\u001c-\u001f]/

export const holdsBinary = (bytes: Buffer): boolean => BINARY.test(bytes.toString('latin1'))

/** UTF-16 by its mark; whatever else is text is read byte by byte, in which markup looks alike in every encoding people use. */
export const isUtf16 = (head: Buffer): boolean => at(0, 0xff, 0xfe)(head) || at(0, 0xfe, 0xff)(head)

function textOf(head: Buffer): string | null {
  if (at(0, 0xff, 0xfe)(head)) return head.subarray(2).toString('utf16le')
  if (at(0, 0xfe, 0xff)(head)) return Buffer.from(head.subarray(2, 2 + 2 * Math.floor((head.length - 2) / 2))).swap16().toString('utf16le')
  return holdsBinary(head) ? null : head.toString('utf8').replace(/^\ufeff/, '')
}

/** What a browser or a shell would run: markup, whatever its first tag is, and scripts that name their interpreter. */
const ACTIVE = /^\s*<|^#!|<(?:!doctype|html|head|body|script|svg|iframe|object|embed|math|meta|link|style)(?=[\s>/])|<\?(?:xml|php)/i

function sniffText(head: Buffer, name: string): Sniffed {
  const text = textOf(head)
  if (text === null || ACTIVE.test(text)) return null
  if (/^\s*BEGIN:VCARD/i.test(text)) return { text: 'text/vcard' }
  if (/^\s*BEGIN:VCALENDAR/i.test(text)) return { text: 'text/calendar' }
  return { text: extensionOf(name).toLowerCase() === '.csv' ? 'text/csv' : 'text/plain' }
}

/** What the first bytes say a file is; null: nothing that is taken. The name only tells a table from other text, which are served alike. */
export function sniff(head: Buffer, name: string): Sniffed {
  if (head.length === 0) return null
  if (isZip(head)) return { container: 'zip' }
  if (isCfb(head)) return { container: 'cfb' }
  const found = SIGNATURES.find(([, test]) => test(head))
  return found ? { type: found[0] } : sniffText(head, name)
}
