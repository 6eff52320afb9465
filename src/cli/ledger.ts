import { existsSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { usageError } from './arguments.ts'
import { openClient } from './client.ts'
import { checkWritable, readNamed, unreadable } from './files.ts'
import type { Given, Outcome, Terminal, Verb } from './verb.ts'

interface Report {
  ok: boolean
  size: number
  root: string
  checkpointAt: string | null
  failures: { leaf: number | null; code: string }[]
  notProven: string[]
}

/** --since takes a checkpoint or the file it was kept in. */
async function sinceOf(terminal: Terminal, given: Given): Promise<string | undefined> {
  const since = given.maybe('since')
  if (since === undefined || !existsSync(since)) return since
  return (await readNamed(terminal, '--since', since)).toString('utf8')
}

async function report(terminal: Terminal, given: Given): Promise<Report> {
  const vkey = given.maybe('vkey')
  const since = await sinceOf(terminal, given)
  const options = { ...(vkey ? { vkey } : {}), ...(since ? { since } : {}) }
  const bundle = given.maybe('bundle')
  if (bundle !== undefined) {
    const { verifyBundle } = await import('../kernel/ledger/bundle.ts')
    const file = await open(bundle).catch((error: unknown) => {
      throw unreadable(terminal, '--bundle', error)
    })
    return verifyBundle(file.createReadStream(), options)
  }
  const client = openClient(terminal)
  try {
    return await client.json<Report>('POST', '/ledger/verify', { body: options })
  } finally {
    client.close()
  }
}

async function verify(terminal: Terminal, given: Given): Promise<Outcome> {
  const found = await report(terminal, given)
  const head = found.ok
    ? terminal.say(`The ledger holds: ${found.size} leaves, root ${found.root}, checkpoint of ${found.checkpointAt ?? '—'}.`, `账本完整：${found.size} 条，根 ${found.root}，检查点时间 ${found.checkpointAt ?? '—'}。`)
    : terminal.say(`The ledger does NOT hold (${found.failures.length} failures).`, `账本校验失败（${found.failures.length} 处）。`)
  const lines = [head, ...found.failures.slice(0, 50).map((f) => `  ${f.leaf ?? '—'}  ${f.code}`), ...found.notProven.map((n) => terminal.say(`  not proven: ${n}`, `  未能证明：${n}`))]
  const outcome: Outcome = { document: found, text: lines.join('\n') }
  if (found.ok) return outcome
  return { ...outcome, findings: { exitCode: 1, code: 'ledger-broken', says: terminal.say('Keep a copy of this home as it is, and compare with the last anchored checkpoint.', '请原样保留此目录的副本，并与最近锚定的检查点比对。') } }
}

/** A date or time of ISO 8601 as an instant; a date alone begins at midnight UTC. */
function timeOf(terminal: Terminal, given: Given, flag: 'from' | 'to'): string | undefined {
  const text = given.maybe(flag)
  if (text === undefined) return undefined
  const at = /^\d{4}-\d\d-\d\d(?:T[\d:.]+(?:Z|[+-]\d\d:\d\d))?$/.test(text) ? Date.parse(text) : Number.NaN
  if (Number.isNaN(at)) throw usageError(terminal, exportVerb, `--${flag} is a date or time such as 2026-01-31 or 2026-01-31T08:00:00Z.`, `--${flag} 为日期或时间，例如 2026-01-31 或 2026-01-31T08:00:00Z。`)
  return new Date(at).toISOString()
}

async function exportBundle(terminal: Terminal, given: Given): Promise<Outcome> {
  const out = given.text('out')
  await checkWritable(terminal, '--out', out, { fresh: false })
  const from = timeOf(terminal, given, 'from')
  const to = timeOf(terminal, given, 'to')
  const client = openClient(terminal)
  try {
    const written = await client.save('POST', '/ledger/export', out, { body: { ...(from ? { from } : {}), ...(to ? { to } : {}) } })
    return { document: written, text: terminal.say(`The bundle is in ${out}; check it anywhere with: sealbook ledger verify --bundle ${out}`, `账本包已写入 ${out}；可在任何机器上校验：sealbook ledger verify --bundle ${out}`) }
  } finally {
    client.close()
  }
}

/** Verbs that print one text of the server. */
function printing(path: string): Verb['run'] {
  return async (terminal) => {
    const client = openClient(terminal)
    try {
      const text = await client.text('GET', path)
      return { document: { text }, text }
    } finally {
      client.close()
    }
  }
}

const exportVerb: Verb = {
  name: 'ledger export',
  says: ['write a bundle that verifies offline', '导出可离线校验的账本包'],
  flags: {
    out: { value: 'FILE', required: true, says: ['file to write (0600)', '输出文件（0600）'] },
    from: { value: 'T', says: ['events from this time (ISO 8601)', '起始时间（ISO 8601）'] },
    to: { value: 'T', says: ['events until this time (ISO 8601)', '截止时间（ISO 8601）'] },
  },
  run: exportBundle,
}

export const verbs: readonly Verb[] = [
  {
    name: 'ledger verify',
    says: ['check the whole ledger, of the server or of a bundle without one', '校验整个账本：服务器上的，或离线的账本包'],
    flags: {
      bundle: { value: 'FILE', says: ['a bundle made by ledger export; needs no server', '由 ledger export 生成的账本包；无需服务器'] },
      vkey: { value: 'K', says: ['the verifier key you noted', '您记下的验证公钥'] },
      since: { value: 'CHECKPOINT', says: ['a checkpoint you kept (text or file): proves that nothing before it was rewritten', '您保存的检查点（文本或文件）：证明其之前的内容未被改写'] },
    },
    run: verify,
  },
  exportVerb,
  { name: 'ledger checkpoint', says: ['print the signed checkpoint (C2SP)', '打印签名检查点（C2SP）'], run: printing('/ledger/checkpoint') },
  { name: 'ledger key', says: ['print the verifier key', '打印验证公钥'], run: printing('/ledger/key') },
]
