import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { destination, multistream, pino, type LogFn, type Logger } from 'pino'
import type { Config } from '../config/index.ts'

/** Keys a log line may carry. Anything else is dropped, so a careless `log.info({ body })` writes nothing of a record. */
const ALLOWED = new Set([
  'requestId', 'method', 'route', 'status', 'ms', 'actorId', 'code', 'event', 'component', 'count', 'size', 'epoch', 'port', 'pid',
  'entity', 'id', 'queue', 'jobId', 'attempt', 'attempts', 'pool', 'seconds', 'version', 'errorType', 'errorCode', 'where', 'state',
])

export type Log = Logger

/** An error as a log may show it: type, code and the frames of our own code. Its message may hold a value (PostgreSQL quotes them), so it is left out. */
export function errorFields(error: unknown): Record<string, string> {
  if (!(error instanceof Error)) return { errorType: typeof error }
  const code = (error as { code?: unknown }).code
  return {
    errorType: error.name,
    ...(typeof code === 'string' ? { errorCode: code } : {}),
    where: framesOf(error).slice(0, 4).map((f) => f.trim().replace(/file:\/\/\S*\/(src|node_modules)\//, '$1/')).join(' < '),
  }
}

/** The frames under the message. A message of several lines can look like a frame, so it is cut off by its length, and a stack that does not begin with it is not shown. */
function framesOf(error: Error): string[] {
  const stack = error.stack ?? ''
  const at = stack.indexOf(error.message)
  if (at < 0) return []
  return stack.slice(at + error.message.length).split('\n').filter((l) => /^\s+at /.test(l))
}

function allowed(fields: object): Record<string, unknown> {
  const out: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(fields)) {
    if (value instanceof Error) Object.assign(out, errorFields(value))
    else if (ALLOWED.has(key) && ['string', 'number', 'boolean'].includes(typeof value)) out[key] = value
  }
  return out
}

const WITHHELD = 'message withheld: it may hold a value; name what happened in words and put the rest in fields'

/** A message is a constant sentence. One with a digit run, an @ or a letter beyond ASCII was put together from values, and is not written. */
function messageOf(message: unknown): string | undefined {
  if (typeof message !== 'string') return undefined
  return message.length <= 160 && /^[\x20-\x7e]*$/.test(message) && !/@|%|\d{3}/.test(message) ? message : WITHHELD
}

/** Every line goes through here: pino by itself takes an error's message for the line's message, and fills %s from the arguments. */
function logMethod(this: Logger, args: unknown[], method: LogFn): void {
  const [first, second] = args
  if (typeof first === 'string') method.call(this, {}, messageOf(first))
  else if (first instanceof Error) method.call(this, errorFields(first), messageOf(second))
  else method.call(this, allowed(first ?? {}), messageOf(second))
}

/** pino writes the bindings of a child as they are; ours go through the same list, and a child cannot bring formatters of its own. */
function guardChildren(log: Logger): Logger {
  const { child, setBindings } = log
  return Object.assign(log, {
    child(this: Logger, bindings: object) {
      return child.call(this, allowed(bindings))
    },
    setBindings(this: Logger, bindings: object) {
      setBindings.call(this, allowed(bindings))
    },
  })
}

/** JSON lines on stderr and in HOME/log/sealbook.log (0600). `quiet` leaves stderr out (command line). */
export function openLog(config: Config, options: { quiet?: boolean } = {}): Log {
  if (config.logLevel === 'silent') return pino({ level: 'silent' })
  const folder = join(config.home, 'log')
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const file = destination({ dest: join(folder, 'sealbook.log'), mode: 0o600, sync: false, mkdir: false })
  // A full disk must not end the process: the log goes quiet, the ledger still fails closed.
  file.on('error', () => undefined)
  const kept = { stream: file, level: config.logLevel }
  const streams = options.quiet ? [kept] : [kept, { stream: destination({ dest: 2, sync: true }), level: 'warn' as const }]
  return guardChildren(pino({ level: config.logLevel, base: { pid: process.pid }, formatters: { log: allowed }, hooks: { logMethod } }, multistream(streams)))
}
