import { randomUUID } from 'node:crypto'
import type { ServerOptions } from 'node:https'
import fastifyCookie from '@fastify/cookie'
import fastifyMultipart from '@fastify/multipart'
import fastifyRateLimit from '@fastify/rate-limit'
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { Problem, type Locale } from '../base/index.ts'
import { errorFields, type Log } from '../log/index.ts'
import { Budgets } from './budgets.ts'
import { throughDoor, throughPublicDoor, type DoorDeps } from './door.ts'
import { checkRoutes } from './routes.ts'
import type { Answer, PublicRoute, Route } from './types.ts'

export interface HttpOptions {
  tls: ServerOptions
  /** Hosts the server answers for (DNS rebinding); compared with the Host header without its port. */
  hosts: readonly string[]
  trustedProxies: readonly string[]
  requestsPerMinute: number
  /** Every permission a module declares. */
  permissions: ReadonlySet<string>
  log: Log
}

const API = '/api/v1'
const BODY_LIMIT = 256 * 1024

const HEADERS = {
  'Cache-Control': 'no-store',
  'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Permissions-Policy': 'camera=(), microphone=(), geolocation=()',
  'Referrer-Policy': 'no-referrer',
  'Strict-Transport-Security': 'max-age=31536000',
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
}

export function localeOf(request: FastifyRequest): Locale {
  const first = (request.headers['accept-language'] ?? '').split(',').map((l) => l.trim().toLowerCase()).find((l) => l.startsWith('zh') || l.startsWith('en'))
  return first?.startsWith('zh') ? 'zh-CN' : 'en'
}

function problemOf(error: unknown, log: Log, request: FastifyRequest): Problem {
  if (error instanceof Problem) return error
  const status = (error as { statusCode?: number }).statusCode ?? 500
  const code = (error as { code?: string }).code ?? ''
  if (status === 413 || code === 'FST_REQ_FILE_TOO_LARGE') return new Problem('body-too-large')
  if (status === 415) return new Problem('media-type-unsupported')
  if (status === 429) return new Problem('rate')
  if (status === 503) return new Problem('shutting-down')
  if (status >= 400 && status < 500) return new Problem('invalid', { errors: [{ path: '', code: 'malformed' }] })
  log.error({ requestId: request.id, route: request.routeOptions.url ?? '', ...errorFields(error) }, 'unexpected error')
  return new Problem('internal', { cause: error })
}

function sendProblem(problem: Problem, request: FastifyRequest, reply: FastifyReply): void {
  const locale = localeOf(request)
  if (problem.status === 401) void reply.header('WWW-Authenticate', 'Bearer')
  const wait = problem.extra['retryAfterSeconds']
  if (wait !== undefined) void reply.header('Retry-After', String(wait))
  if (problem.code === 'version-stale' && problem.extra['version']) void reply.header('ETag', `"${String(problem.extra['version'])}"`)
  void reply.code(problem.status).header('Content-Type', 'application/problem+json; charset=utf-8').header('Content-Language', locale).send(JSON.stringify(problem.toJSON(request.id, locale)))
}

function sendAnswer(answer: Answer<unknown>, fallback: number, reply: FastifyReply): FastifyReply {
  if (answer.headers) void reply.headers(answer.headers)
  if (answer.version !== undefined) void reply.header('ETag', `"${answer.version}"`)
  void reply.code(answer.status ?? fallback)
  if (answer.stream !== undefined) return reply.send(answer.stream)
  if (answer.text === undefined && answer.body === undefined) return reply.send()
  return reply.header('Content-Type', 'application/json; charset=utf-8').send(answer.text ?? JSON.stringify(answer.body))
}

/** A request id we may echo: the client's when it is a plain token, else our own. */
function requestIdOf(request: { headers: Record<string, string | string[] | undefined> }): string {
  const given = request.headers['x-request-id']
  return typeof given === 'string' && /^[A-Za-z0-9_-]{8,64}$/.test(given) ? given : randomUUID()
}

