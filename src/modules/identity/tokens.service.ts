import { Problem } from '../../kernel/base/index.ts'
import type { Desk, Work } from '../../kernel/work/types.ts'
import { grantsOf, keyOf, type Context } from './context.ts'
import { personById } from './people.store.ts'
import type { LoadedPerson } from './person.rows.ts'
import { createToken, listTokens, revokeToken, tokenById, tokenName, type ApiToken, type SealedToken } from './tokens.store.ts'

const DAY_MS = 86_400_000
const USUAL_DAYS = 90
const MOST_DAYS = 366

export interface NewToken {
  userId: string
  name: string
  scopes?: readonly string[] | undefined
  expiresAt?: string | undefined
}

const invalid = (path: string, code: string): Problem => new Problem('invalid', { errors: [{ path, code }] })

/** `latest`: when the token it is made with ends. One that is good for an hour must not be turned into one that is good for a year. */
function expiryOf(asked: string | undefined, now: Date, latest: string | null): Date {
  const end = latest === null ? Number.POSITIVE_INFINITY : Date.parse(latest)
  const at = asked === undefined ? new Date(Math.min(now.getTime() + USUAL_DAYS * DAY_MS, end)) : new Date(asked)
  if (at.getTime() <= now.getTime()) throw invalid('expiresAt', 'past')
  if (at.getTime() - now.getTime() > MOST_DAYS * DAY_MS) throw invalid('expiresAt', 'more-than-a-year')
  if (at.getTime() > end) throw invalid('expiresAt', 'more-than-held')
  return at
}

/** Does a permission reach customers? Those of every entity do, and so does whatever moves them in bulk. */
function reachesCustomers(c: Context, permissions: Iterable<string>): boolean {
  const nouns = new Set([...[...c.registry.entities.values()].map((e) => e.plural), 'imports', 'exports', 'attachments', 'activities'])
  return [...permissions].some((p) => nouns.has(p.slice(0, p.indexOf(':'))))
}

/**
 * For whom a token may be made. A token for somebody who sees customers, in the hands of whoever made it, would be the
 * shortest way from administering people to reading their customers, and acts under another's name; so it is made by that
 * person alone. For an account without customers (an integration that administers people) tokens:manage is enough.
 */
function checkHolder(c: Context, desk: Desk, holder: LoadedPerson): void {
  if (holder.id === desk.actor.personId) return
  if (!desk.actor.grants.permissions.has('tokens:manage')) throw new Problem('permission-missing')
  if (reachesCustomers(c, grantsOf(c, holder).permissions)) throw new Problem('token-for-another')
}

/** Never more than the holder has, nor than the maker has (which for a maker that is itself a token is that token's scopes). */
function scopesFor(c: Context, desk: Desk, holder: LoadedPerson, asked: readonly string[] | undefined): string[] {
  const mine = desk.actor.grants.permissions
  const possible = new Set([...grantsOf(c, holder).permissions].filter((p) => mine.has(p)))
  if (!asked) return [...possible]
  if (asked.some((s) => !possible.has(s))) throw invalid('scopes', 'more-than-held')
  return [...asked]
}

/** A token whose words are checked; `write` makes it inside the caller's transaction. */
export interface CheckedToken {
  scopes: readonly string[]
  expiresAt: Date
  write(work: Work): Promise<{ token: ApiToken; text: string }>
}

/** Everything that is asked before a token is made. Throws Problem invalid, permission-missing, token-for-another. */
export async function checkToken(desk: Desk, c: Context, asked: NewToken): Promise<CheckedToken> {
  const holder = await personById(desk.sql, c, asked.userId)
  if (!holder || holder.disabledAt !== null) throw invalid('userId', 'not-found')
  checkHolder(c, desk, holder)
  const scopes = scopesFor(c, desk, holder, asked.scopes)
  const viaToken = desk.actor.via === 'token' ? desk.actor.credentialId : null
  const maker = viaToken === null ? null : await tokenById(desk.sql, c, viaToken)
  if (viaToken !== null && !maker) throw new Problem('signed-out')
  const expiresAt = expiryOf(asked.expiresAt, c.now(), maker?.expiresAt ?? null)
  const write = async (work: Work): Promise<{ token: ApiToken; text: string }> => {
    const made = await createToken(work.sql, c, holder, { name: asked.name, scopes, createdBy: work.actor.personId, viaToken, at: c.now(), expiresAt })
    work.record({ action: 'token.created', object: { kind: 'token', id: made.token.id }, subjects: [keyOf(c.vault, holder)], detail: { scopes, expiresAt: expiresAt.toISOString() } })
    return made
  }
  return { scopes, expiresAt, write }
}

export async function makeToken(desk: Desk, c: Context, asked: NewToken): Promise<{ token: ApiToken; text: string }> {
  const checked = await checkToken(desk, c, asked)
  return desk.write((work) => checked.write(work))
}

export function tokenView(c: Context, t: SealedToken): object {
  return {
    id: t.id, version: t.version, userId: t.personId, name: tokenName(c.vault, t), scopes: t.scopes, createdBy: t.createdBy,
    createdAt: t.createdAt, expiresAt: t.expiresAt, revokedAt: t.revokedAt,
  }
}

/** One's own tokens; everybody's for whoever manages tokens. What a token says of itself is its name and scopes, never its text. */
export async function searchTokens(desk: Desk, c: Context, before: string | null, limit: number): Promise<object> {
  const personId = desk.actor.grants.permissions.has('tokens:manage') ? null : desk.actor.personId
  const tokens = await listTokens(desk.sql, c, { personId, before, limit: limit + 1 })
  const shown = tokens.slice(0, limit)
  return { items: shown.map((t) => tokenView(c, t)), nextCursor: tokens.length > limit ? shown.at(-1)!.id : null, complete: true }
}

export async function endToken(desk: Desk, c: Context, id: string): Promise<void> {
  await desk.write(async (work) => {
    const token = await tokenById(work.sql, c, id)
    const mayManage = work.actor.grants.permissions.has('tokens:manage')
    if (!token || (token.personId !== work.actor.personId && !mayManage)) throw new Problem('not-found')
    await endInside(work, c, token)
  })
}

/** Revokes a token and those made with it inside the caller's transaction. */
export async function endInside(work: Work, c: Context, token: SealedToken): Promise<void> {
  const revoked = await revokeToken(work.sql, c, token.id, c.now())
  for (const t of revoked) work.record({ action: 'token.revoked', object: { kind: 'token', id: t.id }, subjects: [c.vault.ownerKey(t.personId)] })
  // Revoked before: said again, so that a repeated request has the same end. Nobody's rights move by it.
  if (revoked.length === 0) work.record({ action: 'token.revoked', object: { kind: 'token', id: token.id }, subjects: [c.vault.ownerKey(token.personId)] })
  else await work.bumpAuthority()
}
