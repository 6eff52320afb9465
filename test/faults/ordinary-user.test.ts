import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { run } from '../harness/cli.ts'

const clone = join(import.meta.dirname, '..', '..')
const EVERYBODY = ['init', 'start', 'the command line', 'kill -9 of Node and PostgreSQL', 'stop']
const ORDINARY = [...EVERYBODY, 'a key file this user may not read', 'a home this user may not make', 'a read-only folder of keys']
const env = { PATH: process.env['PATH'] ?? '', TMPDIR: realpathSync(tmpdir()) }
const made: string[] = []
afterAll(() => made.forEach((folder) => rmSync(folder, { recursive: true, force: true })))

interface User {
  uid: number
  gid: number
}

function nobody(): User | null {
  const line = readFileSync('/etc/passwd', 'utf8').split('\n').find((l) => l.startsWith('nobody:'))?.split(':')
  return line ? { uid: Number(line[2]), gid: Number(line[3]) } : null
}

/** The clone, or a copy of what is needed of it where this user can read it. */
function readableClone(user: User): string {
  const looks = ['src/main.ts', 'test/faults/core.ts', 'node_modules/pg/package.json'].map((p) => join(clone, p))
  const reads = spawnSync(process.execPath, ['-e', `for (const f of ${JSON.stringify(looks)}) require('node:fs').readFileSync(f)`], { ...user, env, stdio: 'ignore' })
  if (reads.status === 0) return clone
  const copy = mkdtempSync(join(realpathSync(tmpdir()), 'sealbook-clone-'))
  made.push(copy)
  for (const part of ['package.json', 'src', 'test', 'node_modules']) cpSync(join(clone, part), join(copy, part), { recursive: true, verbatimSymlinks: true })
  expect(spawnSync('chmod', ['-R', 'a+rX', copy]).status).toBe(0)
  return copy
}

async function linesOf(where: string, user?: User): Promise<string[]> {
  const node = process.execPath.startsWith(clone) ? join(where, process.execPath.slice(clone.length)) : process.execPath
  const done = await run(node, [join(where, 'test', 'faults', 'core.ts')], env, user)
  expect({ code: done.code, stderr: done.code === 0 ? '' : `${done.stdout}${done.stderr}` }).toEqual({ code: 0, stderr: '' })
  return done.stdout.trim().split('\n')
}

describe('below a folder that is closed to everybody else', () => {
  test('it works for whoever runs it', { timeout: 180_000 }, async () => {
    expect(await linesOf(clone)).toEqual(process.getuid?.() === 0 ? EVERYBODY : ORDINARY)
  })

  test('it works for an ordinary user, too', { timeout: 180_000 }, async (context) => {
    if (process.getuid?.() !== 0) return context.skip('is one')
    const user = nobody()
    if (!user) return context.skip('there is no user nobody')
    expect(await linesOf(readableClone(user), user)).toEqual(ORDINARY)
  })
})
