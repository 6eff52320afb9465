import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../test/harness/postgres.ts'
import { defineEntity, findColumns, id, oneOf, ref, type AnyRecord, type Entity } from '../../kernel/entity/index.ts'
import { lensRow, openLens, type Lens } from '../../kernel/lens/index.ts'
import type { Condition } from '../../kernel/lens/types.ts'
import { BELOW, Client, client, DEPARTMENT, ELSEWHERE, Firm, ME, OTHER, PLACE } from './fixture.ts'
import { compileGrants } from './grants.ts'
import { toCheck, toSql, type LinkCheck } from './predicate.ts'
import { roleRegistry, type Role } from './roles.ts'

/** What hangs on a client or a firm. */
const Visit = defineEntity('visit', {
  plural: 'visits',
  table: 'visit',
  about: 'record',
  alsoOwn: ['assigneeId'],
  keep: { years: 1, since: 'updatedAt' },
  fields: {
    recordKind: oneOf(['contact', 'company'], { class: 'internal', edit: true, fixed: true }),
    recordId: id({ class: 'internal', edit: true, fixed: true }),
    assigneeId: ref('user', { class: 'internal', edit: true, optional: true }),
  },
})

const ENTITIES: readonly Entity[] = [Client, Firm, Visit]
const rows = (scope: 'own' | 'department' | 'department-and-below' | 'all') => ({ rows: { read: scope, create: scope, edit: scope }, classes: { internal: 'edit' } as const })
const ROLES: readonly Role[] = [
  { name: 'rep', title: { en: '', zh: '' }, permissions: [], entities: { contact: rows('own'), company: rows('own'), visit: rows('own') } },
  { name: 'lead', title: { en: '', zh: '' }, permissions: [], entities: { contact: rows('department-and-below'), company: rows('department'), visit: rows('department') } },
  { name: 'clients-only', title: { en: '', zh: '' }, permissions: [], entities: { contact: rows('all'), visit: rows('own') } },
  { name: 'no-visits', title: { en: '', zh: '' }, permissions: [], entities: { contact: rows('all'), company: rows('all') } },
]
const registry = roleRegistry(ROLES, ENTITIES)

const IDS = Array.from({ length: 6 }, (_, i) => `0000000${i}-0000-4000-8000-00000000000${i}`)
const base = fc.record({ ownerId: fc.constantFrom(ME, OTHER), departmentId: fc.constantFrom(DEPARTMENT, BELOW, ELSEWHERE), deletedAt: fc.constantFrom(null, null, '2026-01-01T00:00:00.000000Z') })
const parents = fc.array(base, { minLength: 3, maxLength: 3 })
const visit = fc.record({ ownerId: fc.constantFrom(ME, OTHER), departmentId: fc.constantFrom(DEPARTMENT, ELSEWHERE), recordKind: fc.constantFrom('contact', 'company'), recordId: fc.constantFrom(...IDS), assigneeId: fc.constantFrom(null, ME, OTHER) })

