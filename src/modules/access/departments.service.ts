import { Problem, uuidv7 } from '../../kernel/base/index.ts'
import type { Answer } from '../../kernel/http/index.ts'
import type { Desk } from '../../kernel/work/types.ts'
import { changeAuthority, judgeWorld, type AccessDeps, type Judged } from './authority.service.ts'
import { departmentName, insertDepartment, loadDepartments, saveDepartment, type DepartmentRow, type SealedDepartment } from './departments.store.ts'

const view = (deps: AccessDeps, d: SealedDepartment): object => viewOf(d, departmentName(deps.vault, d))
const viewOf = (d: DepartmentRow, name: string): object => ({ id: d.id, version: d.version, name, parentId: d.parentId, createdAt: d.createdAt })

export async function createDepartment(desk: Desk, deps: AccessDeps, body: { name: string; parentId?: string | undefined }): Promise<object> {
  return desk.write(async (work) => {
    const judged = await judgeWorld(work.sql, deps, work.actor.epoch)
    const root = [...judged.departments.values()].find((d) => d.parentId === null)
    if (!root) throw new Error('no root department: set-up has not run')
    const parent = judged.departments.get(body.parentId ?? root.id)
    if (!parent) throw new Problem('invalid', { errors: [{ path: 'parentId', code: 'not-found' }] })
    const row: DepartmentRow = { id: uuidv7(), organisationId: root.organisationId, parentId: parent.id, version: 1, createdAt: work.at.toISOString() }
    await insertDepartment(work.sql, deps, row, body.name)
    work.record({ action: 'department.created', object: { kind: 'department', id: row.id }, detail: { parent: parent.id } })
    await work.bumpAuthority()
    const made = viewOf(row, body.name)
    work.answers(made, row.version)
    return made
  })
}

function current(judged: Judged, id: string, version: number): SealedDepartment {
  const d = judged.departments.get(id)
  if (!d) throw new Problem('not-found')
  if (d.version !== version) throw new Problem('version-stale', { extra: { version: d.version } })
  return d
}

/** Renames and moves. A move that shows somebody more customers waits for a second person, and the answer says so. */
export async function changeDepartment(desk: Desk, deps: AccessDeps, id: string, version: number, body: { name?: string | undefined; parentId?: string | undefined }): Promise<Answer<object>> {
  return desk.write(async (work) => {
    const judged = await judgeWorld(work.sql, deps, work.actor.epoch)
    let d = current(judged, id, version)
    if (body.name !== undefined) {
      await saveDepartment(work.sql, deps, d, { name: body.name })
      work.record({ action: 'department.renamed', object: { kind: 'department', id } })
    }
    const moves = body.parentId !== undefined && body.parentId !== d.parentId
    // Read again: a move in the same request writes the version after the new name's.
    const again = body.name === undefined ? judged : await judgeWorld(work.sql, deps, work.actor.epoch)
    const approval = moves ? await changeAuthority(work, deps, again, 'department', id, { parentId: body.parentId! }) : null
    if (!moves && body.name === undefined) work.record({ action: 'department.unchanged', object: { kind: 'department', id } })
    d = (await loadDepartments(work.sql, deps.authority)).find((x) => x.id === id)!
    return { body: { ...view(deps, d), ...(approval ? { approval: { id: approval.id, state: 'pending' } } : {}) }, version: d.version, status: approval ? 202 : 200 }
  })
}

export async function listDepartments(desk: Desk, deps: AccessDeps, after: string | null, limit: number): Promise<object> {
  const all = (await loadDepartments(desk.sql, deps.authority)).sort((a, b) => (a.id < b.id ? -1 : 1))
  const rest = after ? all.filter((d) => d.id > after) : all
  const shown = rest.slice(0, limit)
  return { items: shown.map((d) => view(deps, d)), nextCursor: rest.length > limit ? shown.at(-1)!.id : null, complete: true }
}

export async function readDepartment(desk: Desk, deps: AccessDeps, id: string): Promise<Answer<object>> {
  const d = (await loadDepartments(desk.sql, deps.authority)).find((x) => x.id === id)
  if (!d) throw new Problem('not-found')
  return { body: view(deps, d), version: d.version }
}
