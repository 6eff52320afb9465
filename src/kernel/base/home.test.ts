import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, expect, test } from 'vitest'
import { openHome, readServerJson, removeServerJson, writeServerJson, type ServerJson } from './home.ts'

const root = process.getuid?.() === 0
const parent = mkdtempSync(join(tmpdir(), 'sealbook-home-'))
const fresh = (): string => mkdtempSync(join(parent, 'home-'))
const children: ChildProcess[] = []
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
})
afterAll(() => rmSync(parent, { recursive: true, force: true }))

const holder = `import { openHome } from ${JSON.stringify(join(import.meta.dirname, 'home.ts'))}
try { openHome(process.argv[1]); process.stdout.write('held\\n'); setInterval(() => {}, 1000) } catch (e) { process.stdout.write(e.code + '\\n') }`

/** Another process that opens the home; resolves with what it said. */
async function other(home: string): Promise<{ said: string; child: ChildProcess }> {
  const child = spawn(process.execPath, ['--input-type=module', '--eval', holder, home], { stdio: ['ignore', 'pipe', 'inherit'] })
  children.push(child)
  const said = await new Promise<string>((resolve) => child.stdout!.setEncoding('utf8').once('data', (text: string) => resolve(text.trim())))
  return { said, child }
}

const server: ServerJson = { event: 'ready', url: 'https://localhost:8443', pid: 4711, caFile: 'x', caSha256: 'y', setupUrl: null }

test('makes every folder 0700 and files 0600, also under a lax umask and in a lax folder', () => {
  const path = fresh()
  chmodSync(path, 0o777)
  process.umask(0)
  const home = openHome(path)
  for (const folder of ['.', 'keys', 'tls', 'blobs', 'staging', 'run', 'log']) expect(statSync(join(path, folder)).mode & 0o777, folder).toBe(0o700)
  writeServerJson(home.path, server)
  writeFileSync(join(path, 'staging', 'x'), '')
  for (const file of ['run/server.json', 'lock', 'staging/x']) expect(statSync(join(path, file)).mode & 0o777, file).toBe(0o600)
  expect(readServerJson(path)).toEqual(server)
  removeServerJson(path)
  expect(readServerJson(path)).toBeNull()
  home.release()
})

test('is held by one process only, until that one ends by kill -9', async () => {
  const path = fresh()
  const first = await other(path)
  expect(first.said).toBe('held')
  writeServerJson(path, server)
  expect(() => openHome(path)).toThrow('process 4711')
  expect((await other(path)).said).toBe('home-in-use')
  first.child.kill('SIGKILL')
  await new Promise((r) => first.child.once('exit', r))
  const second = openHome(path)
  expect(readServerJson(path), 'of the one that was killed').toBeNull()
  expect((await other(path)).said).toBe('home-in-use')
  second.release()
  expect((await other(path)).said).toBe('held')
})

test('is the same home by any path, and held against a second opener in this process', async () => {
  const path = fresh()
  const link = `${path}-link`
  symlinkSync(path, link)
  const home = openHome(link)
  expect(home.path).toBe(openPath(path))
  expect(() => openHome(path)).toThrow('stop it first')
  expect((await other(path)).said).toBe('home-in-use')
  home.release()
})

const openPath = (path: string): string => execFileSync('realpath', [path], { encoding: 'utf8' }).trim()

test('many that start at once: exactly one holds it', async () => {
  const path = fresh()
  const said = await Promise.all(Array.from({ length: 6 }, () => other(path)))
  expect(said.map((s) => s.said).sort()).toEqual(['held', ...Array.from({ length: 5 }, () => 'home-in-use')])
})

test('a folder with other things in it is refused and left as it is', () => {
  const path = fresh()
  writeFileSync(join(path, 'thesis.doc'), '')
  chmodSync(path, 0o755)
  expect(() => openHome(path)).toThrow(expect.objectContaining({ code: 'home-not-ours', exitCode: 4 }))
  expect(statSync(path).mode & 0o777).toBe(0o755)
  expect(existsSync(join(path, 'lock'))).toBe(false)
})

test('a file, and a folder this user may not write, are refused', () => {
  const path = fresh()
  writeFileSync(join(path, 'file'), '')
  expect(() => openHome(join(path, 'file'))).toThrow('not a folder')
  const closed = join(path, 'closed')
  mkdirSync(closed, { mode: 0o500 })
  if (root) return
  expect(() => openHome(closed)).toThrow(expect.objectContaining({ code: 'home-unwritable' }))
})

test.runIf(root)('a full disk and a read-only one are refused in one sentence', () => {
  const path = fresh()
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', path]).status !== 0) return
  try {
    expect(() => openHome(path)).toThrow(expect.objectContaining({ code: 'disk-full' }))
    execFileSync('mount', ['-o', 'remount,ro', path])
    expect(() => openHome(path)).toThrow(expect.objectContaining({ code: 'home-unwritable' }))
  } finally {
    execFileSync('umount', [path])
    rmSync(path, { recursive: true })
  }
})

test('server.json is never half there', () => {
  const path = fresh()
  const home = openHome(path)
  writeServerJson(path, server)
  expect(readFileSync(join(path, 'run', 'server.json'), 'utf8')).toBe(`${JSON.stringify(server)}\n`)
  home.release()
})
