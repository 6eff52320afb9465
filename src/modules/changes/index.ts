import { route } from '../../kernel/http/index.ts'
import type { Module } from '../../kernel/module.ts'
import { listChanges } from './changes.contract.ts'
import { changesSince, type ChangesDeps } from './changes.service.ts'

export { changeOf, type Change } from './change.ts'
export { importedRows, seenRows, type ChangesDeps } from './changes.service.ts'
export type { PresentRow } from './changes.store.ts'

/** Ids one person may be told in an hour. */
export const CHANGES_PER_HOUR = 20_000

/** The feed of changes, for programs that keep a copy. */
export function changesModule(deps: ChangesDeps): Module {
  return { name: 'changes', routes: [route(listChanges, async (desk, { query }) => ({ body: await changesSince(desk, deps, query.cursor, query.limit) }))] }
}
