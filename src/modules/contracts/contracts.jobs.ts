import { Problem, uuidText, uuidv7, type Locale } from '../../kernel/base/index.ts'
import { isUniqueViolation } from '../../kernel/db/index.ts'
import type { Vault } from '../../kernel/vault/index.ts'
import { errorFields } from '../../kernel/log/index.ts'
import { openDesk, systemActor, type Desk, type WorkDeps } from '../../kernel/work/index.ts'
import { rowCondition } from '../access/index.ts'
import { changeRecord, insertRecord, openRows, sliceFor, type RecordsDeps } from '../records/index.ts'
import { Contract } from './contracts.entity.ts'
import { dueOn, remindOn, type ContractRecord } from './contracts.policy.ts'

export interface DueDeps {
  work: WorkDeps
  records: RecordsDeps
  /** Where the organisation is, and what it speaks. */
  settings(): { timeZone: string; locale: Locale }
  today(at: Date): string
}

/** What the round may do, for nobody: look at contracts, end those that are over, and write a task on them. */
const KEEPER = systemActor({ [Contract.name]: ['read', 'edit'], activity: ['create'] })
const PAGE = 500

const TITLE: Record<Locale, string> = { en: 'Contract ends: renew or let it end', 'zh-CN': '合同即将到期：请跟进续签' }
const HOUR_OF_DAY = 9

/** The same for the same notice of the same end, on whichever node and however often: the row can be there once. Keyed, so that it tells no day it was made of but the task's own. */
function taskId(vault: Vault, c: ContractRecord): string {
  const mac = vault.blind('contracts.reminder', `${c.id} ${c.endsOn} ${c.noticeDays}`)
  const id = Buffer.alloc(16)
  id.writeUIntBE(Math.max(0, Date.parse(remindOn(c) ?? '')), 0, 6)
  mac.copy(id, 6, 0, 10)
  id[6] = 0x70 | (id[6]! & 0x0f)
  id[8] = 0x80 | (id[8]! & 0x3f)
  return uuidText(id)
}

/** What somebody changed meanwhile, or what nobody can be given, is looked at again the next time. */
function passed(error: unknown): 0 {
  if (error instanceof Problem && error.status < 500) return 0
  if (isUniqueViolation(error)) return 0
  throw error
}

async function remind(desk: Desk, deps: DueDeps, c: ContractRecord): Promise<number> {
  const slice = sliceFor(deps.records, 'activity')
  const id = taskId(desk.vault, c)
  if ((await slice.store.full(desk.sql, [id])).length > 0) return 0
  const { timeZone, locale } = deps.settings()
  const due = Temporal.PlainDate.from(c.endsOn ?? '').toZonedDateTime({ timeZone, plainTime: { hour: HOUR_OF_DAY } })
  const input = { recordKind: Contract.name, recordId: c.id, kind: 'task', title: TITLE[locale], dueAt: new Date(due.epochMilliseconds).toISOString(), assigneeId: c.ownerId, ownerId: c.ownerId }
  return desk.write((work) => insertRecord(work, deps.records, slice, { id, input })).then(() => 1, passed)
}

async function expire(desk: Desk, deps: DueDeps, c: ContractRecord): Promise<number> {
  const change = { id: c.id, version: c.version, action: 'edit', event: 'contract.expired', next: () => ({ status: 'expired' }) } as const
  return desk.write((work) => changeRecord(work, deps.records, sliceFor(deps.records, Contract.name), change)).then(() => 1, passed)
}

/** Ends contracts whose last day is over, and gives the owner of one that is about to end a task. Run as often as one likes: each is done once. Resolves with how many. */
export async function contractsDue(deps: DueDeps, now = new Date()): Promise<number> {
  const slice = sliceFor(deps.records, Contract.name)
  const today = deps.today(now)
  let done = 0
  for (let before: string | undefined; ; ) {
    const { desk, settled } = openDesk(deps.work, KEEPER, uuidv7())
    const rows = await slice.store.page(desk.sql, { scope: rowCondition(KEEPER, Contract, 'read'), where: { field: 'status', op: 'eq', value: 'active' }, limit: PAGE, ...(before ? { before } : {}) })
    const { records } = await openRows(desk, slice, rows)
    for (const record of records) done += await one(desk, deps, record as ContractRecord, today) // opened as the entity says
    await settled()
    before = rows.at(-1)?.id
    if (rows.length < PAGE) return done
  }
}

async function one(desk: Desk, deps: DueDeps, c: ContractRecord, today: string): Promise<number> {
  try {
    const due = dueOn(c, today)
    return due === 'expire' ? await expire(desk, deps, c) : due === 'remind' ? await remind(desk, deps, c) : 0
  } catch (error) {
    // One contract whose task cannot be written must not keep the others from theirs.
    deps.work.log.warn({ component: 'contracts', id: c.id, ...errorFields(error) }, 'a contract was not looked after and is tried again in an hour')
    return 0
  }
}
