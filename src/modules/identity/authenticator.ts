import type { FastifyRequest } from 'fastify'
import { timingSafeEqual } from 'node:crypto'
import { Problem } from '../../kernel/base/index.ts'
import type { Authenticator } from '../../kernel/http/types.ts'
import type { Actor } from '../../kernel/work/types.ts'
import { contextOf, keyOf, rowGrantsOf, type Context, type IdentityDeps } from './context.ts'
import { cookieSecret } from './cookie.ts'
import { agreesWithHistory } from './history.ts'
import type { LoadedPerson } from './person.rows.ts'
import { csrfOf, IDLE_MS, isAlive, loadSession, sessionDigest, touchSession } from './sessions.store.ts'
import { isTokenAlive, loadToken, looksLikeToken, tokenDigest } from './tokens.store.ts'

const KEPT_MS = 60_000
const MOST_KEPT = 10_000
/** How often the idle limit is moved on in the database. */
const TOUCH_MS = 60_000

/** Somebody who signed in with a password another person chose gets this far and no farther. */
const BEFORE_OWN_PASSWORD = new Set(['/api/v1/me', '/api/v1/me/password', '/api/v1/session', '/api/health'])

interface Kept {
  actor: Actor
  csrf: string | null
  mustChange: boolean
  loadedAt: number
  /** The credential is not taken after this, even from memory. */
  until: number
}

export const mustChangePassword = (person: LoadedPerson): boolean => person.factors.some((f) => f.kind === 'password' && f.state === 'active' && f.setBy !== person.id)

/** How often a person is loaded again because their rights moved while they were; who moves them without end gets nothing. */
const TRIES = 5

function again<T>(tries: number, load: () => Promise<T>): Promise<T> {
  if (tries === 0) throw new Problem('conflict')
  return load()
}

async function fromSession(c: Context, digest: Buffer, tries = TRIES): Promise<Kept | null> {
  const loaded = await loadSession(c.db, c, { digest })
  const now = c.now()
  if (!loaded || !isAlive(loaded, now)) return null
  const { session, person } = loaded
  if (!(await agreesWithHistory(c, person, { table: 'session', id: session.id }))) return again(tries, () => fromSession(c, digest, tries - 1))
  if (now.getTime() - Date.parse(session.seenAt) >= TOUCH_MS) await touchSession(c.db, c, session, now)
  const actor: Actor = {
    personId: person.id, departmentId: person.departmentId, key: keyOf(c.vault, person), via: 'session', credentialId: session.id,
    factorAt: Date.parse(session.factorAt), locale: person.locale, grants: await rowGrantsOf(c, person), epoch: person.epoch,
  }
  const until = Math.min(Date.parse(session.expiresAt), now.getTime() + IDLE_MS)
  return { actor, csrf: csrfOf(c.vault, session), mustChange: mustChangePassword(person), loadedAt: now.getTime(), until }
}

async function fromToken(c: Context, digest: Buffer, tries = TRIES): Promise<Kept | null> {
  const loaded = await loadToken(c.db, c, digest)
  const now = c.now()
  if (!loaded || !isTokenAlive(loaded, now)) return null
  const { token, person } = loaded
  if (!(await agreesWithHistory(c, person, { table: 'api_token', id: token.id }))) return again(tries, () => fromToken(c, digest, tries - 1))
  const actor: Actor = {
    personId: person.id, departmentId: person.departmentId, key: keyOf(c.vault, person), via: 'token', credentialId: token.id,
    factorAt: null, locale: person.locale, grants: await rowGrantsOf(c, person, new Set(token.scopes)), epoch: person.epoch,
  }
  return { actor, csrf: null, mustChange: mustChangePassword(person), loadedAt: now.getTime(), until: Date.parse(token.expiresAt) }
}

/** Actors by the HMAC of their credential. An entry is good for one authority epoch and a minute at most. */
class ActorCache {
  readonly #kept = new Map<string, Kept>()
  readonly #loading = new Map<string, Promise<Kept | null>>()
  #epoch = 0

  async get(key: string, now: number, load: () => Promise<Kept | null>): Promise<Kept | null> {
    const found = this.#kept.get(key)
    if (found && found.actor.epoch === this.#epoch && now - found.loadedAt < KEPT_MS && now < found.until) return found
    this.#kept.delete(key)
    // Requests of the same moment share one statement; the door compares the epoch afterwards, whoever's statement it was.
    let loading = this.#loading.get(key)
    if (!loading) {
      loading = load().finally(() => this.#loading.delete(key))
      this.#loading.set(key, loading)
    }
    const loaded = await loading
    if (loaded) this.#keep(key, loaded)
    return loaded
  }

  forget(actor: Actor): void {
    for (const [key, kept] of this.#kept) if (kept.actor.credentialId === actor.credentialId) this.#kept.delete(key)
  }

  #keep(key: string, loaded: Kept): void {
    if (loaded.actor.epoch > this.#epoch) {
      this.#epoch = loaded.actor.epoch
      this.#kept.clear()
    }
    if (loaded.actor.epoch < this.#epoch) return
    if (this.#kept.size >= MOST_KEPT) for (const oldest of this.#kept.keys()) if (this.#kept.delete(oldest)) break
    this.#kept.set(key, loaded)
  }
}

const isSafe = (method: string): boolean => method === 'GET' || method === 'HEAD'

function checkCsrf(request: FastifyRequest, csrf: string): void {
  if (isSafe(request.method)) return
  const sent = Buffer.from(String(request.headers['x-csrf-token'] ?? ''))
  const wanted = Buffer.from(csrf)
  if (sent.length !== wanted.length || !timingSafeEqual(sent, wanted)) throw new Problem('csrf-refused')
}

export function bearerOf(header: string | undefined): string | null {
  return /^Bearer +(\S+)$/i.exec(header ?? '')?.[1] ?? null
}

/** Finds out who is asking, by token or by session cookie. */
export function createAuthenticator(deps: IdentityDeps): Authenticator {
  const c = contextOf(deps)
  const cache = new ActorCache()
  const find = (digest: Buffer, from: typeof fromSession): Promise<Kept | null> => cache.get(digest.toString('hex'), c.now().getTime(), () => from(c, digest))
  async function actorOf(request: FastifyRequest): Promise<Kept | null> {
    // A credential that is sent and wrong is refused; it never falls back to the other kind.
    if (request.headers.authorization !== undefined) {
      const token = bearerOf(request.headers.authorization)
      return token !== null && looksLikeToken(token) ? find(tokenDigest(c.vault, token), fromToken) : null
    }
    const secret = cookieSecret(request.headers.cookie)
    const kept = secret ? await find(sessionDigest(c.vault, secret), fromSession) : null
    if (kept?.csrf) checkCsrf(request, kept.csrf)
    return kept
  }
  return {
    async authenticate(request) {
      const kept = await actorOf(request)
      if (kept?.mustChange && !BEFORE_OWN_PASSWORD.has(request.routeOptions.url ?? '')) throw new Problem('password-change-required')
      return kept?.actor ?? null
    },
    forget: (actor) => cache.forget(actor),
  }
}
