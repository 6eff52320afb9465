import type { Module } from '../../kernel/module.ts'
import { openSealedFile } from '../../kernel/vault/index.ts'
import type { Runs } from '../runs/index.ts'
import { importLabel, importRoutes } from './imports.routes.ts'
import { runImport, type ImportDeps, type ImportWords } from './imports.service.ts'

export { csvLine, defuseCsvCell, undefuseCsvCell } from './csv-out.ts'
export { readMapFile, type MapFile } from './map-file.ts'
export { assertIdentifying, mapColumns, type MapOptions } from './mapping.ts'
export { unreadable, type UnreadableReason } from './problems.ts'
export { defaultLimits, delimiters, inspectCsv, namedEncoding, readCsv, type CsvOptions, type CsvProfile, type CsvRow, type CsvSource, type Delimiter, type Encoding, type ReadLimits, type RowCode } from './read/index.ts'
export { toContact, type CellCode, type CellProblem, type ContactDraft, type RowOptions, type RowResult } from './row.ts'
export type { Channel, ColumnMapping, CustomFieldProposal, Mapping, NotTaken, PresetName, Target } from './target.ts'

/** 导入: foreign tables, read row by row in the background; the staged file is sealed and goes when the import has ended. */
export function importsModule(deps: Omit<ImportDeps, 'vault'>, runs: Runs): Module {
  runs.handle('import', async (step, run, progress) => {
    const key = await step(async (desk) => desk.actor.key)
    const file = await openSealedFile(runs.vault, runs.stagingFile(run.id), importLabel(run.id), key)
    try {
      return await runImport(step, { ...deps, vault: runs.vault }, { ...(run.words as ImportWords), id: run.id }, file, progress) // what the route asked with
    } finally {
      await file.close()
    }
  })
  return { name: 'imports', routes: importRoutes(runs) }
}
