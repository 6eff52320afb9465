import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { registryWith } from './fixture.ts'
import { covers, departmentsBelow, gains, isGuarded, mayDecide, needsSecondPerson, reachOf, withParent, withPerson, type World, type WorldPerson } from './reach.ts'

const registry = registryWith()
const now = new Date('2026-11-24T00:00:00Z')
const person = (id: string, departmentId: string, roles: string[], more: Partial<WorldPerson> = {}): WorldPerson => ({ id, departmentId, roles, status: 'active', administratorUntil: null, ...more })

/** root ─ sales ─ north, and root ─ service */
const departments = new Map<string, string | null>([['root', null], ['sales', 'root'], ['north', 'sales'], ['service', 'root']])
const world = (...people: WorldPerson[]): World => ({ people: new Map(people.map((p) => [p.id, p])), departments })

const owner = person('owner', 'root', ['manager', 'administrator'])
const admin = person('admin', 'root', ['administrator'])
const second = person('second', 'root', ['administrator'])
const boss = person('boss', 'root', ['manager'])
const lead = person('lead', 'sales', ['manager'])
const rep = person('rep', 'north', ['rep'])
const firm = world(owner, admin, second, boss, lead, rep)

const asked = (before: World, after: World, asker: string) => needsSecondPerson(registry, before, after, asker, now).map((g) => g.personId)

describe('reach', () => {
  it.each([
    ['owner', ['d:north', 'd:root', 'd:sales', 'd:service', 'p:owner']],
    ['lead', ['d:north', 'd:sales', 'p:lead']],
    ['rep', ['p:rep']],
    ['admin', []],
  ])('of %s', (id, reach) => {
    expect([...reachOf(registry, firm, id)].sort()).toEqual(reach)
  })

  it('of a disabled person is nothing', () => {
    expect(reachOf(registry, withPerson(firm, { ...lead, status: 'disabled' }), 'lead').size).toBe(0)
  })

  it('a circle planted in the database does not hang', () => {
    expect(departmentsBelow(new Map([['a', 'b'], ['b', 'a'], ['c', null]]), 'c')).toEqual([])
  })

  it("a manager covers the reps of the department, a rep covers nobody else", () => {
    expect(covers(firm, reachOf(registry, firm, 'lead'), ['p:rep', 'd:north'])).toBe(true)
    expect(covers(firm, reachOf(registry, firm, 'rep'), ['p:lead'])).toBe(false)
    expect(covers(firm, reachOf(registry, firm, 'admin'), ['p:rep'])).toBe(false)
  })
})

