import type { Module } from '../../kernel/module.ts'
import { sliceOf, type RecordsDeps, type Slice } from '../records/index.ts'
import type { Runs } from '../runs/index.ts'
import { Tag } from './tags.entity.ts'
import { tagRoutes } from './tags.routes.ts'
import { runRename, type RenameWords } from './tags.service.ts'

export { Tag } from './tags.entity.ts'

export const tagSlice = (): Slice => sliceOf({ entity: Tag })

export function tagsModule({ runs, ...deps }: { records: RecordsDeps; slice: Slice; runs: Runs }): Module {
  runs.handle('tag-rename', (step, run, progress) => runRename(step, deps, run.words as RenameWords, progress)) // what the route asked with
  return { name: 'tags', entities: [Tag], routes: tagRoutes(deps, runs) }
}
