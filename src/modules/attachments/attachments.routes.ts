import type { FastifyRequest } from 'fastify'
import { isUuid, Problem } from '../../kernel/base/index.ts'
import { route, type Route } from '../../kernel/http/index.ts'
import type { Desk } from '../../kernel/work/types.ts'
import { recordRoutes, type Written } from '../records/index.ts'
import { attachmentContracts as contracts, uploadFields } from './attachments.contract.ts'
import { Attachment } from './attachments.entity.ts'
import { checkTarget, findPart, upload, type AttachmentsDeps, type Target } from './attachments.service.ts'
import { sendContent, sendPreview } from './download.ts'
import type { Senders } from './senders.ts'

const invalid = (path: string, code: string): Problem => new Problem('invalid', { errors: [{ path, code }] })

/** `contacts/{id}` as it stands in an address, or `contact/{id}`. */
function fromText(text: string, plurals: ReadonlyMap<string, string>): { recordKind?: string; recordId?: string } {
  const [kind = '', id = '', ...more] = text.split('/')
  if (more.length > 0 || !isUuid(id.toLowerCase())) throw invalid('record', 'record-invalid')
  return { recordKind: plurals.get(kind) ?? kind, recordId: id.toLowerCase() }
}

/** Throws Problem invalid with paths and codes. The kinds are those of the entity; any other is unknown. */
function targetOf(given: Record<string, unknown>, plurals: ReadonlyMap<string, string>): Target & { name: string | undefined } {
  const parsed = uploadFields.safeParse(given)
  if (!parsed.success) throw new Problem('invalid', { errors: parsed.error.issues.slice(0, 20).map((i) => ({ path: i.path.map(String).join('.'), code: i.code.replaceAll('_', '-') })) })
  const { record, name, ...apart } = parsed.data
  const { recordKind, recordId } = record === undefined ? apart : fromText(record, plurals)
  if (recordKind === undefined || recordId === undefined) throw invalid('record', 'required-before-file')
  if (!Attachment.fields.recordKind.values?.includes(recordKind)) throw invalid('recordKind', 'invalid-value')
  return { recordKind, recordId, name }
}

/** The parser of uploads throws plain errors for a body that is cut off or says no boundary: the sender's fault, not ours. */
async function* asSent<T>(source: AsyncIterable<T>): AsyncGenerator<T> {
  try {
    yield* source
  } catch (error) {
    const known = error instanceof Problem || (error as { statusCode?: unknown }).statusCode !== undefined
    throw known ? error : new Problem('invalid', { errors: [{ path: '', code: 'malformed' }], cause: error })
  }
}

/** What comes with a file in a multipart body, beside its content: a little for the boundary and the fields. */
const ENVELOPE = 64 * 1024

/** Reads the parts up to the file, whose record must be known before its first byte: it is sealed with that record's key. What comes after the file is refused before the file is kept. */
async function receive(desk: Desk, deps: AttachmentsDeps, request: FastifyRequest): Promise<Written> {
  const plurals = new Map([...deps.records.slices.values()].map((s) => [s.entity.plural, s.entity.name]))
  const parts = asSent(request.parts())
  const given: Record<string, unknown> = {}
  for (let next = await parts.next(); !next.done; next = await parts.next()) {
    const part = next.value
    if (part.type === 'field') {
      given[part.fieldname] = part.value
      continue
    }
    if (part.fieldname !== 'file') throw invalid('file', 'one-file')
    const { name, ...target } = targetOf(given, plurals)
    const key = await checkTarget(desk, deps, target)
    const whole = async (): Promise<void> => {
      if (!(await parts.next()).done) throw invalid('file', 'last')
    }
    return upload(desk, deps, { name: name ?? part.filename ?? '', target, key, source: asSent<Buffer>(part.file), whole })
  }
  throw invalid('file', 'required')
}

async function take(desk: Desk, deps: AttachmentsDeps, senders: Senders, request: FastifyRequest): Promise<Written> {
  if (!request.isMultipart()) throw new Problem('media-type-unsupported')
  // Said by the sender, and so no limit; but whoever says so truly need not send it all.
  if (Number(request.headers['content-length'] ?? 0) > deps.most + ENVELOPE) throw new Problem('attachment-too-large')
  return senders.one(desk.actor.personId, () => receive(desk, deps, request))
}

export function attachmentRoutes(deps: AttachmentsDeps, senders: Senders): Route[] {
  // A file comes with its bytes, so it is not made of JSON.
  const others = recordRoutes(deps.records, deps.slice).filter(({ contract: c }) => !(c.method === 'POST' && c.path === '/attachments'))
  return [
    route(contracts.upload, async (desk, { request }) => {
      const { view, record } = await take(desk, deps, senders, request)
      return { body: view, version: record.version }
    }),
    route(contracts.content, async (desk, { params, request }) => {
      const found = await findPart(desk, deps, params.id, 'content')
      return sendContent(desk, found, { range: request.headers.range, ifRange: request.headers['if-range'] as string | undefined })
    }),
    route(contracts.preview, async (desk, { params }) => sendPreview(desk, await findPart(desk, deps, params.id, 'preview'))),
    ...others,
  ]
}
