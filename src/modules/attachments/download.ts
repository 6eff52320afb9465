import { Readable } from 'node:stream'
import { Problem } from '../../kernel/base/index.ts'
import type { Answer } from '../../kernel/http/index.ts'
import { openSealedFile, type SealedFile } from '../../kernel/vault/index.ts'
import type { Desk } from '../../kernel/work/types.ts'
import type { Found } from './attachments.service.ts'
import { contentDisposition, nameFor } from './names.ts'
import { rangeOf, type Part } from './ranges.ts'

const FIRST_BYTES = 256 * 1024

/** Never run, never framed, never guessed at, never kept by anybody on the way. */
const GUARDED = {
  'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'; sandbox",
  'X-Content-Type-Options': 'nosniff',
  'Cache-Control': 'no-store',
}

/** A file that is not there, or is not the one its row was made with, is an attack or damage: written down before the refusal leaves. */
async function opened(desk: Desk, found: Found): Promise<SealedFile> {
  return openSealedFile(desk.vault, found.path, found.label, found.key).catch((error: unknown) => refuseBroken(desk, found, error))
}

async function refuseBroken(desk: Desk, { record }: Found, error: unknown): Promise<never> {
  if (!(error instanceof Problem) || (error.code !== 'seal-broken' && error.code !== 'not-found')) throw error
  await desk.ledger.append({ action: 'seal.refused', actor: desk.actor.key, object: { kind: 'attachment', id: record.id }, detail: { code: 'seal-broken', part: 'file' } })
  throw new Problem('seal-broken', { cause: error })
}

/** The first bytes are opened before anything is answered, so that a changed file is refused and not begun. The rest is opened chunk by chunk while it leaves. */
async function stream(desk: Desk, found: Found, file: SealedFile, part: Part): Promise<Readable> {
  const behind = Math.min(part.end, part.start + FIRST_BYTES)
  const first = await file.range(part.start, behind).catch((error: unknown) => refuseBroken(desk, found, error))
  return Readable.from(rest(desk, found, first, { start: behind, end: part.end }), { objectMode: false })
}

async function* rest(desk: Desk, found: Found, first: Buffer, { start, end }: Part): AsyncGenerator<Buffer> {
  yield first
  if (start >= end) return
  // Opened here, and so closed here: an answer that is never sent would leave it open.
  const file = await opened(desk, found)
  try {
    yield* file.stream(start, end) as AsyncIterable<Buffer>
  } catch (error) {
    await refuseBroken(desk, found, error)
  } finally {
    await file.close()
  }
}

function outside(desk: Desk, size: number): Answer<unknown> {
  const problem = new Problem('range-unsatisfiable').toJSON(desk.requestId, desk.actor.locale)
  return { body: null, status: 416, stream: JSON.stringify(problem), headers: { ...GUARDED, 'Content-Type': 'application/problem+json; charset=utf-8', 'Content-Range': `bytes */${size}` } }
}

/** The tag of a content is the attachment's id: it never changes. */
const tagOf = (found: Found): string => `"${found.record.id}"`

/** Answers with the content, whole or in part, and records who took it. */
export async function sendContent(desk: Desk, found: Found, asked: { range?: string | undefined; ifRange?: string | undefined }): Promise<Answer<unknown>> {
  const { record, key } = found
  const file = await opened(desk, found)
  try {
    const size = file.size
    // The row is sealed, so is the file; that they belong together says the label, and that nothing was cut the length.
    if (size !== record['size']) await refuseBroken(desk, found, new Problem('seal-broken'))
    const range = asked.ifRange === undefined || asked.ifRange === tagOf(found) ? rangeOf(asked.range, size) : 'all'
    if (range === 'outside') return outside(desk, size)
    const part = range === 'all' ? { start: 0, end: size } : range
    desk.record({ action: 'attachment.downloaded', object: { kind: 'attachment', id: record.id }, subjects: [key], purpose: 'view', detail: range === 'all' ? {} : { from: part.start, to: part.end } })
    const type = String(record['mediaType'])
    const headers = {
      ...GUARDED,
      'Content-Type': type,
      'Content-Length': String(part.end - part.start),
      'Content-Disposition': contentDisposition(nameFor(String(record['name']), type)),
      'Accept-Ranges': 'bytes',
      ETag: tagOf(found),
      ...(range === 'all' ? {} : { 'Content-Range': `bytes ${part.start}-${part.end - 1}/${size}` }),
    }
    return { body: null, status: range === 'all' ? 200 : 206, stream: await stream(desk, found, file, part), headers }
  } finally {
    await file.close()
  }
}

/** Answers with the preview, which is small and whole in memory. */
export async function sendPreview(desk: Desk, found: Found): Promise<Answer<unknown>> {
  const { record, key } = found
  const file = await opened(desk, found)
  try {
    const bytes = await file.range(0, file.size).catch((error: unknown) => refuseBroken(desk, found, error))
    desk.record({ action: 'attachment.preview-read', object: { kind: 'attachment', id: record.id }, subjects: [key], purpose: 'view' })
    return { body: null, stream: Readable.from([bytes], { objectMode: false }), headers: { ...GUARDED, 'Content-Type': 'image/webp', 'Content-Length': String(bytes.length), 'Content-Disposition': 'inline; filename="preview.webp"' } }
  } finally {
    await file.close()
  }
}
