import { networkOf, Problem } from '../../kernel/base/index.ts'
import type { Tx } from '../../kernel/db/types.ts'
import type { Desk } from '../../kernel/work/types.ts'
import { authorityCounter, covers, judgeWorld, reachOf, withPerson, type Judged } from '../access/index.ts'
import { grantsOf, keyOf, recorded, type Context } from './context.ts'
import { checkNewPassword, replacePassword, sessionOnly } from './credentials.service.ts'
import { hashPassword, verifyPassword } from './passwords.ts'
import { changeFactor, deleteFactors, emailBlind, insertFactor, lockPerson, personByEmail, personFacts, savePerson } from './people.store.ts'
import { accessDeps } from './people.service.ts'
import type { Factor, LoadedPerson } from './person.rows.ts'
import { deleteSessions } from './sessions.store.ts'
import type { Throttle } from './throttle.ts'
import { codeDigest, newCode } from './totp.ts'

/*
 * A reset gives nobody alone a way into another person's account. The administrator asks for it: sessions, tokens and the
 * old password end, and no secret comes into being. The code is drawn by a second person who already sees everything the
 * account sees and may already do everything it may do, and who hands it over in person. The person redeems it with a
 * password only they know. Where there is no such second person, the host's operator draws it (resetAtHost), loudly.
 */

const GOOD_MS = 24 * 3_600_000
/** data of a `reset` factor: what it clears, then (once drawn) the digest of the code. */
const PASSWORD_ONLY = 0
const SECOND_FACTOR_TOO = 1

const resetOf = (person: LoadedPerson, state: 'pending' | 'active'): Factor | undefined => person.factors.find((f) => f.kind === 'reset' && f.state === state)

/** Ends everything that signs the person in now. Returns the factors that are left. */
async function endCredentials(tx: Tx, c: Context, person: LoadedPerson): Promise<Factor[]> {
  const stale = person.factors.filter((f) => f.kind === 'reset')
  await deleteFactors(tx, stale)
  const left: Factor[] = []
  for (const f of person.factors.filter((x) => !stale.includes(x))) {
    const retired = f.kind === 'password' && f.state === 'active' ? await changeFactor(tx, c, f, { state: 'retired' }) : f
    if (!retired) throw new Problem('conflict')
    left.push(retired)
  }
  await deleteSessions(tx, person.id)
  return left
}

export async function requestReset(desk: Desk, c: Context, id: string, secondFactor: boolean): Promise<void> {
  await desk.write(async (work) => {
    if (id === work.actor.personId) throw new Problem('own-rights')
    const person = await lockPerson(work.sql, c, id)
    const at = c.now().toISOString()
    const left = await endCredentials(work.sql, c, person)
    const reset = await insertFactor(work.sql, c, person, { kind: 'reset', state: 'pending', setBy: work.actor.personId, at }, () => Buffer.from([secondFactor ? SECOND_FACTOR_TOO : PASSWORD_ONLY]))
    await savePerson(work.sql, c, person, { factors: [...left, reset], sessionEpoch: person.sessionEpoch + 1, tokenEpoch: person.tokenEpoch + 1 }, at)
    work.record({ action: 'user.reset', object: { kind: 'person', id }, subjects: [keyOf(c.vault, person)], detail: { secondFactor } })
    await work.bumpAuthority()
  })
}

/** Whoever draws the code could use it, so it must give them nothing they do not have. */
function mayDraw(c: Context, judged: Judged, desk: Desk, person: LoadedPerson): boolean {
  const mine = desk.actor.grants.permissions
  // An account without any role would otherwise be anybody's to take, and may be given roles later.
  if (!mine.has('users:manage') && !mine.has('approvals:decide')) return false
  if (![...grantsOf(c, person).permissions].every((p) => mine.has(p))) return false
  // As if enabled: a disabled person's account may be enabled later.
  const enabled = withPerson(judged.before, { ...judged.before.people.get(person.id)!, status: 'active' })
  return covers(judged.before, reachOf(c.registry, judged.before, desk.actor.personId), reachOf(c.registry, enabled, person.id))
}

export async function drawResetCode(desk: Desk, c: Context, id: string): Promise<{ code: string; expiresAt: string }> {
  sessionOnly(desk)
  const code = newCode()
  return desk.write(async (work) => {
    const judged = await judgeWorld(work.sql, accessDeps(c), work.actor.epoch)
    const person = await lockPerson(work.sql, c, id)
    const pending = resetOf(person, 'pending')
    if (!pending) throw new Problem('conflict')
    if (id === work.actor.personId || pending.setBy === work.actor.personId || !mayDraw(c, judged, desk, person)) throw new Problem('approver-unfit')
    await replaceReset(work.sql, c, person, pending, code, work.actor.personId, c.now())
    work.record({ action: 'user.reset-code-drawn', object: { kind: 'person', id }, subjects: [keyOf(c.vault, person)] })
    await work.bumpAuthority()
    return { code, expiresAt: new Date(c.now().getTime() + GOOD_MS).toISOString() }
  })
}