describe('what hangs on a record', () => {
  let test: TestDatabase
  let lens: Lens
  const kept = new Map<string, readonly AnyRecord[]>()
  beforeAll(async () => {
    lens = await openLens({ tables: ENTITIES.map((e) => ({ entity: e.name, columns: findColumns(e) })), memoryLimitMb: 200 })
    test = await createTestDatabase({ empty: true })
    const types: Record<string, string> = { uuid: 'uuid', enumeration: 'text', flag: 'boolean', time: 'timestamptz' }
    for (const e of ENTITIES) await test.admin.query(`CREATE TABLE ${e.table} (id uuid PRIMARY KEY, ${e.plain.map((c) => `${c.column} ${types[c.kind]}`).join(', ')})`)
  })
  afterAll(async () => {
    await lens.close()
    await test.drop()
  })

  let version = 0
  async function save(entity: Entity, records: readonly AnyRecord[]): Promise<void> {
    version++
    const table = { entity: entity.name, columns: findColumns(entity) }
    const plain = (r: AnyRecord) => ({ id: r.id, version, fields: Object.fromEntries(entity.plain.map((c) => [c.field, (r[c.field] ?? null) as string | boolean | null])) })
    const gone = (kept.get(entity.name) ?? []).map((r) => ({ id: r.id, version: version - 1 }))
    await lens.apply(entity.name, [], gone)
    // As after a delete: the lens holds no deleted row.
    await lens.apply(entity.name, records.filter((r) => !r.deletedAt).map((r) => lensRow(table, plain(r))))
    kept.set(entity.name, records)
    await test.admin.query(`TRUNCATE ${entity.table}`)
    const columns = ['id', ...entity.plain.map((c) => c.column)]
    for (const r of records) {
      const values = [r.id, ...entity.plain.map((c) => r[c.field] ?? null)]
      await test.admin.query(`INSERT INTO ${entity.table} (${columns.join(', ')}) VALUES (${columns.map((_, i) => `$${i + 1}`).join(', ')})`, values)
    }
  }

  it('is read by whoever reads the record and by the one it is given to, and says so in SQL, the lens and one by one', async () => {
    await fc.assert(
      fc.asyncProperty(parents, parents, fc.array(visit, { minLength: 10, maxLength: 10 }), fc.constantFrom(...ROLES.map((r) => r.name)), async (clients, firms, visits, role) => {
        const people = clients.map((c, i) => client({ ...c, id: IDS[i]! }))
        const companies = firms.map((f, i) => client({ ...f, id: IDS[i + 3]! }))
        const hanging = visits.map((v, i) => client({ ...v, id: `9000000${i}-0000-4000-8000-000000000000`, deletedAt: null }))
        await save(Client, people)
        await save(Firm, companies)
        await save(Visit, hanging)
        const grants = compileGrants(registry, { place: PLACE, roles: [role], only: null })
        const scope: Condition = grants.scope('visit', 'read')
        const find = (kind: unknown, id: unknown): AnyRecord | undefined => (kind === 'contact' ? people : companies).find((r) => r.id === id && !r.deletedAt)
        const links: LinkCheck = ({ target, where }, r) => {
          const parent = find(target.name, r['recordId'])
          return parent !== undefined && toCheck(target, where)(parent)
        }
        // The rule in the plainest words.
        const sees = (v: AnyRecord): boolean => {
          if (role === 'no-visits') return false
          if (v['assigneeId'] === ME) return true
          const parent = find(v['recordKind'], v['recordId'])
          return parent !== undefined && (registry.roles.get(role)?.entities[String(v['recordKind'])] ? toCheck(Client, grants.scope(String(v['recordKind']), 'read'))(parent) : false)
        }
        const wanted = hanging.filter(sees).map((v) => v.id).sort()
        expect(hanging.filter(toCheck(Visit, scope, links)).map((v) => v.id).sort()).toEqual(wanted)
        for (const negated of [false, true]) {
          const asked: Condition = negated ? { not: scope } : scope
          const expected = negated ? hanging.map((v) => v.id).filter((i) => !wanted.includes(i)).sort() : wanted
          const { text, params } = toSql(Visit, asked, 1)
          const found = await test.admin.query<{ id: string }>(`SELECT id FROM visit WHERE ${text}`, params)
          expect(found.map((r) => r.id).sort(), text).toEqual(expected)
          const inLens = await lens.search({ entity: 'visit', scope: asked, sort: [], limit: 100, count: true })
          expect([[...inLens.ids].sort(), inLens.count]).toEqual([expected, expected.length])
        }
      }),
      { numRuns: 60 },
    )
  })

  it('cannot be checked one by one by whoever does not know the record', () => {
    const scope = compileGrants(registry, { place: PLACE, roles: ['rep'], only: null }).scope('visit', 'read')
    expect(() => toCheck(Visit, scope)(client({ recordKind: 'contact', recordId: IDS[0]!, assigneeId: OTHER }))).toThrow('cannot be followed')
  })

  it('needs to say for good what it hangs on', () => {
    const words = { plural: 'x', table: 'x', about: 'record', keep: { years: 1, since: 'updatedAt' } } as const
    expect(() => defineEntity('x', { ...words, fields: {} })).toThrow('recordKind')
    expect(() => defineEntity('x', { ...words, fields: { recordKind: oneOf(['contact'], { class: 'internal', edit: true }), recordId: id({ class: 'internal', edit: true, fixed: true }) } })).toThrow('recordKind')
  })
})
