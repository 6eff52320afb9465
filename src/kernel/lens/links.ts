import type { Guards } from './binder.ts'
import { compile } from './compile.ts'
import { ID, type Column, type Layout } from './layout.ts'
import type { Condition, LensQuery } from './types.ts'

export const isEverything = (condition: Condition): boolean => 'and' in condition && condition.and.every(isEverything)

/**
 * Which rows of a table may be looked at through what a link shows. A contact may be the caller's and its company not: then nothing of the
 * company's name may find, sort or rank the contact. A link the query says nothing of shows nothing.
 */
export function guardsOf(layout: Layout, links: LensQuery['links'], layouts: ReadonlyMap<string, Layout>): Guards {
  return (column, binder) => {
    if (column.linked === null) return 'TRUE'
    const scope = links?.[column.field]
    const target = layouts.get(column.linked)
    const id = idOf(layout, column)
    if (!scope || !target || !id) return 'FALSE'
    if (isEverything(scope)) return 'TRUE'
    const set = `"_seen_${column.linked}_${id.sql.slice(1, -1)}"`
    return `${id.sql} IN (SELECT ${ID} FROM ${binder.set(set, (own) => `SELECT ${ID} FROM ${target.table} WHERE ${compile(scope, target, own)}`)})`
  }
}

const idOf = (layout: Layout, column: Column): Column | undefined => layout.columns.find(({ field, use, type }) => field === column.field && use === 'plain' && type === 'uuid')
