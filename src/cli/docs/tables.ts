import { problemCodes } from '../../kernel/base/index.ts'
import type { PublicRoute, Route } from '../../kernel/http/index.ts'

/** A Markdown table; a pipe in a cell is escaped. */
export function markdown(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]): string => `| ${cells.map((c) => c.replaceAll('|', '\\|')).join(' | ')} |`
  return [line(head), `|${head.map(() => '---').join('|')}|`, ...rows.map(line)]
}

export const printed = (title: string, from: string, lines: readonly string[]): string => [`# ${title}`, '', `Printed from ${from} by \`sealbook docs\`; edit the code, not this file.`, '', ...lines, ''].join('\n')

export interface RoleWords {
  name: string
  title: { en: string; zh: string }
  permissions: readonly string[]
}

export interface Permissions {
  routes: readonly (Route | PublicRoute)[]
  permissions: Readonly<Record<string, string>>
  /** With every permission a role has, those that follow from its entities included. */
  roles: readonly RoleWords[]
}

/** Which permission opens what, which role holds it, and what every route asks for. */
export function permissionTable({ routes, permissions, roles }: Permissions): string {
  const words = Object.entries(permissions).sort(([a], [b]) => (a < b ? -1 : 1))
  const held = words.map(([name, says]) => [`\`${name}\``, says, ...roles.map((r) => (r.permissions.includes(name) ? '●' : ''))])
  const asked = routes
    .map(({ contract: c }) => [`\`${c.method} ${c.root ? '' : '/api/v1'}${c.path}\``, c.permission, c.stepUp ?? '', c.ifMatch ? 'If-Match' : c.idempotent ? 'Idempotency-Key' : ''])
    .sort(([a = ''], [b = '']) => (a < b ? -1 : 1))
  return printed('Permissions', 'the modules and roles', [
    'Everything not named is off; deny beats allow. Which rows and fields a permission reaches is decided per record by the role (`why` explains it).',
    '',
    ...markdown(['permission', 'allows', ...roles.map((r) => `${r.name} ${r.title.zh}`)], held),
    '',
    '## Routes',
    '',
    ...markdown(['route', 'permission', 'fresh factor', 'header'], asked),
  ])
}

/** Every published problem code. */
export function problemTable(): string {
  const rows = [...problemCodes()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([code, p]) => [`\`${code}\``, String(p.status), p.title, p.en, p.zh])
  return printed('Problems', 'the modules', ['Published words: added to, never renamed. Shape: RFC 9457, `application/problem+json`.', '', ...markdown(['code', 'status', 'title', 'what to do', '怎么办'], rows)])
}
