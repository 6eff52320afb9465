import { Problem } from '../base/index.ts'
import type { ZodError, ZodType } from 'zod'

const MOST_DEPTH = 24

/** Refuses JSON nested deeper than 24 levels. Iterative, so that the check itself cannot be made to overflow. */
export function checkDepth(value: unknown): void {
  const stack: { node: unknown; depth: number }[] = [{ node: value, depth: 1 }]
  for (let top = stack.pop(); top; top = stack.pop()) {
    if (typeof top.node !== 'object' || top.node === null) continue
    if (top.depth > MOST_DEPTH) throw new Problem('invalid', { errors: [{ path: '', code: 'too-deep' }] })
    for (const child of Object.values(top.node)) stack.push({ node: child, depth: top.depth + 1 })
  }
}

const kebab = (s: string): string => s.replaceAll('_', '-').replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)

function errorsOf(error: ZodError, prefix: string): { path: string; code: string }[] {
  return error.issues.slice(0, 50).flatMap((issue) => {
    const at = [prefix, ...issue.path.map((p) => (typeof p === 'number' ? String(p) : safeKey(p)))].filter(Boolean).join('.')
    if (issue.code === 'unrecognized_keys') return issue.keys.map((k) => ({ path: [at, safeKey(k)].filter(Boolean).join('.'), code: 'unknown-field' }))
    // Our own refinements carry a code as their message; zod's messages may quote a value and are never shown.
    return [{ path: at, code: issue.code === 'custom' && /^[a-z-]+$/.test(issue.message) ? issue.message : kebab(issue.code) }]
  })
}

/** A key the client sent is shown back only when it looks like a name: a body like {"王小明":1} must not put the value into an error. */
function safeKey(key: PropertyKey): string {
  return typeof key === 'string' && /^[a-zA-Z][a-zA-Z0-9_.]{0,39}$/.test(key) ? key : '?'
}

/** Parses one part of a request. Throws Problem invalid with paths and codes, never values. */
export function parsePart(schema: ZodType, value: unknown, part: 'params' | 'query' | 'body'): unknown {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  throw new Problem('invalid', { errors: errorsOf(parsed.error, part === 'body' ? '' : part) })
}

/** The version named by If-Match: `"3"` or `3`. Throws if-match-required or invalid. */
export function versionOf(header: string | undefined): number {
  if (!header) throw new Problem('if-match-required')
  const match = /^(?:W\/)?"?(\d{1,15})"?$/.exec(header.trim())
  if (!match) throw new Problem('invalid', { errors: [{ path: 'If-Match', code: 'invalid-version' }] })
  return Number(match[1])
}
