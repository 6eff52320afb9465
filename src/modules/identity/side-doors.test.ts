import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { cookieIn, IdentityLab, type Caller, type Colleague, type Reply } from '../../../test/harness/identity.ts'

/*
 * The administrator tries the side doors. `admin` administers and holds no customer data; `boss` sees every customer;
 * `lead` sees those of Sales; the owner is manager and administrator.
 */
let lab: IdentityLab
let sales: string
let service: string
let admin: Colleague
let second: Colleague
let boss: Colleague
let lead: Colleague
let rep: Colleague

beforeAll(async () => {
  lab = await IdentityLab.open()
  sales = await lab.department('Sales')
  service = await lab.department('Service')
  admin = await lab.colleague('admin', ['administrator'])
  second = await lab.colleague('second', ['administrator'])
  boss = await lab.colleague('boss', ['manager'])
  lead = await lab.colleague('lead', ['manager'], { departmentId: sales })
  rep = await lab.colleague('rep', ['rep'], { departmentId: sales })
}, 120_000)
afterAll(() => lab.close())

async function patch(by: Caller, id: string, body: object): Promise<Reply> {
  const { headers } = await lab.call(lab.ownerToken, 'GET', `/users/${id}`)
  return lab.call(by, 'PATCH', `/users/${id}`, body, { 'if-match': String(headers['etag']) })
}
const rolesOf = async (id: string): Promise<unknown> => (await lab.call(lab.ownerToken, 'GET', `/users/${id}`)).body['roles']
const approvalIn = (r: Reply): string => (r.body['approval'] as { id: string }).id
const approve = (by: Caller, id: string) => lab.call(by, 'POST', `/approvals/${id}/approve`, {})

describe('one\'s own rights', () => {
  it.each(['admin', 'owner'])('%s changes neither their own roles nor department nor status', async (who) => {
    const [caller, id] = who === 'admin' ? [admin.session, admin.id] : [lab.ownerToken, lab.owner.ownerId]
    for (const body of [{ roles: ['administrator', 'rep'] }, { departmentId: sales }]) expect((await patch(caller, id, body)).body.code).toBe('own-rights')
    for (const path of ['disable', 'enable', 'reset']) expect((await lab.call(caller, 'POST', `/users/${id}/${path}`, {})).body.code).toBe('own-rights')
  })

  it('but may correct their own name', async () => {
    expect((await patch(admin.session, admin.id, { name: 'Ada Min' })).body).toMatchObject({ name: 'Ada Min', roles: ['administrator'] })
  })
})

describe('who does not administer', () => {
  it.each([
    ['POST', '/users', { email: 'x@acme.test', name: 'x', roles: ['rep'], password: 'a long enough phrase 12' }],
    ['POST', '/departments', { name: 'x' }],
    ['POST', '/users/ID/disable', {}],
    ['POST', '/users/ID/reset', {}],
  ] as const)('%s %s is refused to rep and manager, and the denial is recorded', async (method, path, body) => {
    const before = await lab.events('access.denied')
    for (const c of [rep, boss]) expect((await lab.call(c.session, method, path.replace('ID', admin.id), body)).body.code).toBe('permission-missing')
    expect(await lab.events('access.denied')).toBe(before + 2)
  })
  it('sees colleagues by name, without their e-mail', async () => {
    const { body } = await lab.call(rep.session, 'POST', '/users/search', {})
    const items = body['items'] as { id: string; name: string; email: string | null }[]
    expect(items.find((u) => u.id === boss.id)).toMatchObject({ name: 'boss', email: null })
    expect(items.find((u) => u.id === rep.id)).toMatchObject({ email: rep.email })
  })
})

