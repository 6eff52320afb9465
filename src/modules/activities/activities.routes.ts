import type { Entity } from '../../kernel/entity/index.ts'
import { route, type Route } from '../../kernel/http/index.ts'
import { recordRoutes, sliceFor, type RecordsDeps, type Slice } from '../records/index.ts'
import { followUpContract, snoozeContract } from './activities.contract.ts'
import { followUp, hangsOn, snooze, type FollowUp } from './activities.service.ts'

/** `nouns`: what is mounted, of which some can be followed up. */
export function activityRoutes(deps: RecordsDeps, slice: Slice, nouns: readonly Entity[]): Route[] {
  return [
    ...recordRoutes(deps, slice),
    route(snoozeContract, async (desk, { params, body, version }) => {
      const written = await snooze(desk, deps, slice, params.id, version, String(body.until))
      return { body: written.view, version: written.record.version }
    }),
    ...nouns.filter((e) => hangsOn(e.name)).map((entity) =>
      route(followUpContract(entity), async (desk, { params, body }) => {
        const done = await followUp(desk, deps, slice, sliceFor(deps, entity.name), params.id, body as FollowUp)
        return { body: { id: done.activity.record.id, activity: done.activity.view, task: done.task?.view ?? null, record: done.record?.view ?? null } }
      }),
    ),
  ]
}
