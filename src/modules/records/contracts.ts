import { z, type ZodType } from 'zod'
import { createSchema, patchSchema, viewSchema, type Entity } from '../../kernel/entity/index.ts'
import { endpoint, parsePart } from '../../kernel/http/index.ts'
import type { BulkBody } from './bulk.ts'

const id = z.object({ id: z.uuid().toLowerCase() })
const uuid = z.uuid().toLowerCase()

const searchBody = z.strictObject({
  where: z.unknown().optional(),
  text: z.string().max(200).optional(),
  sort: z.array(z.strictObject({ field: z.string().max(80), direction: z.enum(['asc', 'desc']).default('asc') })).max(5).optional(),
  fields: z.array(z.string().max(80)).max(100).optional(),
  limit: z.int().min(1).max(200).default(50),
  cursor: z.string().max(4000).optional(),
  count: z.boolean().optional(),
})

/** What is changed in many records passes the very schema that it passes in one. */
function bulkBody(entity: Entity) {
  const ids = z.array(uuid).min(1).max(1000)
  const { tags } = entity.fields
  return z.discriminatedUnion('action', [
    z.strictObject({ ids, action: z.literal('patch'), patch: patchSchema(entity) }),
    z.strictObject({ ids, action: z.literal('assign'), patch: z.strictObject({ ownerId: uuid }) }),
    z.strictObject({ ids, action: z.enum(['delete', 'restore']) }),
    ...(tags ? [z.strictObject({ ids, action: z.literal('tag'), patch: z.strictObject({ tags: tags.input }) })] : []),
  ])
}

/** A bulk change as a request for it would be parsed. Throws Problem invalid. */
export const parseBulk = (entity: Entity, body: object): BulkBody => parsePart(bulkBody(entity), Object.fromEntries(Object.entries(body).filter(([, v]) => v !== undefined)), 'body') as BulkBody // what the schema is of

const bulkAnswer = z.object({ done: z.int(), failed: z.array(z.object({ id: z.uuid(), code: z.string() })), undoToken: z.string().nullable() })
const json: ZodType = z.unknown()
const change = z.union([z.object({ from: json, to: json }), z.literal('changed')])
const timeline = z.object({
  items: z.array(z.object({ id: z.uuid(), at: z.string(), actorId: z.uuid().nullable(), action: z.string(), changes: z.record(z.string(), change).optional(), purpose: z.string().optional(), of: z.object({ entity: z.string(), id: z.uuid() }).optional(), activity: z.object({ id: z.uuid() }).catchall(json).optional() })),
  nextCursor: z.string().nullable(),
})

/** The endpoints every noun has, from its declaration alone. */
export function recordContracts(entity: Entity, more: { create?: z.ZodRawShape } = {}) {
  const { plural } = entity
  const at = `/${plural}` as const
  const one = `/${plural}/:id` as const
  const view = viewSchema(entity)
  const page = z.object({ items: z.array(view), nextCursor: z.string().nullable(), count: z.int().optional(), complete: z.boolean(), refused: z.int().optional() })
  return {
    create: endpoint({ method: 'POST', path: at, permission: `${plural}:create`, summary: `Create one of ${plural}.`, body: createSchema(entity).extend(more.create ?? {}), response: view, status: 201, idempotent: true }),
    get: endpoint({ method: 'GET', path: one, permission: `${plural}:read`, summary: `Read one of ${plural}.`, params: id, response: view }),
    patch: endpoint({ method: 'PATCH', path: one, permission: 'signed-in', summary: `Change fields of one of ${plural}.`, params: id, body: patchSchema(entity), response: view, ifMatch: true }),
    remove: endpoint({ method: 'DELETE', path: one, permission: `${plural}:delete`, summary: `Delete one of ${plural}; it can be restored.`, params: id, response: view, ifMatch: true }),
    restore: endpoint({ method: 'POST', path: `${one}/restore`, permission: `${plural}:delete`, summary: `Bring back a deleted one of ${plural}.`, params: id, response: view }),
    undo: endpoint({ method: 'POST', path: `${one}/undo`, permission: 'signed-in', summary: 'Take back your own last change of it (24 h), where nobody has changed it since.', params: id, response: view, ifMatch: true }),
    search: endpoint({ method: 'POST', path: `${at}/search`, permission: `${plural}:read`, summary: `Search, filter, sort and count ${plural}.`, body: searchBody, response: page }),
    bulk: endpoint({ method: 'POST', path: `${at}/bulk`, permission: 'signed-in', summary: `Change up to 1,000 of ${plural}.`, body: bulkBody(entity), response: bulkAnswer }),
    timeline: endpoint({ method: 'GET', path: `${one}/timeline`, permission: `${plural}:read`, summary: 'What happened to it, newest first.', params: id, query: z.strictObject({ cursor: z.string().regex(/^[A-Za-z0-9_-]{1,4000}$/).optional() }), response: timeline }),
    relations: endpoint({ method: 'GET', path: `${one}/relations`, permission: `${plural}:read`, summary: 'Records linked with it.', params: id, response: z.object({ items: z.array(z.object({ entity: z.string(), id: z.uuid(), field: z.string(), direction: z.enum(['to', 'from']) })) }) }),
    why: endpoint({ method: 'GET', path: `${one}/why`, permission: `${plural}:read`, summary: 'Why a person can or cannot see it.', params: id, query: z.strictObject({ user: uuid }), response: z.object({ rules: z.array(json) }) }),
    reveal: endpoint({
      method: 'POST',
      path: `${one}/reveal`,
      permission: `${plural}:reveal`,
      summary: 'Show masked values, with a reason and a fresh factor.',
      params: id,
      body: z.strictObject({ fields: z.array(z.string().max(80)).min(1).max(20), reason: z.string().trim().min(3).max(500) }),
      response: z.object({ values: z.record(z.string(), json) }),
      stepUp: 'always',
    }),
  }
}

export const undoContract = endpoint({ method: 'POST', path: '/undo', permission: 'signed-in', summary: 'Take back a bulk change of yours.', body: z.strictObject({ undoToken: z.string().max(200) }), response: bulkAnswer })
