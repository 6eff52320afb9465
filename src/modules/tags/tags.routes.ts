import { route, type Route } from '../../kernel/http/index.ts'
import { recordRoutes } from '../records/index.ts'
import type { Runs } from '../runs/index.ts'
import { tagContracts as contracts } from './tags.contract.ts'
import { checkRename, usageOf, type RenameResult, type RenameWords, type TagsDeps } from './tags.service.ts'

export function tagRoutes(deps: TagsDeps, runs: Runs): Route[] {
  return [
    route(contracts.usage, async (desk, { body }) => ({ body: { items: await usageOf(desk, deps, body.ids) } })),
    route(contracts.rename, async (desk, { params, body }) => {
      await checkRename(desk, deps, params.id)
      return { body: await runs.ask(desk, 'tag-rename', { tagId: params.id, name: body.name } satisfies RenameWords) }
    }),
    route(contracts.renaming, async (desk, { params }) => ({ body: await runs.view<RenameResult>(desk, 'tag-rename', params.id) })),
    ...recordRoutes(deps.records, deps.slice),
  ]
}
