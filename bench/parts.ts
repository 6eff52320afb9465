import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Figure } from './table.ts'

const VAULT = join(import.meta.dirname, 'vault.ts')

const isFigure = (value: unknown): value is Figure => typeof value === 'object' && value !== null && 'name' in value && 'value' in value && 'unit' in value

async function lensFigures(rows: number): Promise<Figure[]> {
  const { benchLens } = await import('./lens.ts')
  return (await benchLens(rows)).flatMap(({ name, p50, p95, unit }) => [{ name: `lens: ${name}`, value: p50, unit }, ...(p95 === null ? [] : [{ name: `lens: ${name}, 95th percentile`, value: p95, unit }])])
}

async function ledgerFigures(rows: number): Promise<Figure[]> {
  const { ledgerBench } = await import('./ledger.ts')
  return (await ledgerBench({ leaves: rows })).map((f) => ({ ...f, name: `ledger: ${f.name}` }))
}

/** Each function of bench/vault.ts with Bench in its name, where there is such a file. */
async function vaultFigures(rows: number): Promise<Figure[]> {
  if (!existsSync(VAULT)) return []
  const module = (await import(pathToFileURL(VAULT).href)) as Record<string, unknown> // its exports are looked at before they are used
  const figures: Figure[] = []
  for (const [name, measure] of Object.entries(module)) {
    if (typeof measure !== 'function' || !/bench/i.test(name)) continue
    const measured: unknown = await measure({ rows })
    if (Array.isArray(measured)) figures.push(...measured.filter(isFigure).map((f) => ({ ...f, name: `vault: ${f.name}` })))
  }
  return figures
}

/** What the rooms measure of themselves, without HTTP. */
export async function partFigures(rows: number): Promise<Figure[]> {
  return [...(await vaultFigures(rows)), ...(await ledgerFigures(rows)), ...(await lensFigures(rows))]
}
