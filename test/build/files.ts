import { crc32 } from 'node:zlib'

/** Files of each kind as small as they can be, made here byte by byte, so that a test knows what is in them. */

/** A zip archive of uncompressed entries. */
export function zipOf(entries: Readonly<Record<string, string | Uint8Array>>): Buffer {
  const parts: Buffer[] = []
  const directory: Buffer[] = []
  let offset = 0
  for (const [name, content] of Object.entries(entries)) {
    const bytes = Buffer.from(content as Uint8Array)
    const path = Buffer.from(name)
    const shared = Buffer.alloc(26)
    shared.writeUInt16LE(20, 0)
    shared.writeUInt32LE(crc32(bytes), 10)
    shared.writeUInt32LE(bytes.length, 14)
    shared.writeUInt32LE(bytes.length, 18)
    shared.writeUInt16LE(path.length, 22)
    const local = Buffer.concat([Buffer.from('PK\u0003\u0004'), shared, path, bytes])
    const central = Buffer.alloc(14)
    central.writeUInt32LE(offset, 10)
    directory.push(Buffer.concat([Buffer.from('PK\u0001\u0002\u0014\u0000'), shared, central, path]))
    parts.push(local)
    offset += local.length
  }
  const all = Buffer.concat(directory)
  const end = Buffer.alloc(22)
  end.write('PK\u0005\u0006')
  end.writeUInt16LE(directory.length, 8)
  end.writeUInt16LE(directory.length, 10)
  end.writeUInt32LE(all.length, 12)
  end.writeUInt32LE(offset, 16)
  return Buffer.concat([...parts, all, end])
}

export const docxOf = (more: Readonly<Record<string, string>> = {}): Buffer => zipOf({ '[Content_Types].xml': '<Types/>', '_rels/.rels': '<Relationships/>', 'word/document.xml': '<w:document/>', ...more })
export const xlsxOf = (more: Readonly<Record<string, string>> = {}): Buffer => zipOf({ '[Content_Types].xml': '<Types/>', 'xl/workbook.xml': '<workbook/>', ...more })
export const odtOf = (): Buffer => zipOf({ mimetype: 'application/vnd.oasis.opendocument.text', 'content.xml': '<office/>' })

/** A compound file ([MS-CFB], version 3) whose directory names these streams; four to a sector, so more of them make a chain. */
export function cfbOf(streams: readonly string[]): Buffer {
  const SECTOR = 512
  const entries = ['Root Entry', ...streams]
  const sectors = Math.ceil(entries.length / 4)
  const head = Buffer.alloc(SECTOR)
  Buffer.from('d0cf11e0a1b11ae1', 'hex').copy(head)
  head.writeUInt16LE(3, 26)
  head.writeUInt16LE(0xfffe, 28)
  head.writeUInt16LE(9, 30)
  head.writeUInt16LE(6, 32)
  head.writeUInt32LE(1, 44)
  head.writeUInt32LE(1, 48) // the directory begins behind the table
  head.fill(0xff, 76)
  head.writeUInt32LE(0, 76)
  const table = Buffer.alloc(SECTOR, 0xff)
  table.writeUInt32LE(0xfffffffd, 0)
  for (let i = 0; i < sectors; i++) table.writeUInt32LE(i + 1 < sectors ? i + 2 : 0xfffffffe, 4 * (i + 1))
  const directory = Buffer.alloc(sectors * SECTOR)
  for (const [i, name] of entries.entries()) {
    directory.write(name, i * 128, 'utf16le')
    directory.writeUInt16LE(2 * (name.length + 1), i * 128 + 64)
  }
  return Buffer.concat([head, table, directory])
}

/** The string every virus scanner knows and that harms nobody. In two halves, so that no scanner takes this source for it. */
export const eicar = (): Buffer => Buffer.from(['X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-STANDARD-', 'ANTIVIRUS-TEST-FILE!$H+H*'].join(''))

const BOUNDARY = 'a-boundary-of-our-tests'

/** A multipart body: fields, then one file. */
export function multipartOf(fields: Readonly<Record<string, string>>, file: { name: string; bytes: Uint8Array; type?: string } | null): { body: Buffer; headers: Record<string, string> } {
  const parts = Object.entries(fields).map(([name, value]) => Buffer.from(`--${BOUNDARY}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`))
  if (file) parts.push(Buffer.from(`--${BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="${file.name}"\r\nContent-Type: ${file.type ?? 'application/octet-stream'}\r\n\r\n`), Buffer.from(file.bytes), Buffer.from('\r\n'))
  return { body: Buffer.concat([...parts, Buffer.from(`--${BOUNDARY}--\r\n`)]), headers: { 'Content-Type': `multipart/form-data; boundary=${BOUNDARY}` } }
}
