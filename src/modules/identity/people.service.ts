import { Problem, uuidv7, type Locale } from '../../kernel/base/index.ts'
import type { Sql } from '../../kernel/db/types.ts'
import type { AnyRecord, Entity } from '../../kernel/entity/index.ts'
import type { Desk, Work } from '../../kernel/work/types.ts'
import { changeAuthority, checkAdministratorLeft, judgeWorld, whyCan, withPerson, type AccessDeps, type Approval, type AuthorityChange, type Judged, type PeopleSource, type WorldPerson } from '../access/index.ts'
import { keyOf, type Context } from './context.ts'
import { checkNewPassword } from './credentials.service.ts'
import { hashPassword } from './passwords.ts'
import { emailBlind, insertFactor, insertPerson, listPeople, loadWorldPeople, lockPerson, personById, personFacts, savePerson, setRoles, type PersonFacts } from './people.store.ts'
import type { Factor, ListedPerson, Person } from './person.rows.ts'
import { deleteSessions } from './sessions.store.ts'

export interface NewUser {
  email: string
  name: string
  roles: readonly string[]
  departmentId?: string | undefined
  password: string
  locale?: Locale | undefined
}

export interface UserPatch {
  email?: string | undefined
  name?: string | undefined
  locale?: Locale | undefined
  roles?: readonly string[] | undefined
  departmentId?: string | undefined
}

export interface Changed {
  person: ListedPerson
  facts: PersonFacts
  approval: Approval | null
}

/** People as access judges and changes them. */
export function peopleSource(c: Context): PeopleSource {
  return { world: (sql) => loadWorldPeople(sql, c), pooled: (sql) => c.pooled(sql), apply: (work, personId, change) => applyChange(work, c, personId, change) }
}

export const accessDeps = (c: Context): AccessDeps => ({ vault: c.vault, authority: c.authority, registry: c.registry, people: peopleSource(c) })

async function applyChange(work: Work, c: Context, personId: string, change: AuthorityChange): Promise<void> {
  const person = await lockPerson(work.sql, c, personId)
  const at = work.at.toISOString()
  const about = { object: { kind: 'person', id: personId }, subjects: [keyOf(c.vault, person)] }
  const roles = change.roles ? await setRoles(work.sql, c, person, change.roles, work.actor.personId, at) : person.roles
  for (const r of roles) if (!person.roles.some((old) => old.role === r.role)) work.record({ action: 'role.granted', ...about, detail: { role: r.role } })
  const gone = person.roles.filter((r) => !roles.some((kept) => kept.role === r.role))
  for (const r of gone) work.record({ action: 'role.removed', ...about, detail: { role: r.role } })
  const departmentId = change.departmentId ?? person.departmentId
  if (departmentId !== person.departmentId) work.record({ action: 'user.moved', ...about, detail: { from: person.departmentId, to: departmentId } })
  if (change.status === 'active' && person.disabledAt !== null) work.record({ action: 'user.enabled', ...about })
  const next = {
    roles, departmentId, disabledAt: change.status === 'active' ? null : person.disabledAt,
    administratorUntil: gone.some((r) => r.role === 'administrator') ? at : person.administratorUntil,
  }
  await savePerson(work.sql, c, person, next, at)
}

const worldPerson = (p: Person): WorldPerson => ({ id: p.id, departmentId: p.departmentId, status: 'active', roles: [], administratorUntil: null })

function checkDepartment(judged: Judged, id: string): void {
  if (!judged.departments.has(id)) throw new Problem('invalid', { errors: [{ path: 'departmentId', code: 'not-found' }] })
}

/**
 * Makes an account whose first password the administrator knows: it opens nothing but the change of that password. The
 * roles go through the same judgement as any later change, so an account made for oneself is worth nothing.
 */
