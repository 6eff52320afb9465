import type { MakeId } from './ids.ts'
import type { Staff } from './staff.ts'
import type { Planned } from './types.ts'

/** A view the founder keeps, as POST /views takes it. */
export interface PlannedView {
  id: string
  noun: string
  /** With whom it is shared. */
  departments: string[]
  words: { name: string; kind: 'table' | 'board' | 'calendar'; where?: unknown; sort?: { field: string; direction: 'asc' | 'desc' }[]; columns?: string[]; by?: string }
}

/** A file on a record. */
export interface PlannedFile {
  recordKind: string
  recordId: string
  name: string
  content: Buffer
}

const FILES = 24
const eq = (field: string, value: unknown): object => ({ field, op: 'eq', value })

export function viewsOf(id: MakeId, at: number, staff: Staff): PlannedView[] {
  const sales = [staff.departments[0]!.id]
  const views: Omit<PlannedView, 'id'>[] = [
    { noun: 'deals', departments: sales, words: { name: '销售看板 Pipeline board', kind: 'board', where: eq('status', 'open'), by: 'stageId' } },
    { noun: 'deals', departments: [], words: { name: '本季赢单 Won deals', kind: 'table', where: eq('status', 'won'), sort: [{ field: 'closedAt', direction: 'desc' }], columns: ['title', 'companyId', 'amount', 'closedAt'] } },
    { noun: 'contacts', departments: sales, words: { name: 'VIP', kind: 'table', where: eq('tags', 'VIP'), columns: ['fullName', 'companyId', 'title', 'phones'] } },
    { noun: 'leads', departments: sales, words: { name: '新线索 New leads', kind: 'table', where: eq('status', 'new'), sort: [{ field: 'createdAt', direction: 'desc' }] } },
    { noun: 'activities', departments: [], words: { name: '待办 Open tasks', kind: 'calendar', where: { and: [eq('kind', 'task'), { field: 'doneAt', op: 'isEmpty' }] }, by: 'dueAt' } },
    { noun: 'contracts', departments: [], words: { name: '执行中合同 Contracts in force', kind: 'table', where: eq('status', 'active'), sort: [{ field: 'endsOn', direction: 'asc' }] } },
  ]
  return views.map((v) => ({ id: id(at), ...v }))
}

/** The paper of some contracts: invented, and saying so. */
export function filesOf(contracts: readonly Planned[]): PlannedFile[] {
  return contracts.slice(-FILES).map(({ id, noun, input }) => {
    const text = `${String(input['number'])}\n${String(input['title'])}\n${String(input['startsOn'])} – ${String(input['endsOn'])}\n\n示例文件，不具有任何效力。\nAn example without any effect.\n`
    return { recordKind: noun, recordId: id, name: `${String(input['number'])}.txt`, content: Buffer.from(text) }
  })
}
