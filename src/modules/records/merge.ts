import { Problem } from '../../kernel/base/index.ts'
import { openRecord } from '../../kernel/vault/index.ts'
import type { AnyRecord } from '../../kernel/entity/index.ts'
import type { Desk, Work } from '../../kernel/work/types.ts'
import { ALL, checkEdit, checkReveal, fieldsOn, mayOn, rightsOf, rowCondition, viewRecord, type RecordView } from '../access/index.ts'
import { newUndoToken, tokenMac, UNDO_HOURS, undoCell } from './bulk.ts'
import { inverseOf, merged } from './changes.ts'
import { countedFor, linkedTo, type LinkedRow } from './merge-links.ts'
import { checkExposed, mergedValues } from './merge-values.ts'
import { keyOf, openOne } from './open.ts'
import { sliceFor, type RecordsDeps, type Slice } from './slice.ts'
import { changeRecord, type Change, type Written } from './write.ts'

export interface MergeBody {
  winner: string
  losers: readonly string[]
  /** Of which record a field is taken. */
  fields?: Readonly<Record<string, string>> | undefined
  dryRun: boolean
}

export interface MergeAnswer {
  record: RecordView
  moves: { noun: string; field: string; count: number }[]
  undoToken: string | null
}

const MERGE = 'merge'

interface Several {
  winner: AnyRecord
  losers: AnyRecord[]
}

function checkRights(work: Pick<Desk, 'actor'>, slice: Slice, { winner, losers }: Several): void {
  for (const record of [winner, ...losers]) {
    for (const action of ['edit', 'delete'] as const) if (!mayOn(slice.entity, action, record, work.actor)) throw new Problem('permission-missing')
  }
  checkExposed(slice.entity, [winner, ...losers])
}

/** A value is chosen only by who could read it there and write it here. What is not chosen is merged by the rule, and shown to nobody who may not see it. */
function checkChosen(work: Pick<Desk, 'actor'>, deps: RecordsDeps, slice: Slice, { winner, losers }: Several, chosen: Readonly<Record<string, string>>): void {
  const custom = deps.customFields(slice.entity.name)
  const rights = rightsOf(slice.entity, work.actor, custom)
  for (const [name, id] of Object.entries(chosen)) {
    const from = [winner, ...losers].find((r) => r.id === id)
    if (!from) throw new Problem('invalid', { errors: [{ path: `fields.${name in slice.entity.fields ? name : '?'}`, code: 'not-found' }] })
    checkEdit(slice.entity, { [name]: from[name] }, winner, work.actor, custom)
    if (fieldsOn(rights, from).get(name)?.right === 'masked') checkReveal(slice.entity, [name], work.actor, custom, from)
  }
}

/** Asked before anything is looked for around them: how much hangs on a record is for whoever may merge it. Throws Problem not-found, permission-missing, field-unknown. */
async function opened(desk: Desk, deps: RecordsDeps, slice: Slice, body: MergeBody): Promise<Several> {
  const { entity } = slice
  const scope = rowCondition(desk.actor, entity, 'read')
  const found = []
  for (const id of [body.winner, ...body.losers]) found.push(await openOne(desk, slice, id, scope))
  const [winner, ...losers] = found.map((o) => o.record)
  const all: Several = { winner: winner!, losers }
  checkRights(desk, slice, all)
  checkChosen(desk, deps, slice, all, body.fields ?? {})
  for (const { record, key } of found) desk.record({ action: `${entity.name}.read`, object: { kind: entity.name, id: record.id }, subjects: [key], purpose: 'view' })
  return all
}

async function previewed(desk: Desk, deps: RecordsDeps, slice: Slice, body: MergeBody, all: Several): Promise<MergeAnswer> {
  const { entity } = slice
  const moves = await countedFor(desk, deps, entity, body.losers)
  const record = merged(all.winner, mergedValues(entity, all.winner, all.losers, body.fields ?? {}))
  return { record: viewRecord(entity, record, desk.actor, deps.customFields(entity.name)), moves, undoToken: null }
}

