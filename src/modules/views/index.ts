import type { Ledger } from '../../kernel/ledger/types.ts'
import type { Module } from '../../kernel/module.ts'
import type { Vault } from '../../kernel/vault/types.ts'
import { createAuthority } from '../access/index.ts'
import type { RecordsDeps } from '../records/index.ts'
import { viewRoutes } from './views.routes.ts'

export { countShared, giveSharedViews, type SharedViews } from './give.ts'

export { insertView, type View } from './views.store.ts'

/** 视图与收藏: what people look at again and again. A view asks nothing that its reader could not ask, and tells nothing that they could not be told. */
export function viewsModule({ records, vault, ledger }: { records: RecordsDeps; vault: Vault; ledger: Ledger }): Module {
  return { name: 'views', routes: viewRoutes({ records, authority: createAuthority({ vault, ledger }) }) }
}
