import { Problem } from '../../kernel/base/index.ts'
import type { Desk } from '../../kernel/work/types.ts'
import { mustChangePassword } from './authenticator.ts'
import type { Context } from './context.ts'
import { sessionOnly } from './credentials.service.ts'
import { lockPerson, personById, personFacts, savePerson } from './people.store.ts'
import type { LoadedPerson } from './person.rows.ts'
import { csrfOf, deleteSession, loadSession } from './sessions.store.ts'
import { activeFactor } from './sign-in.service.ts'

export function meView(c: Context, person: LoadedPerson, scopes: Iterable<string>): Record<string, unknown> {
  return {
    id: person.id, ...personFacts(c.vault, person), roles: person.roles.map((r) => r.role).sort(), scopes: [...scopes].sort(), locale: person.locale,
    departmentId: person.departmentId, mustChangePassword: mustChangePassword(person), secondFactor: activeFactor(person, 'totp') !== undefined,
  }
}

export async function readMe(desk: Desk, c: Context): Promise<object> {
  const person = await personById(desk.sql, c, desk.actor.personId)
  if (!person) throw new Problem('signed-out')
  const session = desk.actor.via === 'session' ? await loadSession(desk.sql, c, { id: desk.actor.credentialId }) : null
  return { ...meView(c, person, desk.actor.grants.permissions), ...(session ? { csrf: csrfOf(c.vault, session.session) } : {}) }
}

export async function signOut(desk: Desk): Promise<void> {
  sessionOnly(desk)
  await desk.write(async (work) => {
    await deleteSession(work.sql, work.actor.credentialId)
    work.record({ action: 'session.ended', object: { kind: 'session', id: work.actor.credentialId }, subjects: [work.actor.key] })
    await work.bumpAuthority()
  })
}

/** No right moves with the language, so no epoch does: the actors in memory are a minute behind at most. */
export async function changeMe(desk: Desk, c: Context, locale: 'zh-CN' | 'en'): Promise<void> {
  sessionOnly(desk)
  await desk.write(async (work) => {
    const person = await lockPerson(work.sql, c, work.actor.personId)
    await savePerson(work.sql, c, person, { locale }, work.at.toISOString())
    work.record({ action: 'user.updated', object: { kind: 'person', id: person.id }, subjects: [work.actor.key], detail: { changed: ['locale'] } })
  })
}
