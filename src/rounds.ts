import { startRound, type Round } from './kernel/jobs/index.ts'
import type { Log } from './kernel/log/index.ts'
import type { WorkDeps } from './kernel/work/index.ts'
import { RemindersDue } from './modules/activities/index.ts'
import { contractsDue } from './modules/contracts/index.ts'
import { addressOf } from './modules/identity/addresses.ts'
import { poolsOf, type IdentityDeps } from './modules/identity/index.ts'
import { actorOf } from './modules/identity/lookups.ts'
import { MailRound, type Mailer } from './modules/notifications/index.ts'
import type { Organisation } from './modules/organisation/index.ts'
import { returnDue } from './modules/pools/index.ts'
import type { RecordsDeps, Slice } from './modules/records/index.ts'

export interface RoundsDeps {
  work: WorkDeps
  identity: IdentityDeps
  records: RecordsDeps
  slices: { activity: Slice }
  organisation: Organisation
  node: string
  /** Where the product is, for links. */
  url: string
  /** Null: no mail is sent. */
  mailer: Mailer | null
  log: Log
}

/** Often enough that a reminder of ten o'clock comes at ten. */
const SOON_MS = 15_000
const HOUR_MS = 3_600_000

/** What comes round while the server runs, on one node at a time. Stopping it resolves once what runs has ended. */
export function startRounds(deps: RoundsDeps): () => Promise<unknown> {
  const { work, identity, records, slices, organisation, mailer, log, url } = deps
  const { db, vault, ledger } = work
  const reminders = new RemindersDue({ db, vault, ledger, slice: slices.activity, actorOf: (id) => actorOf(identity, id, null) })
  const round = (name: string, everyMs: number, run: (renew: () => Promise<boolean>) => Promise<unknown>): Round => startRound({ db, log, node: deps.node }, { name, everyMs, run: async (renew) => void (await run(renew)) })
  const rounds = [
    round('reminders', SOON_MS, () => reminders.run()),
    round('contracts', HOUR_MS, () => contractsDue({ work, records, settings: () => organisation.settings, today: (at) => organisation.day(at) })),
    round('pools', HOUR_MS, () => returnDue(work, { records, openTo: poolsOf(identity) })),
  ]
  if (mailer) {
    const mails = new MailRound({ db, vault, ledger, log, mailer, url, addressOf: (id) => addressOf(identity, id) })
    rounds.push(round('mails', SOON_MS, (renew) => mails.run(renew)))
  }
  return async () => {
    mailer?.close()
    await Promise.all(rounds.map((r) => r.stop()))
  }
}
