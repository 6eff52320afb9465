import type { Locale } from '../../kernel/base/index.ts'
import { contextOf, type IdentityDeps } from './context.ts'
import { personById, personFacts } from './people.store.ts'

/** Where a colleague reads mail, and in which language; null for one who does not work here any more. Throws Problem seal-broken. */
export async function addressOf(deps: IdentityDeps, personId: string): Promise<{ email: string; locale: Locale } | null> {
  const c = contextOf(deps)
  const person = await personById(c.db, c, personId)
  return person && person.disabledAt === null ? { email: personFacts(c.vault, person).email, locale: person.locale } : null
}
