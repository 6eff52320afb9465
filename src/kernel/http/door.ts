import type { FastifyReply, FastifyRequest } from 'fastify'
import { ZodUndefined } from 'zod'
import { isUuid, Problem } from '../base/index.ts'
import { AuthorityMoved, openDesk, type Actor, type WorkDeps, type KeepAnswer } from '../work/index.ts'
import { AnsweredMeanwhile, keepAnswer, keptAnswer, type IdempotentCall } from './idempotency.ts'
import { checkDepth, parsePart, versionOf } from './parse.ts'
import type { Answer, Authenticator, Input, PublicRoute, Route } from './types.ts'

const STEP_UP_MS = 5 * 60_000

export interface DoorDeps {
  work: WorkDeps
  authenticator: Authenticator
}

/** Denials are recorded by the door on its own: they would roll back with a transaction. */
async function deny(deps: DoorDeps, actor: Actor, route: Route, code: string): Promise<never> {
  await deps.work.ledger.append({ action: 'access.denied', actor: actor.key, detail: { route: `${route.contract.method} ${route.contract.path}`, code } })
  throw new Problem(code)
}

async function admit(deps: DoorDeps, route: Route, request: FastifyRequest): Promise<Actor> {
  const actor = await deps.authenticator.authenticate(request)
  if (!actor) throw new Problem('signed-out')
  const { permission, stepUp } = route.contract
  if (permission !== 'signed-in' && !actor.grants.permissions.has(permission)) return deny(deps, actor, route, 'permission-missing')
  if (stepUp && !(stepUp === 'session-only' && actor.via === 'token')) {
    if (actor.factorAt === null || Date.now() - actor.factorAt > STEP_UP_MS) return deny(deps, actor, route, 'step-up-required')
  }
  return actor
}

/** `{}` stands for no body where none is asked for: many clients cannot send a POST without one. */
function given(contract: Route['contract'], body: unknown): unknown {
  const empty = typeof body === 'object' && body !== null && Object.keys(body).length === 0
  return empty && contract.body instanceof ZodUndefined ? undefined : (body ?? undefined)
}

function read(route: Route | PublicRoute, request: FastifyRequest): Input<unknown, unknown, unknown> {
  const { contract } = route
  if (!contract.raw) checkDepth(request.body)
  return {
    params: parsePart(contract.params, request.params, 'params'),
    query: parsePart(contract.query, request.query, 'query'),
    body: contract.raw ? undefined : parsePart(contract.body, given(contract, request.body), 'body'),
    version: contract.ifMatch ? versionOf(request.headers['if-match']) : 0,
    request,
  }
}

function idempotentCall(route: Route, request: FastifyRequest, actor: Actor): IdempotentCall | null {
  const key = request.headers['idempotency-key']
  if (!route.contract.idempotent || typeof key !== 'string') return null
  return { personId: actor.personId, route: `${route.contract.method} ${route.contract.path}`, key, body: request.body }
}

async function serve(deps: DoorDeps, route: Route, request: FastifyRequest, reply: FastifyReply, actor: Actor): Promise<Answer<unknown>> {
  const input = read(route, request)
  const call = idempotentCall(route, request, actor)
  let keep: KeepAnswer | undefined
  if (call) {
    const kept = await keptAnswer(deps.work.db, deps.work.vault, call)
    if (kept) return replayed(deps, actor, route, request, kept)
    keep = keepAnswer(deps.work.vault, call, route.contract.status ?? 200)
  }
  const open = openDesk(deps.work, actor, request.id, { keep, reads: route.contract.method === 'GET' })
  try {
    const answer = await route.handle(open.desk, input, reply)
    await open.settled()
    return answer
  } catch (error) {
    // What has committed is not done twice: the client reads how things stand and goes on from there.
    if (error instanceof AuthorityMoved && open.committed) throw new Problem('conflict', { cause: error })
    if (!(error instanceof AnsweredMeanwhile) || !call) throw error
    const kept = await keptAnswer(deps.work.db, deps.work.vault, call)
    if (!kept) throw error
    return replayed(deps, actor, route, request, kept)
  }
}

/** The answer of a repeated request. It shows what it is about once more, so it is recorded, and passes the gate of now where the route has one. */
async function replayed(deps: DoorDeps, actor: Actor, route: Route, request: FastifyRequest, kept: Answer<unknown>): Promise<Answer<unknown>> {
  const { id, version = 1 } = (kept.body ?? {}) as { id?: unknown; version?: number } // our own bytes, authenticated
  const subject = isUuid(id) && deps.work.vault.hasOwnerKey(id) ? [deps.work.vault.ownerKey(id)] : []
  await deps.work.ledger.append({ action: 'request.replayed', actor: actor.key, subjects: subject, detail: { route: route.contract.path } })
  const headers = { 'Idempotent-Replayed': 'true' }
  if (!route.again || !isUuid(id)) return { ...kept, headers }
  const open = openDesk(deps.work, actor, request.id)
  const answer = await route.again(open.desk, { ...(kept.body as object), id, version })
  await open.settled()
  return { ...answer, status: kept.status!, headers }
}

/**
 * What a handler refuses is recorded like what the door refuses: by itself, since it rolls back with a transaction. A row that is not
 * there and one that is forbidden are answered alike, and so recorded alike, by the id that was asked for.
 */
async function noteRefusal(deps: DoorDeps, actor: Actor, route: Route, request: FastifyRequest, error: unknown): Promise<void> {
  if (!(error instanceof Problem) || ![401, 403, 404, 429].includes(error.status)) return
  const { method, path } = route.contract
  const id = (request.params as { id?: unknown } | null)?.id
  const object = isUuid(id) ? { object: { kind: path.split('/')[1]!, id } } : {}
  await deps.work.ledger.append({ action: 'access.denied', actor: actor.key, ...object, detail: { route: `${method} ${path}`, code: error.code } })
}

/** How often a request is begun anew when people, roles or fields change under it; an import that declares fields moves them several times a second. */
const MOST_ATTEMPTS = 6

/** An upload can be read once only, so its actor's grants are compared before the first byte of it is taken. */
async function checkBeforeUpload(deps: DoorDeps, route: Route, actor: Actor): Promise<void> {
  if (route.contract.raw && (await deps.work.epochs.current()) !== actor.epoch) throw new AuthorityMoved()
}

/** The door of a signed-in route: sign-in, permission, step-up, parsing, then the handler; its events are durable and its grants current before anything leaves. */
export async function throughDoor(deps: DoorDeps, route: Route, request: FastifyRequest, reply: FastifyReply): Promise<Answer<unknown>> {
  for (let attempt = 1; ; attempt++) {
    const actor = await admit(deps, route, request)
    try {
      await checkBeforeUpload(deps, route, actor)
      return await serve(deps, route, request, reply, actor)
    } catch (error) {
      if (!(error instanceof AuthorityMoved)) {
        await noteRefusal(deps, actor, route, request, error)
        throw error
      }
      deps.authenticator.forget(actor)
      const uploadGone = route.contract.raw === true && request.raw.readableDidRead
      if (attempt === MOST_ATTEMPTS || uploadGone) throw new Problem('conflict', { cause: error })
    }
  }
}

export async function throughPublicDoor(route: PublicRoute, request: FastifyRequest, reply: FastifyReply): Promise<Answer<unknown>> {
  return route.handlePublic(read(route, request), reply)
}
