import type { CountryCode } from 'libphonenumber-js/max'
import { AuthorityMoved, type Actor } from '../../kernel/work/index.ts'
import { contextOf, keyOf, rowGrantsOf, type IdentityDeps } from './context.ts'
import { agreesWithHistory } from './history.ts'
import { loadOrganisation } from '../organisation/index.ts'
import { personById } from './people.store.ts'
import { tokenById } from './tokens.store.ts'

/**
 * A person's rights of this moment, for work they asked for that runs later, within those of the token it was asked with. Null for one who may
 * not work here any more, or whose token was revoked: a thief's import must not go on for an hour. That the token's time is up ends nothing that has begun.
 */
export async function actorOf(deps: IdentityDeps, personId: string, asked: { id: string; scopes: readonly string[] } | null): Promise<Actor | null> {
  const c = contextOf(deps)
  const [person, token] = await Promise.all([personById(c.db, c, personId), asked && tokenById(c.db, c, asked.id)])
  if (!person || person.disabledAt !== null) return null
  if (asked && (!token || token.revokedAt !== null || token.tokenEpoch !== person.tokenEpoch)) return null
  // False: rights moved between two looks; the step that asks is then begun anew.
  if (!(await agreesWithHistory(c, person, { table: 'api_token', id: asked?.id ?? personId }))) throw new AuthorityMoved()
  return {
    personId, departmentId: person.departmentId, key: keyOf(c.vault, person), via: 'token', credentialId: asked?.id ?? personId,
    factorAt: null, locale: person.locale, grants: await rowGrantsOf(c, person, asked && new Set(asked.scopes)), epoch: person.epoch,
  }
}

/** The colleague who has worked here longest, or null before set-up: whose the things are that an organisation begins with. */
export async function founderOf({ db }: IdentityDeps): Promise<string | null> {
  const [row] = await db.query<{ id: string }>('SELECT id FROM person WHERE disabled_at IS NULL ORDER BY created_at, id LIMIT 1')
  return row?.id ?? null
}

const REFRESH_MS = 1_000
const MOST_STRANGERS = 1_000

/** The person a ledger handle stands for. Colleagues are few, so all of them are kept; an unknown handle looks again, all of one moment in one query, and strangers at most once a second. */
export class PersonHandles {
  readonly #deps: IdentityDeps
  #known = new Map<string, string>()
  readonly #strangers = new Map<string, number>()
  #reading: Promise<void> | null = null

  constructor(deps: IdentityDeps) {
    this.#deps = deps
  }

  refresh(): Promise<void> {
    this.#reading ??= this.#read().finally(() => (this.#reading = null))
    return this.#reading
  }

  async #read(): Promise<void> {
    const rows = await this.#deps.db.query<{ id: string }>('SELECT id FROM person')
    const { vault } = this.#deps
    this.#known = new Map(rows.filter((r) => vault.hasOwnerKey(r.id)).map((r) => [vault.ownerKey(r.id).handle.toString('hex'), r.id]))
  }

  /** Null for a handle that is no colleague's (a job of the server, a row somebody planted). */
  of(handle: Buffer): string | null | Promise<string | null> {
    const hex = handle.toString('hex')
    const found = this.#known.get(hex)
    if (found) return found
    if (Date.now() - (this.#strangers.get(hex) ?? 0) < REFRESH_MS) return null
    return this.refresh().then(() => {
      const fresh = this.#known.get(hex) ?? null
      if (this.#strangers.size >= MOST_STRANGERS) this.#strangers.clear()
      if (!fresh) this.#strangers.set(hex, Date.now())
      return fresh
    })
  }
}

/** The organisation's country; the fallback stands until set-up is done. */
export class HomeCountry {
  readonly #deps: IdentityDeps
  #country: CountryCode = 'US'

  constructor(deps: IdentityDeps) {
    this.#deps = deps
  }

  async refresh(): Promise<void> {
    const c = contextOf(this.#deps)
    const organisation = await loadOrganisation(c.db, c)
    if (organisation) this.#country = organisation.country as CountryCode // checked against the library's list at set-up
  }

  get(): CountryCode {
    return this.#country
  }
}
