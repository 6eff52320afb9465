import { statSync } from 'node:fs'
import { enableCompileCache } from 'node:module'
import { join } from 'node:path'
import { toStderr, printFailure, printOutcome, toStdout } from './cli/output.ts'
import { readArguments, usageOf } from './cli/arguments.ts'
import type { Terminal, Verb } from './cli/verb.ts'
import { Refusal, type Locale } from './kernel/base/index.ts'

const root = join(import.meta.dirname, '..')
// Compiled code is kept in the clone, which halves the time until a verb runs; not in somebody else's, where root would leave files in the owner's way.
if (statSync(root).uid === process.getuid?.()) enableCompileCache(join(root, '.cache', 'compiled'))

/** First words and where their verbs live; loaded only when called, so that a client verb starts fast. */
const rooms: Readonly<Record<string, () => Promise<{ verbs: readonly Verb[] }>>> = {
  start: () => import('./cli/start.ts'),
  init: () => import('./cli/init.ts'),
  user: () => import('./cli/user.ts'),
  department: () => import('./cli/department.ts'),
  token: () => import('./cli/token.ts'),
  import: () => import('./cli/import.ts'),
  export: () => import('./cli/export.ts'),
  ledger: () => import('./cli/ledger.ts'),
  keys: () => import('./cli/keys.ts'),
  doctor: () => import('./cli/doctor.ts'),
  demo: () => import('./cli/demo.ts'),
  call: () => import('./cli/call.ts'),
  docs: () => import('./cli/docs.ts'),
}

function localeOf(env: NodeJS.ProcessEnv): Locale {
  return (env['LC_ALL'] || env['LC_MESSAGES'] || env['LANG'] || '').toLowerCase().startsWith('zh') ? 'zh-CN' : 'en'
}

/** --home and --json count everywhere, before it is known which verb is meant: even a usage error is one JSON document. */
function terminalOf(env: NodeJS.ProcessEnv, words: readonly string[]): Terminal {
  const before = words.includes('--') ? words.slice(0, words.indexOf('--')) : words
  const inline = before.find((w) => w.startsWith('--home='))?.slice('--home='.length)
  const at = before.indexOf('--home')
  const home = inline ?? (at >= 0 ? before[at + 1] : undefined)
  const locale = localeOf(env)
  const say = (en: string, zh: string): string => (locale === 'zh-CN' ? zh : en)
  return {
    env: Object.freeze({ ...env, ...(home ? { SEALBOOK_HOME: home } : {}) }),
    locale,
    json: before.includes('--json'),
    say,
    progress: (en, zh) => toStderr(say(en, zh)),
  }
}

/** Splits the words into the verb's own and the rest: `user create --email …`. The verb's words come first. */
async function findVerb(terminal: Terminal, words: readonly string[]): Promise<{ verb: Verb; rest: readonly string[] }> {
  const room = Object.hasOwn(rooms, words[0] ?? '') ? rooms[words[0] ?? ''] : undefined
  if (!room) throw new Refusal('usage', terminal.say('Name a verb', '请指定命令') + `: sealbook ${Object.keys(rooms).join(' | ')}  (--help)`, 2)
  const { verbs } = await room()
  const alone = verbs.find((v) => v.name === words[0])
  const pair = verbs.find((v) => v.name === `${words[0]} ${words[1]}`)
  if (pair) return { verb: pair, rest: words.slice(2) }
  if (alone) return { verb: alone, rest: words.slice(1) }
  throw new Refusal('usage', terminal.say('Use one of: ', '可用命令：') + verbs.map(usageOf).join('\n  '), 2)
}

async function help(terminal: Terminal, first: string | undefined): Promise<string> {
  const names = first && Object.hasOwn(rooms, first) ? [first] : Object.keys(rooms)
  const lines: string[] = []
  for (const name of names) {
    const { verbs } = (await rooms[name]?.()) ?? { verbs: [] }
    for (const verb of verbs) lines.push(usageOf(verb), `    ${terminal.say(...verb.says)}`)
    if (names.length > 1) continue
    for (const verb of verbs) for (const [flag, words] of Object.entries(verb.flags ?? {})) lines.push(`    --${flag}  ${terminal.say(...words.says)}`)
  }
  return lines.join('\n')
}

async function main(env: NodeJS.ProcessEnv, words: readonly string[]): Promise<number> {
  const terminal = terminalOf(env, words)
  try {
    const plain = words.filter((w) => w !== '--json')
    if (plain.includes('--help') || plain[0] === 'help') {
      const text = await help(terminal, plain.find((w) => !w.startsWith('-') && w !== 'help'))
      toStdout(terminal.json ? `${JSON.stringify({ text })}\n` : `${text}\n`)
      return 0
    }
    const { verb, rest } = await findVerb(terminal, leadingHome(words))
    return printOutcome(terminal, await verb.run(terminal, readArguments(terminal, verb, rest)))
  } catch (error) {
    return printFailure(terminal, error)
  }
}

/** Lets --json and --home stand before the verb, too. */
function leadingHome(words: readonly string[]): readonly string[] {
  let at = 0
  for (let word = words[at]; word?.startsWith('-'); word = words[at]) at += word === '--home' ? 2 : 1
  return [...words.slice(at), ...words.slice(0, at)]
}

// Set, not exit(): the log may still be on its way to the disk. A handle somebody forgot must not keep a finished verb alive.
process.exitCode = await main(process.env, process.argv.slice(2))
setTimeout(() => process.exit(), 3_000).unref()
