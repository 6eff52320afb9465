import { Problem, uuidv7, type Locale } from '../../kernel/base/index.ts'
import { isUniqueViolation } from '../../kernel/db/index.ts'
import type { Sql } from '../../kernel/db/types.ts'
import { authorityCounter, insertDepartment } from '../access/index.ts'
import { contextOf, grantsOf, keyOf, recorded, type Context, type IdentityDeps } from './context.ts'
import { makeRecoveryCodes } from './credentials.service.ts'
import { insertOrganisation } from '../organisation/index.ts'
import { checkPassword } from './password-policy.ts'
import { hashPassword } from './passwords.ts'
import { emailBlind, insertFactor, insertPerson, lockPerson, savePerson, setRoles } from './people.store.ts'
import type { Factor, Person } from './person.rows.ts'
import { createToken } from './tokens.store.ts'

export interface SetUpWords {
  organisation: string
  ownerEmail: string
  /** The e-mail's local part by default. */
  ownerName?: string | undefined
  ownerPassword: string
  locale: Locale
  /** ISO 3166-1 alpha-2. */
  country: string
  /** A confirmed authenticator: its secret, and the time step of the code that confirmed it. */
  totp?: { secret: Buffer; lastStep: number } | undefined
  /** false: no first API token. The page has nobody to give it to, and a token nobody holds is only a risk. */
  token?: boolean
}

export interface SetUpResult {
  organisationId: string
  departmentId: string
  ownerId: string
  /** Empty with `token: false`. */
  token: string
  tokenExpiresAt: string
  /** Only with `totp`. */
  recoveryCodes: string[]
}

const OWNER_ROLES = ['manager', 'administrator'] as const
const TOKEN_DAYS = 7

export async function isSetUp(sql: Sql): Promise<boolean> {
  const [row] = await sql.query<{ there: boolean }>('SELECT EXISTS (SELECT 1 FROM organisation) AS there')
  return row?.there ?? false
}

interface Ids {
  organisationId: string
  departmentId: string
  ownerId: string
}

async function insertOwner(tx: Parameters<typeof insertPerson>[0], c: Context, ids: Ids, words: SetUpWords, hash: Buffer, at: Date): Promise<string[]> {
  const iso = at.toISOString()
  const bare: Person = {
    id: ids.ownerId, version: 1, departmentId: ids.departmentId, disabledAt: null, locale: words.locale, sessionEpoch: 1, tokenEpoch: 1, administratorUntil: null,
    emailBlind: emailBlind(c.vault, words.ownerEmail), sealed: Buffer.alloc(0), createdAt: iso, updatedAt: iso, roles: [], factors: [],
  }
  const facts = { name: words.ownerName ?? words.ownerEmail.split('@')[0]!, email: words.ownerEmail }
  const person = await insertPerson(tx, c, bare, facts)
  const key = keyOf(c.vault, person)
  const factors: Factor[] = [await insertFactor(tx, c, person, { kind: 'password', state: 'active', setBy: person.id, at: iso }, (cell) => c.vault.seal(key, cell, hash))]
  let codes: string[] = []
  if (words.totp) {
    const { secret, lastStep } = words.totp
    factors.push(await insertFactor(tx, c, person, { kind: 'totp', state: 'active', setBy: person.id, at: iso, lastStep }, (cell) => c.vault.seal(key, cell, secret)))
    const recovery = await makeRecoveryCodes(tx, c, person, at)
    factors.push(...recovery.factors)
    codes = recovery.codes
  }
  const roles = await setRoles(tx, c, person, OWNER_ROLES, person.id, iso)
  await savePerson(tx, c, person, { roles, factors }, iso, facts)
  return codes
}

/** Checks what can be wrong with the owner's words before anything is made. Throws Problem invalid. */
export function checkSetUpWords(words: SetUpWords): void {
  if (!/^[^\s@]+@[^\s@]+$/.test(words.ownerEmail) || words.ownerEmail.length > 320) throw new Problem('invalid', { errors: [{ path: 'ownerEmail', code: 'email-invalid' }] })
  if (!words.organisation.trim() || words.organisation.length > 200) throw new Problem('invalid', { errors: [{ path: 'organisation', code: 'empty' }] })
  if (!/^[A-Z]{2}$/.test(words.country)) throw new Problem('invalid', { errors: [{ path: 'country', code: 'country-invalid' }] })
  checkPassword(words.ownerPassword, { words: [words.organisation, words.ownerEmail, words.ownerName ?? ''], secondFactor: words.totp !== undefined }, 'ownerPassword')
}

/** Makes organisation, root department, owner and a first token. Runs once: throws Problem already-set-up, and then nothing has changed. */
export async function setUp(deps: IdentityDeps, words: SetUpWords): Promise<SetUpResult> {
  const c = contextOf(deps)
  checkSetUpWords(words)
  if (await isSetUp(c.db)) throw new Problem('already-set-up')
  const ids: Ids = { organisationId: uuidv7(), departmentId: uuidv7(), ownerId: uuidv7() }
  await c.vault.createOwnerKeys([ids.organisationId, ids.ownerId])
  const hash = await hashPassword(c.vault, ids.ownerId, words.ownerPassword)
  return recorded(c, async (tx, record) => {
    const at = c.now()
    const iso = at.toISOString()
    await insertOrganisation(tx, c, { id: ids.organisationId, version: 1, country: words.country, locale: words.locale, createdAt: iso }, words.organisation.trim()).catch((error: unknown) => {
      throw isUniqueViolation(error, 'organisation_only_row_key') ? new Problem('already-set-up', { cause: error }) : error
    })
    await insertDepartment(tx, c, { id: ids.departmentId, organisationId: ids.organisationId, parentId: null, version: 1, createdAt: iso }, words.organisation.trim())
    const recoveryCodes = await insertOwner(tx, c, ids, words, hash, at)
    const owner = await lockPerson(tx, c, ids.ownerId)
    const expiresAt = new Date(at.getTime() + TOKEN_DAYS * 86_400_000)
    const tokenWords = { name: 'set-up', scopes: [...grantsOf(c, owner).permissions], createdBy: owner.id, viaToken: null, at, expiresAt }
    const text = words.token === false ? '' : (await createToken(tx, c, owner, tokenWords)).text
    const key = keyOf(c.vault, owner)
    record({ action: 'organisation.created', actor: key, object: { kind: 'organisation', id: ids.organisationId }, subjects: [key] })
    for (const role of OWNER_ROLES) record({ action: 'role.granted', actor: key, object: { kind: 'person', id: owner.id }, subjects: [key], detail: { role } })
    await authorityCounter.bump(tx)
    return { ...ids, token: text, tokenExpiresAt: expiresAt.toISOString(), recoveryCodes }
  })
}
