import { randomBytes } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { unreadable } from './files.ts'
import type { Sending } from './client.ts'
import type { Terminal } from './verb.ts'

/**
 * A multipart/form-data body (RFC 7578) of fields and one file, streamed from disk. The fields come first, so that the server
 * knows what to do with the file as it arrives. The file goes as `upload`: its name may say more about people than is needed.
 */
export async function multipart(terminal: Terminal, fields: Readonly<Record<string, string | undefined>>, path: string): Promise<Required<Pick<Sending, 'stream'>>> {
  const boundary = `sealbook-${randomBytes(18).toString('base64url')}`
  const parts = Object.entries(fields).filter((entry): entry is [string, string] => entry[1] !== undefined)
  const head = Buffer.from(
    [
      ...parts.map(([name, value]) => `--${boundary}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`),
      `--${boundary}\r\nContent-Disposition: form-data; name="file"; filename="upload"\r\nContent-Type: application/octet-stream\r\n\r\n`,
    ].join(''),
  )
  const tail = Buffer.from(`\r\n--${boundary}--\r\n`)
  const size = await sizeOf(terminal, path)
  const body = async function* (): AsyncGenerator<Buffer> {
    yield head
    // `end`: a file that grows meanwhile must not outgrow the length announced.
    if (size > 0) for await (const chunk of createReadStream(path, { end: size - 1, highWaterMark: 256 * 1024 })) yield chunk as Buffer // no encoding is set
    yield tail
  }
  return { stream: { type: `multipart/form-data; boundary=${boundary}`, length: head.length + size + tail.length, from: Readable.from(body(), { objectMode: false }) } }
}

async function sizeOf(terminal: Terminal, path: string): Promise<number> {
  try {
    const file = await open(path, 'r')
    try {
      const stat = await file.stat()
      if (!stat.isFile()) throw Object.assign(new Error('not a file'), { code: 'EISDIR' })
      return stat.size
    } finally {
      await file.close()
    }
  } catch (error) {
    throw unreadable(terminal, 'FILE', error)
  }
}
