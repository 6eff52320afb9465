import { randomBytes } from 'node:crypto'
import { lengthPrefixed, Problem } from '../../kernel/base/index.ts'
import type { Cell, Vault } from '../../kernel/vault/index.ts'
import type { AnyRecord } from '../../kernel/entity/index.ts'
import { AuthorityMoved, type Desk, type Work } from '../../kernel/work/index.ts'
import { mayOn, unwritable } from '../access/index.ts'
import { inverseOf, type Changes } from './changes.ts'
import { keyOf } from './open.ts'
import { sliceFor, type RecordsDeps, type Slice } from './slice.ts'
import { changeRecord, checkedPatch, type Change, type Written } from './write.ts'

/** As the contract has parsed it. */
export interface BulkBody {
  ids: readonly string[]
  action: 'patch' | 'delete' | 'restore' | 'tag' | 'assign'
  patch?: Record<string, unknown> | undefined
}

export interface BulkAnswer {
  done: number
  failed: { id: string; code: string }[]
  undoToken: string | null
}

export const UNDO_HOURS = 24

/** `what`: of which kind of change; a token of one takes back no other. */
export const tokenMac = (vault: Vault, personId: string, token: string, what = 'undo'): Buffer => vault.mac('cursor', lengthPrefixed([what, personId, token]))

export const undoCell = (mac: Buffer, id: string, version: number): Cell => ({ table: 'undo_step', compartment: 'before', rowId: id, rowVersion: version, bound: mac })

async function keepUndo(work: Work, slice: Slice, mac: Buffer, written: Written, changes: Changes): Promise<void> {
  const { id, version } = written.record
  const key = keyOf(work.vault, slice.entity, written.record)
  const before = work.vault.seal(key, undoCell(mac, id, version), Buffer.from(JSON.stringify(inverseOf(changes))))
  await work.sql.query('INSERT INTO undo_step (token_mac, person_id, entity, row_id, version, before) VALUES ($1, $2, $3, $4, $5, $6)', [mac, work.actor.personId, slice.entity.name, id, version, before])
}

/** Each list of tags was short enough; both together may not be. */
function withinLimit(slice: Slice, tags: unknown[]): unknown[] {
  if (!slice.entity.fields['tags']?.input.safeParse(tags).success) throw new Problem('invalid', { errors: [{ path: 'patch.tags', code: 'too-big' }] })
  return tags
}

function changeFor(work: Work, deps: RecordsDeps, slice: Slice, id: string, body: BulkBody): Change {
  const name = slice.entity.name
  const patch = body.patch ?? {}
  switch (body.action) {
    case 'delete':
      return { id, version: null, action: 'delete', event: `${name}.deleted`, next: () => ({ deletedAt: work.at.toISOString() }) }
    case 'restore':
      return { id, version: null, action: 'delete', deleted: true, event: `${name}.restored`, next: () => ({ deletedAt: null }) }
    case 'assign':
      return { id, version: null, action: 'assign', next: (r) => checkedPatch(work, deps, slice, { ownerId: patch['ownerId'] }, r) }
    case 'tag': {
      const all = (r: AnyRecord): unknown[] => [...new Set([...(r['tags'] as unknown[]), ...(patch['tags'] as unknown[])])] // the schema made both arrays
      return { id, version: null, action: 'edit', next: (r) => checkedPatch(work, deps, slice, { tags: withinLimit(slice, all(r)) }, r) }
    }
    case 'patch':
      return { id, version: null, action: 'edit', next: (r) => checkedPatch(work, deps, slice, patch, r) }
  }
}

/** The code of what ends the whole, not one record; null for a refusal of this record alone. Throws what nobody expected. */
function endOf(error: unknown): string | null {
  if (error instanceof AuthorityMoved) return 'conflict'
  if (!(error instanceof Problem)) throw error
  return error.status >= 500 ? error.code : null
}

/**
 * Many small transactions, one per record, so that no lock is held for long and one refusal costs one record. Once something is done
 * the answer says so whatever comes after, with a code for each record that is not: an error would hide what was changed, and take its undo token along.
 */
async function oneByOne(ids: Iterable<string>, act: (id: string) => Promise<unknown>): Promise<{ done: number; failed: BulkAnswer['failed'] }> {
  const failed: BulkAnswer['failed'] = []
  let done = 0
  let ended: string | null = null
  for (const id of ids) {
    try {
      if (ended === null) await act(id)
      if (ended === null) done++
      else failed.push({ id, code: ended })
    } catch (error) {
      ended = endOf(error)
      if (ended !== null && done === 0) throw error
      failed.push({ id, code: ended ?? (error as Problem).code }) // endOf has thrown everything else
    }
  }
  return { done, failed }
}

const REFUSED = new Set(['not-found', 'permission-missing', 'field-unknown'])

/** One request may ask for a thousand records that are not the asker's; which ones is written down as if each had been asked for by itself. */
function noteRefusals(desk: Desk, route: string, failed: BulkAnswer['failed']): void {
  const refused = failed.filter((f) => REFUSED.has(f.code)).map((f) => f.id)
  if (refused.length > 0) desk.record({ action: 'access.denied', detail: { route, refused } })
}

