import { openClient } from './client.ts'
import { checkWritable, type Written } from './files.ts'
import { finished } from './job.ts'
import { Refusal } from '../kernel/base/index.ts'
import type { Given, Outcome, Terminal, Verb } from './verb.ts'

interface Result {
  rows: number
  sha256: string
}

function intact(terminal: Terminal, sha256: string): (written: Written) => void {
  return (written) => {
    if (written.sha256 !== sha256) throw new Refusal('export-damaged', terminal.say('What arrived is not what the server wrote; export again.', '收到的内容与服务器写出的不一致；请重新导出。'), 1)
  }
}

async function run(terminal: Terminal, given: Given): Promise<Outcome> {
  const out = given.text('out')
  await checkWritable(terminal, '--out', out, { fresh: false })
  const client = openClient(terminal)
  try {
    const body = { noun: 'contacts', reason: given.text('reason'), format: given.text('format') }
    const { id } = await client.json<{ id: string }>('POST', '/exports', { body })
    const result = await finished<Result>(terminal, client, `/exports/${id}`)
    const written = await client.save('GET', `/exports/${id}/content`, out, { accept: intact(terminal, result.sha256) })
    return { document: { exportId: id, rows: result.rows, sha256: written.sha256 }, text: terminal.say(`${result.rows} rows are in ${out} (sha256 ${written.sha256}).`, `已导出 ${result.rows} 行至 ${out}（sha256 ${written.sha256}）。`) }
  } finally {
    client.close()
  }
}

export const verbs: readonly Verb[] = [
  {
    name: 'export contacts',
    says: ['export the contacts you may export; reason and ids go into the ledger', '导出您有权导出的联系人；原因与编号记入账本'],
    flags: {
      reason: { value: 'S', required: true, says: ['why; kept in the ledger', '导出原因，记入账本'] },
      format: { oneOf: ['csv', 'jsonl'], required: true, says: ['format of the file', '文件格式'] },
      out: { value: 'FILE', required: true, says: ['file to write (0600)', '输出文件（0600）'] },
    },
    run,
  },
]
