import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { destination, multistream, pino, type Logger } from 'pino'
import type { Config } from '../config/index.ts'

/** Keys a log line may carry. Anything else is dropped, so a careless `log.info({ body })` writes nothing of a record. */
const ALLOWED = new Set([
  'requestId', 'method', 'route', 'status', 'ms', 'actorId', 'code', 'event', 'component', 'count', 'size', 'epoch', 'port', 'pid',
  'entity', 'id', 'queue', 'jobId', 'attempt', 'seconds', 'name', 'version', 'errorType', 'errorCode', 'where', 'state',
])

export type Log = Logger

/** An error as a log may show it: type, code and the frames of our own code. Its message may hold a value (PostgreSQL quotes them), so it is left out. */
export function errorFields(error: unknown): Record<string, string> {
  if (!(error instanceof Error)) return { errorType: typeof error }
  const frames = (error.stack ?? '').split('\n').filter((l) => /^\s+at /.test(l)).slice(0, 4)
  const code = (error as { code?: unknown }).code
  return {
    errorType: error.name,
    ...(typeof code === 'string' ? { errorCode: code } : {}),
    where: frames.map((f) => f.trim().replace(/\(?file:\/\/\S*\/(src|node_modules)\//, '($1/')).join(' < '),
  }
}

function allowed(fields: object): Record<string, unknown> {
  const out: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(fields)) {
    if (!ALLOWED.has(key)) continue
    if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') out[key] = value
  }
  return out
}

/** JSON lines on stderr and in HOME/log/sealbook.log (0600). `quiet` leaves stderr out (command line). */
export function openLog(config: Config, options: { quiet?: boolean } = {}): Log {
  if (config.logLevel === 'silent') return pino({ level: 'silent' })
  const folder = join(config.home, 'log')
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const file = destination({ dest: join(folder, 'sealbook.log'), mode: 0o600, sync: false, mkdir: false })
  // A full disk must not end the process: the log goes quiet, the ledger still fails closed.
  file.on('error', () => undefined)
  const streams = options.quiet ? [{ stream: file }] : [{ stream: file }, { stream: destination({ dest: 2, sync: true }), level: 'warn' as const }]
  return pino({ level: config.logLevel, base: { pid: process.pid }, formatters: { log: allowed } }, multistream(streams))
}
