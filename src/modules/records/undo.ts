import { Problem } from '../../kernel/base/index.ts'
import type { Desk, Reading } from '../../kernel/work/types.ts'
import { mayOn } from '../access/index.ts'
import { checkUndone, rightsToUndo } from './bulk.ts'
import { inverseOf, type Changes } from './changes.ts'
import type { RecordsDeps, Slice } from './slice.ts'
import { changeRecord, type Written } from './write.ts'

const UNDO_MS = 24 * 3_600_000
/** Between a change and its undoing others may have looked; these are events as well. */
const MOST_EVENTS = 200

interface Kept {
  version?: number
  changes?: Changes
}

/** What made this version of a record, as its sealed event in the ledger says: nothing has to be kept for undoing that is not kept anyway. Throws Problem not-found. */
async function changeThatMade(reading: Reading, slice: Slice, id: string, version: number): Promise<Changes> {
  const entries = await reading.ledger.timeline({ kind: slice.entity.name, id }, { limit: MOST_EVENTS })
  const made = entries.find((e) => (e.detail as Kept | null)?.version === version) // written by changeRecord, opened with the subject's key
  const changes = (made?.detail as Kept | null)?.changes
  const mine = made?.actorId === reading.actor.personId && reading.at.getTime() - Date.parse(made.at) < UNDO_MS
  // Somebody else's change, an old one and none at all are answered alike.
  if (!changes || !mine) throw new Problem('not-found')
  return changes
}

/** Takes back the asker's own last change of one record, where nobody has changed it since. Throws Problem not-found, version-stale, permission-missing. */
export async function undoLastChange(desk: Desk, deps: RecordsDeps, slice: Slice, id: string, version: number): Promise<Written> {
  const { entity } = slice
  const patch = inverseOf(await changeThatMade(desk, slice, id, version))
  const [action, ...others] = rightsToUndo(patch)
  const deleted = 'deletedAt' in patch && patch['deletedAt'] === null
  return desk.write((work) =>
    changeRecord(work, deps, slice, {
      id,
      version,
      action,
      deleted,
      undo: true,
      event: `${entity.name}.undone`,
      next: (record) => {
        for (const other of others) if (!mayOn(entity, other, record, work.actor)) throw new Problem('permission-missing')
        checkUndone(work, deps, slice, patch, record)
        return patch
      },
    }),
  )
}
