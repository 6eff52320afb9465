import { execFileSync, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chmodSync, chownSync, existsSync, mkdtempSync, readdirSync, realpathSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { openDb, type DbConfig } from '../../src/kernel/db/index.ts'

export interface ExternalServer {
  major: number
  port: number
  /** A superuser over the unix socket. */
  superConfig: DbConfig
  password: string
  stop(): Promise<void>
}

const SHELF = '/usr/lib/postgresql'

/** Debian's newest PostgreSQL, or undefined when none is installed. In CI its absence is an error. */
export function debianPostgres(): { bin: string; major: number } | undefined {
  const majors = existsSync(SHELF) ? readdirSync(SHELF).map(Number).filter((v) => existsSync(`${SHELF}/${v}/bin/postgres`)) : []
  const major = Math.max(...majors)
  if (majors.length > 0) return { bin: `${SHELF}/${major}/bin`, major }
  if (process.env['EXTERNAL_POSTGRES'] === 'required') throw new Error("Debian's postgresql is not installed")
  return undefined
}

/** Starts it in a temporary directory on a free port of 127.0.0.1, with passwords (SCRAM) and, when files are given, TLS. */
export async function startDebianPostgres(tls?: { cert: string; key: string }): Promise<ExternalServer> {
  const { bin, major } = debianPostgres()!
  const folder = mkdtempSync(join(realpathSync(tmpdir()), 'sealbook-external-'))
  const owner = process.getuid!() === 0 ? statSync('/var/lib/postgresql') : undefined
  const as = owner && { uid: owner.uid, gid: owner.gid }
  if (as) chownSync(folder, as.uid, as.gid)
  const password = randomBytes(12).toString('hex')
  const data = join(folder, 'data')
  writeFileSync(join(folder, 'pw'), password)
  chmodSync(join(folder, 'pw'), 0o644)
  const options = { ...as, cwd: folder, stdio: 'ignore' as const }
  execFileSync(join(bin, 'initdb'), ['-D', data, '-U', 'boss', '--pwfile', join(folder, 'pw'), '-A', 'scram-sha-256', '-E', 'UTF8', '--locale=C', '-N'], options)
  if (tls) for (const [name, text] of Object.entries({ 'server.crt': tls.cert, 'server.key': tls.key })) place(join(data, name), text, as)
  const port = await freePort()
  const child = spawn(join(bin, 'postgres'), ['-D', data, '-p', String(port), '-k', folder, '-c', 'listen_addresses=127.0.0.1', '-c', `ssl=${tls ? 'on' : 'off'}`], options)
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const superConfig: DbConfig = { host: folder, port, user: 'boss', database: 'postgres', password, ssl: false }
  await ready(superConfig)
  return {
    major,
    port,
    superConfig,
    password,
    stop: async () => {
      child.kill('SIGINT')
      await gone
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

function place(path: string, text: string, as: { uid: number; gid: number } | undefined): void {
  writeFileSync(path, text)
  chmodSync(path, 0o600)
  if (as) chownSync(path, as.uid, as.gid)
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer()
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0))
    })
  })
}

async function ready(config: DbConfig): Promise<void> {
  const db = openDb(config, { max: 1 })
  for (let i = 0; i < 200; i++) {
    const up = await db.query('SELECT 1').then(() => true, () => false)
    if (up) return db.close()
    await sleep(50)
  }
  throw new Error("Debian's PostgreSQL did not start")
}
