import { Problem, type Locale } from '../../kernel/base/index.ts'
import type { Sql } from '../../kernel/db/types.ts'
import type { Actor, Work } from '../../kernel/work/types.ts'
import { checkAdministratorLeft, insertDepartment, judgeWorld, loadDepartments, type WorldPerson } from '../access/index.ts'
import { contextOf, type Context, type IdentityDeps } from './context.ts'
import { actorOf } from './lookups.ts'
import { accessDeps, insertColleague } from './people.service.ts'
import { loadWorldPeople, lockPerson, savePerson, setRoles } from './people.store.ts'

export interface NewDepartment {
  id: string
  name: string
  /** Null: right under the organisation. */
  parentId: string | null
}

export interface NewColleague {
  id: string
  name: string
  email: string
  role: string
  departmentId: string
  locale: Locale
}

/** Makes departments and accounts that nobody can sign in to, and takes them away again: for the demonstration company. */
export interface Staffing {
  /** The person all customers and all accounts are open to, who was first; null before set-up. */
  founder(): Promise<string | null>
  actor(personId: string): Promise<Actor | null>
  addDepartments(work: Work, departments: readonly NewDepartment[]): Promise<void>
  /** Without any factor: there is no password to know. Whoever resets the account makes it somebody's. The key must exist. Throws Problem email-taken. */
  addColleague(work: Work, colleague: NewColleague): Promise<void>
  /** Of these people, those who have, or had, a way in: they may have done things. */
  withFactors(sql: Sql, people: readonly string[]): Promise<string[]>
  /** Takes away people without a factor, and departments nobody is in. What something still points at stays, a person disabled and without roles; these are returned. Throws Problem last-administrator. */
  remove(work: Work, people: readonly string[], departments: readonly string[]): Promise<{ people: string[]; departments: string[] }>
}

export function staffingOf(deps: IdentityDeps): Staffing {
  const c = contextOf(deps)
  return {
    async founder() {
      const departments = new Map((await loadDepartments(c.db, c.authority)).map((d) => [d.id, d.parentId]))
      const holds = (p: WorldPerson): boolean => p.status === 'active' && p.roles.includes('manager') && p.roles.includes('administrator') && departments.get(p.departmentId) === null
      return (await loadWorldPeople(c.db, c)).filter(holds).map((p) => p.id).sort()[0] ?? null
    },
    actor: (personId) => actorOf(deps, personId, null),
    addDepartments: (work, departments) => addDepartments(work, c, departments),
    async addColleague(work, { role, ...words }) {
      const { approval } = await insertColleague(work, c, { ...words, roles: [role] }, async () => [])
      if (approval) throw new Problem('permission-missing')
    },
    async withFactors(sql, people) {
      return (await sql.query<{ id: string }>('SELECT DISTINCT person_id AS id FROM factor WHERE person_id = ANY ($1::uuid[])', [people])).map((r) => r.id)
    },
    remove: (work, people, gone) => remove(work, c, people, gone),
  }
}

async function addDepartments(work: Work, c: Context, departments: readonly NewDepartment[]): Promise<void> {
  const judged = await judgeWorld(work.sql, accessDeps(c), work.actor.epoch)
  const root = [...judged.departments.values()].find((d) => d.parentId === null)
  if (!root) throw new Error('no root department: set-up has not run')
  for (const { id, name, parentId } of departments) {
    await insertDepartment(work.sql, c, { id, organisationId: root.organisationId, parentId: parentId ?? root.id, version: 1, createdAt: work.at.toISOString() }, name)
    work.record({ action: 'department.created', object: { kind: 'department', id }, detail: { parent: parentId ?? root.id } })
  }
  await work.bumpAuthority()
}

async function remove(work: Work, c: Context, people: readonly string[], departments: readonly string[]): Promise<{ people: string[]; departments: string[] }> {
  const { before } = await judgeWorld(work.sql, accessDeps(c), work.actor.epoch)
  checkAdministratorLeft({ ...before, people: new Map([...before.people].filter(([id]) => !people.includes(id))) })
  const kept: { people: string[]; departments: string[] } = { people: [], departments: [] }
  for (const id of people) if (!(await removePerson(work, c, id))) kept.people.push(id)
  // Those below first.
  for (const id of departments.toReversed()) if (!(await removeRow(work, 'SELECT demo_remove_department($1) AS gone', id))) kept.departments.push(id)
  await work.bumpAuthority()
  return kept
}

async function removePerson(work: Work, c: Context, id: string): Promise<boolean> {
  const person = await lockPerson(work.sql, c, id)
  if (person.factors.length > 0) throw new Problem('conflict')
  const about = { object: { kind: 'person', id }, subjects: [c.vault.ownerKey(id)] }
  const at = work.at.toISOString()
  await setRoles(work.sql, c, person, [], work.actor.personId, at)
  for (const { role } of person.roles) work.record({ action: 'role.removed', ...about, detail: { role } })
  const gone = await removeRow(work, 'SELECT demo_remove_person($1) AS gone', id)
  if (gone) work.record({ action: 'user.removed', ...about, sealTo: work.actor.key })
  else {
    await savePerson(work.sql, c, person, { roles: [], disabledAt: person.disabledAt ?? at, sessionEpoch: person.sessionEpoch + 1, tokenEpoch: person.tokenEpoch + 1, administratorUntil: person.roles.some((r) => r.role === 'administrator') ? at : person.administratorUntil }, at)
    work.record({ action: 'user.disabled', ...about })
  }
  return gone
}

/** False when something still points at it: the application may not delete these rows itself. */
async function removeRow(work: Work, statement: string, id: string): Promise<boolean> {
  const [answer] = await work.sql.query<{ gone: boolean }>(statement, [id])
  return answer?.gone ?? false
}
