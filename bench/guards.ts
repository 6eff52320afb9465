import { setTimeout as sleep } from 'node:timers/promises'
import type { Sql } from '../src/kernel/db/index.ts'
import { bucketOf } from '../src/kernel/vault/padding.ts'
import type { Answer } from '../test/harness/server.ts'
import { BenchFailure } from './failure.ts'
import type { Sealed } from './sealed/index.ts'
import { keyStoreSynchronous } from './sealed/keystore-sync.ts'

const SETTINGS = ['fsync', 'synchronous_commit', 'full_page_writes'] as const
const SYNC_FULL = 2

/** Durability as configured: of the whole server, and of no role or database less. */
export async function guardDatabase(name: string, superuser: Sql): Promise<void> {
  for (const setting of SETTINGS) {
    const [row] = await superuser.query<{ value: string }>('SELECT current_setting($1) AS value', [setting])
    if (row?.value !== 'on') throw new BenchFailure(`${setting} is ${row?.value ?? 'unknown'} in the PostgreSQL of ${name}, so the figures would mean nothing.`)
  }
  const overrides = await superuser.query<{ setting: string }>("SELECT unnest(setconfig) AS setting FROM pg_db_role_setting")
  const weak = overrides.find((o) => SETTINGS.some((s) => o.setting.startsWith(`${s}=`) && o.setting !== `${s}=on`))
  if (weak) throw new BenchFailure(`a role or database of ${name} has ${weak.setting}, so the figures would mean nothing.`)
}

export function guardKeyStore(): void {
  const level = keyStoreSynchronous()
  if (level !== SYNC_FULL) throw new BenchFailure(`the key store commits with synchronous=${Number.isNaN(level) ? 'unknown' : level} instead of FULL, so the figures would mean nothing.`)
}

/** Flushes of the write-ahead log so far. */
export async function walFlushes(superuser: Sql): Promise<number> {
  const [row] = await superuser.query<{ n: number }>("SELECT coalesce(sum(fsyncs), 0)::bigint AS n FROM pg_stat_io WHERE object = 'wal'")
  return row?.n ?? 0
}

/**
 * One connection cannot share a commit, so each of its durable requests is one flush. PostgreSQL's sessions report theirs with
 * some seconds' delay; a tenth is left for those that never do.
 */
export async function guardFlushes(name: string, superuser: Sql, before: number, durableRequests: number): Promise<void> {
  let flushes = 0
  for (let tries = 0; tries < 25; tries++) {
    flushes = (await walFlushes(superuser)) - before
    if (flushes >= durableRequests * 0.9) return
    await sleep(500)
  }
  throw new BenchFailure(`${name} flushed the log ${flushes} times for ${durableRequests} requests that must be durable one by one.`)
}

/** Every request of the measured run, reads too, has left an event with a leaf. */
export async function guardLedger(sealed: Sealed, before: number, requests: number): Promise<void> {
  let grown = 0
  for (let tries = 0; tries < 60; tries++) {
    grown = (await sealed.ledgerSize()) - before
    if (grown >= requests) return
    await sleep(500)
  }
  throw new BenchFailure(`the ledger grew by ${grown} leaves during ${requests} requests.`)
}

const OVERHEAD = 34

/** All sealed blobs have the length of a bucket. */
export async function guardPadding(superuser: Sql): Promise<void> {
  for (const table of ['contacts', 'companies']) {
    for (const column of ['main', 'sensitive', 'custom']) {
      const lengths = await superuser.query<{ n: number }>(`SELECT DISTINCT octet_length(${column}) AS n FROM ${table} WHERE ${column} IS NOT NULL`)
      const odd = lengths.find(({ n }) => bucketOf(n - OVERHEAD) !== n - OVERHEAD)
      if (odd) throw new BenchFailure(`${table}.${column} holds a blob of ${odd.n} bytes, which is no padded length.`)
    }
  }
}

export interface Rep {
  cookie: string
  ownId: string
}

const PASSWORDS = ['a long first pass phrase 8', 'a long second pass phrase 9'] as const

function must(answer: Answer, status: number, what: string): Answer {
  if (answer.status !== status) throw new BenchFailure(`${what} answered ${answer.status}: ${answer.text.slice(0, 200)}`)
  return answer
}

/** A sales rep with a row of their own, signed in: the colleague who must not see the others' rows. */
export async function makeRep({ server }: Sealed): Promise<Rep> {
  const email = 'rep@bench.example'
  must(await server.call('POST', '/users', { email, name: 'Rep', roles: ['rep'], password: PASSWORDS[0] }), 201, 'making a rep')
  const first = await signIn(server, email, PASSWORDS[0])
  // A password somebody else chose opens nothing until it is changed.
  must(await server.call('PUT', '/me/password', { current: PASSWORDS[0], password: PASSWORDS[1] }, first), 200, 'changing the password')
  const { headers, token } = await signIn(server, email, PASSWORDS[1])
  const created = must(await server.call('POST', '/contacts', { fullName: 'Own Row' }, { headers, token }), 201, 'a row of the rep')
  return { cookie: headers.Cookie, ownId: String(created.body.id) }
}

async function signIn(server: Sealed['server'], email: string, password: string): Promise<{ token: null; headers: { Cookie: string; 'X-CSRF-Token': string } }> {
  const answer = must(await server.call('POST', '/session', { email, password }, { token: null }), 200, 'signing in')
  return { token: null, headers: { Cookie: (answer.headers['set-cookie'] ?? '').split(';')[0] ?? '', 'X-CSRF-Token': String(answer.body.csrf) } }
}

/** Nobody without a token, and no colleague without the right, reads a row. */
export async function guardGate({ server }: Sealed, rep: Rep, id: string): Promise<void> {
  const anonymous = await server.call('GET', `/contacts/${id}`, undefined, { token: null })
  if (anonymous.status !== 401) throw new BenchFailure(`a request without a token was answered with ${anonymous.status} instead of 401.`)
  const asRep = { token: null, headers: { Cookie: rep.cookie } }
  const own = await server.call('GET', `/contacts/${rep.ownId}`, undefined, asRep)
  if (own.status !== 200) throw new BenchFailure(`a rep's own row was answered with ${own.status} instead of 200.`)
  const foreign = await server.call('GET', `/contacts/${id}`, undefined, asRep)
  if (foreign.status !== 404) throw new BenchFailure(`another rep's row was answered with ${foreign.status} instead of 404.`)
}
