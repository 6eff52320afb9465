import { Problem, uuidv7 } from '../../kernel/base/index.ts'
import type { AnyRecord } from '../../kernel/entity/index.ts'
import type { Desk, Work } from '../../kernel/work/types.ts'
import { ALL, rightsOf, rowCondition } from '../access/index.ts'
import { changeRecord, checkedNew, insertRecord, openOne, sliceFor, type Deriving, type RecordsDeps, type Slice, type Written } from '../records/index.ts'
import type { Renewal } from './contracts.contract.ts'
import { Contract } from './contracts.entity.ts'
import { checkPeriod, checkStatus, followPeriod, mayRenew, nextPeriod, type ContractRecord } from './contracts.policy.ts'

/** Transactions that renew: the one way a contract becomes a renewed one. */
const renewing = new WeakSet<Work>()

async function hasFollowUp({ work, deps }: Deriving, id: string): Promise<boolean> {
  return (await sliceFor(deps, Contract.name).store.page(work.sql, { scope: ALL, where: { field: 'renewsId', op: 'eq', value: id }, limit: 1 })).length > 0
}

/** The rules of contracts. `today` is the day where the organisation is. */
export const deriveContract = (today: (at: Date) => string) => async (was: AnyRecord | null, asked: AnyRecord, at: Deriving): Promise<AnyRecord> => {
  const before = was as ContractRecord | null // both as the entity says
  const next = asked as ContractRecord
  checkPeriod(next)
  // What was so before may be so again, but not beside the contract that followed it.
  if (at.undo && before?.status === 'renewed' && next.status !== 'renewed' && (await hasFollowUp(at, next.id))) throw new Problem('contract-status')
  if (at.undo || renewing.has(at.work)) return next
  const day = today(at.work.at)
  const followed = followPeriod(before, next, day)
  if (followed === next) checkStatus(before, next, day)
  return followed
}

/** Taken over by a follow-up, as far as whoever renews may write it. */
const TAKEN_OVER = ['title', 'companyId', 'dealId', 'contactIds', 'amount', 'noticeDays', 'tags'] as const

/** Of links that are taken over, those that whoever renews sees: a follow-up names no record its maker could not name. */
async function seenLinks(desk: Desk, deps: RecordsDeps, taken: Record<string, unknown>): Promise<Record<string, unknown>> {
  const out = { ...taken }
  for (const [name, value] of Object.entries(taken)) {
    const target = Contract.fields[name as keyof typeof Contract.fields].ref?.entity
    if (!target) continue
    const ids = [value].flat() as string[] // a link holds one id, or a list of them
    const { entity, store } = sliceFor(deps, target)
    const rows = ids.length === 0 ? [] : await store.page(desk.sql, { scope: rowCondition(desk.actor, entity, 'read'), ids, limit: ids.length })
    const seen = ids.filter((id) => rows.some((r) => r.id === id))
    if (Array.isArray(value)) out[name] = seen
    else if (seen.length === 0) delete out[name]
  }
  return out
}

/** Whoever had it keeps it; who has left does not. */
async function ownerFor(desk: Desk, deps: RecordsDeps, old: ContractRecord): Promise<string> {
  return (await deps.place(desk.sql, old.ownerId))?.active ? old.ownerId : desk.actor.personId
}

/** Of several that renew at once one does; the others find it changed. Throws Problem not-found, version-stale, contract-status, permission-missing, invalid. */
export async function renew(desk: Desk, deps: RecordsDeps, slice: Slice, id: string, version: number, body: Renewal): Promise<Written> {
  const { record, key } = await openOne(desk, slice, id, rowCondition(desk.actor, Contract, 'read'))
  desk.record({ action: 'contract.read', object: { kind: Contract.name, id }, subjects: [key], purpose: 'view' })
  const old = record as ContractRecord // opened as the entity says
  const { fields } = rightsOf(Contract, desk.actor)
  const writes = (name: string): boolean => fields.get(name)?.right === 'edit'
  const taken = Object.fromEntries(TAKEN_OVER.filter((name) => writes(name) && old[name] !== null).map((name) => [name, old[name]]))
  const period = writes('startsOn') && writes('endsOn') && !body['startsOn'] ? nextPeriod(old) : null
  const input = { ...checkedNew(desk.actor, deps, slice, { ...(await seenLinks(desk, deps, taken)), ...period, ...body }), ownerId: await ownerFor(desk, deps, old) }
  const followUp = uuidv7()
  await desk.vault.createOwnerKeys([followUp])
  return desk.write(async (work) => {
    const next = (now: AnyRecord): { status: string } => {
      if (!mayRenew(now as ContractRecord)) throw new Problem('contract-status')
      return { status: 'renewed' }
    }
    renewing.add(work)
    await changeRecord(work, deps, slice, { id, version, action: 'edit', event: 'contract.renewed', next, note: { by: followUp } })
    renewing.delete(work)
    return insertRecord(work, deps, slice, { id: followUp, input: { ...input, renewsId: id } })
  })
}