/** Whoever has it, and is the person who did it, takes back what was done. */
export const newUndoToken = (): string => randomBytes(24).toString('base64url')

/** What is to be done to many records, one by one. `token`: of a change that goes on over several calls, and is taken back as one. */
export interface ManyWords {
  ids: readonly string[]
  /** As which request refusals are written down. */
  route: string
  token: string
  changeOf(work: Work, id: string): Change
}

export async function changeMany(desk: Desk, deps: RecordsDeps, slice: Slice, { ids, route, token, changeOf }: ManyWords): Promise<BulkAnswer> {
  const mac = tokenMac(desk.vault, desk.actor.personId, token)
  let undoable = false
  const { done, failed } = await oneByOne(new Set(ids), (id) =>
    desk.write(async (work) => {
      const written = await changeRecord(work, deps, slice, changeOf(work, id))
      if (Object.keys(written.changes).length === 0) return
      await keepUndo(work, slice, mac, written, written.changes)
      undoable = true
    }),
  )
  noteRefusals(desk, route, failed)
  return { done, failed, undoToken: undoable ? token : null }
}

export function bulkChange(desk: Desk, deps: RecordsDeps, slice: Slice, body: BulkBody, token = newUndoToken()): Promise<BulkAnswer> {
  return changeMany(desk, deps, slice, { ids: body.ids, route: `POST /${slice.entity.plural}/bulk`, token, changeOf: (work, id) => changeFor(work, deps, slice, id, body) })
}

interface Step {
  entity: string
  rowId: string
  version: number
  before: Buffer
}

/** Takes back what one bulk change did, record by record, where nobody has changed the record since. */
export async function undoChange(desk: Desk, deps: RecordsDeps, token: string): Promise<BulkAnswer> {
  const mac = tokenMac(desk.vault, desk.actor.personId, token)
  const steps = await desk.sql.query<Step>(
    `SELECT entity, row_id AS "rowId", version, before FROM undo_step WHERE token_mac = $1 AND person_id = $2 AND created_at > now() - interval '${UNDO_HOURS} hours' ORDER BY row_id`,
    [mac, desk.actor.personId],
  )
  if (steps.length === 0) throw new Problem('not-found')
  const byId = new Map(steps.map((step) => [step.rowId, step]))
  const { done, failed } = await oneByOne(byId.keys(), (id) => desk.write((work) => undoStep(work, deps, mac, byId.get(id)!)))
  noteRefusals(desk, 'POST /undo', failed)
  return { done, failed, undoToken: null }
}

async function undoStep(work: Work, deps: RecordsDeps, mac: Buffer, step: Step): Promise<void> {
  const slice = sliceFor(deps, step.entity)
  const [row] = await slice.store.full(work.sql, [step.rowId])
  if (!row) throw new Problem('not-found')
  const bytes = work.vault.open(work.vault.ownerKey(row.key_id), undoCell(mac, step.rowId, step.version), step.before)
  const patch = JSON.parse(bytes.toString()) as Record<string, unknown> // our own bytes, authenticated
  const [action, ...others] = rightsToUndo(patch)
  const deleted = 'deletedAt' in patch && patch['deletedAt'] === null
  const next = (record: AnyRecord): Record<string, unknown> => {
    for (const other of others) if (!mayOn(slice.entity, other, record, work.actor)) throw new Problem('permission-missing')
    checkUndone(work, deps, slice, patch, record)
    return patch
  }
  await changeRecord(work, deps, slice, { id: step.rowId, version: step.version, action, deleted, event: `${step.entity}.undone`, undo: true, next })
  await work.sql.query('DELETE FROM undo_step WHERE token_mac = $1 AND row_id = $2', [mac, step.rowId])
}

/** A field that was closed to them meanwhile is not opened by taking a change back. Those the rules of the noun set are theirs to put back. */
export function checkUndone(work: Work, deps: RecordsDeps, { entity }: Slice, patch: Readonly<Record<string, unknown>>, record: AnyRecord): void {
  const editable = Object.fromEntries(Object.entries(patch).filter(([name]) => name === 'custom' || entity.fields[name]?.edit))
  if (unwritable(entity, editable, record, work.actor, deps.customFields(entity.name)).length > 0) throw new Problem('permission-missing')
}

/** The person may have lost a right meanwhile, so undoing asks for each right that doing needs. */
export function rightsToUndo(patch: Readonly<Record<string, unknown>>): [Change['action'], ...Change['action'][]] {
  if ('deletedAt' in patch) return ['delete']
  const { ownerId, departmentId: _, ...fields } = patch
  if (ownerId === undefined) return ['edit']
  return Object.keys(fields).length > 0 ? ['assign', 'edit'] : ['assign']
}

export async function purgeUndo(sql: { query(text: string): Promise<unknown> }): Promise<void> {
  await sql.query(`DELETE FROM undo_step WHERE created_at < now() - interval '${UNDO_HOURS} hours'`)
}