/** Locks them in one order for all, so that two merges at once do not wait for each other. */
async function locked(work: Work, slice: Slice, body: MergeBody): Promise<Several> {
  const records = new Map<string, AnyRecord>()
  for (const id of [body.winner, ...body.losers].toSorted()) {
    const row = await slice.store.lock(work.sql, id, rowCondition(work.actor, slice.entity, 'read'), false)
    if (!row) throw new Problem('not-found')
    records.set(id, openRecord(work.vault, slice.entity, work.vault.ownerKey(id), row))
  }
  return { winner: records.get(body.winner)!, losers: body.losers.map((id) => records.get(id)!) }
}

type Part = 'winner' | 'loser' | 'linked'

async function keep(work: Work, slice: Slice, mac: Buffer, part: Part, written: Written & { changes: Parameters<typeof inverseOf>[0] }): Promise<void> {
  // Of the winner its version is kept even so: it must still be as it was.
  if (part !== 'winner' && Object.keys(written.changes).length === 0) return
  const { id, version } = written.record
  const before = work.vault.seal(keyOf(work.vault, slice.entity, written.record), undoCell(mac, id, version), Buffer.from(JSON.stringify({ part, patch: inverseOf(written.changes) })))
  await work.sql.query('INSERT INTO undo_step (token_mac, person_id, entity, row_id, version, before) VALUES ($1, $2, $3, $4, $5, $6)', [mac, work.actor.personId, slice.entity.name, id, version, before])
}

/** The fields of a row that name losers, naming the winner instead, once. */
function relinked(row: LinkedRow, record: AnyRecord, losers: readonly string[], winner: string): Record<string, unknown> {
  const swap = (v: unknown): unknown => (typeof v === 'string' && losers.includes(v) ? winner : v)
  return Object.fromEntries(row.fields.map((f) => [f, Array.isArray(record[f]) ? [...new Set((record[f] as unknown[]).map(swap))] : swap(record[f])]))
}

/**
 * Makes several records one: the winner takes their values, what names or hangs on the others names and hangs on the winner (and is sealed
 * with its key), and the others are deleted and say what they have become. One transaction; every record concerned has its event.
 */
export async function mergeRecords(desk: Desk, deps: RecordsDeps, slice: Slice, body: MergeBody): Promise<MergeAnswer> {
  const { entity } = slice
  if (new Set([body.winner, ...body.losers]).size !== body.losers.length + 1) throw new Problem('invalid', { errors: [{ path: 'losers', code: 'repeated' }] })
  const asked = await opened(desk, deps, slice, body)
  if (body.dryRun) return previewed(desk, deps, slice, body, asked)
  const token = newUndoToken()
  const mac = tokenMac(desk.vault, desk.actor.personId, token, MERGE)
  const rows = await linkedTo(desk, deps, entity, body.losers, body.winner)
  const moves = await countedFor(desk, deps, entity, body.losers)
  return desk.write(async (work) => {
    const all = await locked(work, slice, body)
    checkRights(work, slice, all)
    checkChosen(work, deps, slice, all, body.fields ?? {})
    const values = mergedValues(entity, all.winner, all.losers, body.fields ?? {})
    const winner = await changeRecord(work, deps, slice, { id: body.winner, version: null, action: 'edit', event: `${entity.name}.merged`, next: () => values, note: { losers: [...body.losers] } })
    if (Object.keys(winner.changes).length === 0) work.record({ action: `${entity.name}.merged`, object: { kind: entity.name, id: body.winner }, subjects: [work.vault.ownerKey(body.winner)], detail: { losers: [...body.losers] } })
    await keep(work, slice, mac, 'winner', winner)
    for (const row of rows) {
      const change: Change = { id: row.id, version: null, action: 'edit', event: `${row.slice.entity.name}.relinked`, scope: ALL, granted: () => true, next: (record) => relinked(row, record, body.losers, body.winner) }
      await keep(work, row.slice, mac, 'linked', await changeRecord(work, deps, row.slice, change))
    }
    for (const id of body.losers) {
      const gone: Change = { id, version: null, action: 'delete', event: `${entity.name}.merged-away`, next: () => ({ deletedAt: work.at.toISOString(), mergedIntoId: body.winner }), note: { into: body.winner } }
      await keep(work, slice, mac, 'loser', await changeRecord(work, deps, slice, gone))
    }
    const answer = { record: winner.view, moves, undoToken: token }
    // Nothing of the record: asked again, it is read anew by the rights of whoever asks.
    work.answers({ id: body.winner, version: winner.record.version, moves, undoToken: token }, winner.record.version)
    return answer
  })
}

