import { openClient } from './client.ts'
import type { Given, Outcome, Terminal, Verb } from './verb.ts'

interface Removed {
  removed: Record<string, number>
  freed: number
  kept: number
}

async function remove(terminal: Terminal, given: Given): Promise<Outcome> {
  const client = openClient(terminal)
  try {
    const answer = await client.json<Removed>('POST', '/demo/remove', { body: { force: given.has('force') } })
    const rows = Object.values(answer.removed).reduce((a, b) => a + b, 0)
    const kept = answer.kept > 0 ? terminal.say(` ${answer.kept} parts people use stay.`, `保留了 ${answer.kept} 项仍在使用的内容。`) : ''
    return { document: answer, text: terminal.say(`The demonstration company is gone: ${rows} rows and their keys.`, `演示公司已删除：共 ${rows} 行，密钥已销毁。`) + kept }
  } finally {
    client.close()
  }
}

async function status(terminal: Terminal): Promise<Outcome> {
  const client = openClient(terminal)
  try {
    const answer = await client.json<{ state: string; records: Record<string, number> }>('GET', '/demo')
    const counts = Object.entries(answer.records).map(([noun, n]) => `${noun} ${n}`).join(', ')
    return { document: answer, text: counts ? `${answer.state}: ${counts}` : answer.state }
  } finally {
    client.close()
  }
}

export const verbs: readonly Verb[] = [
  { name: 'demo status', says: ['say whether there is a demonstration company', '查看是否存在演示公司'], run: status },
  {
    name: 'demo remove',
    says: ['take the demonstration company away, and nothing that people made', '删除演示公司，保留用户创建的内容'],
    flags: { force: { says: ['also free, or take away, what people hung on it', '同时解除或删除用户关联到它的记录'] } },
    run: remove,
  },
]