export async function createUser(desk: Desk, c: Context, asked: NewUser): Promise<Changed> {
  const facts: PersonFacts = { name: asked.name, email: asked.email }
  await checkNewPassword(c, asked.password, facts, false)
  const id = uuidv7()
  const [[key], hash] = await Promise.all([c.vault.createOwnerKeys([id]), hashPassword(c.vault, id, asked.password)])
  return desk.write(async (work) => {
    const at = work.at.toISOString()
    const made = await insertColleague(work, c, { ...asked, id }, async (person) => [await insertFactor(work.sql, c, person, { kind: 'password', state: 'active', setBy: work.actor.personId, at }, (cell) => c.vault.seal(key!, cell, hash))])
    work.answers(userView(c, made.person, true, made.approval), made.person.version)
    return made
  })
}

/** An account with the factors that are made for it, by the judgement of every later change. Its key must exist. */
export async function insertColleague(work: Work, c: Context, asked: Omit<NewUser, 'password'> & { id: string }, factorsFor: (person: Person) => Promise<Factor[]>): Promise<Changed> {
  const { id } = asked
  const facts: PersonFacts = { name: asked.name, email: asked.email }
  const deps = accessDeps(c)
  const judged = await judgeWorld(work.sql, deps, work.actor.epoch)
  const departmentId = asked.departmentId ?? work.actor.departmentId
  checkDepartment(judged, departmentId)
  const at = work.at.toISOString()
  const bare: Person = {
    id, version: 1, departmentId, disabledAt: null, locale: asked.locale ?? work.actor.locale, sessionEpoch: 1, tokenEpoch: 1, administratorUntil: null,
    emailBlind: emailBlind(c.vault, asked.email), sealed: Buffer.alloc(0), createdAt: at, updatedAt: at, roles: [], factors: [],
  }
  const person = await insertPerson(work.sql, c, bare, facts)
  await savePerson(work.sql, c, person, { factors: await factorsFor(person) }, at, facts)
  work.record({ action: 'user.created', object: { kind: 'person', id }, subjects: [keyOf(c.vault, person)], detail: { department: departmentId } })
  const withNew: Judged = { ...judged, before: withPerson(judged.before, worldPerson(person)) }
  const approval = await changeAuthority(work, deps, withNew, 'person', id, { roles: asked.roles })
  await work.bumpAuthority()
  return { person: await lockPerson(work.sql, c, id), facts, approval }
}

/** Changes name, e-mail and language at once; roles and department by the rules of access. */
export async function patchUser(desk: Desk, c: Context, id: string, version: number, patch: UserPatch): Promise<Changed> {
  return desk.write(async (work) => {
    const deps = accessDeps(c)
    const judged = await judgeWorld(work.sql, deps, work.actor.epoch)
    const person = await lockPerson(work.sql, c, id)
    if (person.version !== version) throw new Problem('version-stale', { extra: { version: person.version } })
    const change = authorityChange(person, patch)
    const old = personFacts(c.vault, person)
    const facts: PersonFacts = { name: patch.name ?? old.name, email: patch.email ?? old.email }
    await savePerson(work.sql, c, person, { locale: patch.locale ?? person.locale }, work.at.toISOString(), facts)
    const changed = (['name', 'email', 'locale'] as const).filter((k) => patch[k] !== undefined)
    work.record({ action: 'user.updated', object: { kind: 'person', id }, subjects: [keyOf(c.vault, person)], detail: { changed } })
    const approval = Object.keys(change).length > 0 ? await changeAuthority(work, deps, judged, 'person', id, change) : null
    await work.bumpAuthority()
    return { person: await lockPerson(work.sql, c, id), facts, approval }
  })
}

function authorityChange(person: Person, patch: UserPatch): AuthorityChange {
  const held = person.roles.map((r) => r.role).sort()
  const wanted = patch.roles ? [...new Set(patch.roles)].sort() : held
  return {
    ...(wanted.join() === held.join() ? {} : { roles: wanted }),
    ...(patch.departmentId && patch.departmentId !== person.departmentId ? { departmentId: patch.departmentId } : {}),
  }
}

