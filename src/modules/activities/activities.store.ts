import type { Sql } from '../../kernel/db/types.ts'

export interface DueReminder {
  id: string
  personId: string
  remindAt: string
}

/** A server that was away this long has nothing to say of what was before. */
const DAYS_BACK = 30

/** Reminders whose time has come, of what is not done, in order of id; whoever was told already is among them. */
export function dueReminders(sql: Sql, now: Date, after: string | null, limit: number): Promise<DueReminder[]> {
  return sql.query<DueReminder>(
    `SELECT id, coalesce(assignee_id, owner_id) AS "personId", remind_at AS "remindAt" FROM activities
     WHERE remind_at <= $1 AND remind_at > $1::timestamptz - interval '${DAYS_BACK} days' AND done_at IS NULL AND deleted_at IS NULL AND ($2::uuid IS NULL OR id > $2)
     ORDER BY id LIMIT $3`,
    [now.toISOString(), after, limit],
  )
}
