import { networkOf, Problem } from '../../kernel/base/index.ts'
import type { Tx } from '../../kernel/db/types.ts'
import { authorityCounter } from '../access/index.ts'
import { grantsOf, keyOf, recorded, type Context } from './context.ts'
import { mustChangePassword } from './authenticator.ts'
import { changeFactor, emailBlind, factorCell, lockPerson, personByEmail, savePerson } from './people.store.ts'
import type { Factor, LoadedPerson } from './person.rows.ts'
import { verifyPassword } from './passwords.ts'
import { createSession, deleteSession, loadSession, sessionDigest, type OpenedSession } from './sessions.store.ts'
import type { Throttle } from './throttle.ts'
import { codeDigest, looksLikeCode, totpStep } from './totp.ts'

export const activeFactor = (person: LoadedPerson, kind: 'password' | 'totp'): Factor | undefined => person.factors.find((f) => f.kind === kind && f.state === 'active')

export const openFactor = (c: Context, f: Factor): Buffer => c.vault.open(c.vault.ownerKey(f.personId), factorCell(f), f.data)

/** Checks a password against the account's, or against nothing for the same time. */
export function passwordFits(c: Context, person: LoadedPerson | null, password: string, network: string): Promise<boolean> {
  const factor = person ? activeFactor(person, 'password') : undefined
  return verifyPassword(c.vault, person?.id ?? null, factor ? openFactor(c, factor) : null, password, network)
}

/**
 * Uses up a code of the authenticator app, or a recovery code. Each is good once: the factor's row is compared and set,
 * so of two sign-ins with one code at the same moment one is refused. Returns what was used, or null when nothing fits.
 */
export async function useSecondFactor(tx: Tx, c: Context, person: LoadedPerson, code: string, at: Date): Promise<'totp' | 'recovery' | null> {
  const totp = activeFactor(person, 'totp')
  const step = totp ? totpStep(openFactor(c, totp), code.replace(/\s/g, ''), at, totp.lastStep) : null
  if (totp && step !== null) return (await changeFactor(tx, c, totp, { lastStep: step })) ? 'totp' : null
  return looksLikeCode(code) && (await useRecoveryCode(tx, c, person.id, code, at)) ? 'recovery' : null
}

async function useRecoveryCode(tx: Tx, c: Context, personId: string, code: string, at: Date): Promise<boolean> {
  const digest = codeDigest(c.vault, 'recovery', personId, code)
  // The set of codes is part of the person's MAC, so the person is written too, and first locked.
  const person = await lockPerson(tx, c, personId)
  const factor = person.factors.find((f) => f.kind === 'recovery' && f.state === 'active' && f.data.equals(digest))
  if (!factor) return false
  const used = await changeFactor(tx, c, factor, { state: 'retired' })
  if (!used) return false
  await savePerson(tx, c, person, { factors: person.factors.map((f) => (f.id === used.id ? used : f)) }, at.toISOString())
  return true
}

export interface SignIn {
  email: string
  password: string
  code?: string | undefined
  ip: string
  /** The cookie's session, if the browser still had one: it ends here. */
  oldSecret: string | null
}

export interface SignedIn extends OpenedSession {
  person: LoadedPerson
  scopes: string[]
  mustChangePassword: boolean
}

async function refuse(c: Context, person: LoadedPerson | null, reason: string, code = 'sign-in-refused'): Promise<never> {
  // The account is named by its handle only; for an e-mail nobody has there is nothing to name.
  await c.ledger.append({ action: 'session.refused', actor: null, ...(person ? { object: { kind: 'person', id: person.id }, subjects: [keyOf(c.vault, person)] } : {}), detail: { reason } })
  throw new Problem(code)
}

async function endOldSession(tx: Tx, c: Context, secret: string): Promise<void> {
  const old = await loadSession(tx, c, { digest: sessionDigest(c.vault, secret) }).catch(() => null)
  if (!old) return
  await deleteSession(tx, old.session.id)
  await authorityCounter.bump(tx)
}

/** Signs in. Unknown e-mail, wrong password, disabled account and wrong code are answered alike, after the same work. */
export async function signIn(c: Context, throttle: Throttle, asked: SignIn): Promise<SignedIn> {
  const account = emailBlind(c.vault, asked.email).toString('hex')
  const network = networkOf(asked.ip)
  throttle.attempt(account, network)
  const person = await personByEmail(c.db, c, asked.email)
  const fits = await passwordFits(c, person, asked.password, network)
  if (throttle.justUnderAttack(account)) await c.ledger.append({ action: 'session.attack-suspected', actor: null, ...(person ? { object: { kind: 'person', id: person.id }, subjects: [keyOf(c.vault, person)] } : {}) })
  if (!person || !fits) return refuse(c, person, 'credentials')
  if (person.disabledAt !== null) return refuse(c, person, 'disabled')
  const second = activeFactor(person, 'totp')
  // Said only to somebody who knows the password; the try still counts, so codes cannot be guessed between two of these.
  if (second && !asked.code) return refuse(c, person, 'code-missing', 'code-required')
  if (second && !looksLikeCode(asked.code ?? '')) throttle.attemptCode(account)
  const signedIn = await recorded(c, async (tx, record) => {
    const at = c.now()
    const used = second ? await useSecondFactor(tx, c, person, asked.code ?? '', at) : null
    if (second && !used) return null
    if (asked.oldSecret) await endOldSession(tx, c, asked.oldSecret)
    const opened = await createSession(tx, c, person, at)
    const key = keyOf(c.vault, person)
    record({ action: 'session.created', actor: key, subjects: [key], object: { kind: 'session', id: opened.session.id }, detail: { factors: ['password', ...(used ? [used] : [])] } })
    return opened
  })
  if (!signedIn) return refuse(c, person, 'code')
  throttle.succeeded(account, network)
  throttle.forgive(account)
  return { ...signedIn, person, scopes: [...grantsOf(c, person).permissions].sort(), mustChangePassword: mustChangePassword(person) }
}
