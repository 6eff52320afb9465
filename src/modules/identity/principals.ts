import type { Actor, Desk, Work } from '../../kernel/work/types.ts'
import { contextOf, type IdentityDeps } from './context.ts'
import { actorOf } from './lookups.ts'
import { checkToken, endInside } from './tokens.service.ts'
import { tokenById } from './tokens.store.ts'

export interface NewPrincipal {
  /** Inside the caller's transaction; the id by which it acts and is ended. */
  write(work: Work): Promise<string>
  scopes: readonly string[]
  expiresAt: Date
}

/** Somebody who acts for a person without signing in: a token whose text nobody ever had. It is listed, revoked and runs out like every other one. */
export interface Principals {
  /** For the person who asks. Throws Problem invalid for scopes they do not hold. */
  check(desk: Desk, words: { name: string; scopes?: readonly string[] | undefined; expiresAt?: string | undefined }): Promise<NewPrincipal>
  end(work: Work, id: string): Promise<void>
  /** Its rights of this moment, never more than its person's; null when it was revoked, has run out, or its person may not work here any more. */
  actor(personId: string, id: string): Promise<Actor | null>
}

export function principalsOf(deps: IdentityDeps): Principals {
  const c = contextOf(deps)
  return {
    async check(desk, words) {
      const { scopes, expiresAt, write } = await checkToken(desk, c, { ...words, userId: desk.actor.personId })
      return { scopes, expiresAt, write: async (work) => (await write(work)).token.id }
    },
    async end(work, id) {
      const token = await tokenById(work.sql, c, id)
      if (token) await endInside(work, c, token)
    },
    async actor(personId, id) {
      const token = await tokenById(c.db, c, id)
      if (!token || token.personId !== personId || c.now().getTime() >= Date.parse(token.expiresAt)) return null
      return actorOf(deps, personId, token)
    },
  }
}
