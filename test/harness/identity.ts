import type { FastifyInstance } from 'fastify'
import { Secret, TOTP } from 'otpauth'
import { uuidv7 } from '../../src/kernel/base/index.ts'
import { buildServer } from '../../src/kernel/http/index.ts'
import { openLedger, type Ledger } from '../../src/kernel/ledger/index.ts'
import { openLens } from '../../src/kernel/lens/index.ts'
import { loadConfig } from '../../src/kernel/config/index.ts'
import { openLog } from '../../src/kernel/log/index.ts'
import { EpochWatch } from '../../src/kernel/work/index.ts'
import { accessModule, checkRolePermissions, roleRegistry } from '../../src/modules/access/index.ts'
import { Client, Firm, PERMISSIONS, ROLES } from '../../src/modules/access/fixture.ts'
import { authorityCounter, createAuthenticator, currentEpoch, identityModule, peopleSource, SetUpPage, setUp, setUpModule, type IdentityDeps, type SetUpResult } from '../../src/modules/identity/index.ts'
import { contextOf } from '../../src/modules/identity/context.ts'
import { hashPassword } from '../../src/modules/identity/passwords.ts'
import { emailBlind, insertFactor, insertPerson, savePerson, setRoles } from '../../src/modules/identity/people.store.ts'
import type { Person } from '../../src/modules/identity/person.rows.ts'
import { createSession } from '../../src/modules/identity/sessions.store.ts'
import { createTestInstance, silent, type Instance } from './ledger.ts'
import { asSuperuser, createTestDatabase, type TestDatabase } from './postgres.ts'

export const OWNER = { email: 'owner@acme.test', password: 'a long pass phrase of the owner 7' }

export interface Reply {
  status: number
  headers: Record<string, string | string[] | number | undefined>
  body: Record<string, unknown> & { code?: string; errors?: { path: string; code: string }[] }
}

/** Who asks: a bearer token, or the cookie and CSRF token of a session. */
export interface Caller {
  token?: string
  cookie?: string
  csrf?: string
}

/** A server before set-up: identity, access and the set-up pages on a real database, vault and ledger. Its clock can be moved. */
export interface BareServer {
  instance: Instance
  database: TestDatabase
  ledger: Ledger
  deps: IdentityDeps
  page: SetUpPage
  app: FastifyInstance
  clock: { ahead: number }
  close(): Promise<void>
}

export async function bareServer(tls: { cert: string; key: string } | Record<string, never> = {}): Promise<BareServer> {
  const [instance, database] = await Promise.all([createTestInstance(), createTestDatabase()])
  const { vault } = instance
  const { db } = database
  const clock = { ahead: 0 }
  const ledger = await openLedger({ db, vault, nodeId: uuidv7(), log: silent })
  const lens = await openLens({ tables: [], memoryLimitMb: 100 })
  const registry = roleRegistry(ROLES, [Client, Firm])
  const deps: IdentityDeps = { db, vault, ledger, registry, clock: () => new Date(Date.now() + clock.ahead) }
  const page = new SetUpPage(deps, vault)
  const status = async () => ({ status: 'ready' as const, version: '0.0.0', ledgerSize: ledger.status().size, posture: [] })
  const modules = [identityModule(deps), accessModule({ vault, ledger, registry, people: peopleSource(deps) }), setUpModule({ page, status })]
  const permissions = new Set([...PERMISSIONS, ...modules.flatMap((m) => Object.keys(m.permissions ?? {}))])
  checkRolePermissions(registry, permissions)
  const log = openLog(loadConfig({ SEALBOOK_LOG_LEVEL: 'silent' }))
  const work = { db, vault, ledger, lens, log, authority: authorityCounter, epochs: new EpochWatch(() => currentEpoch(db)), send: async () => undefined }
  const routes = modules.flatMap((m) => [...(m.routes ?? []), ...(m.publicRoutes ?? [])])
  const options = { tls, hosts: ['localhost'], trustedProxies: ['127.0.0.1'], requestsPerMinute: 100_000, permissions, log }
  const app = await buildServer(options, { work, authenticator: createAuthenticator(deps) }, routes)
  const close = async (): Promise<void> => {
    await app.close()
    await lens.close()
    await ledger.close()
    await database.drop()
    await instance.close()
  }
  return { instance, database, ledger, deps, page, app, clock, close }
}

/** A server with an owner, and colleagues as tests make them. */
export class IdentityLab {
  readonly #server: BareServer
  readonly database: TestDatabase
  readonly deps: IdentityDeps
  readonly owner: SetUpResult
  /** Address the next request comes from. */
  ip = '192.0.2.1'

  private constructor(server: BareServer, owner: SetUpResult) {
    this.#server = server
    this.database = server.database
    this.deps = server.deps
    this.owner = owner
  }

  static async open(): Promise<IdentityLab> {
    const server = await bareServer()
    const owner = await setUp(server.deps, { organisation: 'Acme Trading', ownerEmail: OWNER.email, ownerPassword: OWNER.password, locale: 'en', country: 'CN' })
    return new IdentityLab(server, owner)
  }

  close(): Promise<void> {
    return this.#server.close()
  }

