import { openClient } from './client.ts'
import type { Terminal } from './verb.ts'

interface Page<T> {
  items: T[]
  nextCursor: string | null
}

/** Every record of a noun, page by page. */
export async function listAll<T>(terminal: Terminal, noun: string): Promise<T[]> {
  const client = openClient(terminal)
  const items: T[] = []
  try {
    let cursor: string | null = null
    do {
      const page: Page<T> = await client.json<Page<T>>('POST', `/${noun}/search`, { body: { limit: 200, ...(cursor ? { cursor } : {}) } })
      items.push(...page.items)
      cursor = page.nextCursor
    } while (cursor)
    return items
  } finally {
    client.close()
  }
}

/** Columns a Han character wide count double in a terminal. */
function widthOf(text: string): number {
  let width = 0
  for (const c of text) width += /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]/.test(c) ? 2 : 1
  return width
}

/** Rows as aligned columns. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths: number[] = []
  for (const row of rows) row.forEach((cell, i) => (widths[i] = Math.max(widths[i] ?? 0, widthOf(cell))))
  const padded = (cell: string, i: number): string => cell + ' '.repeat((widths[i] ?? 0) - widthOf(cell))
  // Control characters of a stored name must not drive the terminal.
  return rows.map((row) => row.map(padded).join('  ').trimEnd().replaceAll(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, '?')).join('\n')
}