describe('giving customers', () => {
  it('to an administrator: asks a second person, whoever asks', async () => {
    for (const by of [admin.session, lab.ownerToken]) {
      for (const roles of [['administrator', 'manager'], ['manager'], ['administrator', 'rep']]) {
        const answer = await patch(by, second.id, { roles })
        expect(answer.status, String(roles)).toBe(202)
        expect(answer.body).toMatchObject({ roles: ['administrator'], approval: { state: 'pending' } })
      }
    }
    expect(await rolesOf(second.id)).toEqual(['administrator'])
    expect(await lab.events('approval.requested')).toBeGreaterThanOrEqual(6)
  })

  it('to a manager who becomes an administrator as well: the same, in the other order', async () => {
    expect((await patch(lab.ownerToken, lead.id, { roles: ['manager', 'administrator'] })).status).toBe(202)
    expect(await rolesOf(lead.id)).toEqual(['manager'])
  })

  it('by an administrator who sees none: to a rep who becomes a manager', async () => {
    expect((await patch(admin.session, rep.id, { roles: ['manager'] })).status).toBe(202)
    expect(await rolesOf(rep.id)).toEqual(['rep'])
  })

  it('by a new account of the administrator\'s making: it stays without', async () => {
    const made = await lab.call(admin.session, 'POST', '/users', { email: 'puppet@acme.test', name: 'Puppet', roles: ['manager'], password: 'known to the administrator 1' })
    expect(made.status).toBe(201)
    expect(made.body).toMatchObject({ roles: [], approval: { state: 'pending' } })
    // Even when the administrator signs in as the puppet and chooses "its own" password.
    const first = await lab.signIn('puppet@acme.test', 'known to the administrator 1')
    const changed = await lab.call(first, 'PUT', '/me/password', { current: 'known to the administrator 1', password: 'the puppet speaks for itself 2' })
    const puppet: Caller = { cookie: cookieIn(changed), csrf: String(changed.body['csrf']) }
    expect((await lab.call(puppet, 'GET', '/me')).body['scopes']).toEqual([])
    // Nor can a second account of theirs approve it.
    expect((await approve(second.session, approvalIn(made))).body.code).toBe('permission-missing')
    expect((await approve(admin.session, approvalIn(made))).body.code).toBe('permission-missing')
  })

  it('by moving a manager up, or a department under one', async () => {
    expect((await patch(admin.session, lead.id, { departmentId: lab.owner.departmentId })).status).toBe(202)
    const { headers } = await lab.call(admin.session, 'GET', `/departments/${service}`)
    const moved = await lab.call(admin.session, 'PATCH', `/departments/${service}`, { parentId: sales }, { 'if-match': String(headers['etag']) })
    expect(moved.status).toBe(202)
    expect(moved.body).toMatchObject({ parentId: lab.owner.departmentId })
  })

  it('by enabling a manager who was disabled', async () => {
    const gone = await lab.colleague('gone', ['manager'], { departmentId: sales })
    expect((await lab.call(admin.session, 'POST', `/users/${gone.id}/disable`, {})).status).toBe(200)
    expect((await lab.call(admin.session, 'POST', `/users/${gone.id}/enable`, {})).status).toBe(202)
    expect((await lab.call(lab.ownerToken, 'GET', `/users/${gone.id}`)).body['disabledAt']).not.toBeNull()
    expect((await lab.call(lab.ownerToken, 'POST', `/users/${gone.id}/enable`, {})).status).toBe(200)
  })

  it('an administrator may still make reps and administrators, and move reps', async () => {
    const made = await lab.call(admin.session, 'POST', '/users', { email: 'newrep@acme.test', name: 'New', roles: ['rep'], password: 'known to the administrator 1' })
    expect(made.body).toMatchObject({ roles: ['rep'] })
    expect((await patch(admin.session, rep.id, { departmentId: service })).body).toMatchObject({ departmentId: service })
    expect((await patch(admin.session, rep.id, { departmentId: sales })).status).toBe(200)
  })

  it('an unknown role or department is refused by name', async () => {
    expect((await patch(lab.ownerToken, rep.id, { roles: ['emperor'] })).body.errors).toEqual([{ path: 'roles', code: 'unknown-role' }])
    expect((await patch(lab.ownerToken, rep.id, { departmentId: rep.id })).body.errors).toEqual([{ path: 'departmentId', code: 'not-found' }])
  })
})

