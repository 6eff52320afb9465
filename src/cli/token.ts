import { usageError } from './arguments.ts'
import { openClient } from './client.ts'
import { listAll, table } from './list.ts'
import type { Given, Outcome, Terminal, Verb } from './verb.ts'

interface Token {
  id: string
  name: string | null
  userId: string
  scopes: readonly string[] | null
  expiresAt: string | null
  revokedAt?: string | null
}

const UNITS: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000 }

/** `90d`, `12h`, `30m` from now as ISO 8601. */
function expiryOf(terminal: Terminal, text: string): string {
  const match = /^(\d{1,5})([mhd])$/.exec(text)
  if (!match) throw usageError(terminal, createVerb, '--expires is a number and m, h or d, such as 90d.', '--expires 为数字加 m、h 或 d，例如 90d。')
  return new Date(Date.now() + Number(match[1]) * (UNITS[match[2] ?? ''] ?? 0)).toISOString()
}

async function create(terminal: Terminal, given: Given): Promise<Outcome> {
  const expires = given.maybe('expires')
  const scope = given.maybe('scope')
  const scopes = scope?.split(',').map((s) => s.trim()).filter(Boolean)
  const body = { userId: given.text('user'), name: given.text('name'), ...(expires ? { expiresAt: expiryOf(terminal, expires) } : {}), ...(scopes ? { scopes } : {}) }
  const client = openClient(terminal)
  try {
    const { id, token } = await client.json<{ id: string; token: string }>('POST', '/tokens', { body })
    return { document: { id, token }, text: `${token}\n${terminal.say('Keep it now: it is shown this once.', '请立即保存：令牌只显示这一次。')}` }
  } finally {
    client.close()
  }
}

async function list(terminal: Terminal): Promise<Outcome> {
  const items = await listAll<Token>(terminal, 'tokens')
  return { document: { items }, text: table(items.map((t) => [t.id, t.name ?? '', t.userId, t.expiresAt ?? '', (t.scopes ?? []).join(',')])) }
}

async function revoke(terminal: Terminal, given: Given): Promise<Outcome> {
  const id = given.positional(0)
  const client = openClient(terminal)
  try {
    await client.json('POST', `/tokens/${encodeURIComponent(id)}/revoke`, { body: {} })
    return { document: { id }, text: terminal.say('Revoked: it opens nothing any more.', '已吊销：该令牌不再有效。') }
  } finally {
    client.close()
  }
}

const createVerb: Verb = {
  name: 'token create',
  says: ['make an API token; it is shown once', '创建 API 令牌；只显示一次'],
  flags: {
    user: { value: 'ID', required: true, says: ['whose rights it has', '令牌所属用户'] },
    name: { value: 'S', required: true, says: ['what it is for', '用途'] },
    expires: { value: '90d', says: ['how long it lasts', '有效期'] },
    scope: { value: 'contacts:read,…', says: ['the only permissions it has', '仅限的权限范围'] },
  },
  run: create,
}

export const verbs: readonly Verb[] = [
  createVerb,
  { name: 'token list', says: ['list tokens', '列出令牌'], run: list },
  { name: 'token revoke', says: ['end a token', '吊销令牌'], positionals: ['ID'], run: revoke },
]
