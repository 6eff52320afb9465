import { Problem } from '../../kernel/base/index.ts'
import type { Sql, Tx } from '../../kernel/db/types.ts'
import type { Vault } from '../../kernel/vault/types.ts'
import type { Desk, Work } from '../../kernel/work/types.ts'
import { decideApproval, hasLapsed, insertApproval, listApprovals, lockApproval, type Approval, type ApprovalKind, type AuthorityChange } from './approvals.store.ts'
import { lockAuthority, type Authority } from './authority.ts'
import { loadDepartments, saveDepartment, type SealedDepartment } from './departments.store.ts'
import { departmentsBelow, gains, mayDecide, needsSecondPerson, withParent, withPerson, type Gain, type World, type WorldPerson } from './reach.ts'
import type { RoleRegistry } from './roles.ts'

/** What access needs of people; identity gives it, since people are its noun. */
export interface PeopleSource {
  world(sql: Sql): Promise<WorldPerson[]>
  /** Departments that a pool is open to. */
  pooled(sql: Sql): Promise<readonly string[]>
  /** Writes roles, department or status of a person, ends what must end, and records it. */
  apply(work: Work, personId: string, change: AuthorityChange): Promise<void>
}

export interface AccessDeps {
  vault: Vault
  authority: Authority
  registry: RoleRegistry
  people: PeopleSource
}

export interface Judged {
  before: World
  departments: ReadonlyMap<string, SealedDepartment>
}

/** The world of this transaction, with every other change of authority waiting behind it. */
export async function judgeWorld(tx: Tx, deps: AccessDeps, epoch: number): Promise<Judged> {
  await lockAuthority(tx, epoch)
  const departments = await loadDepartments(tx, deps.authority)
  const people = await deps.people.world(tx)
  const pooled = new Set(await deps.people.pooled(tx))
  return {
    before: { people: new Map(people.map((p) => [p.id, p])), departments: new Map(departments.map((d) => [d.id, d.parentId])), pooled },
    departments: new Map(departments.map((d) => [d.id, d])),
  }
}

function personAfter(deps: AccessDeps, judged: Judged, personId: string, change: AuthorityChange, now: Date): World {
  const person = judged.before.people.get(personId)
  if (!person) throw new Problem('not-found')
  if (change.departmentId && !judged.departments.has(change.departmentId)) throw invalid('departmentId', 'not-found')
  for (const role of change.roles ?? []) if (!deps.registry.roles.has(role)) throw invalid('roles', 'unknown-role')
  const roles = change.roles ?? person.roles
  const leaves = person.roles.includes('administrator') && !roles.includes('administrator')
  const after = withPerson(judged.before, {
    ...person,
    roles, departmentId: change.departmentId ?? person.departmentId, status: change.status ?? person.status,
    administratorUntil: leaves ? now.toISOString() : person.administratorUntil,
  })
  if (leaves) checkAdministratorLeft(after)
  return after
}

/** An instance nobody can administer is repaired only at the host; it must not come about by a slip. */
export function checkAdministratorLeft(after: World): void {
  if (![...after.people.values()].some((p) => p.status === 'active' && p.roles.includes('administrator'))) throw new Problem('last-administrator')
}

function departmentAfter(judged: Judged, departmentId: string, change: AuthorityChange): World {
  if (!judged.departments.has(departmentId)) throw new Problem('not-found')
  const parentId = change.parentId
  if (!parentId || !judged.departments.has(parentId)) throw invalid('parentId', 'not-found')
  if (parentId === departmentId || departmentsBelow(judged.before.departments, departmentId).includes(parentId)) throw new Problem('department-circle')
  return withParent(judged.before, departmentId, parentId)
}

const invalid = (path: string, code: string): Problem => new Problem('invalid', { errors: [{ path, code }] })

function worldAfter(deps: AccessDeps, judged: Judged, kind: ApprovalKind, subjectId: string, change: AuthorityChange, now: Date): World {
  return kind === 'person' ? personAfter(deps, judged, subjectId, change, now) : departmentAfter(judged, subjectId, change)
}

async function apply(work: Work, deps: AccessDeps, judged: Judged, kind: ApprovalKind, subjectId: string, change: AuthorityChange): Promise<void> {
  if (kind === 'person') return deps.people.apply(work, subjectId, change)
  const before = judged.departments.get(subjectId)!
  await saveDepartment(work.sql, deps, before, { parentId: change.parentId! })
  work.record({ action: 'department.moved', object: { kind: 'department', id: subjectId }, detail: { from: before.parentId, to: change.parentId! } })
}

