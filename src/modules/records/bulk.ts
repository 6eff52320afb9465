import { randomBytes } from 'node:crypto'
import { lengthPrefixed, Problem } from '../../kernel/base/index.ts'
import type { Cell, OwnerKey, Vault } from '../../kernel/vault/index.ts'
import type { Desk, Work } from '../../kernel/work/types.ts'
import { inverseOf, type Changes } from './changes.ts'
import { sliceFor, type RecordsDeps, type Slice } from './slice.ts'
import { changeRecord, checkedPatch, type Change, type Written } from './write.ts'

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

const UNDO_HOURS = 24

const tokenMac = (vault: Vault, personId: string, token: string): Buffer => vault.mac('cursor', lengthPrefixed(['undo', personId, token]))

const cellOf = (mac: Buffer, id: string, version: number): Cell => ({ table: 'undo_step', compartment: 'before', rowId: id, rowVersion: version, bound: mac })

async function keepUndo(work: Work, slice: Slice, mac: Buffer, written: Written, changes: Changes): Promise<void> {
  const { id, version } = written.record
  const key: OwnerKey = work.vault.ownerKey(id)
  const before = work.vault.seal(key, cellOf(mac, id, version), Buffer.from(JSON.stringify(inverseOf(changes))))
  await work.sql.query('INSERT INTO undo_step (token_mac, person_id, entity, row_id, version, before) VALUES ($1, $2, $3, $4, $5, $6)', [mac, work.actor.personId, slice.entity.name, id, version, before])
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
      const tags = Array.isArray(patch['tags']) ? patch['tags'] : []
      return { id, version: null, action: 'edit', next: (r) => checkedPatch(work, deps, slice, { tags: [...new Set([...((r['tags'] as unknown[] | undefined) ?? []), ...tags])] }, r) }
    }
    case 'patch':
      return { id, version: null, action: 'edit', next: (r) => checkedPatch(work, deps, slice, patch, r) }
  }
}

function checkBody(slice: Slice, body: BulkBody): void {
  const fault = (path: string, code: string): Problem => new Problem('invalid', { errors: [{ path, code }] })
  if (body.action === 'assign' && typeof body.patch?.['ownerId'] !== 'string') throw fault('patch.ownerId', 'required')
  if (body.action === 'tag' && (!('tags' in slice.entity.fields) || !Array.isArray(body.patch?.['tags']))) throw fault('patch.tags', 'required')
  if (body.action === 'patch' && Object.keys(body.patch ?? {}).length === 0) throw fault('patch', 'required')
}

/** Many small transactions, one per record, so that no lock is held for long and one refusal costs one record. */
export async function bulkChange(desk: Desk, deps: RecordsDeps, slice: Slice, body: BulkBody): Promise<BulkAnswer> {
  checkBody(slice, body)
  const token = randomBytes(24).toString('base64url')
  const mac = tokenMac(desk.vault, desk.actor.personId, token)
  const failed: BulkAnswer['failed'] = []
  let done = 0
  let undoable = false
  for (const id of new Set(body.ids)) {
    try {
      await desk.write(async (work) => {
        const written = await changeRecord(work, deps, slice, changeFor(work, deps, slice, id, body))
        if (Object.keys(written.changes).length === 0) return
        await keepUndo(work, slice, mac, written, written.changes)
        undoable = true
      })
      done++
    } catch (error) {
      if (!(error instanceof Problem) || error.status >= 500) throw error
      failed.push({ id, code: error.code })
    }
  }
  return { done, failed, undoToken: undoable ? token : null }
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
  const failed: BulkAnswer['failed'] = []
  let done = 0
  for (const step of steps) {
    try {
      await desk.write((work) => undoStep(work, deps, mac, step))
      done++
    } catch (error) {
      if (!(error instanceof Problem) || error.status >= 500) throw error
      failed.push({ id: step.rowId, code: error.code })
    }
  }
  return { done, failed, undoToken: null }
}

async function undoStep(work: Work, deps: RecordsDeps, mac: Buffer, step: Step): Promise<void> {
  const slice = sliceFor(deps, step.entity)
  const bytes = work.vault.open(work.vault.ownerKey(step.rowId), cellOf(mac, step.rowId, step.version), step.before)
  const patch = JSON.parse(bytes.toString()) as Record<string, unknown> // our own bytes, authenticated
  // The person may have lost the right meanwhile, so undoing asks for the same right as doing.
  const action = 'deletedAt' in patch ? 'delete' : 'ownerId' in patch ? 'assign' : 'edit'
  const deleted = 'deletedAt' in patch && patch['deletedAt'] === null
  await changeRecord(work, deps, slice, { id: step.rowId, version: step.version, action, deleted, event: `${step.entity}.undone`, next: () => patch })
  await work.sql.query('DELETE FROM undo_step WHERE token_mac = $1 AND row_id = $2', [mac, step.rowId])
}

export async function purgeUndo(sql: { query(text: string): Promise<unknown> }): Promise<void> {
  await sql.query(`DELETE FROM undo_step WHERE created_at < now() - interval '${UNDO_HOURS} hours'`)
}