function checkHost(hosts: ReadonlySet<string>, request: FastifyRequest): void {
  const host = (request.headers.host ?? '').replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1').toLowerCase()
  if (!hosts.has(host)) throw new Problem('invalid', { errors: [{ path: 'Host', code: 'unknown-host' }] })
}

/** The whole HTTP server. A route without a permission, or declared twice, stops the boot with everything that is wrong. */
export async function buildServer(options: HttpOptions, deps: DoorDeps, routes: readonly (Route | PublicRoute)[]): Promise<FastifyInstance> {
  checkRoutes(routes, options.permissions)
  const budgets = new Budgets()
  const watched: DoorDeps = { ...deps, authenticator: budgets.watching(deps.authenticator) }
  const app = Fastify({
    https: options.tls,
    logger: false,
    bodyLimit: BODY_LIMIT,
    genReqId: requestIdOf,
    requestTimeout: 120_000,
    connectionTimeout: 0,
    keepAliveTimeout: 72_000,
    forceCloseConnections: 'idle',
    trustProxy: options.trustedProxies.length > 0 ? [...options.trustedProxies] : false,
    routerOptions: { maxParamLength: 100, ignoreTrailingSlash: false },
    // A path no route could have is refused before any hook of ours has run.
    frameworkErrors: (_error, request, reply) => sendProblem(new Problem('invalid', { errors: [{ path: '', code: 'malformed' }] }), request, reply.headers(HEADERS).header('X-Request-Id', request.id)),
  }) as unknown as FastifyInstance // the https server type differs only in its socket
  const hosts = new Set(options.hosts.map((h) => h.toLowerCase()))
  app.setErrorHandler((error, request, reply) => sendProblem(problemOf(error, options.log, request), request, reply))
  app.setNotFoundHandler((request, reply) => sendProblem(new Problem('not-found'), request, reply))
  app.addHook('onRequest', async (request, reply) => {
    void reply.headers(HEADERS).header('X-Request-Id', request.id)
    checkHost(hosts, request)
  })
  app.addHook('onResponse', async (request, reply) => {
    options.log.debug({ requestId: request.id, method: request.method, route: request.routeOptions.url ?? '', status: reply.statusCode, ms: Math.round(reply.elapsedTime) }, 'request')
    // The rest of an upload that was refused half-way is read and dropped; left there, the next request on this connection would wait behind it.
    if (!request.raw.complete) request.raw.unpipe().resume()
  })
  acceptEmptyJson(app)
  await app.register(fastifyCookie)
  await app.register(fastifyMultipart, { limits: { files: 1, fields: 20, fieldSize: 20_000, fileSize: 2 ** 31 } })
  await limitRates(app, options.requestsPerMinute, budgets)
  for (const route of routes) mount(app, watched, route)
  return app
}

async function limitRates(app: FastifyInstance, requestsPerMinute: number, budgets: Budgets): Promise<void> {
  await app.register(fastifyRateLimit, {
    max: requestsPerMinute,
    timeWindow: '1 minute',
    cache: 20_000,
    enableDraftSpec: true,
    hook: 'onRequest',
    keyGenerator: (request) => budgets.keyOf(request),
    errorResponseBuilder: () => new Problem('rate'),
  })
}

/** A DELETE that names JSON and sends nothing is a request without a body, not a malformed one. Keys that would reach a prototype are refused. */
function acceptEmptyJson(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser('error', 'error')
  app.removeContentTypeParser('application/json')
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (body === '') done(null, undefined)
    else parse(request, body as string, done)
  })
}

function mount(app: FastifyInstance, deps: DoorDeps, route: Route | PublicRoute): void {
  const { contract } = route
  app.route({
    method: contract.method,
    url: contract.root ? contract.path : API + contract.path,
    handler: async (request, reply) => {
      const answer = 'handle' in route ? await throughDoor(deps, route, request, reply) : await throughPublicDoor(route, request, reply)
      return sendAnswer(answer, contract.status ?? 200, reply)
    },
  })
}
