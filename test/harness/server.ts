import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { Agent, request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { Readable } from 'node:stream'
import { runCli, type CliResult } from './cli.ts'

export interface Answer {
  status: number
  headers: Readonly<Record<string, string>>
  /** The JSON of the body, or null when it is something else. */
  body: Json
  text: string
  /** The body as it came. */
  bytes: Buffer
}

/** JSON as it came over the wire; a test looks into it freely and fails where the shape is not the contract's. */
export type Json = ReturnType<typeof JSON.parse>

export interface InitDocument {
  instanceId: string
  organisationId: string
  ownerId: string
  token: string
  tokenExpiresAt: string
  ledgerKey: string
  recoveryKitFile: string
}

export interface Ready {
  event: 'ready'
  url: string
  pid: number
  caFile: string
  caSha256: string
  setupUrl: string | null
}

export interface CallOptions {
  headers?: Readonly<Record<string, string>>
  /** Another bearer than the owner's; null sends none. */
  token?: string | null
}

/** Call options of a signed-in browser. */
export interface Session extends CallOptions {
  token: null
  headers: Readonly<Record<string, string>>
}

export interface Person {
  id: string
  email: string
  password: string
  token: string
}

/** Cookie and CSRF token of an answer that opened a session. */
export function sessionOf(answer: Answer): Session {
  const cookie = (answer.headers['set-cookie'] ?? '').split(';')[0] ?? ''
  return { token: null, headers: { Cookie: cookie, 'X-CSRF-Token': String(answer.body.csrf) } }
}

/** Where a server of a test lives: home, keys and secrets side by side, outside the clone. */
export interface Place {
  folder: string
  home: string
  rootKeyFile: string
  passwordFile: string
  tokenFile: string
  kitFile: string
  env: Readonly<Record<string, string>>
}

export const OWNER = { email: 'owner@example.com', password: 'a long pass phrase of the owner 7' }

export function makePlace(env: Readonly<Record<string, string>> = {}): Place {
  const folder = mkdtempSync(join(realpathSync(tmpdir()), 'sealbook-contract-'))
  const at = (name: string): string => join(folder, name)
  writeFileSync(at('owner.password'), `${OWNER.password}\n`, { mode: 0o600 })
  const place = { folder, home: at('home'), rootKeyFile: at('root.key'), passwordFile: at('owner.password'), tokenFile: at('owner.token'), kitFile: at('kit.txt') }
  // Not the caller's environment: SEALBOOK_ variables and a Chinese LANG of whoever runs the tests must not reach the server.
  const base = { PATH: process.env['PATH'] ?? '', HOME: at('user'), LANG: 'C.UTF-8', TMPDIR: realpathSync(tmpdir()) }
  return { ...place, env: { ...base, SEALBOOK_HOME: place.home, SEALBOOK_ROOT_KEY_FILE: place.rootKeyFile, SEALBOOK_PORT: '0', SEALBOOK_LOG_LEVEL: 'warn', ...env } }
}

export function initArguments(place: Place): string[] {
  return ['init', '--organisation', 'Example Ltd', '--owner-email', OWNER.email, '--owner-password-file', place.passwordFile, '--locale', 'en', '--country', 'US', '--recovery-kit', place.kitFile, '--token-file', place.tokenFile]
}

/** Runs `init` in a place. Throws with what it printed when it fails. */
export async function init(place: Place): Promise<InitDocument> {
  const done = await runCli([...initArguments(place), '--json'], place.env)
  if (done.code !== 0) throw new Error(`init failed (${done.code}): ${done.stdout} ${done.stderr}`)
  return done.json as InitDocument
}

export class TestServer {
  readonly place: Place
  readonly owner: InitDocument
  #process: ChildProcess | null = null
  #ready: Ready | null = null
  #agent = new Agent()
  #said = ''

  constructor(place: Place, owner: InitDocument) {
    this.place = place
    this.owner = owner
  }

  get ready(): Ready {
    if (!this.#ready) throw new Error('the server is not running')
    return this.#ready
  }

  get url(): string {
    return this.ready.url
  }

  get token(): string {
    return this.owner.token
  }

  get pid(): number {
    return this.ready.pid
  }

  /** What it has written to stderr so far. */
  get said(): string {
    return this.#said
  }

  /** Starts the process and waits for its ready line. */
  async start(args: readonly string[] = []): Promise<Ready> {
    const child = spawn(process.execPath, [mainFile, 'start', '--json', ...args], { env: this.place.env, stdio: ['ignore', 'pipe', 'pipe'] })
    this.#process = child
    child.stderr.on('data', (d: Buffer) => (this.#said += d.toString()))
    const ended = once(child, 'exit').then(([code]) => {
      throw new Error(`the server ended (${String(code)}) before it was ready: ${this.#said}`)
    })
    this.#ready = await Promise.race([readyLine(child), ended])
    ended.catch(() => undefined)
    this.#agent = new Agent({ keepAlive: true, ca: readFileSync(this.#ready.caFile) })
    return this.#ready
  }

  /** Sends a signal (none: waits only) and resolves with the exit code, or the signal that ended it. */
  async end(signal?: NodeJS.Signals): Promise<number | string> {
    const child = this.#process
    if (!child) throw new Error('the server is not running')
    const ended = child.exitCode !== null || child.signalCode !== null ? Promise.resolve([child.exitCode, child.signalCode]) : once(child, 'exit')
    if (signal) child.kill(signal)
    const [code, by] = (await ended) as [number | null, string | null]
    this.#agent.destroy()
    this.#process = null
    this.#ready = null
    return code ?? by ?? 'unknown'
  }

  /** Drains the server and removes everything it left. */
  async close(): Promise<void> {
    if (this.#process) await this.end('SIGTERM')
    rmSync(this.place.folder, { recursive: true, force: true })
  }

  /** One request. `path` is under /api/v1 unless it begins with /api/. An object is sent as JSON, bytes as they are, a stream without saying how long it is. */
  call(method: string, path: string, body?: unknown, options: CallOptions = {}): Promise<Answer> {
    const bytes = body === undefined || body instanceof Readable ? undefined : body instanceof Uint8Array ? body : Buffer.from(JSON.stringify(body))
    const token = options.token === undefined ? this.token : options.token
    const headers = {
      ...(bytes ? { 'Content-Length': String(bytes.length), ...(body instanceof Uint8Array ? {} : { 'Content-Type': 'application/json' }) } : {}),
      ...(token === null ? {} : { Authorization: `Bearer ${token}` }),
      ...options.headers,
    }
    const target = new URL(path.startsWith('/api/') || path === '/' ? path : `/api/v1${path}`, this.url)
    return new Promise((resolve, reject) => {
      const sent = request(target, { method, agent: this.#agent, headers }, (answer) => {
        const chunks: Buffer[] = []
        answer.on('data', (c: Buffer) => chunks.push(c))
        answer.on('error', reject)
        answer.on('end', () => resolve(answerOf(answer.statusCode ?? 0, answer.headers, Buffer.concat(chunks))))
      })
      sent.on('error', reject)
      if (body instanceof Readable) body.on('error', reject).pipe(sent)
      else sent.end(bytes)
    })
  }

  /** Signs in with a password; the cookie and the CSRF header to send, as call options. */
  async signIn(email: string, password: string): Promise<Session> {
    const answer = await this.call('POST', '/session', { email, password }, { token: null })
    if (answer.status !== 200) throw new Error(`sign-in of ${email} failed: ${answer.text}`)
    return sessionOf(answer)
  }

  /**
   * A colleague with a token of their own: made by the owner, signed in once, password changed (the first one is known to
   * whoever made the account and opens nothing else), and the token made by themselves, since nobody can make one for them.
   */
  async addPerson(email: string, role: string, departmentId?: string): Promise<Person> {
    const first = 'the first phrase is known to two'
    const password = `a phrase that only ${email} knows`
    const made = await this.call('POST', '/users', { email, name: email.split('@')[0], roles: [role], password: first, ...(departmentId ? { departmentId } : {}) })
    if (made.status !== 201) throw new Error(`user ${email}: ${made.text}`)
    const session = await this.signIn(email, first)
    const changed = await this.call('PUT', '/me/password', { current: first, password }, session)
    if (changed.status !== 200) throw new Error(`password of ${email}: ${changed.text}`)
    const token = await this.call('POST', '/tokens', { userId: made.body.id, name: 'test' }, sessionOf(changed))
    if (token.status !== 201) throw new Error(`token of ${email}: ${token.text}`)
    return { id: made.body.id, email, password, token: token.body.token }
  }

  /** The command line as a child process, signed in as the owner unless `token` names another token file. */
  cli(args: readonly string[], options: { tokenFile?: string; env?: Readonly<Record<string, string>> } = {}): Promise<CliResult> {
    return runCli(args, { ...this.place.env, SEALBOOK_TOKEN_FILE: options.tokenFile ?? this.place.tokenFile, ...options.env })
  }
}

const mainFile = join(import.meta.dirname, '..', '..', 'src', 'main.ts')

async function readyLine(child: ChildProcess): Promise<Ready> {
  if (!child.stdout) throw new Error('no stdout')
  for await (const line of createInterface({ input: child.stdout })) {
    if (line.startsWith('{"event":"ready"')) {
      child.stdout.resume()
      return JSON.parse(line) as Ready
    }
  }
  return new Promise(() => undefined) // its exit tells why
}

function answerOf(status: number, headers: NodeJS.Dict<string | string[]>, bytes: Buffer): Answer {
  const flat = Object.fromEntries(Object.entries(headers).map(([k, v]) => [k, Array.isArray(v) ? v.join(', ') : (v ?? '')]))
  const text = bytes.toString()
  return { status, headers: flat, body: /\bjson\b/.test(flat['content-type'] ?? '') && text !== '' ? (JSON.parse(text) as Json) : null, text, bytes }
}

/** A new instance, set up and running, for one test file. */
export async function startServer(options: { env?: Readonly<Record<string, string>>; args?: readonly string[] } = {}): Promise<TestServer> {
  const place = makePlace(options.env)
  const server = new TestServer(place, await init(place))
  await server.start(options.args)
  return server
}
