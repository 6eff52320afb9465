import type { ZodRawShape } from 'zod'
import { Problem } from '../../kernel/base/index.ts'
import { route, type Answer, type Route } from '../../kernel/http/index.ts'
import type { Desk } from '../../kernel/work/types.ts'
import { rowCondition } from '../access/index.ts'
import { bulkChange, undoChange, type BulkBody } from './bulk.ts'
import { recordContracts, undoContract } from './contracts.ts'
import { relationsOf, revealFields, whyOf } from './history.ts'
import { openOne } from './open.ts'
import { searchRecords, type SearchBody } from './search.ts'
import type { RecordsDeps, Slice } from './slice.ts'
import { timelineOf } from './timeline.ts'
import { undoLastChange } from './undo.ts'
import { viewText } from './view.ts'
import { createRecord, deleteRecord, patchRecord, restoreRecord, type Written } from './write.ts'

type Body = Record<string, unknown>

const answer = (w: Written): { body: object; version: number } => ({ body: w.view, version: w.record.version })

/** Deleting, editing or assigning in bulk or by patch needs one of the rights somewhere; each record is asked again by itself. */
function needsOneOf(desk: Desk, slice: Slice, verbs: readonly string[]): void {
  if (!verbs.some((v) => desk.actor.grants.permissions.has(`${slice.entity.plural}:${v}`))) throw new Problem('permission-missing')
}

async function readOne(desk: Desk, deps: RecordsDeps, slice: Slice, id: string): Promise<Answer<null>> {
  const { entity } = slice
  const { record, key } = await openOne(desk, slice, id, rowCondition(desk.actor, entity, 'read'))
  desk.record({ action: `${entity.name}.read`, object: { kind: entity.name, id }, subjects: [key], purpose: 'view' })
  return { body: null, text: viewText(entity, record, desk.actor, deps), version: record.version }
}

/** A record whose making is asked for again: as it is now, and only that it is there when it left the sight of whoever asks. */
async function readAgain(desk: Desk, deps: RecordsDeps, slice: Slice, made: { id: string; version: number }): Promise<Answer<unknown>> {
  return readOne(desk, deps, slice, made.id).catch((error: unknown) => {
    if (!(error instanceof Problem) || error.code !== 'not-found') throw error
    return { body: { ...made, masks: {}, can: { edit: [], reveal: [], delete: false } } }
  })
}

/** The routes every noun has. `create` may be replaced by a noun that accepts more than its fields. */
export function recordRoutes(deps: RecordsDeps, slice: Slice, own: { create?: (desk: Desk, body: Body) => Promise<Written>; createBody?: ZodRawShape } = {}): Route[] {
  const c = recordContracts(slice.entity, own.createBody ? { create: own.createBody } : {})
  const create = own.create ?? ((desk: Desk, body: Body) => createRecord(desk, deps, slice, body))
  return [
    route(c.create, async (desk, { body }) => answer(await create(desk, body as Body)), { again: (desk, made) => readAgain(desk, deps, slice, made) }),
    route(c.get, (desk, { params }) => readOne(desk, deps, slice, params.id)),
    route(c.patch, async (desk, { params, body, version }) => {
      needsOneOf(desk, slice, ['edit', 'assign'])
      return answer(await patchRecord(desk, deps, slice, params.id, version, body as Body))
    }),
    route(c.remove, async (desk, { params, version }) => answer(await deleteRecord(desk, deps, slice, params.id, version))),
    route(c.restore, async (desk, { params }) => answer(await restoreRecord(desk, deps, slice, params.id))),
    route(c.undo, async (desk, { params, version }) => {
      needsOneOf(desk, slice, ['edit', 'assign', 'delete'])
      return answer(await undoLastChange(desk, deps, slice, params.id, version))
    }),
    route(c.search, async (desk, { body }) => ({ body: null, text: await searchRecords(desk, deps, slice, body as SearchBody) })),
    route(c.bulk, async (desk, { body }) => {
      needsOneOf(desk, slice, ['edit', 'assign', 'delete'])
      return { body: await bulkChange(desk, deps, slice, body as BulkBody) }
    }),
    route(c.timeline, async (desk, { params, query }) => ({ body: await timelineOf(desk, deps, slice, params.id, query.cursor) })),
    route(c.relations, async (desk, { params }) => ({ body: await relationsOf(desk, deps, slice, params.id) })),
    route(c.why, async (desk, { params, query }) => ({ body: await whyOf(desk, deps, slice, params.id, query.user) })),
    route(c.reveal, async (desk, { params, body }) => ({ body: await revealFields(desk, deps, slice, params.id, body.fields, body.reason) })),
  ]
}

export function undoRoute(deps: RecordsDeps): Route {
  return route(undoContract, async (desk, { body }) => ({ body: await undoChange(desk, deps, body.undoToken) }))
}
