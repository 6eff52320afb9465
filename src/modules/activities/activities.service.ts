import { Problem, uuidv7 } from '../../kernel/base/index.ts'
import type { AnyRecord } from '../../kernel/entity/index.ts'
import type { Desk } from '../../kernel/work/types.ts'
import { mayOn, rowCondition } from '../access/index.ts'
import { notify } from '../notifications/index.ts'
import { changeRecord, checkedNew, checkedPatch, digestsOf, insertRecord, keyOf, lensRow, sealed, sliceFor, type Deriving, type RecordsDeps, type Slice, type Written } from '../records/index.ts'
import { Activity, RECORD_KINDS } from './activities.entity.ts'
import { ofKind, recurrenceOf } from './kinds.ts'
import { nextDue } from './recurrence.ts'

/** Says who wrote it, so only whoever may give it to another owner writes in another's name. */
function checkWriter(before: AnyRecord | null, next: AnyRecord, { work }: Deriving): void {
  if (work.actor.via !== 'system' && before === null && next.ownerId !== work.actor.personId && !mayOn(Activity, 'assign', next, work.actor)) throw new Problem('permission-missing')
}

/**
 * The next one of a task that comes back, in the transaction that finishes it. It is what was given already, once more, so it asks no right: whoever
 * it is assigned to need not see the record it hangs on. Resolves with its id.
 */
async function makeNext(done: AnyRecord, dueAt: string, { work, deps }: Deriving): Promise<string> {
  const slice = sliceFor(deps, Activity.name)
  const at = work.at.toISOString()
  const moved = Date.parse(dueAt) - Date.parse(String(done['dueAt']))
  const remindAt = typeof done['remindAt'] === 'string' ? new Date(Date.parse(done['remindAt']) + moved).toISOString() : null
  const next: AnyRecord = { ...done, id: uuidv7(), version: 1, createdAt: at, updatedAt: at, doneAt: null, outcome: null, nextId: null, dueAt, remindAt }
  const key = keyOf(work.vault, Activity, next)
  await slice.store.insert(work.sql, [sealed(work.vault, deps, slice, key, next)], [digestsOf(work.vault, Activity, next)])
  work.record({ action: 'activity.created', object: { kind: Activity.name, id: next.id }, subjects: [key], detail: { version: 1, repeats: done.id } })
  work.lens(Activity.name, [await lensRow(work, deps, slice, next)])
  return next.id
}

/** Finishing a task that comes back makes the next one, once, whatever is undone and finished again. */
async function withNext(before: AnyRecord | null, next: AnyRecord, zone: string, at: Deriving): Promise<AnyRecord> {
  const nextId = before?.['nextId'] ?? null
  const rule = recurrenceOf(next)
  const finished = before !== null && !before['doneAt'] && typeof next['doneAt'] === 'string' && !at.undo
  if (!finished || rule === null || nextId !== null) return { ...next, nextId }
  const dueAt = nextDue(rule, String(next['dueAt']), String(next['doneAt']), zone)
  return dueAt === null ? next : { ...next, nextId: await makeNext(next, dueAt, at) }
}

/** The rules of an activity. `zone` is where the organisation is. */
export const deriveActivity = (zone: () => string) => async (before: AnyRecord | null, asked: AnyRecord, at: Deriving): Promise<AnyRecord> => {
  // Whatever it is, it can be taken away.
  if (before !== null && asked.deletedAt !== null) return { ...asked, nextId: before['nextId'] ?? null }
  checkWriter(before, asked, at)
  const next = await withNext(before, ofKind(before, asked, zone(), at.work.at.toISOString()), zone(), at)
  const { assigneeId } = next
  const given = typeof assigneeId === 'string' && assigneeId !== (before?.['assigneeId'] ?? null) && assigneeId !== at.work.actor.personId
  if (given) await notify(at.work, { personId: assigneeId, kind: 'assigned', object: { kind: Activity.name, id: next.id }, at: at.work.at.toISOString() })
  return next
}

/** Moves the reminder, and nothing else. */
export function snooze(desk: Desk, deps: RecordsDeps, slice: Slice, id: string, version: number, until: string): Promise<Written> {
  const next = (record: AnyRecord): never | { remindAt: string } => {
    if (record['doneAt']) throw new Problem('conflict')
    return { remindAt: until }
  }
  return desk.write((work) => changeRecord(work, deps, slice, { id, version, action: 'edit', event: 'activity.snoozed', next: (r) => checkedPatch(work, deps, slice, next(r), r) }))
}

export interface FollowUp {
  activity: Record<string, unknown>
  task?: Record<string, unknown> | undefined
  patch?: Record<string, unknown> | undefined
  /** Of the record that is patched; without one it takes whatever is there. */
  version?: number | undefined
}

export interface FollowedUp {
  activity: Written
  task: Written | null
  record: Written | null
}

/** What was said, what comes next and the record's new state, all or nothing. */
export async function followUp(desk: Desk, deps: RecordsDeps, slice: Slice, target: Slice, id: string, body: FollowUp): Promise<FollowedUp> {
  const hangs = { recordKind: target.entity.name, recordId: id }
  const activity = checkedNew(desk.actor, deps, slice, { ...body.activity, ...hangs })
  const task = body.task ? checkedNew(desk.actor, deps, slice, { ...body.task, ...hangs, kind: 'task' }) : null
  return desk.write(async (work) => {
    // Of a record that is not there, or not the actor's to see, nothing else is said.
    if (!(await target.store.find(work.sql, id, rowCondition(work.actor, target.entity, 'read')))) throw new Problem('not-found')
    const done: FollowedUp = {
      activity: await insertRecord(work, deps, slice, { id: uuidv7(), input: activity }),
      task: task && (await insertRecord(work, deps, slice, { id: uuidv7(), input: task })),
      record: body.patch ? await patched(target, body.patch) : null,
    }
    const made = (w: Written | null): object | null => w && { id: w.record.id, version: w.record.version }
    work.answers({ id: done.activity.record.id, activity: made(done.activity), task: made(done.task), record: made(done.record) })
    return done

    function patched(of: Slice, patch: Record<string, unknown>): Promise<Written> {
      const action = Object.keys(patch).every((k) => k === 'ownerId') ? 'assign' : 'edit'
      return changeRecord(work, deps, of, { id, version: body.version ?? null, action, next: (record) => checkedPatch(work, deps, of, patch, record) })
    }
  })
}

export const hangsOn = (kind: string): boolean => (RECORD_KINDS as readonly string[]).includes(kind)
