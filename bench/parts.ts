import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Figure } from './table.ts'

const PARTS = ['vault', 'ledger', 'lens'] as const

type Measure = (options: { rows: number }) => Promise<readonly Figure[]> | readonly Figure[]

const isFigure = (value: unknown): value is Figure => typeof value === 'object' && value !== null && 'name' in value && 'value' in value && 'unit' in value

/** What the rooms measure of themselves (bench/{vault,ledger,lens}.ts): each exported function with Bench in its name, in turn. */
export async function partFigures(rows: number): Promise<Figure[]> {
  const figures: Figure[] = []
  for (const part of PARTS) {
    const path = join(import.meta.dirname, `${part}.ts`)
    if (!existsSync(path)) continue
    const module = (await import(pathToFileURL(path).href)) as Record<string, unknown> // its exports are looked at before they are used
    for (const [name, measure] of Object.entries(module)) {
      if (typeof measure !== 'function' || !/bench/i.test(name)) continue
      const measured: unknown = await (measure as Measure)({ rows })
      if (Array.isArray(measured)) figures.push(...measured.filter(isFigure).map((f) => ({ ...f, name: `${part}: ${f.name}` })))
    }
  }
  return figures
}