/**
 * The one way roles, departments and status change after set-up. Nobody changes their own. What nobody may give alone is
 * kept as an approval, which is returned; otherwise it is done, and null is returned.
 */
export async function changeAuthority(work: Work, deps: AccessDeps, judged: Judged, kind: ApprovalKind, subjectId: string, change: AuthorityChange): Promise<Approval | null> {
  if (kind === 'person' && subjectId === work.actor.personId) throw new Problem('own-rights')
  const after = worldAfter(deps, judged, kind, subjectId, change, work.at)
  if (needsSecondPerson(deps.registry, judged.before, after, work.actor.personId, work.at).length > 0) {
    const approval = await insertApproval(work.sql, deps.authority, { kind, subjectId, change, requestedBy: work.actor.personId }, work.at)
    work.record({ action: 'approval.requested', object: { kind: 'approval', id: approval.id }, detail: { kind, subject: subjectId, change: { ...change } } })
    return approval
  }
  await apply(work, deps, judged, kind, subjectId, change)
  await work.bumpAuthority()
  return null
}

/** Decides as a second person. The change is judged again as things stand now. */
export async function decide(work: Work, deps: AccessDeps, approvalId: string, state: 'approved' | 'refused'): Promise<Approval> {
  const judged = await judgeWorld(work.sql, deps, work.actor.epoch)
  const approval = await lockApproval(work.sql, deps.authority, approvalId)
  if (approval.state !== 'pending' || hasLapsed(approval, work.at)) throw new Problem('conflict')
  const deciderId = work.actor.personId
  if (state === 'approved') {
    const all = gainsOf(deps, judged, approval, work.at)
    if (approval.subjectId === deciderId || !mayDecide(deps.registry, judged.before, all, approval.requestedBy, deciderId)) throw new Problem('approver-unfit')
    // Who asked must still be one who may ask; an administrator who has left since leaves no orders behind.
    if (!mayStillAsk(deps, judged, approval)) throw new Problem('conflict')
    await apply(work, deps, judged, approval.kind, approval.subjectId, approval.change)
  }
  const decided = await decideApproval(work.sql, deps.authority, approval, state, deciderId, work.at)
  work.record({ action: `approval.${state}`, object: { kind: 'approval', id: approval.id }, detail: { requestedBy: approval.requestedBy, subject: approval.subjectId } })
  await work.bumpAuthority()
  return decided
}

function gainsOf(deps: AccessDeps, judged: Judged, a: Approval, now: Date): Gain[] {
  return gains(deps.registry, judged.before, worldAfter(deps, judged, a.kind, a.subjectId, a.change, now), now)
}

function mayStillAsk(deps: AccessDeps, judged: Judged, a: Approval): boolean {
  const asker = judged.before.people.get(a.requestedBy)
  const wanted = a.kind === 'person' ? 'users:manage' : 'departments:manage'
  return asker?.status === 'active' && asker.roles.some((r) => deps.registry.roles.get(r)?.permissions.includes(wanted))
}

/** What waits for a decision, with whether the caller is one who may make it. */
export async function pendingApprovals(desk: Desk, deps: AccessDeps): Promise<{ approval: Approval; mine: boolean; mayApprove: boolean }[]> {
  const [approvals, departments, people] = await Promise.all([listApprovals(desk.sql, deps.authority, 200), loadDepartments(desk.sql, deps.authority), deps.people.world(desk.sql)])
  const judged: Judged = {
    before: { people: new Map(people.map((p) => [p.id, p])), departments: new Map(departments.map((d) => [d.id, d.parentId])) },
    departments: new Map(departments.map((d) => [d.id, d])),
  }
  const me = desk.actor.personId
  return approvals
    .filter((a) => !hasLapsed(a, desk.at))
    .map((approval) => ({ approval, mine: approval.requestedBy === me, mayApprove: desk.actor.grants.permissions.has('approvals:decide') && fits(deps, judged, approval, me, desk.at) }))
    .filter((x) => x.mine || x.mayApprove || desk.actor.grants.permissions.has('users:manage'))
}

function fits(deps: AccessDeps, judged: Judged, a: Approval, me: string, now: Date): boolean {
  try {
    return a.subjectId !== me && mayDecide(deps.registry, judged.before, gainsOf(deps, judged, a, now), a.requestedBy, me)
  } catch (error) {
    // What it would change is gone or would now make a circle: nobody can approve it any more.
    if (error instanceof Problem) return false
    throw error
  }
}
