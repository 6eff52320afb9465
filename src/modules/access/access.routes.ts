import { route, type Route } from '../../kernel/http/index.ts'
import { contracts } from './access.contract.ts'
import { decide, pendingApprovals, type AccessDeps } from './authority.service.ts'
import { changeDepartment, createDepartment, listDepartments, readDepartment } from './departments.service.ts'

export function accessRoutes(deps: AccessDeps): Route[] {
  return [
    route(contracts.createDepartment, async (desk, { body }) => ({ body: await createDepartment(desk, deps, body), version: 1 })),
    route(contracts.listDepartments, async (desk) => ({ body: await listDepartments(desk, deps, null, Number.POSITIVE_INFINITY) })),
    route(contracts.searchDepartments, async (desk, { body }) => ({ body: await listDepartments(desk, deps, body.cursor ?? null, body.limit) })),
    route(contracts.readDepartment, (desk, { params }) => readDepartment(desk, deps, params.id)),
    route(contracts.changeDepartment, (desk, { params, version, body }) => changeDepartment(desk, deps, params.id, version, body)),
    route(contracts.listApprovals, async (desk) => {
      const items = await pendingApprovals(desk, deps)
      return { body: { items: items.map(({ approval: { version: _version, decidedBy: _by, decidedAt: _at, ...a }, mine, mayApprove }) => ({ ...a, mine, mayApprove })) } }
    }),
    route(contracts.approve, async (desk, { params }) => {
      const { id, state } = await desk.write((work) => decide(work, deps, params.id, 'approved'))
      return { body: { id, state } }
    }),
    route(contracts.refuse, async (desk, { params }) => {
      const { id, state } = await desk.write((work) => decide(work, deps, params.id, 'refused'))
      return { body: { id, state } }
    }),
  ]
}
