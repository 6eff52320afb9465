import type { FastifyReply, FastifyRequest } from 'fastify'
import type { ZodType, output } from 'zod'
import type { Actor, Desk } from '../work/types.ts'

/** One value per endpoint: it drives route, permission, OpenAPI and the typed call. */
export interface Contract<P extends ZodType, Q extends ZodType, B extends ZodType, R extends ZodType> {
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE' | 'PUT'
  /** Under /api/v1, Fastify style: `/contacts/:id`. No value of class personal or above ever stands in a path or query. */
  path: `/${string}`
  /** `public`: no sign-in. `signed-in`: any person. Otherwise `noun:verb`, which must be declared. A route without one stops the boot. */
  permission: 'public' | 'signed-in' | `${string}:${string}`
  summary: string
  params: P
  query: Q
  body: B
  response: R
  /** Status of success; 200 by default. */
  status?: 200 | 201 | 202 | 204
  /** A factor no older than five minutes; tokens are refused unless `stepUp` is 'session-only', where a token with the permission passes. */
  stepUp?: 'always' | 'session-only'
  /** PATCH and DELETE of a record: If-Match is required; the handler gets it as `input.version`. */
  ifMatch?: boolean
  /** POST: honours Idempotency-Key (24 h). */
  idempotent?: boolean
  /** The handler reads the body itself (multipart, in constant memory); `body` then describes it for the documents only. Of any other type the usual 256 KiB are read. */
  raw?: boolean
  /** Served at the root (`/api/health`, a page) instead of under /api/v1. */
  root?: boolean
  /** Answers something else than JSON (text/plain, a stream): content type for the documents. */
  produces?: string
}

export interface Input<P, Q, B> {
  params: P
  query: Q
  body: B
  /** From If-Match; NaN never: a malformed one is refused at the door. Zero when the contract has no `ifMatch`. */
  version: number
  request: FastifyRequest
}

/** What a handler returns besides a plain body. */
export interface Answer<T> {
  body: T
  status?: number
  headers?: Record<string, string>
  /** Becomes the ETag. */
  version?: number
  /** The body as JSON text, where it is already there; `body` is then not read. */
  text?: string
  /** Set on the reply instead of a JSON body. */
  stream?: NodeJS.ReadableStream | string
}

export interface Route {
  contract: Contract<ZodType, ZodType, ZodType, ZodType>
  handle(desk: Desk, input: Input<unknown, unknown, unknown>, reply: FastifyReply): Promise<Answer<unknown>>
  /**
   * Answers a repeated request about the row it made, by the rights of now and of the credential that repeats it. Then only `id`,
   * `version` and what no reading tells need be kept; a route without it repeats what it kept to whoever of the same person passes its permission.
   */
  again?(desk: Desk, made: { id: string; version: number; [more: string]: unknown }): Promise<Answer<unknown>>
}

/** Routes before sign-in (session, set-up, health) get no desk. */
export interface PublicRoute {
  contract: Contract<ZodType, ZodType, ZodType, ZodType>
  handlePublic(input: Input<unknown, unknown, unknown>, reply: FastifyReply): Promise<Answer<unknown>>
}

/** Given by the identity module. */
export interface Authenticator {
  /** The actor of a bearer token or session cookie, or null. Cached by credential for one authority epoch. Session cookies need the CSRF header on writes. */
  authenticate(request: FastifyRequest): Promise<Actor | null>
  /** Forgets a cached actor after its epoch was seen to have passed. */
  forget(actor: Actor): void
}

export type Out<T extends ZodType> = output<T>
