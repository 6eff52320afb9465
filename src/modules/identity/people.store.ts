import { lengthPrefixed, Problem, uuidv7 } from '../../kernel/base/index.ts'
import { isUniqueViolation } from '../../kernel/db/index.ts'
import type { Sql, Tx } from '../../kernel/db/types.ts'
import { exactForm } from '../../kernel/entity/index.ts'
import type { Cell, Vault } from '../../kernel/vault/types.ts'
import type { Authority, WorldPerson } from '../access/index.ts'
import {
  checkedListed,
  checkedPerson,
  factorDigest,
  factorParts,
  LISTED_COLUMNS,
  PERSON_COLUMNS,
  personParts,
  roleParts,
  type Factor,
  type FactorKind,
  type FactorState,
  type ListedPerson,
  type ListedRow,
  type LoadedPerson,
  type Person,
  type PersonRow,
} from './person.rows.ts'

/** What the store needs to seal and to sign a row. */
export interface Signing {
  vault: Vault
  authority: Authority
}

export interface PersonFacts {
  name: string
  email: string
}

export const emailBlind = (vault: Vault, email: string): Buffer => vault.blind('person.email', exactForm('email', email))

async function one(sql: Sql, s: Signing, where: string, param: unknown): Promise<LoadedPerson | null> {
  const [row] = await sql.query<PersonRow>(`SELECT ${PERSON_COLUMNS} FROM person p WHERE ${where}`, [param])
  return row ? checkedPerson(s.authority, row) : null
}

export const personById = (sql: Sql, s: Signing, id: string): Promise<LoadedPerson | null> => one(sql, s, 'p.id = $1', id)

export const personByEmail = (sql: Sql, s: Signing, email: string): Promise<LoadedPerson | null> => one(sql, s, 'p.email_blind = $1', emailBlind(s.vault, email))

/** Locks first and reads second: one statement for both would join the row of now with the roles and factors of before. */
export async function lockPerson(tx: Tx, s: Signing, id: string): Promise<LoadedPerson> {
  await tx.query('SELECT 1 FROM person WHERE id = $1 FOR UPDATE', [id])
  const person = await personById(tx, s, id)
  if (!person) throw new Problem('not-found')
  return person
}

export interface PeoplePage {
  people: ListedPerson[]
  /** The id after which the next page begins, or null. */
  next: string | null
  /** Rows that are not ours were left out; each is in the ledger as authority.tampered. */
  broken: number
}

/** A page of colleagues. A row that is not ours takes itself out, not the others: nobody could put it right otherwise. */
export async function listPeople(sql: Sql, s: Signing, after: string | null, limit: number): Promise<PeoplePage> {
  const rows = await sql.query<ListedRow>(`SELECT ${LISTED_COLUMNS} FROM person p WHERE $1::uuid IS NULL OR p.id > $1 ORDER BY p.id LIMIT $2`, [after, limit + 1])
  const page = rows.slice(0, limit)
  const people = page.flatMap((row) => checkedOrNone(s, row))
  return { people, next: rows.length > limit ? page.at(-1)!.id : null, broken: page.length - people.length }
}

function checkedOrNone(s: Signing, row: ListedRow): ListedPerson[] {
  try {
    return [checkedListed(s.authority, row)]
  } catch (error) {
    if (error instanceof Problem && error.code === 'seal-broken') return []
    throw error
  }
}

/**
 * Everybody's place, roles and status, for judging a change. Whoever's row is not ours is not in it: they cannot sign in
 * either, so they reach nothing and decide nothing.
 */
export async function loadWorldPeople(sql: Sql, s: Signing): Promise<WorldPerson[]> {
  const { people } = await listPeople(sql, s, null, 100_000)
  return people.map((p) => ({ id: p.id, departmentId: p.departmentId, status: p.disabledAt === null ? 'active' : 'disabled', administratorUntil: p.administratorUntil, roles: p.roles.map((r) => r.role) }))
}

const personCell = (p: Pick<Person, 'id' | 'version' | 'emailBlind'>): Cell => ({ table: 'person', compartment: 'main', rowId: p.id, rowVersion: p.version, bound: lengthPrefixed([p.emailBlind]) })

export function personFacts(vault: Vault, p: ListedPerson): PersonFacts {
  return JSON.parse(vault.open(vault.ownerKey(p.id), personCell(p), p.sealed).toString()) as PersonFacts // our own bytes, authenticated
}

const sealFacts = (vault: Vault, p: Person, facts: PersonFacts): Buffer => vault.seal(vault.ownerKey(p.id), personCell(p), Buffer.from(JSON.stringify(facts)))

const emailTaken = (error: unknown): unknown => (isUniqueViolation(error, 'person_email_blind_key') ? new Problem('email-taken', { cause: error }) : error)

/** Inserts a person without roles and factors. The person's key must exist. */
export async function insertPerson(tx: Tx, s: Signing, person: Person, facts: PersonFacts): Promise<Person> {
  const p: Person = { ...person, sealed: sealFacts(s.vault, person, facts) }
  const digest = factorDigest([])
  const columns = [p.id, p.version, p.departmentId, p.disabledAt, p.locale, p.sessionEpoch, p.tokenEpoch, p.administratorUntil, digest, p.emailBlind, p.sealed, p.createdAt, p.updatedAt]
  await tx
    .query(
      `INSERT INTO person (id, version, department_id, disabled_at, locale, session_epoch, token_epoch, administrator_until, factor_digest, email_blind, sealed, created_at, updated_at, mac)
       VALUES (${[...columns, 0].map((_, i) => `$${i + 1}`).join(', ')})`,
      [...columns, s.authority.mac('person', personParts(p, digest))],
    )
    .catch((error: unknown) => Promise.reject(emailTaken(error)))
  return p
}

