import { Problem } from '../../kernel/base/index.ts'
import { route, type Route } from '../../kernel/http/index.ts'
import type { Module } from '../../kernel/module.ts'
import type { RecordsDeps } from '../records/index.ts'
import type { Runs } from '../runs/index.ts'
import * as contract from './bulk.contract.ts'
import { runBulk, wordsFor, type BulkResult, type BulkWords } from './bulk.service.ts'

function bulkRoutes(deps: RecordsDeps, runs: Runs): Route[] {
  return [
    route(contract.ask, async (desk, { body }) => ({ body: await runs.ask(desk, 'bulk', await wordsFor(desk, deps, body)) })),
    route(contract.view, async (desk, { params }) => ({ body: await runs.view<BulkResult>(desk, 'bulk', params.id) })),
    route(contract.takeBack, async (desk, { params }) => {
      const { undoToken } = await runs.finished<BulkResult>(desk, 'bulk', params.id)
      if (undoToken === null) throw new Problem('not-found')
      return { body: await runs.ask(desk, 'bulk', { undoes: undoToken, undoToken } satisfies BulkWords) }
    }),
  ]
}

/** 批量修改: what a question finds, changed in the background record by record, each through the same gate as one by itself. */
export function bulkModule(deps: RecordsDeps, runs: Runs): Module {
  runs.handle('bulk', (step, run, progress) => runBulk(step, deps, run.words as BulkWords, progress)) // what the routes asked with
  return { name: 'bulk', routes: bulkRoutes(deps, runs) }
}
