import { openClient, type Client } from './client.ts'
import { checkWritable, readNamed, writeWhole } from './files.ts'
import { finished } from './job.ts'
import { multipart } from './multipart.ts'
import { ServerRefusal } from './output.ts'
import type { Given, Outcome, Terminal, Verb } from './verb.ts'

interface RowProblem {
  row: number
  column: string | null
  code: string
}

interface Result {
  importId?: string
  rows: number
  created: number
  updated: number
  unchanged: number
  merged: number
  skipped: number
  rejected: number
  companiesCreated: number
  unmappedColumns: string[]
  problems: RowProblem[]
}

async function fieldsOf(terminal: Terminal, given: Given): Promise<Record<string, string | undefined>> {
  const map = given.maybe('map')
  return {
    source: given.text('source'),
    country: given.maybe('country'),
    encoding: given.maybe('encoding'),
    match: given.maybe('match'),
    onMatch: given.maybe('on-match'),
    dryRun: given.has('dry-run') ? 'true' : undefined,
    map: map === undefined ? undefined : (await readNamed(terminal, '--map', map)).toString('utf8'),
  }
}

/** A cell that a spreadsheet would run as a formula is defused by an apostrophe; quotes are doubled (RFC 4180). */
function cell(value: string | number): string {
  const text = String(value)
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}

function reportOf(problems: readonly RowProblem[]): string {
  return ['row,column,code', ...problems.map((p) => [p.row, p.column ?? '', p.code].map(cell).join(','))].join('\r\n') + '\r\n'
}

function summary(terminal: Terminal, r: Result): string {
  const counts = terminal.say(
    `${r.rows} rows: ${r.created} created, ${r.updated} updated, ${r.unchanged} unchanged, ${r.merged} merged, ${r.skipped} skipped, ${r.rejected} rejected; ${r.companiesCreated} companies created.`,
    `共 ${r.rows} 行：新建 ${r.created}，更新 ${r.updated}，未变 ${r.unchanged}，合并 ${r.merged}，跳过 ${r.skipped}，拒绝 ${r.rejected}；新建公司 ${r.companiesCreated} 家。`,
  )
  const left = r.unmappedColumns.length > 0 ? [terminal.say(`Columns not taken: ${r.unmappedColumns.join(', ')}`, `未导入的列：${r.unmappedColumns.join('、')}`)] : []
  const shown = r.problems.slice(0, 20).map((p) => `  ${terminal.say(`row ${p.row}`, `第 ${p.row} 行`)}  ${p.column ?? ''}  ${p.code}`)
  const more = r.problems.length > 20 ? [terminal.say(`  and ${r.problems.length - 20} more; --report FILE has them all`, `  另有 ${r.problems.length - 20} 条；--report FILE 可导出全部`)] : []
  return [counts, ...left, ...shown, ...more].join('\n')
}

/** The server asks for an upload again when somebody's rights changed while it was on its way. */
async function upload(terminal: Terminal, client: Client, fields: Readonly<Record<string, string | undefined>>, path: string): Promise<string> {
  for (let attempt = 1; ; attempt++) {
    try {
      return (await client.json<{ id: string }>('POST', '/imports', await multipart(terminal, fields, path))).id
    } catch (error) {
      if (attempt === 3 || !(error instanceof ServerRefusal) || error.problem['code'] !== 'conflict') throw error
    }
  }
}

async function run(terminal: Terminal, given: Given): Promise<Outcome> {
  const report = given.maybe('report')
  if (report) await checkWritable(terminal, '--report', report, { fresh: false })
  const fields = await fieldsOf(terminal, given)
  const client = openClient(terminal)
  try {
    const id = await upload(terminal, client, fields, given.positional(0))
    const result = await finished<Result>(terminal, client, `/imports/${id}`)
    if (report) await writeWhole(report, reportOf(result.problems))
    const document = { importId: id, ...result }
    const text = summary(terminal, result)
    if (result.rejected === 0) return { document, text }
    const says = terminal.say(`${result.rejected} rows were rejected: correct them (problems names row and column) and import the same file again.`, `有 ${result.rejected} 行被拒绝：请按 problems 列出的行与列修正后重新导入同一文件。`)
    return { document, text, findings: { exitCode: 5, code: 'rows-rejected', says } }
  } finally {
    client.close()
  }
}

export const verbs: readonly Verb[] = [
  {
    name: 'import contacts',
    says: ['import contacts from a CSV file of another system', '从其他系统的 CSV 文件导入联系人'],
    positionals: ['FILE'],
    flags: {
      source: { value: 'S', required: true, says: ['where the data comes from; kept with every contact', '数据来源，随每个联系人保存'] },
      map: { value: 'FILE', says: ['JSON map of column to field', '列到字段的 JSON 映射文件'] },
      encoding: { value: 'auto', says: ['auto, utf-8, gb18030, utf-16le, …', '编码：auto、utf-8、gb18030、utf-16le 等'] },
      country: { value: 'US', says: ['country of phone numbers written without one', '未带国家码的电话所属国家'] },
      match: { value: 'email,phone', says: ['what makes a row somebody we know', '用于匹配已有联系人的字段'] },
      'on-match': { oneOf: ['update', 'skip'], says: ['what to do with somebody we know', '匹配到已有联系人时的处理'] },
      'dry-run': { says: ['say what would happen, write nothing', '只预演，不写入'] },
      report: { value: 'FILE', says: ['write the problems of rows as CSV', '将行级问题写入 CSV'] },
    },
    run,
  },
]
