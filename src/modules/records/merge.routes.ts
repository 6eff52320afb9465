import { z } from 'zod'
import { viewSchema } from '../../kernel/entity/index.ts'
import { endpoint, route, type Route } from '../../kernel/http/index.ts'
import { mergedAgain, mergeRecords, undoMerge } from './merge.ts'
import type { RecordsDeps, Slice } from './slice.ts'

const uuid = z.uuid().toLowerCase()

/** For nouns of which there may be two of one: merging several into one, and taking it back. */
export function mergeRoutes(deps: RecordsDeps, slice: Slice): Route[] {
  const { entity } = slice
  const merge = endpoint({
    method: 'POST',
    path: `/${entity.plural}/merge`,
    permission: `${entity.plural}:delete`,
    summary: `Make several of ${entity.plural} one; a dry run shows what would come of it.`,
    body: z.strictObject({ winner: uuid, losers: z.array(uuid).min(1).max(10), fields: z.record(z.string().max(80), uuid).optional(), dryRun: z.boolean().default(false) }),
    response: z.object({ record: viewSchema(entity), moves: z.array(z.object({ noun: z.string(), field: z.string(), count: z.int() })), undoToken: z.string().nullable() }),
    idempotent: true,
  })
  const undo = endpoint({
    method: 'POST',
    path: `/${entity.plural}/merge/undo`,
    permission: `${entity.plural}:delete`,
    summary: 'Take back a merge of yours (24 h).',
    body: z.strictObject({ undoToken: z.string().max(200) }),
    response: z.object({ done: z.int(), failed: z.array(z.object({ id: z.uuid(), code: z.string() })) }),
  })
  return [
    route(merge, async (desk, { body }) => ({ body: await mergeRecords(desk, deps, slice, body) }), { again: async (desk, made) => ({ body: await mergedAgain(desk, deps, slice, made) }) }),
    route(undo, async (desk, { body }) => ({ body: await undoMerge(desk, deps, slice, body.undoToken) })),
  ]
}