/** Writes the next version of a person whose roles or factors the caller may have changed in this transaction. */
export async function savePerson(tx: Tx, s: Signing, before: Person, change: Partial<Pick<Person, 'departmentId' | 'disabledAt' | 'locale' | 'sessionEpoch' | 'tokenEpoch' | 'administratorUntil' | 'roles' | 'factors'>>, at: string, facts?: PersonFacts): Promise<Person> {
  const said = facts ?? personFacts(s.vault, before)
  const blind = facts ? emailBlind(s.vault, facts.email) : before.emailBlind
  const bare: Person = { ...before, ...change, emailBlind: blind, version: before.version + 1, updatedAt: at }
  const p: Person = { ...bare, sealed: sealFacts(s.vault, bare, said) }
  const digest = factorDigest(p.factors)
  const columns = [p.id, before.version, p.version, p.departmentId, p.disabledAt, p.locale, p.sessionEpoch, p.tokenEpoch, p.administratorUntil, digest, p.emailBlind, p.sealed, p.updatedAt]
  const done = await tx
    .query(
      `UPDATE person SET version = $3, department_id = $4, disabled_at = $5, locale = $6, session_epoch = $7, token_epoch = $8, administrator_until = $9, factor_digest = $10, email_blind = $11, sealed = $12, updated_at = $13, mac = $14
       WHERE id = $1 AND version = $2 RETURNING id`,
      [...columns, s.authority.mac('person', personParts(p, digest))],
    )
    .catch((error: unknown) => Promise.reject(emailTaken(error)))
  if (done.length === 0) throw new Problem('version-stale')
  return p
}

/** Makes the rows of `person_role` those of `roles`; the caller saves the person with what this returns. */
export async function setRoles(tx: Tx, s: Signing, person: Person, roles: readonly string[], by: string, at: string): Promise<Person['roles']> {
  const kept = person.roles.filter((r) => roles.includes(r.role))
  const added = [...new Set(roles)].filter((role) => !kept.some((r) => r.role === role)).map((role) => ({ role, grantedBy: by, grantedAt: at }))
  await tx.query('DELETE FROM person_role WHERE person_id = $1 AND NOT (role = ANY ($2::text[]))', [person.id, kept.map((r) => r.role)])
  for (const r of added) {
    await tx.query('INSERT INTO person_role (person_id, role, granted_by, granted_at, mac) VALUES ($1, $2, $3, $4, $5)', [person.id, r.role, r.grantedBy, r.grantedAt, s.authority.mac('person_role', roleParts(person.id, r))])
  }
  return [...kept, ...added]
}

export interface FactorWords {
  kind: FactorKind
  state: FactorState
  setBy: string
  at: string
  lastStep?: number
}

/** Inserts a factor. `data` gets the new row's cell, so that a sealed secret is bound to it. */
export async function insertFactor(tx: Tx, s: Signing, person: Pick<Person, 'id'>, words: FactorWords, data: (cell: Cell) => Buffer): Promise<Factor> {
  const id = uuidv7()
  const bare: Factor = { id, personId: person.id, kind: words.kind, state: words.state, version: 1, data: Buffer.alloc(0), lastStep: words.lastStep ?? null, setBy: words.setBy, createdAt: words.at }
  const f: Factor = { ...bare, data: data(factorCell(bare)) }
  await tx.query('INSERT INTO factor (id, person_id, kind, state, version, data, last_step, set_by, created_at, mac) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)', [
    f.id, f.personId, f.kind, f.state, f.version, f.data, f.lastStep, f.setBy, f.createdAt,
    s.authority.mac('factor', factorParts(f)),
  ])
  return f
}

/** The cell a factor's secret is sealed in. Its version is fixed: the row's own MAC covers the rest, and a used step must not cost a re-seal. */
export function factorCell(f: Pick<Factor, 'id' | 'personId' | 'kind'>): Cell {
  return { table: 'factor', compartment: f.kind, rowId: f.id, rowVersion: 1, bound: lengthPrefixed([f.personId]) }
}

/** Compare-and-set on the version: of two uses of one code at once one wins. Returns null for the other. */
export async function changeFactor(tx: Tx, s: Signing, before: Factor, change: Partial<Pick<Factor, 'state' | 'lastStep' | 'data' | 'setBy'>>): Promise<Factor | null> {
  const f: Factor = { ...before, ...change, version: before.version + 1 }
  const done = await tx.query(
    'UPDATE factor SET state = $3, version = $4, data = $5, last_step = $6, set_by = $7, mac = $8 WHERE id = $1 AND version = $2 RETURNING id',
    [f.id, before.version, f.state, f.version, f.data, f.lastStep, f.setBy, s.authority.mac('factor', factorParts(f))],
  )
  return done.length === 1 ? f : null
}

export async function deleteFactors(tx: Tx, factors: readonly Factor[]): Promise<void> {
  await tx.query('DELETE FROM factor WHERE id = ANY ($1::uuid[])', [factors.map((f) => f.id)])
}