/** Ends every session and token of a person at once and keeps them out. */
export async function disableUser(desk: Desk, c: Context, id: string): Promise<void> {
  await desk.write(async (work) => {
    if (id === work.actor.personId) throw new Problem('own-rights')
    const judged = await judgeWorld(work.sql, accessDeps(c), work.actor.epoch)
    const before = judged.before.people.get(id)
    if (!before) throw new Problem('not-found')
    checkAdministratorLeft(withPerson(judged.before, { ...before, status: 'disabled' }))
    const person = await lockPerson(work.sql, c, id)
    const next = { disabledAt: person.disabledAt ?? work.at.toISOString(), sessionEpoch: person.sessionEpoch + 1, tokenEpoch: person.tokenEpoch + 1 }
    await savePerson(work.sql, c, person, next, work.at.toISOString())
    await deleteSessions(work.sql, id)
    work.record({ action: 'user.disabled', object: { kind: 'person', id }, subjects: [keyOf(c.vault, person)] })
    await work.bumpAuthority()
  })
}

/** Lets a disabled person back in, by the same judgement as giving the rights anew. */
export async function enableUser(desk: Desk, c: Context, id: string): Promise<Changed> {
  return desk.write(async (work) => {
    const deps = accessDeps(c)
    const judged = await judgeWorld(work.sql, deps, work.actor.epoch)
    const approval = await changeAuthority(work, deps, judged, 'person', id, { status: 'active' })
    const person = await lockPerson(work.sql, c, id)
    // Already enabled: nothing happened, and a write says what it did.
    work.record({ action: 'user.enable-asked', object: { kind: 'person', id }, subjects: [keyOf(c.vault, person)] })
    return { person, facts: personFacts(c.vault, person), approval }
  })
}

/** A colleague as others see them; the e-mail is for whoever administers people, and for oneself. */
export function userView(c: Context, p: ListedPerson, withEmail: boolean, approval: Approval | null = null): Record<string, unknown> {
  const facts = personFacts(c.vault, p)
  return {
    id: p.id, version: p.version, createdAt: p.createdAt, updatedAt: p.updatedAt, name: facts.name, email: withEmail ? facts.email : null,
    roles: p.roles.map((r) => r.role).sort(), departmentId: p.departmentId, disabledAt: p.disabledAt, locale: p.locale,
    ...(approval ? { approval: { id: approval.id, state: 'pending' } } : {}),
  }
}

export async function searchUsers(desk: Desk, c: Context, after: string | null, limit: number): Promise<object> {
  const { people: shown, next, broken } = await listPeople(desk.sql, c, after, limit)
  const manages = desk.actor.grants.permissions.has('users:manage')
  desk.record({ action: 'user.listed', subjects: shown.map((p) => keyOf(c.vault, p)), purpose: 'list' })
  return { items: shown.map((p) => userView(c, p, manages || p.id === desk.actor.personId)), nextCursor: next, complete: broken === 0 }
}

export async function readUser(desk: Desk, c: Context, id: string): Promise<ListedPerson> {
  const person = await personById(desk.sql, c, id)
  if (!person) throw new Problem('not-found')
  desk.record({ action: 'user.read', object: { kind: 'person', id }, subjects: [keyOf(c.vault, person)], purpose: 'view' })
  return person
}

/** Where a person stands: for owners of records other than the actor. */
export async function placeOf(c: Context, sql: Sql, id: string): Promise<{ id: string; departmentId: string; active: boolean } | null> {
  const person = await personById(sql, c, id)
  return person ? { id, departmentId: person.departmentId, active: person.disabledAt === null } : null
}

/** The rules by which a person may or may not see a record. */
export async function explainFor(c: Context, sql: Sql, personId: string, entity: Entity, record: AnyRecord, hangsOn: AnyRecord | null = null): Promise<object | null> {
  const person = await personById(sql, c, personId)
  if (!person) return null
  const place = { personId, departmentId: person.departmentId, below: person.below }
  const pools = await c.poolsOf(sql, person.departmentId)
  return whyCan(c.registry, { place, pools, roles: person.disabledAt === null ? person.roles.map((r) => r.role) : [] }, entity, record, hangsOn)
}
