import type { UnreadableReason } from '../problems.ts'

/** First bytes of what people rename to .csv. The order matters only for xlsx, which is a zip. */
const signatures: readonly (readonly [UnreadableReason, ...number[]])[] = [
  ['archive', 0x50, 0x4b, 0x03, 0x04],
  ['archive', 0x50, 0x4b, 0x05, 0x06],
  ['archive', 0x1f, 0x8b],
  ['archive', 0x37, 0x7a, 0xbc, 0xaf, 0x27, 0x1c],
  ['archive', 0x52, 0x61, 0x72, 0x21, 0x1a, 0x07],
  ['archive', 0x28, 0xb5, 0x2f, 0xfd],
  ['archive', 0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00],
  ['archive', 0x42, 0x5a, 0x68],
  ['spreadsheet', 0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1],
  ['pdf', 0x25, 0x50, 0x44, 0x46],
  ['binary', 0x89, 0x50, 0x4e, 0x47],
  ['binary', 0xff, 0xd8, 0xff],
  ['binary', 0x47, 0x49, 0x46, 0x38],
  ['binary', 0x7f, 0x45, 0x4c, 0x46],
  ['binary', 0x53, 0x51, 0x4c, 0x69, 0x74, 0x65, 0x20, 0x66],
  ['binary', 0xff, 0xfe, 0x00, 0x00],
  ['binary', 0x00, 0x00, 0xfe, 0xff],
]

/** What the first bytes of a file say it is, when that is not a table of text. */
export function foreignFormat(head: Uint8Array): UnreadableReason | null {
  for (const [reason, ...bytes] of signatures) {
    if (!bytes.every((b, i) => head[i] === b)) continue
    if (reason !== 'archive' || bytes[0] !== 0x50) return reason
    const names = Buffer.from(head.buffer, head.byteOffset, head.length)
    return names.includes('[Content_Types].xml') || names.includes('xl/') ? 'spreadsheet' : 'archive'
  }
  const start = Buffer.from(head.buffer, head.byteOffset, Math.min(head.length, 512)).toString('latin1').replace(/^(\xef\xbb\xbf)?\s+/, '').toLowerCase()
  return /^(?:\xef\xbb\xbf)?<(?:!doctype|html|head|table|\?xml)/.test(start) ? 'html' : null
}

/** More than one in ten bytes (a few NULs in a small table are bad rows, no more) is a control character no text holds. Not for UTF-16. */
export function looksBinary(head: Uint8Array): boolean {
  let controls = 0
  for (const b of head) if (b < 0x20 && b !== 0x09 && b !== 0x0a && b !== 0x0d && b !== 0x0c) controls++
  return controls > 3 && controls * 10 > head.length
}
