import { execFileSync, spawn } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, realpathSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, expect, test } from 'vitest'
import { openDb, startEmbedded, stopLeftBehind, type Embedded, type EmbeddedEvent } from './index.ts'

const root = process.getuid?.() === 0
const homes: string[] = []
const running: Embedded[] = []

function newHome(inside = realpathSync(tmpdir())): string {
  const home = mkdtempSync(join(inside, 'sealbook-embedded-'))
  homes.push(home)
  return home
}

async function start(home: string, onEvent?: (e: EmbeddedEvent) => void): Promise<Embedded> {
  const server = await startEmbedded({ home, ...(onEvent && { onEvent }) })
  running.push(server)
  return server
}

afterEach(async () => {
  for (const server of running.splice(0)) await server.stop()
  for (const home of homes.splice(0)) {
    if (existsSync(join(home, 'postgres', 'data', 'PG_VERSION'))) await stopLeftBehind(home)
    rmSync(home, { recursive: true, force: true })
  }
})

async function ids(server: Embedded): Promise<number[]> {
  const db = openDb(server.adminConfig)
  try {
    return (await db.query<{ id: number }>('SELECT id FROM thing ORDER BY id')).map((r) => r.id)
  } finally {
    await db.close()
  }
}

async function write(server: Embedded, id: number): Promise<void> {
  const db = openDb(server.adminConfig)
  await db.query('CREATE TABLE IF NOT EXISTS thing (id int PRIMARY KEY)')
  await db.query('INSERT INTO thing VALUES ($1)', [id])
  await db.close()
}

