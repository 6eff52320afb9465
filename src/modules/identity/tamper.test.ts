import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { IdentityLab, OWNER, type Caller, type Colleague, type Reply } from '../../../test/harness/identity.ts'
import { until } from '../../../test/harness/ledger.ts'
import { uuidv7 } from '../../kernel/base/index.ts'

/*
 * A superuser writes the tables directly. Each change below would give somebody more, or bring back what was taken; each
 * is refused with seal-broken and named in the ledger.
 */
let lab: IdentityLab
let rep: Colleague
let token: Caller
let n = 0
beforeAll(async () => {
  lab = await IdentityLab.open()
})
afterAll(() => lab.close())
beforeEach(async () => {
  lab.ip = `203.0.113.${++n}`
  rep = await lab.colleague(`rep${n}`, ['rep'])
  token = { token: String((await lab.call(rep.session, 'POST', '/tokens', { name: 'mine' })).body['token']) }
}, 60_000)

/** What was cached before the tampering may stand for a minute; a changed epoch or the next minute ends that. */
const afterTheCache = (): void => lab.wait(61_000)

async function isNamed(kind: string): Promise<void> {
  await until(async () => (await lab.sql<{ n: number }>("SELECT count(*)::int AS n FROM ledger_event WHERE action = 'authority.tampered' AND object_kind = $1", [kind]))[0]!.n > 0)
}

const broken = (answer: Reply): void => expect({ status: answer.status, code: answer.body.code, id: answer.body['id'] }).toEqual({ status: 503, code: 'seal-broken', id: undefined })

async function mine(by: Caller = rep.session): Promise<Reply> {
  afterTheCache()
  return lab.call(by, 'GET', '/me')
}

describe('a row that raises somebody', () => {
  it('a role inserted, with or without a MAC of another row', async () => {
    await lab.sql("INSERT INTO person_role (person_id, role, granted_by, granted_at, mac) SELECT $1, 'manager', granted_by, granted_at, mac FROM person_role WHERE person_id = $2 AND role = 'manager'", [rep.id, lab.owner.ownerId])
    broken(await mine())
    broken(await lab.call(token, 'GET', '/me'))
    await isNamed('person')
  })

  it('a role changed', async () => {
    await lab.sql("UPDATE person_role SET role = 'manager' WHERE person_id = $1", [rep.id])
    broken(await mine())
  })

  it('a role deleted (it may have been one that denies)', async () => {
    await lab.sql('DELETE FROM person_role WHERE person_id = $1', [rep.id])
    broken(await mine())
  })

  it('the person put into another department', async () => {
    const other = await lab.department('Elsewhere')
    await lab.sql('UPDATE person SET department_id = $2 WHERE id = $1', [rep.id, other])
    broken(await mine())
    await isNamed('person')
  })

  it('a department put under the person\'s', async () => {
    const [theirs, foreign] = [await lab.department(`Theirs ${n}`), await lab.department(`Foreign ${n}`)]
    const lead = await lab.colleague(`lead${n}`, ['manager'], { departmentId: theirs })
    expect((await mine(lead.session)).status).toBe(200)
    await lab.sql('UPDATE department SET parent_id = $2 WHERE id = $1', [foreign, theirs])
    broken(await mine(lead.session))
    await isNamed('department')
    // A circle ends in the same answer, not in a statement without end.
    await lab.sql('UPDATE department SET parent_id = $2 WHERE id = $1', [theirs, foreign])
    broken(await mine(lead.session))
    await lab.sql('UPDATE department SET parent_id = $2 WHERE id = ANY ($1::uuid[])', [[theirs, foreign], lab.owner.departmentId])
    expect((await mine(lead.session)).status).toBe(200)
  })

  it('the time of having been an administrator moved back', async () => {
    await lab.sql("UPDATE person SET administrator_until = now() - interval '1 year' WHERE id = $1", [rep.id])
    broken(await mine())
  })
})

