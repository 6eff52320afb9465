import { z } from 'zod'
import { createSchema, patchSchema, viewSchema, type Entity } from '../../kernel/entity/index.ts'
import { endpoint } from '../../kernel/http/index.ts'
import { Activity } from './activities.entity.ts'

const id = z.object({ id: z.uuid().toLowerCase() })
const made = createSchema(Activity).omit({ recordKind: true, recordId: true })
const view = viewSchema(Activity)
const instant = Activity.fields.remindAt.input

export const snoozeContract = endpoint({
  method: 'POST',
  path: '/activities/:id/snooze',
  permission: 'activities:edit',
  summary: 'Be reminded later.',
  params: id,
  body: z.strictObject({ until: instant }),
  response: view,
  ifMatch: true,
})

/** What was said, the next task and the record's new state in one box. */
export function followUpContract(entity: Entity) {
  return endpoint({
    method: 'POST',
    path: `/${entity.plural}/:id/follow-up`,
    permission: 'activities:create',
    summary: `Write down what happened with one of ${entity.plural}, what comes next and its new state, all or nothing.`,
    params: id,
    body: z.strictObject({ activity: made, task: made.omit({ kind: true }).optional(), patch: patchSchema(entity).optional(), version: z.int().min(1).optional() }),
    response: z.object({ id: z.uuid(), activity: view, task: view.nullable(), record: viewSchema(entity).nullable() }),
    status: 201,
    idempotent: true,
  })
}
