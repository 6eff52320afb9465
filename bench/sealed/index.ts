import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { init, OWNER, TestServer, type Place } from '../../test/harness/server.ts'
import { chooseAccount } from '../../src/kernel/db/embedded/account.ts'
import { prepareLayout } from '../../src/kernel/db/embedded/layout.ts'
import { configFor } from '../../src/kernel/db/embedded/roles.ts'
import { DATABASE, PORT, SUPER } from '../../src/kernel/db/embedded/settings.ts'
import { openDb, type Db } from '../../src/kernel/db/index.ts'
import { BenchFailure } from '../failure.ts'
import { rssOf } from '../machine.ts'

/** Requests one token may make in a minute during the bench: more than any machine answers. */
export const REQUESTS_PER_MINUTE = 10_000_000

export interface Warmth {
  /** From the start of the process until the lens had every row. */
  seconds: number
  /** From the start until requests were answered. */
  upSeconds: number
  rssBytes: number
}

/** The real server, set up by the command line and driven over its API with the owner's token (manager and administrator). */
export class Sealed {
  readonly place: Place
  readonly server: TestServer
  #superuser: Db | null = null

  private constructor(place: Place, server: TestServer) {
    this.place = place
    this.server = server
  }

  /** A superuser of its database: sizes, counts and settings; never in a measured path. */
  get superuser(): Db {
    if (!this.#superuser) throw new Error('the sealed server is not running')
    return this.#superuser
  }

  static async open(folder: string, options: { profileFolder?: string | undefined }): Promise<Sealed> {
    const place = makePlace(folder, options.profileFolder)
    const sealed = new Sealed(place, new TestServer(place, await init(place)))
    await sealed.#start()
    return sealed
  }

  async #start(): Promise<void> {
    await this.server.start()
    const layout = await prepareLayout(this.place.home, chooseAccount())
    const limits = { statementSeconds: 900, lockSeconds: 60, idleInTransactionSeconds: 60 }
    this.#superuser = openDb(configFor(SUPER, layout.sockets, PORT, DATABASE), { name: 'bench', max: 1, limits })
  }

  /** Imports the file through the API, as anybody would. Resolves with the rows per second from the first byte sent to the end of the job. */
  async importCsv(csvFile: string, rows: number): Promise<number> {
    const { type, bytes } = multipart({ source: 'bench', country: 'CN' }, readFileSync(csvFile))
    const begun = performance.now()
    const asked = await this.server.call('POST', '/imports', bytes, { headers: { 'Content-Type': type } })
    if (asked.status !== 202) throw new BenchFailure(`the import was refused: ${asked.text.slice(0, 300)}`)
    for (;;) {
      const { body, text } = await this.server.call('GET', `/imports/${String(asked.body.id)}`)
      const seconds = (performance.now() - begun) / 1000
      if (body.state === 'failed') throw new BenchFailure(`the import failed: ${text.slice(0, 300)}`)
      if (body.state === 'done') {
        const { result } = body
        if (result.rows !== rows || result.rejected !== 0) throw new BenchFailure(`the import took ${result.rows} rows and rejected ${result.rejected} of ${rows}.`)
        return rows / seconds
      }
      await sleep(50)
    }
  }

  /** Starts the server anew and times it until its lens has every row. */
  async restart(): Promise<Warmth> {
    await this.stop()
    const begun = performance.now()
    await this.#start()
    const upSeconds = (performance.now() - begun) / 1000
    for (;;) {
      const { body } = await this.server.call('GET', '/api/health')
      if (body.status === 'ready') break
      if (body.status === 'failed') throw new BenchFailure('the sealed server says it has failed while its lens was warming.')
      await sleep(50)
    }
    return { seconds: (performance.now() - begun) / 1000, upSeconds, rssBytes: rssOf(this.server.pid) }
  }

  /** As autovacuum would leave the tables in time. */
  async settle(): Promise<void> {
    await this.superuser.query('VACUUM ANALYZE')
    await this.superuser.query('CHECKPOINT')
  }

  async contactIds(): Promise<string[]> {
    return (await this.superuser.query<{ id: string }>('SELECT id FROM contacts')).map((r) => r.id)
  }

  async ledgerSize(): Promise<number> {
    const { body } = await this.server.call('GET', '/api/health')
    return Number(body.ledger?.size ?? 0)
  }

  async stop(): Promise<void> {
    await this.#superuser?.close()
    this.#superuser = null
    const code = await this.server.end('SIGTERM')
    if (code !== 0) throw new BenchFailure(`the sealed server ended with ${code}: ${this.server.said.slice(-500)}`)
  }
}

function makePlace(folder: string, profileFolder: string | undefined): Place {
  const at = (name: string): string => join(folder, name)
  mkdirSync(at('user'), { recursive: true })
  writeFileSync(at('owner.password'), `${OWNER.password}\n`, { mode: 0o600 })
  const env = {
    PATH: process.env['PATH'] ?? '',
    HOME: at('user'),
    LANG: 'C.UTF-8',
    SEALBOOK_HOME: at('home'),
    SEALBOOK_ROOT_KEY_FILE: at('root.key'),
    SEALBOOK_PORT: '0',
    SEALBOOK_LOG_LEVEL: 'warn',
    SEALBOOK_REQUESTS_PER_MINUTE: String(REQUESTS_PER_MINUTE),
    ...(profileFolder ? { NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${profileFolder}` } : {}),
  }
  return { folder, home: at('home'), rootKeyFile: at('root.key'), passwordFile: at('owner.password'), tokenFile: at('owner.token'), kitFile: at('kit.txt'), env }
}

function multipart(fields: Readonly<Record<string, string>>, file: Buffer): { type: string; bytes: Buffer } {
  const boundary = 'sealbook-bench-0b9f3a51'
  const parts = Object.entries(fields).map(([name, value]) => `--${boundary}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`)
  const head = `${parts.join('')}--${boundary}\r\nContent-Disposition: form-data; name="file"; filename="upload"\r\nContent-Type: application/octet-stream\r\n\r\n`
  return { type: `multipart/form-data; boundary=${boundary}`, bytes: Buffer.concat([Buffer.from(head), file, Buffer.from(`\r\n--${boundary}--\r\n`)]) }
}
