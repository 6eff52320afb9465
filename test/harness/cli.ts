import { spawn } from 'node:child_process'
import { join } from 'node:path'

export interface CliResult {
  code: number
  stdout: string
  stderr: string
  /** The JSON document on stdout; undefined when stdout is not exactly one. */
  json: ReturnType<typeof JSON.parse>
}

const root = join(import.meta.dirname, '..', '..')

/** Runs the command line with this very environment and nothing of the caller's. */
export function runCli(args: readonly string[], env: Readonly<Record<string, string>>, options: { input?: string } = {}): Promise<CliResult> {
  return run(process.execPath, [join(root, 'src', 'main.ts'), ...args], env, options)
}

/** Runs any program in the clone; never a shell. */
export function run(program: string, args: readonly string[], env: Readonly<Record<string, string>>, options: { input?: string; uid?: number; gid?: number } = {}): Promise<CliResult> {
  return new Promise((resolve, reject) => {
    const { input, ...user } = options
    const child = spawn(program, args, { cwd: root, env, stdio: ['pipe', 'pipe', 'pipe'], ...user })
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', (d: string) => (stdout += d))
    child.stderr.setEncoding('utf8').on('data', (d: string) => (stderr += d))
    child.stdin.on('error', () => undefined)
    child.stdin.end(input ?? '')
    child.on('error', reject)
    child.on('close', (code, signal) => resolve({ code: code ?? (signal ? 128 : -1), stdout, stderr, json: documentOf(stdout) }))
  })
}

function documentOf(stdout: string): unknown {
  try {
    return JSON.parse(stdout)
  } catch {
    return undefined
  }
}
