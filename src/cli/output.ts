import { writeSync } from 'node:fs'
import { Problem, Refusal, type Locale } from '../kernel/base/index.ts'
import type { Outcome, Terminal } from './verb.ts'

/** A refusal of the server as it came over the wire. */
export class ServerRefusal extends Error {
  readonly problem: Readonly<Record<string, unknown>>
  readonly exitCode: 1 | 3

  constructor(problem: Readonly<Record<string, unknown>>, status: number) {
    super(String(problem['code'] ?? status))
    this.name = 'ServerRefusal'
    this.problem = problem
    this.exitCode = status === 401 || status === 403 ? 3 : 1
  }
}

const titleOf = (code: string): string => `${code.charAt(0).toUpperCase()}${code.slice(1).replaceAll('-', ' ')}`

/** The PROBLEM of something this process refused by itself: the server's members, with status 0. */
export function localProblem(code: string, detail: string): Record<string, unknown> {
  return { type: `urn:sealbook:problem:${code}`, code, title: titleOf(code), status: 0, detail }
}

/** Problem document and exit code of anything thrown. An unexpected error shows type and place only: its message may hold a value. */
export async function failureOf(error: unknown, locale: Locale): Promise<{ problem: Readonly<Record<string, unknown>>; exitCode: number }> {
  if (error instanceof ServerRefusal) return { problem: error.problem, exitCode: error.exitCode }
  if (error instanceof Refusal) return { problem: localProblem(error.code, error.message), exitCode: error.exitCode }
  if (error instanceof Problem) {
    const { requestId: _, ...members } = error.toJSON('', locale)
    return { problem: { ...members, status: 0 }, exitCode: error.status === 401 || error.status === 403 ? 3 : 1 }
  }
  const { errorFields } = await import('../kernel/log/index.ts')
  const { errorType, errorCode, where } = errorFields(error)
  const place = [errorType, errorCode, where].filter(Boolean).join(' ')
  const detail = locale === 'zh-CN' ? `程序内部错误，请反馈：${place}` : `Something unexpected failed; report this: ${place}`
  return { problem: localProblem('internal', detail), exitCode: 1 }
}

/** Synchronous, so that nothing is lost when the process ends right after; a closed pipe is the reader's choice. */
function write(fd: 1 | 2, bytes: string | Uint8Array): void {
  let rest = typeof bytes === 'string' ? Buffer.from(bytes) : bytes
  while (rest.length > 0) {
    try {
      rest = rest.subarray(writeSync(fd, rest))
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code
      if (code === 'EPIPE') return
      if (code !== 'EAGAIN') throw error
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5) // a full pipe: the reader is slower than we are
    }
  }
}

export const toStderr = (line: string): void => write(2, `${line}\n`)
export const toStdout = (bytes: string | Uint8Array): void => write(1, bytes)

/** Prints what a verb left behind; returns the exit code. */
export function printOutcome(terminal: Terminal, outcome: Outcome): number {
  const found = outcome.findings
  const problem = found ? ('problem' in found ? found.problem : localProblem(found.code, found.says)) : null
  if (terminal.json && outcome.document !== undefined) {
    const document = problem === null ? outcome.document : isObject(outcome.document) ? { ...outcome.document, problem } : { problem }
    toStdout(`${JSON.stringify(document)}\n`)
  } else if (!terminal.json) {
    toStdout(typeof outcome.text === 'string' && outcome.text !== '' ? `${outcome.text.replace(/\n$/, '')}\n` : outcome.text)
    if (found && 'says' in found) toStderr(found.says)
  }
  return found?.exitCode ?? 0
}

const isObject = (v: unknown): v is object => typeof v === 'object' && v !== null && !Array.isArray(v)

/** Prints a failure; returns the exit code. */
export async function printFailure(terminal: Terminal, error: unknown): Promise<number> {
  const { problem, exitCode } = await failureOf(error, terminal.locale)
  if (terminal.json) toStdout(`${JSON.stringify({ problem })}\n`)
  toStderr(sentenceOf(problem))
  return exitCode
}

/** A problem in one line for people: what to do, which fields, and the request to name when asking for help. */
export function sentenceOf(problem: Readonly<Record<string, unknown>>): string {
  const errors = Array.isArray(problem['errors']) ? (problem['errors'] as { path?: unknown; code?: unknown }[]).map((e) => `${String(e.path)}: ${String(e.code)}`) : []
  const reason = typeof problem['reason'] === 'string' ? ` (${problem['reason']})` : ''
  const request = problem['requestId'] ? ` [${String(problem['requestId'])}]` : ''
  return `${String(problem['detail'] ?? problem['title'] ?? problem['code'])}${errors.length > 0 ? ` ${errors.join(', ')}.` : ''}${reason} (${String(problem['code'])})${request}`
}