/** Starts the server in another process, which writes row `id`, and kills that process with -9. */
async function startAndKill(home: string, id: number): Promise<number> {
  const code = `import { openDb, startEmbedded } from ${JSON.stringify(join(import.meta.dirname, 'index.ts'))}
    const s = await startEmbedded({ home: process.argv[1] })
    const db = openDb(s.adminConfig)
    await db.query('CREATE TABLE IF NOT EXISTS thing (id int PRIMARY KEY)')
    await db.query('INSERT INTO thing VALUES (${id})')
    process.stdout.write(String(s.pid))
    setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, ['--input-type=module', '--eval', code, home], { stdio: ['ignore', 'pipe', 'inherit'] })
  const pid = await new Promise<number>((resolve) => child.stdout.once('data', (d: Buffer) => resolve(Number(d))))
  child.kill('SIGKILL')
  await new Promise((r) => child.once('exit', r))
  return pid
}

test('starts on an empty home: one socket, no port, no password, nothing readable by others', async () => {
  const home = newHome()
  const server = await start(home)
  expect(server.created).toBe(true)
  const db = openDb(server.superConfig)
  const settings = await db.query<{ name: string; setting: string }>(
    `SELECT name, setting FROM pg_settings WHERE name = ANY($1)`,
    [['listen_addresses', 'data_checksums', 'fsync', 'full_page_writes', 'synchronous_commit', 'log_min_messages', 'log_min_error_statement', 'log_parameter_max_length', 'log_statement', 'server_encoding', 'TimeZone']],
  )
  expect(Object.fromEntries(settings.map((s) => [s.name, s.setting]))).toEqual({
    listen_addresses: '', data_checksums: 'on', fsync: 'on', full_page_writes: 'on', synchronous_commit: 'on', log_min_messages: 'log',
    log_min_error_statement: 'panic', log_parameter_max_length: '0', log_statement: 'none', server_encoding: 'UTF8', TimeZone: 'UTC',
  })
  const [database] = await db.query(`SELECT datlocprovider, datlocale, pg_encoding_to_char(encoding) AS encoding FROM pg_database WHERE datname = 'sealbook'`)
  expect(database).toEqual({ datlocprovider: 'b', datlocale: 'C.UTF-8', encoding: 'UTF8' })
  expect(await db.query(`SELECT rolname FROM pg_authid WHERE rolpassword IS NOT NULL`)).toEqual([])
  await db.close()
  for (const folder of ['postgres', 'postgres/data', 'postgres/run', 'log']) expect(statSync(join(home, folder)).mode & 0o077, folder).toBe(0)
  expect(statSync(join(home, 'log', 'postgres.log')).mode & 0o777).toBe(0o600)
  expect(readFileSync(`/proc/${server.pid}/limits`, 'utf8')).toMatch(/Max core file size +0 +0/)
  expect(readFileSync(`/proc/${server.pid}/environ`, 'utf8')).not.toContain('HOME=')
})

test('keeps statements, parameters and values out of its log', async () => {
  const home = newHome()
  const server = await start(home)
  const db = openDb(server.adminConfig)
  await db.query('CREATE TABLE secretive (v text PRIMARY KEY, CHECK (length(v) < 40))')
  const canary = 'canary-7f3a91'
  await db.query('INSERT INTO secretive VALUES ($1)', [canary])
  for (const attempt of [['INSERT INTO secretive VALUES ($1)', canary], ['SELECT $1::text::uuid', canary], ['INSERT INTO secretive VALUES ($1)', canary.repeat(9)], [`SELECT '${canary}' || nonsense WHERE $1 = ''`, canary], [`SELECT 1 / length($1) * 0 / 0`, canary]]) {
    await expect(db.query(attempt[0]!, [attempt[1]])).rejects.toThrow()
  }
  await db.query(`DO $$ BEGIN RAISE WARNING '${canary}'; END $$`)
  await db.close()
  await server.stop()
  expect(readFileSync(join(home, 'log', 'postgres.log'), 'utf8')).not.toContain('canary')
  expect(readFileSync(join(home, 'log', 'postgres.log'), 'utf8')).toContain('ready to accept connections')
})

test('starts again with its data, and quickly', async () => {
  const home = newHome()
  const first = await start(home)
  await write(first, 1)
  await first.stop()
  const second = await start(home)
  expect([second.created, second.adopted]).toEqual([false, false])
  expect(await ids(second)).toEqual([1])
})

test('takes over the server that a killed Node left behind', async () => {
  const home = newHome()
  const pid = await startAndKill(home, 1)
  const server = await start(home)
  expect(server.adopted).toBe(true)
  expect(server.pid).toBe(pid)
  expect(await ids(server)).toEqual([1])
  await server.stop()
  expect(existsSync(join(home, 'postgres', 'data', 'postmaster.pid'))).toBe(false)
})

test('restarts, instead of taking over, a server with other settings', async () => {
  const home = newHome()
  const pid = await startAndKill(home, 1)
  writeFileSync(join(home, 'postgres', 'data', 'postgresql.conf'), 'fsync = off\n')
  const server = await start(home)
  expect(server.adopted).toBe(false)
  expect(server.pid).not.toBe(pid)
  expect(readFileSync(join(home, 'postgres', 'data', 'postgresql.conf'), 'utf8')).toContain('fsync = on')
  expect(await ids(server)).toEqual([1])
})

test('recovers after kill -9 of Node and PostgreSQL together', async () => {
  const home = newHome()
  for (const round of [1, 2, 3]) {
    const pid = await startAndKill(home, round)
    process.kill(pid, 'SIGKILL')
  }
  const server = await start(home)
  expect(await ids(server)).toEqual([1, 2, 3])
})

test('is not fooled by a process that has the number in postmaster.pid', async () => {
  const home = newHome()
  const pid = await startAndKill(home, 1)
  process.kill(pid, 'SIGKILL')
  await sleep(300)
  const file = join(home, 'postgres', 'data', 'postmaster.pid')
  const text = readFileSync(file, 'utf8').split('\n')
  writeFileSync(file, [String(process.pid), ...text.slice(1)].join('\n'))
  const server = await start(home)
  expect(await ids(server)).toEqual([1])
})

test('refuses a cluster that a server nobody can see here answers for', async () => {
  const home = newHome()
  await (await start(home)).stop()
  const listener = createServer()
  await new Promise<void>((resolve) => listener.listen(join(home, 'postgres', 'run', '.s.PGSQL.5432'), resolve))
  await expect(startEmbedded({ home })).rejects.toMatchObject({ code: 'database-elsewhere' })
  await new Promise((resolve) => listener.close(resolve))
  expect((await start(home)).created).toBe(false)
})

test('restarts PostgreSQL when it crashes, tells it, and the pool goes on', async () => {
  const events: string[] = []
  const server = await start(newHome(), (e) => events.push(e.kind))
  await write(server, 1)
  const db = openDb(server.adminConfig)
  expect(await db.query('SELECT 1 AS n')).toEqual([{ n: 1 }])
  process.kill(server.pid, 'SIGKILL')
  for (let i = 0; i < 100 && !events.includes('up'); i++) await sleep(50)
  expect(events).toEqual(['down', 'up'])
  // A connection of before may still be in the pool once; the next is new.
  await db.query('SELECT 1').catch(() => {})
  expect(await db.query('SELECT id FROM thing')).toEqual([{ id: 1 }])
  await db.close()
})

test('refuses data of another PostgreSQL major and leaves it alone', async () => {
  const home = newHome()
  await (await start(home)).stop()
  const file = join(home, 'postgres', 'data', 'PG_VERSION')
  writeFileSync(file, '17\n')
  const before = readdirSync(join(home, 'postgres', 'data')).sort()
  await expect(startEmbedded({ home })).rejects.toMatchObject({ name: 'Refusal', code: 'database-other-version' })
  expect(readdirSync(join(home, 'postgres', 'data')).sort()).toEqual(before)
  expect(readFileSync(file, 'utf8')).toBe('17\n')
})

test('refuses damaged data in one sentence', async () => {
  const home = newHome()
  await (await start(home)).stop()
  const control = join(home, 'postgres', 'data', 'global', 'pg_control')
  writeFileSync(control, Buffer.alloc(statSync(control).size, 7))
  const error = await startEmbedded({ home }).catch((e: unknown) => e as Error)
  expect(error).toMatchObject({ name: 'Refusal', code: 'database-damaged' })
  expect((error as Error).message).toMatch(/^PostgreSQL did not start \((FATAL|PANIC): .*\); run doctor, or restore the last backup\.$/)
  rmSync(join(home, 'postgres', 'data', 'PG_VERSION'))
  await expect(startEmbedded({ home })).rejects.toMatchObject({ code: 'database-damaged' })
})

test('refuses to make an empty database where there should be data', async () => {
  await expect(startEmbedded({ home: newHome(), create: false })).rejects.toMatchObject({ code: 'database-missing' })
})

test('a start that was killed in initdb leaves nothing that looks like data', async () => {
  const home = newHome()
  mkdirSync(join(home, 'postgres', 'data.unfinished', 'base'), { recursive: true })
  writeFileSync(join(home, 'postgres', 'data.unfinished', 'PG_VERSION'), '18\n')
  const server = await start(home)
  expect(server.created).toBe(true)
  expect(existsSync(join(home, 'postgres', 'data.unfinished'))).toBe(false)
})

test('a home with a long path, spaces and quotes works', async () => {
  const home = join(newHome(), `${'long '.repeat(20)}it's`)
  mkdirSync(home)
  const server = await start(home)
  await write(server, 1)
  expect(server.appConfig.host.length).toBeLessThan(80)
  await server.stop()
})

test('a full disk is said so', { skip: !root }, async () => {
  const home = newHome()
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=12m', 'tmpfs', home])
  } catch {
    return
  }
  try {
    await expect(startEmbedded({ home })).rejects.toMatchObject({ code: 'disk-full' })
  } finally {
    execFileSync('umount', [home])
  }
})

test('as root: runs as another account, also under a home of mode 0700', { skip: !root }, async () => {
  const outer = newHome()
  chmodSync(outer, 0o700)
  const home = join(outer, 'home')
  mkdirSync(home, { mode: 0o700 })
  const server = await start(home)
  expect(statSync(`/proc/${server.pid}`).uid).not.toBe(0)
  expect(readlinkSync(`/proc/${server.pid}/cwd`)).toBe(join(home, 'postgres', 'data'))
  await write(server, 1)
  await server.stop()
  // Another image may give the account another number.
  execFileSync('chown', ['-R', '12345:12345', join(home, 'postgres')])
  expect(await ids(await start(home))).toEqual([1])
})
