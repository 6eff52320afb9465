import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Refusal } from '../kernel/base/index.ts'
import type { Given, Outcome, Terminal, Verb } from './verb.ts'

const FOLDER = join(import.meta.dirname, '..', '..', 'docs', 'generated')

/** Every generated document by file name. Nothing is started: the code alone is read. */
async function documents(): Promise<Record<string, string>> {
  const [{ describeApp }, { configDocument }, { dataMap }, { permissionTable, problemTable }, { openApi }] = await Promise.all([
    import('../app.ts'),
    import('../kernel/config/index.ts'),
    import('./docs/data-map.ts'),
    import('./docs/tables.ts'),
    import('../kernel/http/index.ts'),
  ])
  const app = describeApp()
  return {
    'config.md': configDocument(),
    'data-map.md': dataMap(app.entities),
    'openapi.json': `${JSON.stringify(openApi(app.routes, app.version), null, 2)}\n`,
    'permissions.md': permissionTable(app),
    'problems.md': problemTable(),
  }
}

async function staleOf(fresh: Readonly<Record<string, string>>): Promise<string[]> {
  const stale: string[] = []
  for (const [name, text] of Object.entries(fresh)) {
    const kept = await readFile(join(FOLDER, name), 'utf8').catch(() => null)
    // Line endings are not part of it: git may check the file out with others.
    if (kept?.replaceAll('\r\n', '\n') !== text) stale.push(name)
  }
  return stale
}

async function run(terminal: Terminal, given: Given): Promise<Outcome> {
  const fresh = await documents()
  const stale = await staleOf(fresh)
  const files = Object.keys(fresh)
  if (given.has('check')) {
    const outcome = { document: { files, stale }, text: stale.join('\n') }
    if (stale.length === 0) return outcome
    return { ...outcome, findings: { exitCode: 1, code: 'docs-stale', says: terminal.say('Run `sealbook docs` and commit what it writes.', '请运行 `sealbook docs` 并提交生成的文件。') } }
  }
  try {
    await mkdir(FOLDER, { recursive: true })
    for (const name of stale) await writeFile(join(FOLDER, name), fresh[name] ?? '')
  } catch (error) {
    throw new Refusal('file-unwritable', terminal.say('docs/generated cannot be written; run this in a clone of your own.', '无法写入 docs/generated；请在您自己的克隆中运行。'), 4, error)
  }
  return { document: { files, written: stale }, text: stale.map((n) => `docs/generated/${n}`).join('\n') }
}

export const verbs: readonly Verb[] = [
  {
    name: 'docs',
    says: ['print docs/generated from the code', '由代码生成 docs/generated'],
    flags: { check: { says: ['write nothing; exit 1 when a committed file differs', '不写入；已提交文件不一致时退出码为 1'] } },
    run,
  },
]
