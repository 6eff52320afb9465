import type { RunningApp } from '../app.ts'
import { onStopSignal } from '../kernel/base/signals.ts'
import { findingLines } from './findings.ts'
import { toStderr, toStdout } from './output.ts'
import type { Given, Outcome, Terminal, Verb } from './verb.ts'

/** Resolves at the first signal to stop; a second one, a second or more later, ends the process at once. */
function toldToStop(terminal: Terminal): Promise<void> {
  return new Promise((resolve) => {
    const onStop = (): void => {
      terminal.progress('Stopping; once more ends it at once', '正在停止；再次中断将立即结束')
      resolve()
    }
    onStopSignal(onStop, () => process.exit(1))
  })
}

/**
 * An error that nobody caught leaves the process in a state nobody knows. Its kind and place are told, never its message,
 * which may hold a value; then the server drains, in five seconds at most, and ends with exit 1.
 */
function endOnFault(stop: () => Promise<void>): void {
  let faulty = false
  const onFault = (error: unknown): void => {
    if (faulty) return
    faulty = true
    setTimeout(() => process.exit(1), 5_000)
    void import('../kernel/log/index.ts').then(({ errorFields }) => {
      toStderr(JSON.stringify({ event: 'fault', ...errorFields(error) }))
      return stop()
    }).finally(() => process.exit(1))
  }
  process.on('uncaughtException', onFault)
  process.on('unhandledRejection', onFault)
}

function banner(terminal: Terminal, app: RunningApp): string[] {
  const setup = app.setupUrl ? [terminal.say(`Set up (once):  ${app.setupUrl}`, `首次设置（仅一次）：${app.setupUrl}`)] : []
  return [
    '',
    terminal.say(`Sealbook is ready:  ${app.url}`, `密客已就绪：${app.url}`),
    ...setup,
    terminal.say(`Authority:  ${app.caFile}`, `证书颁发机构：${app.caFile}`),
    terminal.say(`  SHA-256 ${app.caSha256}`, `  SHA-256 ${app.caSha256}`),
    ...findingLines(terminal, app.posture.filter((f) => f.level === 'red'), process.stderr.isTTY === true),
  ]
}

async function run(terminal: Terminal, given: Given): Promise<Outcome> {
  const [{ loadConfig }, { startApp }] = await Promise.all([import('../kernel/config/index.ts'), import('../app.ts')])
  const config = loadConfig(terminal.env)
  const stopping = toldToStop(terminal)
  let stop = (): Promise<void> => Promise.resolve()
  endOnFault(() => stop())
  const app = await startApp(config, { demo: given.has('demo'), progress: terminal.progress, stopped: stopping })
  stop = app.stop
  const lines = banner(terminal, app).join('\n')
  if (terminal.json) toStderr(lines)
  else toStdout(`${lines}\n`)
  const { url, pid, caFile, caSha256, setupUrl } = app
  // Printed here and not at the end: this document is the sign that the server is up.
  if (terminal.json) toStdout(`${JSON.stringify({ event: 'ready', url, pid, caFile, caSha256, setupUrl })}\n`)
  await stopping
  await app.stop()
  terminal.progress('Stopped', '已停止')
  return { document: undefined, text: '' }
}

export const verbs: readonly Verb[] = [
  {
    name: 'start',
    says: ['start the server in the foreground', '在前台启动服务器'],
    flags: { demo: { says: ['make an invented company to look around in, in a home without records', '在没有记录的实例中生成一家虚构公司，供试用'] } },
    run,
  },
]