/** The answer of a merge that is asked for again: the winner as it is now, and what followed it of the nouns that whoever asks may read. */
export async function mergedAgain(desk: Desk, deps: RecordsDeps, slice: Slice, made: { id: string; version: number; [more: string]: unknown }): Promise<MergeAnswer> {
  const { entity } = slice
  const { moves, undoToken } = made as unknown as Pick<MergeAnswer, 'moves' | 'undoToken'> // mergeRecords kept it
  const { id, version } = made
  const record = await openOne(desk, slice, id, rowCondition(desk.actor, entity, 'read')).then(({ record: r, key }) => {
    desk.record({ action: `${entity.name}.read`, object: { kind: entity.name, id }, subjects: [key], purpose: 'view' })
    return viewRecord(entity, r, desk.actor, deps.customFields(entity.name))
  }, gone)
  return { record: record ?? { id, version, masks: {}, can: { edit: [], reveal: [], delete: false } }, moves: moves.filter((m) => desk.actor.grants.permissions.has(`${m.noun}:read`)), undoToken }
}

/** Left the sight of whoever asks: only that it was done is told. */
function gone(error: unknown): null {
  if (error instanceof Problem && error.code === 'not-found') return null
  throw error
}

interface Step {
  entity: string
  rowId: string
  version: number
  before: Buffer
}

const ORDER: Record<Part, number> = { loser: 0, winner: 1, linked: 2 }

async function stepsOf(work: Work, deps: RecordsDeps, mac: Buffer): Promise<{ slice: Slice; step: Step; part: Part; patch: Record<string, unknown>; current: boolean }[]> {
  const steps = await work.sql.query<Step>(
    `SELECT entity, row_id AS "rowId", version, before FROM undo_step WHERE token_mac = $1 AND person_id = $2 AND created_at > now() - interval '${UNDO_HOURS} hours' ORDER BY row_id`,
    [mac, work.actor.personId],
  )
  const out = []
  for (const step of steps) {
    const slice = sliceFor(deps, step.entity)
    const [row] = await slice.store.full(work.sql, [step.rowId])
    if (!row) throw new Problem('not-found')
    const kept = JSON.parse(work.vault.open(work.vault.ownerKey(row.key_id), undoCell(mac, step.rowId, step.version), step.before).toString()) as { part: Part; patch: Record<string, unknown> } // our own bytes, authenticated
    out.push({ slice, step, ...kept, current: row.version === step.version })
  }
  return out.toSorted((a, b) => ORDER[a.part] - ORDER[b.part])
}

/** Takes a merge back whole where nobody has changed the records that were merged since. What was relinked and changed since stays with the winner, and is told. */
export async function undoMerge(desk: Desk, deps: RecordsDeps, slice: Slice, token: string): Promise<{ done: number; failed: { id: string; code: string }[] }> {
  const mac = tokenMac(desk.vault, desk.actor.personId, token, MERGE)
  return desk.write(async (work) => {
    const steps = await stepsOf(work, deps, mac)
    if (!steps.some((s) => s.part === 'loser' && s.step.entity === slice.entity.name)) throw new Problem('not-found')
    const failed: { id: string; code: string }[] = []
    for (const { slice: at, step, part, patch, current } of steps) {
      if (part === 'linked' && !current) {
        failed.push({ id: step.rowId, code: 'version-stale' })
        continue
      }
      const own: Partial<Change> = part === 'linked' ? { scope: ALL, granted: () => true } : {}
      const action = part === 'loser' ? 'delete' : 'edit'
      await changeRecord(work, deps, at, { id: step.rowId, version: step.version, action, deleted: part === 'loser', undo: true, event: `${step.entity}.undone`, next: () => patch, ...own })
    }
    await work.sql.query('DELETE FROM undo_step WHERE token_mac = $1', [mac])
    return { done: steps.length - failed.length, failed }
  })
}
