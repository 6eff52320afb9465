/** What the nouns of the daily CRM cost, each through a real server or the real lens, one after the other: a board, a timeline, reports, files. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { BenchFailure } from './failure.ts'

const SCRIPTS = ['board.ts', 'timeline.ts', 'reports.ts', 'attachments.ts']

/** Runs each script and returns what it printed. Throws BenchFailure when one fails. */
export async function crmFigures(progress: (line: string) => void): Promise<string> {
  const printed: string[] = []
  for (const script of SCRIPTS) {
    progress(script.replace('.ts', ''))
    const child = spawn(process.execPath, [join(import.meta.dirname, script)], { stdio: ['ignore', 'pipe', 'inherit'] })
    let text = ''
    child.stdout.setEncoding('utf8').on('data', (part: string) => (text += part))
    const [code] = (await once(child, 'close')) as [number | null]
    if (code !== 0) throw new BenchFailure(`${script} failed`, 1)
    printed.push(`${script.replace('.ts', '')}\n${text.trim()}`)
  }
  return printed.join('\n\n')
}
