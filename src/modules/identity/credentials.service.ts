import { networkOf, Problem } from '../../kernel/base/index.ts'
import type { Tx } from '../../kernel/db/types.ts'
import type { Desk, Work } from '../../kernel/work/types.ts'
import { keyOf, type Context } from './context.ts'
import { loadOrganisation } from '../organisation/index.ts'
import { checkPassword } from './password-policy.ts'
import { hashPassword, verifyPassword } from './passwords.ts'
import { changeFactor, deleteFactors, insertFactor, lockPerson, personById, personFacts, savePerson, type PersonFacts } from './people.store.ts'
import type { Factor, LoadedPerson, Person } from './person.rows.ts'
import { createSession, deleteSessions, loadSession, stepUpSession, type OpenedSession } from './sessions.store.ts'
import { activeFactor, openFactor, passwordFits, useSecondFactor } from './sign-in.service.ts'
import type { Throttle } from './throttle.ts'
import { codeDigest, enrolment, looksLikeCode, newCode, newTotpSecret, RECOVERY_CODES, totpStep, type Enrolment } from './totp.ts'

const HISTORY = 5

/** Throws unless the caller came with a session: a token is neither a person at a keyboard nor able to change what signs that person in. */
export function sessionOnly(desk: Desk): void {
  if (desk.actor.via !== 'session') throw new Problem('session-required')
}

/** Length, blocklist, and words a guesser of this very account would try. */
export async function checkNewPassword(c: Context, password: string, facts: PersonFacts, secondFactor: boolean): Promise<void> {
  const organisation = await loadOrganisation(c.db, c)
  checkPassword(password, { words: [facts.email, facts.name, ...(organisation ? [organisation.name] : [])], secondFactor })
}

async function checkHistory(c: Context, person: LoadedPerson, password: string, network: string): Promise<void> {
  for (const f of person.factors.filter((x) => x.kind === 'password')) {
    if (await verifyPassword(c.vault, person.id, openFactor(c, f), password, network)) throw new Problem('invalid', { errors: [{ path: 'password', code: 'password-used-before' }] })
  }
}

/** Puts a new password in the place of the old; the last five stay, retired, so that they are not chosen again. Returns the person's factors. */
export async function replacePassword(tx: Tx, c: Context, person: LoadedPerson, hash: Buffer, setBy: string, at: Date): Promise<Factor[]> {
  const key = c.vault.ownerKey(person.id)
  const old = person.factors.filter((f) => f.kind === 'password')
  const others = person.factors.filter((f) => f.kind !== 'password')
  const retired: Factor[] = []
  for (const f of old) {
    const kept = f.state === 'retired' ? f : await changeFactor(tx, c, f, { state: 'retired' })
    if (!kept) throw new Problem('conflict')
    retired.push(kept)
  }
  retired.sort((a, b) => (a.id < b.id ? 1 : -1))
  await deleteFactors(tx, retired.slice(HISTORY))
  const fresh = await insertFactor(tx, c, person, { kind: 'password', state: 'active', setBy, at: at.toISOString() }, (cell) => c.vault.seal(key, cell, hash))
  return [...others, ...retired.slice(0, HISTORY), fresh]
}

export interface PasswordChange {
  current: string
  password: string
  ip: string
}

/** Changes one's own password: every session ends, and the caller goes on in a fresh one. */
export async function changePassword(desk: Desk, c: Context, throttle: Throttle, asked: PasswordChange): Promise<OpenedSession> {
  sessionOnly(desk)
  const network = networkOf(asked.ip)
  const account = `password ${desk.actor.personId}`
  throttle.attempt(account, network)
  const person = await mustFind(c, desk)
  if (!(await passwordFits(c, person, asked.current, network))) throw new Problem('sign-in-refused')
  throttle.succeeded(account, network)
  await checkNewPassword(c, asked.password, personFacts(c.vault, person), activeFactor(person, 'totp') !== undefined)
  await checkHistory(c, person, asked.password, network)
  const hash = await hashPassword(c.vault, person.id, asked.password, network)
  return desk.write(async (work) => {
    const locked = await lockPerson(work.sql, c, person.id)
    // What was verified must still be what is replaced.
    if (activeFactor(locked, 'password')?.id !== activeFactor(person, 'password')?.id) throw new Problem('conflict')
    const factors = await replacePassword(work.sql, c, locked, hash, person.id, c.now())
    const saved = await savePerson(work.sql, c, locked, { factors, sessionEpoch: locked.sessionEpoch + 1 }, c.now().toISOString())
    await deleteSessions(work.sql, person.id)
    const opened = await createSession(work.sql, c, saved, c.now())
    work.record({ action: 'password.changed', object: { kind: 'person', id: person.id }, subjects: [keyOf(c.vault, person)] })
    await work.bumpAuthority()
    return opened
  })
}

async function mustFind(c: Context, desk: Desk): Promise<LoadedPerson> {
  const person = await personById(c.db, c, desk.actor.personId)
  if (!person) throw new Problem('not-found')
  return person
}

