import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { Problem } from '../base/index.ts'
import { endpoint, openApi, publicRoute, route } from './index.ts'
import { checkRoutes } from './routes.ts'
import { checkDepth, parsePart, versionOf } from './parse.ts'

const refusal = (fn: () => unknown): Problem => {
  try {
    fn()
  } catch (error) {
    if (error instanceof Problem) return error
    throw error
  }
  throw new Error('was not refused')
}

describe('parsing a request', () => {
  it('names paths and codes and never a value', () => {
    const schema = z.strictObject({ email: z.email(), tags: z.array(z.string().max(3)) })
    const problem = refusal(() => parsePart(schema, { email: '王小明-secret', tags: ['canary-value'], 王小明: 1, 'a b <x>': 2 }, 'body'))
    const text = JSON.stringify(problem.toJSON('r', 'en'))
    for (const value of ['王小明', 'canary-value', 'a b <x>']) expect(text).not.toContain(value)
    expect(problem.errors).toContainEqual({ path: 'email', code: 'invalid-format' })
    expect(problem.errors).toContainEqual({ path: '?', code: 'unknown-field' })
  })

  it('refuses a body nested too deep without recursing', () => {
    let body: unknown = 1
    for (let i = 0; i < 200_000; i++) body = [body]
    expect(refusal(() => checkDepth(body)).errors).toEqual([{ path: '', code: 'too-deep' }])
    expect(() => checkDepth({ a: [{ b: 1 }] })).not.toThrow()
  })

  it('reads If-Match in the forms clients send and refuses the rest', () => {
    expect([versionOf('"3"'), versionOf('3'), versionOf('W/"12"')]).toEqual([3, 3, 12])
    expect(refusal(() => versionOf(undefined)).status).toBe(428)
    for (const bad of ['*', '"x"', '"-1"', '""', '1, 2']) expect(refusal(() => versionOf(bad)).status).toBe(400)
  })
})

const answer = async () => ({ body: {} })

describe('declaring routes', () => {
  const ping = endpoint({ method: 'GET', path: '/ping', permission: 'signed-in', summary: 'ping', response: z.object({}) })

  it('stops the boot for a route without a permission, a repeated one, and a change that does not say whether it needs If-Match', () => {
    const open = { ...ping, path: '/open', permission: undefined as unknown as 'signed-in' } as const // what JavaScript could still hand over
    const patch = endpoint({ method: 'PATCH', path: '/things/:id', permission: 'signed-in', summary: 'x', response: z.object({}) })
    const routes = [route(ping, answer), route(ping, answer), route(open, answer), route(patch, answer)]
    expect(() => checkRoutes(routes, new Set())).toThrow(/GET \/ping is declared twice; GET \/open states no permission; PATCH \/things\/:id does not say/)
  })

  it('stops the boot for a permission nobody declared', () => {
    const odd = endpoint({ method: 'GET', path: '/odd', permission: 'things:peek', summary: 'x', response: z.object({}) })
    expect(() => checkRoutes([route(odd, answer)], new Set(['things:read']))).toThrow('GET /odd asks for things:peek, which no module declares')
    expect(() => checkRoutes([route(odd, answer)], new Set(['things:peek']))).not.toThrow()
  })

  it('refuses to bind a signed-in contract as public', () => {
    expect(() => publicRoute(ping, answer)).toThrow('asks for signed-in')
  })

  it('describes exactly the mounted routes', () => {
    const create = endpoint({ method: 'POST', path: '/things', permission: 'things:create', summary: 'make', body: z.strictObject({ a: z.string() }), response: z.object({ id: z.uuid() }), status: 201, idempotent: true })
    const api = openApi([route(ping, answer), route(create, answer)], '1.2.3') as { openapi: string; paths: Record<string, Record<string, { parameters: { name: string }[]; responses: object }>> }
    expect(api.openapi).toBe('3.1.0')
    expect(Object.keys(api.paths)).toEqual(['/api/v1/ping', '/api/v1/things'])
    expect(api.paths['/api/v1/things']!['post']!.parameters.map((p) => p.name)).toEqual(['Idempotency-Key'])
    expect(Object.keys(api.paths['/api/v1/things']!['post']!.responses)).toEqual(['201', 'default'])
  })
})
