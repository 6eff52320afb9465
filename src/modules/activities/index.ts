import type { Entity } from '../../kernel/entity/index.ts'
import type { Module } from '../../kernel/module.ts'
import { sliceOf, type RecordsDeps, type Slice } from '../records/index.ts'
import { Activity } from './activities.entity.ts'
import { activityRoutes } from './activities.routes.ts'
import { deriveActivity } from './activities.service.ts'

export { Activity, RECORD_KINDS, type Recurrence } from './activities.entity.ts'
export { RemindersDue, type ReminderDeps } from './activities.jobs.ts'

const SHOWN = ['kind', 'title', 'outcome', 'at', 'dueAt', 'doneAt', 'assigneeId'] as const

/** `zone`: the time zone of the organisation, in which tasks come back. */
export const activitySlice = (zone: () => string): Slice => sliceOf({ entity: Activity, derive: deriveActivity(zone), timeline: { at: 'at', shows: SHOWN } })

export function activitiesModule(deps: RecordsDeps, slice: Slice, nouns: readonly Entity[]): Module {
  return { name: 'activities', entities: [Activity], routes: activityRoutes(deps, slice, nouns) }
}
