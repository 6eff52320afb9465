import type { Finding } from '../kernel/vault/posture.ts'
import { FINDING_WORDS } from './finding-words.ts'
import type { Terminal } from './verb.ts'

const SIGNS: Readonly<Record<Finding['level'], readonly [en: string, zh: string, colour: string]>> = {
  red: ['RED', '红', '\u001b[31;1m'],
  amber: ['AMBER', '黄', '\u001b[33m'],
  info: ['info', '提示', '\u001b[2m'],
}

/** Findings for people, worst first; coloured on a terminal. */
export function findingLines(terminal: Terminal, findings: readonly Finding[], colours = process.stdout.isTTY === true): string[] {
  const order = ['red', 'amber', 'info']
  return [...findings]
    .sort((a, b) => order.indexOf(a.level) - order.indexOf(b.level))
    .map((f) => {
      const [en, zh, colour] = SIGNS[f.level]
      const sign = `[${terminal.say(en, zh)}]`
      return `${colours ? `${colour}${sign}\u001b[0m` : sign} ${wordsOf(terminal, f)} (${f.code})`
    })
}

function wordsOf(terminal: Terminal, f: Finding): string {
  const chinese = FINDING_WORDS[f.code]
  if (!chinese || terminal.locale !== 'zh-CN') return `${f.what} ${f.fix}`
  // The place or the ids stand only in the English sentence.
  const place = /(?:\/|e\.g\. )\S.*?(?=[,.;]?(?:\s|$))/.exec(f.what)?.[0].replace(/^e\.g\. /, '')
  return `${chinese[0]}${chinese[1]}${place ? `（${place}）` : ''}`
}