  /** Moves the clock of identity on; the database's and the door's stay. */
  wait(ms: number): void {
    this.#server.clock.ahead += ms
  }

  now(): Date {
    return this.deps.clock!()
  }

  async call(caller: Caller | null, method: 'GET' | 'POST' | 'PATCH' | 'PUT' | 'DELETE', path: string, body?: object, headers: Record<string, string> = {}): Promise<Reply> {
    const answer = await this.#server.app.inject({
      method,
      url: `/api/v1${path}`,
      headers: {
        host: 'localhost',
        'x-forwarded-for': this.ip,
        ...(caller?.token ? { authorization: `Bearer ${caller.token}` } : {}),
        ...(caller?.cookie ? { cookie: `__Host-session=${caller.cookie}` } : {}),
        ...(caller?.csrf ? { 'x-csrf-token': caller.csrf } : {}),
        ...headers,
      },
      ...(body ? { payload: body } : {}),
    })
    return { status: answer.statusCode, headers: answer.headers, body: answer.body ? (JSON.parse(answer.body) as Reply['body']) : {} }
  }

  get ownerToken(): Caller {
    return { token: this.owner.token }
  }

  /** Signs in and returns the session. Throws when it is refused. */
  async signIn(email: string, password: string, code?: string): Promise<Caller & { answer: Reply }> {
    const answer = await this.call(null, 'POST', '/session', { email, password, ...(code ? { code } : {}) })
    if (answer.status !== 200) throw new Error(`sign-in: ${answer.status} ${answer.body.code}`)
    return { cookie: cookieIn(answer), csrf: String(answer.body['csrf']), answer }
  }

  /** Makes a colleague with a password of their own and a session, straight through the store: one Argon2id instead of five. */
  async colleague(name: string, roles: string[], options: { departmentId?: string } = {}): Promise<Colleague> {
    const c = contextOf(this.deps)
    const facts = { name, email: `${name}@acme.test` }
    const password = `own pass phrase of ${name} 2`
    const id = uuidv7()
    const [key] = await c.vault.createOwnerKeys([id])
    const hash = await hashPassword(c.vault, id, password)
    const at = c.now()
    const iso = at.toISOString()
    const { secret, csrf } = await c.db.tx(async (tx) => {
      const times = { administratorUntil: null, disabledAt: null, createdAt: iso, updatedAt: iso }
      const bare: Person = { id, version: 1, departmentId: options.departmentId ?? this.owner.departmentId, locale: 'en', sessionEpoch: 1, tokenEpoch: 1, emailBlind: emailBlind(c.vault, facts.email), sealed: Buffer.alloc(0), roles: [], factors: [], ...times }
      const person = await insertPerson(tx, c, bare, facts)
      const factor = await insertFactor(tx, c, person, { kind: 'password', state: 'active', setBy: id, at: iso }, (cell) => c.vault.seal(key!, cell, hash))
      const saved = await savePerson(tx, c, person, { factors: [factor], roles: await setRoles(tx, c, person, roles, this.owner.ownerId, iso) }, iso, facts)
      await authorityCounter.bump(tx)
      // As the product does: a role nobody granted in the ledger is one that somebody planted.
      for (const role of roles) await c.ledger.record(tx, { action: 'role.granted', actor: null, object: { kind: 'person', id }, subjects: [key!], detail: { role } })
      return createSession(tx, c, saved, at)
    })
    return { id, email: facts.email, password, session: { cookie: secret, csrf } }
  }

  async department(name: string, parentId?: string): Promise<string> {
    const made = await this.call(this.ownerToken, 'POST', '/departments', { name, ...(parentId ? { parentId } : {}) })
    return String(made.body['id'])
  }

  /** Enrols an authenticator for a session; returns its code at a moment and the recovery codes. */
  async enrol(session: Caller): Promise<{ codeAt(at: Date): string; recoveryCodes: string[] }> {
    const offered = await this.call(session, 'POST', '/me/totp', {})
    const totp = new TOTP({ secret: Secret.fromBase32(String(offered.body['secret'])) })
    const codeAt = (at: Date): string => totp.generate({ timestamp: at.getTime() })
    const confirmed = await this.call(session, 'POST', '/me/totp/confirm', { code: codeAt(this.now()) })
    if (confirmed.status !== 200) throw new Error(`totp: ${confirmed.status} ${confirmed.body.code}`)
    return { codeAt, recoveryCodes: confirmed.body['recoveryCodes'] as string[] }
  }

  sql<R extends object>(text: string, params?: readonly unknown[]): Promise<R[]> {
    return asSuperuser<R>(this.database, text, params)
  }

  /** How often an action stands in the ledger, for one object if it is given. */
  async events(action: string, objectId?: string): Promise<number> {
    const [row] = await this.sql<{ n: number }>('SELECT count(*)::int AS n FROM ledger_event WHERE action = $1 AND ($2::uuid IS NULL OR object_id = $2)', [action, objectId ?? null])
    return row!.n
  }
}

export interface Colleague {
  id: string
  email: string
  password: string
  session: Caller
}

export function cookieIn(answer: Reply): string {
  const header = answer.headers['set-cookie']
  return /__Host-session=([^;]*)/.exec(String(header))?.[1] ?? ''
}