describe('a second person is needed', () => {
  const change = (id: string, to: Partial<WorldPerson>): World => withPerson(firm, { ...firm.people.get(id)!, ...to })
  const fresh = (roles: string[], departmentId = 'north'): World => withPerson(firm, person('new', departmentId, roles))
  it.each<[string, World, string, string[]]>([
    ['administrator gives manager to an administrator', change('second', { roles: ['administrator', 'manager'] }), 'admin', ['second']],
    ['owner gives manager to an administrator', change('second', { roles: ['administrator', 'manager'] }), 'owner', ['second']],
    ['owner turns an administrator into a manager', change('second', { roles: ['manager'] }), 'owner', ['second']],
    ['owner gives an administrator customers of their own only', change('second', { roles: ['administrator', 'rep'] }), 'owner', ['second']],
    ['administrator makes a rep a manager', change('rep', { roles: ['manager'] }), 'admin', ['rep']],
    ['owner makes a rep a manager', change('rep', { roles: ['manager'] }), 'owner', []],
    ['administrator makes a new manager (a puppet)', fresh(['manager']), 'admin', ['new']],
    ['owner makes a new manager', fresh(['manager']), 'owner', []],
    ['administrator makes a new rep', fresh(['rep']), 'admin', []],
    ['administrator makes a new administrator', fresh(['administrator']), 'admin', []],
    ['administrator moves a manager up', change('lead', { departmentId: 'root' }), 'admin', ['lead']],
    ['administrator moves a manager down', change('lead', { departmentId: 'north' }), 'admin', []],
    ['administrator moves a rep', change('rep', { departmentId: 'service' }), 'admin', []],
    ['owner makes a manager an administrator as well', change('lead', { roles: ['manager', 'administrator'] }), 'owner', ['lead']],
    ['administrator takes a role away', change('lead', { roles: [] }), 'admin', []],
  ])('%s', (_name, after, asker, expected) => {
    expect(asked(firm, after, asker)).toEqual(expected)
  })

  it('for thirty days after the administrator role was taken away, not longer', () => {
    const former = (days: number) => person('former', 'north', ['rep'], { administratorUntil: new Date(now.getTime() - days * 86_400_000).toISOString() })
    for (const [days, expected] of [[1, ['former']], [29, ['former']], [31, []]] as const) {
      const before = withPerson(firm, former(days))
      expect(asked(before, withPerson(before, { ...former(days), roles: ['manager'] }), 'owner')).toEqual(expected)
    }
    expect(isGuarded(former(29), now)).toBe(true)
    expect(isGuarded(former(31), now)).toBe(false)
  })

  it('to enable a disabled manager, unless the asker sees those customers', () => {
    const before = withPerson(firm, { ...lead, status: 'disabled' })
    expect(asked(before, firm, 'admin')).toEqual(['lead'])
    expect(asked(before, firm, 'owner')).toEqual([])
  })

  it('to move a department under one whose managers gain by it', () => {
    const moved = withParent(firm, 'service', 'sales')
    expect(asked(firm, moved, 'admin')).toEqual(['lead'])
    expect(asked(firm, moved, 'owner')).toEqual([])
    const small = person('owner', 'sales', ['manager', 'administrator'])
    const before = withPerson(firm, small)
    expect(asked(before, withParent(before, 'service', 'sales'), 'owner').sort()).toEqual(['lead', 'owner'])
  })

  it('but not to make a department: it holds nothing yet', () => {
    expect(asked(firm, withParent(firm, 'new', 'sales'), 'admin')).toEqual([])
  })
})

describe('who may decide', () => {
  it('one who sees those customers already, did not ask, and gains nothing', () => {
    const after = withPerson(firm, { ...second, roles: ['manager'] })
    const all = gains(registry, firm, after, now)
    const fit = [...firm.people.keys()].filter((id) => mayDecide(registry, firm, all, 'owner', id))
    expect(fit).toEqual(['boss'])
    // Two administrators together cannot do what one cannot.
    expect(mayDecide(registry, firm, all, 'admin', 'second')).toBe(false)
  })
})

describe('whatever administrators do one after the other', () => {
  const names = ['admin', 'second', 'rep', 'puppet']
  const step = fc.record({
    asker: fc.constantFrom('admin', 'second', 'puppet'),
    subject: fc.constantFrom(...names),
    roles: fc.subarray(['rep', 'manager', 'administrator']),
    departmentId: fc.constantFrom(...departments.keys()),
    parent: fc.option(fc.tuple(fc.constantFrom('sales', 'north', 'service'), fc.constantFrom('root', 'sales', 'north', 'service')), { nil: null }),
  })

  it('none of them and no account of theirs comes to see a customer', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 25 }), (steps) => {
        let at = firm
        for (const { asker, subject, roles, departmentId, parent } of steps) {
          if (asker === subject || !at.people.get(asker)?.roles.includes('administrator')) continue
          const known = at.people.get(subject)
          const until = known?.roles.includes('administrator') && !roles.includes('administrator') ? now.toISOString() : (known?.administratorUntil ?? null)
          const after = parent ? withParent(at, ...parent) : withPerson(at, person(subject, departmentId, roles, { administratorUntil: until }))
          if (needsSecondPerson(registry, at, after, asker, now).length === 0) at = after
        }
        // A puppet may have the right to customers of its own, of which it has none.
        for (const id of names) for (const item of reachOf(registry, at, id)) expect(item).toBe(`p:${id}`)
        for (const p of at.people.values()) if (p.id !== 'owner' && isGuarded(p, now)) expect(reachOf(registry, at, p.id).size, p.id).toBe(0)
      }),
      { numRuns: 500 },
    )
  })
})