describe('the second person', () => {
  it('must see those customers already, have asked nothing and gain nothing', async () => {
    const wants = approvalIn(await patch(admin.session, second.id, { roles: ['manager'] }))
    expect((await approve(lead.session, wants)).body.code).toBe('approver-unfit')
    expect((await approve(rep.session, wants)).body.code).toBe('permission-missing')
    const mine = await lab.call(boss.session, 'GET', '/approvals')
    expect((mine.body['items'] as { id: string; mayApprove: boolean }[]).find((a) => a.id === wants)).toMatchObject({ mayApprove: true, subjectId: second.id, change: { roles: ['manager'] } })
    expect((await lab.call(rep.session, 'GET', '/approvals')).body['items']).toEqual([])
    expect((await approve(boss.session, wants)).body).toEqual({ id: wants, state: 'approved' })
    expect(await rolesOf(second.id)).toEqual(['manager'])
    // Once.
    expect((await approve(boss.session, wants)).body.code).toBe('conflict')
    expect(await lab.events('approval.approved')).toBe(1)
  })

  it('the change of mind of thirty days: a former administrator is asked about too', async () => {
    // `second` was an administrator a moment ago.
    expect((await patch(lab.ownerToken, second.id, { roles: ['rep'] })).status).toBe(200)
    expect((await patch(lab.ownerToken, second.id, { roles: ['manager'] })).status).toBe(202)
  })

  it('the owner does not approve what the owner asked', async () => {
    const wants = approvalIn(await patch(lab.ownerToken, admin.id, { roles: ['administrator', 'manager'] }))
    const owner = await lab.signIn('owner@acme.test', 'a long pass phrase of the owner 7')
    expect((await approve(owner, wants)).body.code).toBe('approver-unfit')
    expect((await lab.call(boss.session, 'POST', `/approvals/${wants}/refuse`, {})).body).toEqual({ id: wants, state: 'refused' })
    expect(await rolesOf(admin.id)).toEqual(['administrator'])
  })

  it('needs a session with a fresh factor; a token does not approve', async () => {
    const wants = approvalIn(await patch(admin.session, rep.id, { roles: ['manager'] }))
    const token = { token: String((await lab.call(boss.session, 'POST', '/tokens', { name: 't' })).body['token']) }
    expect((await approve(token, wants)).body.code).toBe('step-up-required')
  })

  it('of two who approve at once one does', async () => {
    const wants = approvalIn(await patch(admin.session, rep.id, { roles: ['manager'] }))
    const owner = await lab.signIn('owner@acme.test', 'a long pass phrase of the owner 7')
    const both = await Promise.all([approve(boss.session, wants), approve(owner, wants)])
    expect(both.map((a) => a.status).sort()).toEqual([200, 409])
    await patch(lab.ownerToken, rep.id, { roles: ['rep'] })
  })
})

describe('a token for another', () => {
  it('who sees customers is made by nobody else', async () => {
    for (const by of [admin.session, lab.ownerToken]) {
      for (const id of [rep.id, boss.id]) expect((await lab.call(by, 'POST', '/tokens', { userId: id, name: 'x' })).body.code).toBe('token-for-another')
    }
    expect((await lab.call(boss.session, 'POST', '/tokens', { userId: rep.id, name: 'x' })).body.code).toBe('permission-missing')
  })

  it('who administers only may be made, with no more than the maker has', async () => {
    const made = await lab.call(lab.ownerToken, 'POST', '/tokens', { userId: admin.id, name: 'for the script' })
    expect(made.status).toBe(201)
    expect(made.body['scopes']).toContain('users:manage')
    expect((made.body['scopes'] as string[]).some((s) => s.startsWith('contacts:'))).toBe(false)
  })
})

