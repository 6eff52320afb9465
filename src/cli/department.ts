import { openClient } from './client.ts'
import { listAll, table } from './list.ts'
import type { Given, Outcome, Terminal, Verb } from './verb.ts'

interface Department {
  id: string
  name: string | null
  parentId: string | null
}

async function create(terminal: Terminal, given: Given): Promise<Outcome> {
  const client = openClient(terminal)
  try {
    const parent = given.maybe('parent')
    const { id } = await client.json<{ id: string }>('POST', '/departments', { body: { name: given.text('name'), ...(parent ? { parentId: parent } : {}) } })
    return { document: { id }, text: terminal.say(`Department ${id} was made.`, `已创建部门 ${id}。`) }
  } finally {
    client.close()
  }
}

async function list(terminal: Terminal): Promise<Outcome> {
  const items = await listAll<Department>(terminal, 'departments')
  return { document: { items }, text: table(items.map((d) => [d.id, d.name ?? '', d.parentId ?? ''])) }
}

export const verbs: readonly Verb[] = [
  {
    name: 'department create',
    says: ['make a department', '创建部门'],
    flags: { name: { value: 'S', required: true, says: ['its name', '名称'] }, parent: { value: 'ID', says: ['department above it', '上级部门'] } },
    run: create,
  },
  { name: 'department list', says: ['list departments', '列出部门'], run: list },
]
