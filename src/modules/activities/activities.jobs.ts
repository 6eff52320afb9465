import { Problem } from '../../kernel/base/index.ts'
import type { Db } from '../../kernel/db/types.ts'
import type { AnyRecord } from '../../kernel/entity/index.ts'
import { AuthorityMoved, type Actor } from '../../kernel/work/index.ts'
import { rowCondition } from '../access/index.ts'
import { notifyAll, toldBefore, type NotificationWords, type TellingDeps } from '../notifications/index.ts'
import { openRow, type Slice } from '../records/index.ts'
import { Activity } from './activities.entity.ts'
import { dueReminders, type DueReminder } from './activities.store.ts'

export interface ReminderDeps extends TellingDeps {
  slice: Slice
  /** A person's rights of this moment, or null for one who may not work here any more. */
  actorOf(personId: string): Promise<Actor | null>
}

const PAGE = 500

/** What a reminder tells; the plain columns say it as well as the sealed row, which is opened before anybody is told. */
const wordsOf = (id: string, remindAt: string): NotificationWords => ({ kind: 'reminder', object: { kind: Activity.name, id }, at: new Date(remindAt).toISOString() })

/** Tells whoever a task is given to, or else whose it is, that its time has come. */
export class RemindersDue {
  readonly #deps: ReminderDeps

  constructor(deps: ReminderDeps) {
    this.#deps = deps
  }

  /** Each reminder is told once, on however many nodes this runs. Resolves with how many were new. */
  async run(now = new Date()): Promise<number> {
    let told = 0
    for (let after: string | null = null; ; ) {
      const due: DueReminder[] = await dueReminders(this.#deps.db, now, after, PAGE)
      told += await this.#tell(due)
      if (due.length < PAGE) return told
      after = due.at(-1)!.id
    }
  }

  async #tell(due: readonly DueReminder[]): Promise<number> {
    const known = await toldBefore(this.#deps, due.map((d) => ({ personId: d.personId, ...wordsOf(d.id, d.remindAt) })))
    const fresh = due.filter((_d, i) => !known[i])
    let told = 0
    for (const personId of new Set(fresh.map((d) => d.personId))) told += await this.#tellOne(personId, fresh.filter((d) => d.personId === personId).map((d) => d.id))
    return told
  }

  /** By the rights of this moment: of what the person no longer sees, nothing is said. */
  async #tellOne(personId: string, ids: readonly string[]): Promise<number> {
    const actor = await this.#deps.actorOf(personId).catch((error: unknown) => {
      // Rights that move this very moment, or a row of authority that is not ours: the next round looks again, the others are told meanwhile.
      if (error instanceof AuthorityMoved || (error instanceof Problem && error.code === 'seal-broken')) return null
      throw error
    })
    if (!actor) return 0
    const visible = await this.#deps.slice.store.page(this.#deps.db, { scope: rowCondition(actor, Activity, 'read'), ids, limit: ids.length })
    const records = await openAll(this.#deps.db, this.#deps, visible.map((r) => r.id))
    const mine = records.filter((r) => (r['assigneeId'] ?? r.ownerId) === personId && typeof r['remindAt'] === 'string' && !r['doneAt'])
    return notifyAll(this.#deps, personId, mine.map((r) => wordsOf(r.id, String(r['remindAt']))))
  }
}

/** A row whose plain columns were changed in the database does not open, and reminds nobody. */
async function openAll(db: Db, { slice, vault }: ReminderDeps, ids: readonly string[]): Promise<AnyRecord[]> {
  const rows = ids.length === 0 ? [] : await slice.store.full(db, ids)
  return rows.flatMap((row) => {
    try {
      return [openRow(vault, slice, row, vault.ownerKey(row.key_id))]
    } catch (error) {
      if (error instanceof Problem && (error.code === 'seal-broken' || error.code === 'key-unavailable')) return []
      throw error
    }
  })
}