describe('a reset', () => {
  it('gives the administrator no secret, and ends sessions, tokens and the old password', async () => {
    const target = await lab.colleague('lost', ['rep'], { departmentId: sales })
    const token = { token: String((await lab.call(target.session, 'POST', '/tokens', { name: 'mine' })).body['token']) }
    const asked = await lab.call(admin.session, 'POST', `/users/${target.id}/reset`, {})
    expect(asked.body).toEqual({ id: target.id, state: 'waits-for-second-person' })
    for (const caller of [target.session, token]) expect((await lab.call(caller, 'GET', '/me')).status).toBe(401)
    expect((await lab.call(null, 'POST', '/session', { email: target.email, password: target.password })).status).toBe(401)
    const draw = (by: Caller) => lab.call(by, 'POST', `/users/${target.id}/reset/code`, {})
    // Neither who asked, nor another administrator, nor a peer, nor a token.
    const other = await lab.colleague('other-admin', ['administrator'])
    for (const by of [admin.session, other.session, rep.session]) expect((await draw(by)).body.code).toBe('approver-unfit')
    expect((await draw(lab.ownerToken)).body.code).toBe('step-up-required')
    const drawn = await draw(lead.session)
    expect(drawn.status).toBe(200)
    expect((await draw(boss.session)).body.code).toBe('conflict')
    const code = String(drawn.body['code'])
    const redeem = (email: string, c: string, password = 'chosen by myself again 3') => lab.call(null, 'POST', '/session/reset', { email, code: c, password })
    expect((await redeem('nobody@acme.test', code)).body.code).toBe('sign-in-refused')
    expect((await redeem(rep.email, code)).body.code).toBe('sign-in-refused')
    expect((await redeem(target.email, 'AAAAAA-AAAAAA-AAAAAA-AAAAAA')).body.code).toBe('sign-in-refused')
    expect((await redeem(target.email, code)).status).toBe(200)
    expect((await redeem(target.email, code)).body.code).toBe('sign-in-refused')
    const session = await lab.signIn(target.email, 'chosen by myself again 3')
    expect(session.answer.body['user']).toMatchObject({ mustChangePassword: false })
    expect(await lab.events('user.reset', target.id)).toBe(1)
    expect(await lab.events('user.reset-code-drawn', target.id)).toBe(1)
    expect(await lab.events('reset.redeemed', target.id)).toBe(1)
  })

  it('keeps the second factor unless it was asked to go', async () => {
    for (const secondFactor of [false, true]) {
      const target = await lab.colleague(`phone-lost-${secondFactor}`, ['rep'], { departmentId: sales })
      await lab.enrol(target.session)
      await lab.call(admin.session, 'POST', `/users/${target.id}/reset`, { secondFactor })
      const { body } = await lab.call(lead.session, 'POST', `/users/${target.id}/reset/code`, {})
      const password = 'chosen by myself again 3'
      expect((await lab.call(null, 'POST', '/session/reset', { email: target.email, code: String(body['code']), password })).status).toBe(200)
      const signed = await lab.call(null, 'POST', '/session', { email: target.email, password })
      expect(signed.status === 200 ? 'in' : signed.body.code).toBe(secondFactor ? 'in' : 'code-required')
    }
  })

  it('of somebody with more than you is not yours to draw', async () => {
    await lab.call(admin.session, 'POST', `/users/${boss.id}/reset`, {})
    expect((await lab.call(lead.session, 'POST', `/users/${boss.id}/reset/code`, {})).body.code).toBe('approver-unfit')
    const owner = await lab.signIn('owner@acme.test', 'a long pass phrase of the owner 7')
    const { body } = await lab.call(owner, 'POST', `/users/${boss.id}/reset/code`, {})
    lab.wait(25 * 3_600_000)
    expect((await lab.call(null, 'POST', '/session/reset', { email: boss.email, code: String(body['code']), password: 'too late to choose this 4' })).status).toBe(401)
  })
})

describe('the last administrator', () => {
  it('is neither demoted nor disabled', async () => {
    const alone = await IdentityLab.open()
    try {
      const other = await alone.colleague('other', ['administrator'])
      const { headers } = await alone.call(alone.ownerToken, 'GET', `/users/${alone.owner.ownerId}`)
      expect((await alone.call(other.session, 'PATCH', `/users/${alone.owner.ownerId}`, { roles: ['manager'] }, { 'if-match': String(headers['etag']) })).status).toBe(200)
      expect((await alone.call(other.session, 'POST', `/users/${alone.owner.ownerId}/disable`, {})).status).toBe(200)
      // Nobody is left who could do it to `other`, and `other` may not do it to themself.
      expect((await alone.call(other.session, 'POST', `/users/${other.id}/disable`, {})).body.code).toBe('own-rights')
    } finally {
      await alone.close()
    }
  })
})
