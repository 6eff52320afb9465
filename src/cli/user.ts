import { openClient } from './client.ts'
import { firstLine } from './files.ts'
import { listAll, table } from './list.ts'
import type { Given, Outcome, Terminal, Verb } from './verb.ts'

interface User {
  id: string
  email: string | null
  name: string | null
  roles: readonly string[]
  departmentId: string | null
  disabledAt: string | null
}

async function create(terminal: Terminal, given: Given): Promise<Outcome> {
  const password = await firstLine(terminal, '--password-file', given.text('password-file'))
  const client = openClient(terminal)
  try {
    const department = given.maybe('department')
    const body = { email: given.text('email'), name: given.text('name'), roles: [given.text('role')], password, ...(department ? { departmentId: department } : {}) }
    const { id } = await client.json<{ id: string }>('POST', '/users', { body })
    return { document: { id }, text: terminal.say(`User ${id} was made.`, `已创建用户 ${id}。`) }
  } finally {
    client.close()
  }
}

async function list(terminal: Terminal): Promise<Outcome> {
  const items = await listAll<User>(terminal, 'users')
  const rows = items.map((u) => [u.id, u.email ?? '', u.name ?? '', u.roles.join(','), u.disabledAt ? terminal.say('disabled', '已停用') : ''])
  return { document: { items }, text: table(rows) }
}

async function disable(terminal: Terminal, given: Given): Promise<Outcome> {
  const client = openClient(terminal)
  const id = given.positional(0)
  try {
    await client.json('POST', `/users/${encodeURIComponent(id)}/disable`, { body: {} })
    return { document: { id }, text: terminal.say('Disabled; every session and token of the user has ended.', '已停用；该用户的所有会话和令牌均已失效。') }
  } finally {
    client.close()
  }
}

async function reset(terminal: Terminal, given: Given): Promise<Outcome> {
  const client = openClient(terminal)
  const id = given.positional(0)
  try {
    const answer = await client.json<object | null>('POST', `/users/${encodeURIComponent(id)}/reset`, { body: {} })
    return { document: { ...answer, id }, text: terminal.say('Reset: their sessions and tokens have ended. Somebody who already has all this account has, such as their manager, draws a one-time code and gives it to them; you are shown no secret.', '已重置：其会话与令牌均已失效。由已具备该账户全部权限的人（如其主管）领取一次性代码并转交本人；系统不会向您显示任何秘密。') }
  } finally {
    client.close()
  }
}

export const verbs: readonly Verb[] = [
  {
    name: 'user create',
    says: ['make a user', '创建用户'],
    flags: {
      email: { value: 'E', required: true, says: ['e-mail address to sign in with', '登录邮箱'] },
      name: { value: 'S', required: true, says: ['name as colleagues see it', '姓名'] },
      role: { oneOf: ['rep', 'manager', 'administrator'], required: true, says: ['what they may do', '角色'] },
      department: { value: 'ID', says: ['department they work in', '所属部门'] },
      'password-file': { value: 'F', required: true, says: ['file whose first line is the first password', '首行为初始密码的文件'] },
    },
    run: create,
  },
  { name: 'user list', says: ['list users', '列出用户'], run: list },
  { name: 'user disable', says: ['disable a user and end their sessions and tokens', '停用用户并终止其会话与令牌'], positionals: ['ID'], run: disable },
  { name: 'user reset', says: ['make a user choose a new password and factor; shows you no secret', '要求用户重设密码与第二因素；不向您显示秘密'], positionals: ['ID'], run: reset },
]