async function replaceReset(tx: Tx, c: Context, person: LoadedPerson, pending: Factor, code: string, by: string, at: Date): Promise<void> {
  await deleteFactors(tx, [pending])
  const data = Buffer.concat([pending.data.subarray(0, 1), codeDigest(c.vault, 'reset', person.id, code)])
  const active = await insertFactor(tx, c, person, { kind: 'reset', state: 'active', setBy: by, at: at.toISOString() }, () => data)
  await savePerson(tx, c, person, { factors: [...person.factors.filter((f) => f.id !== pending.id), active] }, at.toISOString())
}

/** For `sealbook user reset` at the host, when nobody is fit to draw the code. Recorded with no actor: the operating system's operator did it. */
export async function resetAtHost(c: Context, email: string, secondFactor: boolean): Promise<{ personId: string; code: string }> {
  const found = await personByEmail(c.db, c, email)
  if (!found) throw new Problem('not-found')
  const code = newCode()
  await recorded(c, async (tx, record) => {
    const person = await lockPerson(tx, c, found.id)
    const at = c.now()
    const left = await endCredentials(tx, c, person)
    const pending = await insertFactor(tx, c, person, { kind: 'reset', state: 'pending', setBy: person.id, at: at.toISOString() }, () => Buffer.from([secondFactor ? SECOND_FACTOR_TOO : PASSWORD_ONLY]))
    const ended = await savePerson(tx, c, person, { factors: [...left, pending], sessionEpoch: person.sessionEpoch + 1, tokenEpoch: person.tokenEpoch + 1 }, at.toISOString())
    await replaceReset(tx, c, { ...person, ...ended }, pending, code, person.id, at)
    record({ action: 'user.reset-at-host', actor: null, object: { kind: 'person', id: person.id }, subjects: [keyOf(c.vault, person)], detail: { secondFactor } })
    await authorityCounter.bump(tx)
  })
  return { personId: found.id, code }
}

export interface Redeem {
  email: string
  code: string
  password: string
  ip: string
}

function matching(c: Context, person: LoadedPerson | null, code: string, now: Date): Factor | null {
  const reset = person ? resetOf(person, 'active') : undefined
  if (!person || !reset || person.disabledAt !== null || now.getTime() - Date.parse(reset.createdAt) > GOOD_MS) return null
  return codeDigest(c.vault, 'reset', person.id, code).equals(reset.data.subarray(1)) ? reset : null
}

/** Exchanges the code for a password of one's own. Unknown e-mail and wrong code are answered alike, after the same work. */
export async function redeemReset(c: Context, throttle: Throttle, asked: Redeem): Promise<void> {
  const account = emailBlind(c.vault, asked.email).toString('hex')
  const network = networkOf(asked.ip)
  throttle.attempt(account, network)
  const person = await personByEmail(c.db, c, asked.email)
  const reset = matching(c, person, asked.code, c.now())
  if (!person || !reset) {
    await verifyPassword(c.vault, null, null, asked.password, network)
    await c.ledger.append({ action: 'reset.refused', actor: null, ...(person ? { object: { kind: 'person', id: person.id }, subjects: [keyOf(c.vault, person)] } : {}) })
    throw new Problem('sign-in-refused')
  }
  const clears = reset.data[0] === SECOND_FACTOR_TOO
  const keepsSecond = !clears && person.factors.some((f) => f.kind === 'totp' && f.state === 'active')
  await checkNewPassword(c, asked.password, personFacts(c.vault, person), keepsSecond)
  const hash = await hashPassword(c.vault, person.id, asked.password, network)
  await recorded(c, async (tx, record) => {
    const locked = await lockPerson(tx, c, person.id)
    const at = c.now()
    const again = matching(c, locked, asked.code, at)
    if (!again) throw new Problem('sign-in-refused')
    const cleared = locked.factors.filter((f) => f.id === again.id || (clears && (f.kind === 'totp' || f.kind === 'recovery')))
    await deleteFactors(tx, cleared)
    const factors = await replacePassword(tx, c, { ...locked, factors: locked.factors.filter((f) => !cleared.includes(f)) }, hash, locked.id, at)
    await savePerson(tx, c, locked, { factors, sessionEpoch: locked.sessionEpoch + 1 }, at.toISOString())
    await deleteSessions(tx, locked.id)
    const key = keyOf(c.vault, locked)
    record({ action: 'reset.redeemed', actor: key, object: { kind: 'person', id: locked.id }, subjects: [key], detail: { secondFactor: clears } })
    await authorityCounter.bump(tx)
  })
  throttle.succeeded(account, network)
}
