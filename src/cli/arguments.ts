import { parseArgs } from 'node:util'
import { Refusal } from '../kernel/base/index.ts'
import type { Flag, Given, Terminal, Verb } from './verb.ts'

const EVERYWHERE: Readonly<Record<string, Flag>> = {
  home: { value: 'DIR', says: ['folder of the server, instead of SEALBOOK_HOME', '服务器数据目录，代替 SEALBOOK_HOME'] },
  json: { says: ['one JSON document on stdout', '在标准输出打印一个 JSON 文档'] },
  help: { says: ['say how it is used', '显示用法'] },
}

/** `--name VALUE` of a flag as usage shows it. */
function shown(name: string, flag: Flag): string {
  const value = flag.oneOf ? flag.oneOf.join('|') : flag.value
  return value ? `--${name} ${value}` : `--${name}`
}

/** The line that shows how a verb is called. */
export function usageOf(verb: Verb): string {
  const flags = Object.entries(verb.flags ?? {}).map(([name, flag]) => (flag.required ? shown(name, flag) : `[${shown(name, flag)}]`))
  return ['sealbook', verb.name, ...(verb.positionals ?? []), ...flags, '[--home DIR]', '[--json]'].join(' ')
}

export function usageError(terminal: Terminal, verb: Verb, en: string, zh: string): Refusal {
  return new Refusal('usage', terminal.say(`${en} Use: ${usageOf(verb)}`, `${zh} 用法：${usageOf(verb)}`), 2)
}

interface Token {
  kind: string
  name?: string
  rawName?: string
  value?: string | undefined
  inlineValue?: boolean | undefined
}

/** Parses the words after a verb, strictly. Throws a Refusal `usage` (exit 2) that shows the right call and never a value. */
export function readArguments(terminal: Terminal, verb: Verb, words: readonly string[]): Given {
  const flags: Record<string, Flag> = { ...EVERYWHERE, ...verb.flags }
  const options = Object.fromEntries(Object.entries(flags).map(([name, f]) => [name, { type: f.value || f.oneOf ? ('string' as const) : ('boolean' as const), multiple: true }]))
  const { tokens, positionals } = parseArgs({ args: [...words], options, allowPositionals: true, strict: false, tokens: true })
  const values = new Map<string, string[]>()
  for (const token of tokens) if (token.kind === 'option') take(terminal, verb, flags, values, token)
  checkShape(terminal, verb, flags, values, positionals)
  return {
    positional: (index) => positionals[index] ?? '',
    text: (flag) => values.get(flag)?.at(-1) ?? '',
    maybe: (flag) => values.get(flag)?.at(-1),
    all: (flag) => values.get(flag) ?? [],
    has: (flag) => values.has(flag),
  }
}

function take(terminal: Terminal, verb: Verb, flags: Record<string, Flag>, values: Map<string, string[]>, token: Token): void {
  const name = token.name ?? ''
  const flag = Object.hasOwn(flags, name) ? flags[name] : undefined
  if (!flag) throw usageError(terminal, verb, `${token.rawName ?? name} is not a flag of it.`, `没有选项 ${token.rawName ?? name}。`)
  const wantsValue = Boolean(flag.value ?? flag.oneOf)
  // `--out --json` is a forgotten value, not a file named --json.
  const missing = token.value === undefined || (!token.inlineValue && token.value.startsWith('--'))
  if (wantsValue && missing) throw usageError(terminal, verb, `--${name} needs a value.`, `--${name} 需要一个值。`)
  if (!wantsValue && token.value !== undefined) throw usageError(terminal, verb, `--${name} takes no value.`, `--${name} 不带值。`)
  if (flag.oneOf && !flag.oneOf.includes(token.value ?? '')) throw usageError(terminal, verb, `--${name} is one of ${flag.oneOf.join(', ')}.`, `--${name} 只能是 ${flag.oneOf.join('、')}。`)
  if (values.has(name) && !flag.multiple) throw usageError(terminal, verb, `--${name} was given twice.`, `--${name} 重复。`)
  values.set(name, [...(values.get(name) ?? []), token.value ?? ''])
}

function checkShape(terminal: Terminal, verb: Verb, flags: Record<string, Flag>, values: Map<string, string[]>, positionals: readonly string[]): void {
  const absent = Object.keys(flags).filter((name) => flags[name]?.required && !values.get(name)?.at(-1))
  if (absent.length > 0) {
    const list = absent.map((n) => `--${n}`)
    throw usageError(terminal, verb, `${list.join(', ')} ${list.length > 1 ? 'are' : 'is'} missing.`, `缺少 ${list.join('、')}。`)
  }
  const wanted = verb.positionals ?? []
  if (positionals.length < wanted.length) throw usageError(terminal, verb, `${wanted[positionals.length] ?? ''} is missing.`, `缺少 ${wanted[positionals.length] ?? ''}。`)
  if (positionals.length > wanted.length) throw usageError(terminal, verb, 'It takes fewer words.', '参数过多。')
}