describe('a credential nobody gave', () => {
  it('a session inserted with the thief\'s own secret, or another\'s MAC', async () => {
    const secret = 'A'.repeat(43)
    const digest = lab.deps.vault.mac('session', 'guess')
    await lab.sql(
      'INSERT INTO session (id, person_id, version, digest, session_epoch, created_at, seen_at, factor_at, expires_at, mac) SELECT $1, $2, version, $3, session_epoch, created_at, seen_at, factor_at, expires_at, mac FROM session WHERE person_id = $2 LIMIT 1',
      [uuidv7(), rep.id, digest],
    )
    // The digest is an HMAC under a key the database does not have, so the thief cannot even make one that is found.
    expect((await lab.call({ cookie: secret }, 'GET', '/me')).status).toBe(401)
  })

  it('a session given to another person', async () => {
    await lab.sql('UPDATE session SET person_id = $2 WHERE person_id = $1', [rep.id, lab.owner.ownerId])
    broken(await mine())
    await isNamed('session')
  })

  it('a session made longer, or a factor made fresh', async () => {
    for (const change of ["expires_at = expires_at + interval '1 day'", 'seen_at = now()', 'factor_at = now()']) {
      const session = await lab.signIn(rep.email, rep.password)
      await lab.sql(`UPDATE session SET ${change} WHERE person_id = $1`, [rep.id])
      broken(await mine(session))
    }
  })

  it('a token given to another, widened, prolonged, or brought back', async () => {
    for (const change of [`person_id = '${lab.owner.ownerId}'`, "scopes = scopes || '{contacts:export}'", "expires_at = expires_at + interval '1 year'"]) {
      const fresh: Caller = { token: String((await lab.call(rep.session, 'POST', '/tokens', { name: 'x' })).body['token']) }
      await lab.sql(`UPDATE api_token SET ${change} WHERE id = (SELECT id FROM api_token ORDER BY id DESC LIMIT 1)`)
      broken(await mine(fresh))
    }
    const { body } = await lab.call(rep.session, 'POST', '/tokens', { name: 'x' })
    await lab.call(rep.session, 'POST', `/tokens/${body['id']}/revoke`, {})
    await lab.sql('UPDATE api_token SET revoked_at = NULL WHERE id = $1', [body['id']])
    broken(await mine({ token: String(body['token']) }))
    await isNamed('api-token')
  })

  it('sessions and tokens ended by a disabling brought back', async () => {
    await lab.call(lab.ownerToken, 'POST', `/users/${rep.id}/disable`, {})
    for (const change of ['disabled_at = NULL', 'token_epoch = token_epoch - 1, disabled_at = NULL', 'session_epoch = session_epoch - 1, disabled_at = NULL']) {
      await lab.sql(`UPDATE person SET ${change} WHERE id = $1`, [rep.id])
      broken(await mine(token))
      broken(await lab.call(null, 'POST', '/session', { email: rep.email, password: rep.password }))
    }
  })
})

