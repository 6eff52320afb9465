import { finished } from 'node:stream/promises'
import { z } from 'zod'
import { Problem } from '../../kernel/base/index.ts'
import { endpoint, route, type Route } from '../../kernel/http/index.ts'
import type { Module } from '../../kernel/module.ts'
import { createSealedFile, openSealedFile } from '../../kernel/vault/index.ts'
import type { Desk } from '../../kernel/work/types.ts'
import { sliceOfNoun, type RecordsDeps } from '../records/index.ts'
import { runView, type Runs } from '../runs/index.ts'
import { exportRows, type ExportResult, type ExportWords } from './exports.service.ts'

const result = z.object({ exportId: z.uuid(), rows: z.int(), refused: z.int(), sha256: z.string(), format: z.enum(['csv', 'jsonl']) })
const id = z.object({ id: z.uuid().toLowerCase() })

const contracts = {
  create: endpoint({
    method: 'POST',
    path: '/exports',
    permission: 'signed-in',
    summary: 'Take records out in a file, with a reason. Each person in it is named in the ledger.',
    body: z.strictObject({ noun: z.string().max(40), format: z.enum(['csv', 'jsonl']), reason: z.string().trim().min(3).max(500) }),
    response: z.object({ id: z.uuid() }),
    status: 202,
    idempotent: true,
    stepUp: 'session-only',
  }),
  get: endpoint({ method: 'GET', path: '/exports/:id', permission: 'signed-in', summary: 'How an export of yours goes on.', params: id, response: runView(result) }),
  content: endpoint({ method: 'GET', path: '/exports/:id/content', permission: 'signed-in', summary: 'The file, for 24 hours.', params: id, response: z.string(), produces: 'application/octet-stream', stepUp: 'session-only' }),
}

const exportLabel = (run: string): string => `export ${run}`

/** A file of customers is for whoever may take them out, now and with this credential: not for any token of the person. */
function checkExport(desk: Desk, deps: RecordsDeps, noun: string): void {
  if (!desk.actor.grants.permissions.has(`${sliceOfNoun(deps, noun).entity.plural}:export`)) throw new Problem('permission-missing')
}

function exportRoutes(deps: RecordsDeps, runs: Runs): Route[] {
  const checkOwn = async (desk: Desk, run: string): Promise<void> => checkExport(desk, deps, (await runs.asked<ExportWords>(desk, 'export', run)).noun)
  return [
    route(contracts.create, async (desk, { body }) => {
      checkExport(desk, deps, body.noun)
      return { body: await runs.ask(desk, 'export', body) }
    }),
    route(contracts.get, async (desk, { params }) => {
      await checkOwn(desk, params.id)
      return { body: await runs.view<ExportResult>(desk, 'export', params.id) }
    }),
    route(contracts.content, async (desk, { params }) => {
      await checkOwn(desk, params.id)
      const done = await runs.finished<ExportResult>(desk, 'export', params.id)
      const file = await openSealedFile(desk.vault, runs.stagingFile(params.id), exportLabel(params.id), desk.actor.key)
      desk.record({ action: 'export.downloaded', object: { kind: 'export', id: params.id }, purpose: 'export', detail: { rows: done.rows } })
      const stream = file.stream()
      stream.once('close', () => void file.close())
      const type = done.format === 'csv' ? 'text/csv; charset=utf-8' : 'application/jsonl; charset=utf-8'
      return { body: null, stream, headers: { 'Content-Type': type, 'Content-Length': String(file.size), 'Content-Disposition': `attachment; filename="export.${done.format}"` } }
    }),
  ]
}

/** 导出: files made in the background, sealed until they are fetched, gone after a day. */
export function exportsModule(deps: RecordsDeps, runs: Runs): Module {
  runs.handle('export', async (step, run, progress) => {
    const words = run.words as ExportWords // what `create` asked with
    await runs.discard(run.id)
    const key = await step(async (desk) => desk.actor.key)
    const out = createSealedFile(runs.vault, runs.stagingFile(run.id), exportLabel(run.id), key)
    // A full disk is told at any moment, also while no write waits; without a listener it would end the process.
    out.on('error', () => undefined)
    const done = exportRows(step, deps, sliceOfNoun(deps, words.noun), { ...words, id: run.id }, out, progress)
    try {
      const summary = await done
      out.end()
      await finished(out)
      return summary
    } catch (error) {
      out.destroy()
      // Its file is gone when it has closed; not later, when the next attempt has a file of this name.
      await finished(out).catch(() => undefined)
      throw error
    }
  })
  return { name: 'exports', routes: exportRoutes(deps, runs) }
}
