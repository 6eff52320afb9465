import { appendFileSync, readFileSync } from 'node:fs'
import type { Random } from '../../src/modules/demo/plan/random.ts'
import type { Answer, Json, TestServer } from '../harness/server.ts'

/** What the server said it had kept, as a client wrote it down: one line of JSON each, in a file outside the home. */
export type Acknowledged =
  | { kind: 'record'; id: string; version: number; fullName: string; title: string | null }
  | { kind: 'import'; id: string; names: string[] }

/** A POST whose answer may never come; it is sent again with the same key after the restart. */
export interface Keyed {
  key: string
  body: { fullName: string }
}

const BOUNDARY = 'sealbook-faults'
const part = (name: string, value: string, file = ''): string => `--${BOUNDARY}\r\nContent-Disposition: form-data; name="${name}"${file}\r\n\r\n${value}\r\n`

/** Asks for an import of these names; resolves with its id once the server has taken it. */
export async function askImport(server: TestServer, names: readonly string[]): Promise<string | null> {
  const sheet = ['Name,Email', ...names.map((n) => `${n},${n.replace(/\W+/g, '.').toLowerCase()}@example.com`)].join('\n')
  const body = `${part('source', 'faults')}${part('file', `${sheet}\n`, '; filename="upload"')}--${BOUNDARY}--\r\n`
  const answer = await server.call('POST', '/imports', Buffer.from(body), { headers: { 'Content-Type': `multipart/form-data; boundary=${BOUNDARY}` } })
  return answer.status === 202 ? String(answer.body.id) : null
}

/** Waits for the end of an import; null when it does not come in time. */
export async function importEnd(server: TestServer, id: string, patienceMs: number): Promise<Json> {
  const until = Date.now() + patienceMs
  for (;;) {
    const job = await server.call('GET', `/imports/${id}`).catch(() => null)
    if (job?.status === 200 && (job.body.state === 'done' || job.body.state === 'failed')) return job.body
    if (Date.now() > until) return null
    await pause(50)
  }
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** Clients that create, patch and import until they are told to stop or nobody answers any more. */
export class Writers {
  readonly #server: TestServer
  readonly #random: Random
  readonly #file: string
  readonly keyed: Keyed[] = []
  #stopped = false
  #serial = 0
  /** Titles sent whose answer never came, by record: either may be found. */
  readonly doubtful = new Map<string, Set<string>>()

  constructor(server: TestServer, random: Random, file: string) {
    this.#server = server
    this.#random = random
    this.#file = file
    appendFileSync(file, '')
  }

  acknowledged(): Acknowledged[] {
    return readFileSync(this.#file, 'utf8').split('\n').filter(Boolean).map((line) => JSON.parse(line) as Acknowledged) // our own lines
  }

  /** Runs until `stop`, whatever the server answers meanwhile. */
  async run(): Promise<void> {
    this.#stopped = false
    await Promise.all([this.#write(), this.#write(), this.#write(), this.#import(), this.#repeatable()])
  }

  stop(): void {
    this.#stopped = true
  }

  /** Letters no other name has, so that it is found alone. */
  #name(what: string): string {
    const letters = Array.from({ length: 8 }, () => String.fromCharCode(97 + this.#random.below(26))).join('')
    return `${what} ${letters}${++this.#serial}`
  }

  #note(line: Acknowledged): void {
    appendFileSync(this.#file, `${JSON.stringify(line)}\n`)
  }

  /** Null when no answer came, also while there is no server at all. */
  async #call(method: string, path: string, body: object, headers: Readonly<Record<string, string>> = {}): Promise<Answer | null> {
    try {
      return await this.#server.call(method, path, body, { headers })
    } catch {
      return null
    }
  }

  async #write(): Promise<void> {
    let last: { id: string; version: number; fullName: string } | null = null
    while (!this.#stopped) {
      last = last && !this.#random.oneIn(3) ? await this.#patch(last) : await this.#create()
      if (!last) await pause(30)
    }
  }

  async #create(): Promise<{ id: string; version: number; fullName: string } | null> {
    const fullName = this.#name('Created')
    const answer = await this.#call('POST', '/contacts', { fullName })
    if (answer?.status !== 201) return null
    const { id, version } = answer.body as { id: string; version: number }
    this.#note({ kind: 'record', id, version, fullName, title: null })
    return { id, version, fullName }
  }

  async #patch(last: { id: string; version: number; fullName: string }): Promise<{ id: string; version: number; fullName: string } | null> {
    const title = this.#name('Patched')
    const sent = this.doubtful.get(last.id) ?? new Set()
    this.doubtful.set(last.id, sent.add(title))
    const answer = await this.#call('PATCH', `/contacts/${last.id}`, { title }, { 'If-Match': `"${last.version}"` })
    if (answer?.status !== 200) return null
    sent.delete(title)
    this.#note({ kind: 'record', ...last, version: answer.body.version, title })
    return { ...last, version: answer.body.version }
  }

  async #import(): Promise<void> {
    while (!this.#stopped) {
      const names = Array.from({ length: 5 }, () => this.#name('Imported'))
      const id = await askImport(this.#server, names).catch(() => null)
      if (id) this.#note({ kind: 'import', id, names })
      await pause(id ? 200 + this.#random.below(300) : 30)
    }
  }

  async #repeatable(): Promise<void> {
    while (!this.#stopped) {
      const one = { key: `key-${this.#random.next()}-${++this.#serial}`, body: { fullName: this.#name('Repeated') } }
      this.keyed.push(one)
      await this.#call('POST', '/contacts', one.body, { 'Idempotency-Key': one.key })
      await pause(20 + this.#random.below(60))
    }
  }
}
