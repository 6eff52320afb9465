import type { Module } from '../../kernel/module.ts'
import { recordRoutes, sliceOf, type RecordsDeps, type Slice } from '../records/index.ts'
import { Activity } from './activities.entity.ts'

export { Activity, RECORD_KINDS, type Recurrence } from './activities.entity.ts'

export const activitySlice = (): Slice => sliceOf({ entity: Activity, timeline: { at: 'at', shows: ['kind', 'title', 'outcome', 'at', 'dueAt', 'doneAt', 'assigneeId'] } })

export function activitiesModule(deps: RecordsDeps, slice: Slice): Module {
  return { name: 'activities', entities: [Activity], routes: recordRoutes(deps, slice) }
}
