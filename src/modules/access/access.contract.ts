import { z } from 'zod'
import { endpoint } from '../../kernel/http/index.ts'

const uuid = z.uuid().toLowerCase()
const id = z.object({ id: uuid })
export const name = z.string().trim().min(1).max(200)

export const page = z.strictObject({ limit: z.int().min(1).max(200).default(50), cursor: uuid.nullish() })

const department = z.object({ id: z.uuid(), version: z.int(), name: z.string(), parentId: z.uuid().nullable(), createdAt: z.string() })
/** Set when the change waits for a second person; the record beside it is as it was. */
const waiting = z.object({ id: z.uuid(), state: z.literal('pending') })
const departments = z.object({ items: z.array(department), nextCursor: z.uuid().nullable(), complete: z.boolean() })

const approval = z.object({
  id: z.uuid(),
  kind: z.enum(['person', 'department']),
  subjectId: z.uuid(),
  change: z.object({ roles: z.array(z.string()).optional(), departmentId: z.uuid().optional(), status: z.string().optional(), parentId: z.uuid().optional() }),
  state: z.enum(['pending', 'approved', 'refused']),
  requestedBy: z.uuid(),
  requestedAt: z.string(),
  mine: z.boolean(),
  mayApprove: z.boolean(),
})
const decided = z.object({ id: z.uuid(), state: z.enum(['approved', 'refused']) })

export const contracts = {
  createDepartment: endpoint({
    method: 'POST',
    path: '/departments',
    permission: 'departments:manage',
    summary: 'Make a department.',
    body: z.strictObject({ name, parentId: uuid.optional() }),
    response: department,
    status: 201,
    stepUp: 'session-only',
    idempotent: true,
  }),
  listDepartments: endpoint({ method: 'GET', path: '/departments', permission: 'departments:read', summary: 'All departments.', response: departments }),
  searchDepartments: endpoint({ method: 'POST', path: '/departments/search', permission: 'departments:read', summary: 'Departments, page by page.', body: page, response: departments }),
  readDepartment: endpoint({ method: 'GET', path: '/departments/:id', permission: 'departments:read', summary: 'One department.', params: id, response: department }),
  changeDepartment: endpoint({
    method: 'PATCH',
    path: '/departments/:id',
    permission: 'departments:manage',
    summary: 'Rename or move a department. 202: the move shows somebody more customers, and waits for a second person.',
    params: id,
    body: z.strictObject({ name: name.optional(), parentId: uuid.optional() }).refine((o) => Object.keys(o).length > 0, { message: 'empty' }),
    response: department.extend({ approval: waiting.optional() }),
    ifMatch: true,
    stepUp: 'session-only',
  }),
  listApprovals: endpoint({ method: 'GET', path: '/approvals', permission: 'signed-in', summary: 'Changes that wait for a second person.', response: z.object({ items: z.array(approval) }) }),
  approve: endpoint({ method: 'POST', path: '/approvals/:id/approve', permission: 'approvals:decide', summary: 'Approve a change as the second person.', params: id, body: z.strictObject({}).optional(), response: decided, stepUp: 'always' }),
  refuse: endpoint({ method: 'POST', path: '/approvals/:id/refuse', permission: 'approvals:decide', summary: 'Refuse a change.', params: id, body: z.strictObject({}).optional(), response: decided, stepUp: 'always' }),
}
