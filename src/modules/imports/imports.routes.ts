import { pipeline } from 'node:stream/promises'
import type { FastifyRequest } from 'fastify'
import { z } from 'zod'
import { Problem, uuidv7 } from '../../kernel/base/index.ts'
import { endpoint, route, type Route } from '../../kernel/http/index.ts'
import { createSealedFile } from '../../kernel/vault/index.ts'
import type { Desk } from '../../kernel/work/types.ts'
import { phoneCountry } from '../contact-points/index.ts'
import { runView, type Runs } from '../runs/index.ts'
import type { ImportResult, ImportWords } from './imports.service.ts'
import { readMapFile } from './map-file.ts'
import { namedEncoding } from './read/index.ts'

const count = z.int()
const result = z.object({
  rows: count,
  created: count,
  updated: count,
  unchanged: count,
  merged: count,
  skipped: count,
  rejected: count,
  companiesCreated: count,
  unmappedColumns: z.array(z.string()),
  notTaken: z.array(z.object({ column: z.string(), why: z.string() })),
  customFields: z.array(z.string()),
  problems: z.array(z.object({ row: count, column: z.string().nullable(), code: z.string() })),
  problemCount: count,
})

const fields = z.strictObject({
  source: z.string().trim().min(1).max(80),
  country: z.string().refine((c) => phoneCountry(c) !== null, { message: 'country-unknown' }).optional(),
  encoding: z.string().max(20).default('auto'),
  match: z.string().default('email,phone').transform((s) => s.split(',').map((k) => k.trim())).pipe(z.array(z.enum(['email', 'phone'])).min(1)),
  onMatch: z.enum(['update', 'skip']).default('update'),
  dryRun: z.enum(['true', 'false']).default('false').transform((s) => s === 'true'),
  map: z.string().max(100_000).optional(),
})

const contracts = {
  create: endpoint({
    method: 'POST',
    path: '/imports',
    permission: 'contacts:import',
    summary: 'Import contacts from a CSV file: multipart with the fields below, then `file`.',
    body: fields.extend({ file: z.string().meta({ format: 'binary' }) }),
    response: z.object({ id: z.uuid() }),
    status: 202,
    raw: true,
  }),
  get: endpoint({ method: 'GET', path: '/imports/:id', permission: 'contacts:import', summary: 'How an import of yours goes on.', params: z.object({ id: z.uuid().toLowerCase() }), response: runView(result) }),
}

export const importLabel = (id: string): string => `import ${id}`

function wordsOf(given: Record<string, unknown>): ImportWords {
  const parsed = fields.safeParse(given)
  if (!parsed.success) throw new Problem('invalid', { errors: parsed.error.issues.map((i) => ({ path: i.path.map(String).join('.'), code: i.code === 'custom' ? i.message : i.code.replaceAll('_', '-') })) })
  const { country, map, ...rest } = parsed.data
  namedEncoding(rest.encoding)
  if (map !== undefined) readMapFile(map)
  return { ...rest, country: country ?? null, map: map ?? null }
}

/** The parser of uploads throws plain errors for a body that is cut off or says no boundary: the sender's fault, not ours. */
function asMalformed(error: unknown): unknown {
  const known = error instanceof Problem || (error as { statusCode?: unknown }).statusCode !== undefined
  return known ? error : new Problem('invalid', { errors: [{ path: '', code: 'malformed' }], cause: error })
}

/** Streams the upload into a sealed file; nothing of it ever lies in the clear. Fields may stand before or after the file. */
async function receive(desk: Desk, runs: Runs, request: FastifyRequest, id: string): Promise<ImportWords> {
  if (!request.isMultipart()) throw new Problem('media-type-unsupported')
  const given: Record<string, unknown> = {}
  let files = 0
  try {
    for await (const part of request.parts()) {
      if (part.type === 'field') {
        given[part.fieldname] = part.value
        continue
      }
      if (part.fieldname !== 'file' || ++files > 1) throw new Problem('invalid', { errors: [{ path: 'file', code: 'one-file' }] })
      await pipeline(part.file, createSealedFile(desk.vault, runs.stagingFile(id), importLabel(id), desk.actor.key))
      if (part.file.truncated) throw new Problem('body-too-large')
    }
  } catch (error) {
    throw asMalformed(error)
  }
  if (files === 0) throw new Problem('invalid', { errors: [{ path: 'file', code: 'required' }] })
  return wordsOf(given)
}

export function importRoutes(runs: Runs): Route[] {
  return [
    route(contracts.create, async (desk, { request }) => {
      const id = uuidv7()
      try {
        return { body: await runs.ask(desk, 'import', await runs.receive(desk, () => receive(desk, runs, request, id)), id) }
      } catch (error) {
        await runs.discard(id)
        throw error
      }
    }),
    route(contracts.get, async (desk, { params }) => ({ body: await runs.view<ImportResult>(desk, 'import', params.id) })),
  ]
}
