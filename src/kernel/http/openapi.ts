import { z, type ZodType } from 'zod'
import { problemCodes } from '../base/index.ts'
import type { PublicRoute, Route } from './types.ts'

type Schema = Record<string, unknown>

/** JSON Schema of a zod schema; transforms show what is accepted (`input`) or answered (`output`). */
function schemaOf(schema: ZodType, io: 'input' | 'output'): Schema {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: 'any' }) as Schema
  return rest
}

function parametersOf(route: Route | PublicRoute): Schema[] {
  const list: Schema[] = []
  for (const [part, where] of [['params', 'path'], ['query', 'query']] as const) {
    const object = schemaOf(route.contract[part], 'input')
    const required = new Set((object['required'] as string[] | undefined) ?? [])
    for (const [name, schema] of Object.entries((object['properties'] as Record<string, Schema> | undefined) ?? {})) {
      list.push({ name, in: where, required: where === 'path' || required.has(name), schema })
    }
  }
  if (route.contract.ifMatch) list.push({ name: 'If-Match', in: 'header', required: true, schema: { type: 'string' } })
  if (route.contract.idempotent) list.push({ name: 'Idempotency-Key', in: 'header', required: false, schema: { type: 'string', maxLength: 200 } })
  return list
}

function operationOf(route: Route | PublicRoute): Schema {
  const { contract } = route
  const produces = contract.produces ?? 'application/json'
  const body = schemaOf(contract.body, 'input')
  const hasBody = contract.method !== 'GET' && (contract.raw === true || (contract.body as { def?: { type?: string } }).def?.type !== 'undefined')
  return {
    operationId: `${contract.method.toLowerCase()}${contract.path.replaceAll(/[^a-zA-Z0-9]+(.)?/g, (_m, c: string | undefined) => (c ?? '').toUpperCase())}`,
    summary: contract.summary,
    description: `Permission: ${contract.permission}${contract.stepUp ? '. Needs a factor no older than five minutes' : ''}.`,
    security: contract.permission === 'public' ? [] : [{ token: [] }, { session: [] }],
    parameters: parametersOf(route),
    ...(hasBody ? { requestBody: { required: true, content: { [contract.raw ? 'multipart/form-data' : 'application/json']: { schema: body } } } } : {}),
    responses: {
      [String(contract.status ?? 200)]: { description: 'done', content: { [produces]: { schema: contract.produces ? { type: 'string' } : schemaOf(contract.response, 'output') } } },
      default: { description: 'refused', content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } } },
    },
  }
}

/** The OpenAPI 3.1 description of exactly the routes that are mounted. */
export function openApi(routes: readonly (Route | PublicRoute)[], version: string): Schema {
  const paths: Record<string, Record<string, Schema>> = {}
  for (const route of routes) {
    const path = (route.contract.root ? '' : '/api/v1') + route.contract.path.replaceAll(/:([a-zA-Z]+)/g, '{$1}')
    paths[path] = { ...paths[path], [route.contract.method.toLowerCase()]: operationOf(route) }
  }
  return {
    openapi: '3.1.0',
    info: { title: 'Sealbook', version, license: { name: 'Apache-2.0', identifier: 'Apache-2.0' } },
    servers: [{ url: '/' }],
    paths: Object.fromEntries(Object.entries(paths).sort(([a], [b]) => (a < b ? -1 : 1))),
    components: {
      securitySchemes: { token: { type: 'http', scheme: 'bearer' }, session: { type: 'apiKey', in: 'cookie', name: '__Host-session' } },
      schemas: { Problem: problemSchema() },
    },
  }
}

function problemSchema(): Schema {
  return {
    type: 'object',
    required: ['type', 'code', 'title', 'status', 'detail', 'requestId'],
    properties: {
      type: { type: 'string' },
      code: { type: 'string', enum: [...problemCodes().keys()].sort() },
      title: { type: 'string' },
      status: { type: 'integer' },
      detail: { type: 'string' },
      requestId: { type: 'string' },
      errors: { type: 'array', items: { type: 'object', properties: { path: { type: 'string' }, code: { type: 'string' } } } },
    },
  }
}