/** Proves a factor again: the code of whoever has one, else the password. The session gets a new secret. */
export async function stepUp(desk: Desk, c: Context, throttle: Throttle, asked: { password?: string | undefined; code?: string | undefined; ip: string }): Promise<OpenedSession> {
  sessionOnly(desk)
  const network = networkOf(asked.ip)
  const account = `step-up ${desk.actor.personId}`
  throttle.attempt(account, network)
  const person = await mustFind(c, desk)
  const second = activeFactor(person, 'totp')
  if (second && !asked.code) throw new Problem('code-required')
  if (second && !looksLikeCode(asked.code ?? '')) throttle.attemptCode(account)
  if (!second && !(await passwordFits(c, person, asked.password ?? '', network))) throw new Problem('sign-in-refused')
  const opened = await desk.write(async (work) => {
    if (second && !(await useSecondFactor(work.sql, c, person, asked.code ?? '', c.now()))) throw new Problem('sign-in-refused')
    const loaded = await loadSession(work.sql, c, { id: work.actor.credentialId })
    if (!loaded) throw new Problem('signed-out')
    work.record({ action: 'session.stepped-up', object: { kind: 'session', id: loaded.session.id }, subjects: [work.actor.key] })
    await work.bumpAuthority()
    return stepUpSession(work.sql, c, loaded.session, c.now())
  })
  throttle.succeeded(account, network)
  throttle.forgive(account)
  return opened
}

async function saveFactors(work: Work, c: Context, person: Person, factors: readonly Factor[]): Promise<void> {
  await savePerson(work.sql, c, person, { factors }, c.now().toISOString())
  await work.bumpAuthority()
}

/** Starts enrolling an authenticator app. Nothing changes for sign-in until a code has confirmed it. */
export async function enrolTotp(desk: Desk, c: Context): Promise<Enrolment> {
  sessionOnly(desk)
  const secret = newTotpSecret()
  const [person, organisation] = await Promise.all([mustFind(c, desk), loadOrganisation(c.db, c)])
  await desk.write(async (work) => {
    const locked = await lockPerson(work.sql, c, person.id)
    const stale = locked.factors.filter((f) => f.kind === 'totp' && f.state === 'pending')
    await deleteFactors(work.sql, stale)
    const fresh = await insertFactor(work.sql, c, locked, { kind: 'totp', state: 'pending', setBy: locked.id, at: c.now().toISOString() }, (cell) => c.vault.seal(work.actor.key, cell, secret))
    work.record({ action: 'factor.offered', object: { kind: 'factor', id: fresh.id }, subjects: [work.actor.key] })
    await saveFactors(work, c, locked, [...locked.factors.filter((f) => !stale.includes(f)), fresh])
  })
  return enrolment(secret, personFacts(c.vault, person).email, `Sealbook ${organisation?.name ?? ''}`.trim())
}

/** The codes, shown once; only their digests are kept. */
export async function makeRecoveryCodes(tx: Tx, c: Context, person: Pick<Person, 'id'>, at: Date): Promise<{ codes: string[]; factors: Factor[] }> {
  const codes = Array.from({ length: RECOVERY_CODES }, newCode)
  const factors: Factor[] = []
  for (const code of codes) factors.push(await insertFactor(tx, c, person, { kind: 'recovery', state: 'active', setBy: person.id, at: at.toISOString() }, () => codeDigest(c.vault, 'recovery', person.id, code)))
  return { codes, factors }
}

/** Confirms the app with a code of it, in place of the one before, and gives new recovery codes. */
export async function confirmTotp(desk: Desk, c: Context, throttle: Throttle, asked: { code: string; ip: string }): Promise<string[]> {
  sessionOnly(desk)
  throttle.attempt(`totp ${desk.actor.personId}`, networkOf(asked.ip))
  const codes = await desk.write(async (work) => {
    const person = await lockPerson(work.sql, c, work.actor.personId)
    const pending = person.factors.find((f) => f.kind === 'totp' && f.state === 'pending')
    const step = pending ? totpStep(openFactor(c, pending), asked.code.replace(/\s/g, ''), c.now(), null) : null
    if (!pending || step === null) throw new Problem('invalid', { errors: [{ path: 'code', code: 'code-wrong' }] })
    const active = await changeFactor(work.sql, c, pending, { state: 'active', lastStep: step })
    if (!active) throw new Problem('conflict')
    const replaced = person.factors.filter((f) => f.kind === 'recovery' || (f.kind === 'totp' && f.id !== pending.id))
    await deleteFactors(work.sql, replaced)
    const recovery = await makeRecoveryCodes(work.sql, c, person, c.now())
    work.record({ action: 'factor.added', object: { kind: 'factor', id: active.id }, subjects: [work.actor.key], detail: { kind: 'totp' } })
    await saveFactors(work, c, person, [...person.factors.filter((f) => !replaced.includes(f) && f.id !== pending.id), active, ...recovery.factors])
    return recovery.codes
  })
  throttle.succeeded(`totp ${desk.actor.personId}`, networkOf(asked.ip))
  return codes
}