describe('a factor changed', () => {
  const signIn = () => lab.call(null, 'POST', '/session', { email: rep.email, password: rep.password })

  it('a second factor deleted does not make sign-in weaker', async () => {
    await lab.enrol(rep.session)
    await lab.sql("DELETE FROM factor WHERE person_id = $1 AND kind = 'totp'", [rep.id])
    broken(await signIn())
    await isNamed('factor')
  })

  it('nor one set to pending or retired, nor a used step taken back, nor a used code', async () => {
    const { recoveryCodes } = await lab.enrol(rep.session)
    const [code] = recoveryCodes as [string]
    expect((await lab.call(null, 'POST', '/session', { email: rep.email, password: rep.password, code })).status).toBe(200)
    for (const [change, back] of [
      ["state = 'pending'", "state = 'active'"],
      ["state = 'retired'", "state = 'active'"],
    ]) {
      await lab.sql(`UPDATE factor SET ${change} WHERE person_id = $1 AND kind = 'totp'`, [rep.id])
      broken(await signIn())
      await lab.sql(`UPDATE factor SET ${back} WHERE person_id = $1 AND kind = 'totp'`, [rep.id])
    }
    expect((await signIn()).body.code).toBe('code-required')
    await lab.sql("UPDATE factor SET last_step = 0 WHERE person_id = $1 AND kind = 'totp'", [rep.id])
    broken(await signIn())
    await lab.sql("DELETE FROM factor WHERE person_id = $1 AND kind = 'totp'", [rep.id])
    await lab.sql("UPDATE factor SET state = 'active' WHERE person_id = $1 AND kind = 'recovery'", [rep.id])
    broken(await signIn())
  })

  it('a whole used code rolled back to the row it was', async () => {
    const { recoveryCodes } = await lab.enrol(rep.session)
    await lab.sql('CREATE TABLE IF NOT EXISTS kept AS SELECT * FROM factor WHERE false')
    await lab.sql("INSERT INTO kept SELECT * FROM factor WHERE person_id = $1 AND kind = 'recovery'", [rep.id])
    const code = recoveryCodes[0]!
    expect((await lab.call(null, 'POST', '/session', { email: rep.email, password: rep.password, code })).status).toBe(200)
    await lab.sql("DELETE FROM factor WHERE person_id = $1 AND kind = 'recovery'", [rep.id])
    await lab.sql('INSERT INTO factor SELECT * FROM kept WHERE person_id = $1', [rep.id])
    broken(await lab.call(null, 'POST', '/session', { email: rep.email, password: rep.password, code }))
  })

  it('somebody else\'s password put in its place, or an old one of one\'s own', async () => {
    expect((await lab.call(rep.session, 'PUT', '/me/password', { current: rep.password, password: 'another pass phrase 2' })).status).toBe(200)
    const [old] = await lab.sql<{ id: string }>("SELECT id FROM factor WHERE person_id = $1 AND kind = 'password' AND state = 'retired'", [rep.id])
    await lab.sql("UPDATE factor SET data = (SELECT data FROM factor WHERE id = $2) WHERE person_id = $1 AND kind = 'password' AND state = 'active'", [rep.id, old!.id])
    broken(await signIn())
    await lab.sql("UPDATE factor f SET (data, version, created_at, set_by, mac) = (SELECT data, version, created_at, set_by, mac FROM factor WHERE person_id = $2 AND kind = 'password' AND state = 'active') WHERE person_id = $1 AND kind = 'password' AND state = 'active'", [rep.id, lab.owner.ownerId])
    broken(await lab.call(null, 'POST', '/session', { email: rep.email, password: OWNER.password }))
  })

  it('the mark that somebody else chose the password', async () => {
    const email = `marked${n}@acme.test`
    const { body } = await lab.call(lab.ownerToken, 'POST', '/users', { email, name: 'Marked', roles: ['rep'], password: 'known to the administrator 1' })
    await lab.sql("UPDATE factor SET set_by = person_id WHERE person_id = $1 AND kind = 'password'", [body['id']])
    broken(await lab.call(null, 'POST', '/session', { email, password: 'known to the administrator 1' }))
  })

  it('another\'s e-mail put on an account', async () => {
    await lab.sql("UPDATE person SET email_blind = decode(md5('x'), 'hex') WHERE id = $1", [lab.owner.ownerId])
    const [before] = await lab.sql<{ email_blind: Buffer }>('SELECT email_blind FROM person WHERE id = $1', [rep.id])
    const ownerBlind = lab.deps.vault.blind('person.email', OWNER.email)
    await lab.sql('UPDATE person SET email_blind = $2 WHERE id = $1', [rep.id, ownerBlind])
    broken(await lab.call(null, 'POST', '/session', { email: OWNER.email, password: rep.password }))
    await lab.sql('UPDATE person SET email_blind = $2 WHERE id = $1', [rep.id, before!.email_blind])
    await lab.sql('UPDATE person SET email_blind = $2 WHERE id = $1', [lab.owner.ownerId, ownerBlind])
    expect((await lab.call(null, 'POST', '/session', OWNER)).status).toBe(200)
  })
})

describe('an approval', () => {
  it('changed after it was asked for, or decided in the table', async () => {
    const boss = await lab.colleague(`boss${n}`, ['manager'])
    const admin = await lab.colleague(`admin${n}`, ['administrator'])
    const { headers } = await lab.call(admin.session, 'GET', `/users/${rep.id}`)
    const asked = await lab.call(admin.session, 'PATCH', `/users/${rep.id}`, { roles: ['manager'] }, { 'if-match': String(headers['etag']) })
    const { id } = asked.body['approval'] as { id: string }
    for (const change of [`subject_id = '${admin.id}'`, "change = '{\"roles\":[\"manager\",\"administrator\"]}'", `requested_by = '${lab.owner.ownerId}'`]) {
      const [kept] = await lab.sql<{ subject_id: string; change: string; requested_by: string }>('SELECT subject_id, change, requested_by FROM approval WHERE id = $1', [id])
      await lab.sql(`UPDATE approval SET ${change} WHERE id = $1`, [id])
      broken(await lab.call(boss.session, 'POST', `/approvals/${id}/approve`, {}))
      await lab.sql('UPDATE approval SET subject_id = $2, change = $3, requested_by = $4 WHERE id = $1', [id, kept!.subject_id, kept!.change, kept!.requested_by])
    }
    expect((await lab.call(boss.session, 'POST', `/approvals/${id}/approve`, {})).status).toBe(200)
    await isNamed('approval')
  })
})

describe('the restricted role', () => {
  it('cannot rewrite who was granted what', async () => {
    for (const sql of ["UPDATE person_role SET role = 'manager'", 'DELETE FROM person', 'DELETE FROM api_token', 'DELETE FROM approval', 'TRUNCATE session', 'DELETE FROM department']) {
      await expect(lab.database.db.query(sql)).rejects.toThrow('permission denied')
    }
  })
})
