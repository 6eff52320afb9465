import { Problem } from '../../kernel/base/index.ts'
import { route, type Route } from '../../kernel/http/index.ts'
import type { Module } from '../../kernel/module.ts'
import type { Slice } from '../records/index.ts'
import type { Runs } from '../runs/index.ts'
import { previewHandover, startHandover, transferOf, undoTransfer, viewTransfer } from './handover.contract.ts'
import { previewOf, runHandover, wordsFor, type HandoverDeps, type HandoverResult, type HandoverWords } from './handover.service.ts'

function handoverRoutes(deps: HandoverDeps, runs: Runs, nouns: readonly Slice[]): Route[] {
  const { records } = deps
  return [
    ...nouns.map(({ entity }) =>
      route(transferOf(entity), async (desk, { body }) => ({ body: await runs.ask(desk, 'transfer', await wordsFor(desk, records, { from: body.from, to: [body.to], nouns: [entity.name], where: body.where, ids: body.ids, disable: false })) })),
    ),
    route(viewTransfer, async (desk, { params }) => ({ body: await runs.view<HandoverResult>(desk, 'transfer', params.id) })),
    route(undoTransfer, async (desk, { params }) => {
      const { undoToken } = await runs.finished<HandoverResult>(desk, 'transfer', params.id)
      if (undoToken === null) throw new Problem('not-found')
      const asked = await runs.asked<HandoverWords>(desk, 'transfer', params.id)
      return { body: await runs.ask(desk, 'transfer', { ...asked, undoes: undoToken, disable: false } satisfies HandoverWords) }
    }),
    route(previewHandover, async (desk, { body }) => ({ body: await previewOf(desk, deps, body.from) })),
    route(startHandover, async (desk, { body }) => ({ body: await runs.ask(desk, 'transfer', await wordsFor(desk, records, { ...body, nouns: null })) })),
  ]
}

/** 交接: records of one owner given to another, and everything of a colleague who leaves. `nouns`: those that can be given one by one. */
export function handoverModule(deps: HandoverDeps, runs: Runs, nouns: readonly Slice[]): Module {
  runs.handle('transfer', (step, run, progress) => runHandover(step, deps, run.words as HandoverWords, progress)) // what the routes asked with
  return { name: 'handover', routes: handoverRoutes(deps, runs, nouns) }
}
