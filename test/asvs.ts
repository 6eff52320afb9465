// node test/asvs.ts --report test-results/vitest.json: every row of docs/asvs.yaml has evidence that ran and passed in this very run, or a place in a
// document; and so has every test that docs/threat-model.md names.
import { existsSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { parseArgs } from 'node:util'
import { parse } from 'yaml'
import { z } from 'zod'

const root = join(import.meta.dirname, '..')

const row = z.strictObject({
  id: z.string().regex(/^V\d{1,2}\.\d{1,2}\.\d{1,2}$/),
  level: z.union([z.literal(1), z.literal(2), z.literal(3)]),
  status: z.enum(['met', 'partly', 'not-applicable', 'later']),
  /** `file > describe > it`, `file > describe > *` for all of a describe, or `docs/page.md#anchor`. */
  evidence: z.array(z.string().min(1)).default([]),
  note: z.string().min(1).optional(),
})
const sheet = z.strictObject({ standard: z.string(), rows: z.array(row).min(1) })

export type AsvsRow = z.output<typeof row>

/** Rows of the sheet. Throws what zod throws when a row has another shape. */
export function readSheet(text: string): AsvsRow[] {
  return sheet.parse(parse(text)).rows
}

/** The part of vitest's JSON report that is read. */
export interface Report {
  testResults: { name: string; assertionResults: { ancestorTitles: string[]; title: string; status: string }[] }[]
}

/** Status of each test by `file > describe > it`; of several tests with one title the worst counts. */
export function titlesOf(report: Report, base = root): Map<string, string> {
  const titles = new Map<string, string>()
  for (const file of report.testResults) {
    for (const { ancestorTitles, title, status } of file.assertionResults) {
      const name = [relative(base, file.name).replaceAll('\\', '/'), ...ancestorTitles, title].join(' > ')
      if ((titles.get(name) ?? 'passed') === 'passed') titles.set(name, status)
    }
  }
  return titles
}

/** The anchor a heading gets where Markdown is shown: lower case, no punctuation, spaces as hyphens. */
export const anchorOf = (heading: string): string =>
  heading
    .replace(/`|\*|\[([^\]]*)\]\([^)]*\)/g, '$1')
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\p{M} _-]/gu, '')
    .replaceAll(' ', '-')

function anchorsIn(markdown: string): Set<string> {
  const outsideCode = markdown.replace(/^```[^]*?^```/gm, '')
  return new Set([...outsideCode.matchAll(/^#{1,6} +(.+)$/gm)].map((m) => anchorOf(m[1] ?? '')))
}

function placeFault(place: string, base: string): string | null {
  const [path = '', anchor] = place.split('#')
  if (!existsSync(join(base, path))) return `no such document: ${path}`
  if (anchor === undefined) return null
  return anchorsIn(readFileSync(join(base, path), 'utf8')).has(anchor) ? null : `no heading for #${anchor} in ${path}`
}

const isTest = (evidence: string): boolean => evidence.includes(' > ')

function testFault(evidence: string, titles: ReadonlyMap<string, string>): string | null {
  if (!evidence.endsWith(' > *')) {
    const status = titles.get(evidence)
    return status === 'passed' ? null : `${status === undefined ? 'did not run' : status}: ${evidence}`
  }
  const below = [...titles].filter(([name]) => name.startsWith(evidence.slice(0, -1)))
  if (below.length === 0) return `did not run: ${evidence}`
  const bad = below.find(([, status]) => status !== 'passed')
  return bad ? `${bad[1]}: ${bad[0]}` : null
}

/** Everything that is wrong with the sheet against a run. `titles` null: the tests did not run, so only their files are looked for. */
export function faultsOf(rows: readonly AsvsRow[], titles: ReadonlyMap<string, string> | null, base = root): string[] {
  const faults: string[] = []
  const seen = new Set<string>()
  for (const { id, status, evidence, note } of rows) {
    const tell = (fault: string): unknown => faults.push(`${id}: ${fault}`)
    if (seen.has(id)) tell('stands there twice')
    seen.add(id)
    if ((status === 'met' || status === 'partly') && evidence.length === 0) tell(`${status} without evidence`)
    if (status !== 'met' && !note) tell(`${status} without a note that says why`)
    for (const e of evidence) {
      const fault = !isTest(e) ? placeFault(e, base) : titles ? testFault(e, titles) : placeFault(e.split(' > ')[0] ?? '', base)
      if (fault) tell(fault)
    }
  }
  return faults
}

/** The tests a document names as evidence: code spans that hold `… .test.ts > …`. */
export const citedIn = (markdown: string): string[] => [...new Set([...markdown.matchAll(/`([^`]+\.test\.ts > [^`]+)`/g)].map((m) => m[1] ?? ''))]

/** `41 met, 6 partly, …`, for people. */
export function summaryOf(rows: readonly AsvsRow[]): string {
  const count = (status: AsvsRow['status']): number => rows.filter((r) => r.status === status).length
  return `ASVS: ${rows.length} requirements: ${count('met')} met, ${count('partly')} partly, ${count('later')} later, ${count('not-applicable')} not applicable`
}

function main(): void {
  const { values } = parseArgs({ options: { report: { type: 'string' } } })
  const rows = readSheet(readFileSync(join(root, 'docs', 'asvs.yaml'), 'utf8'))
  const titles = values.report ? titlesOf(JSON.parse(readFileSync(values.report, 'utf8')) as Report) : null // vitest's own format
  const cited = citedIn(readFileSync(join(root, 'docs', 'threat-model.md'), 'utf8'))
  const faults = [...faultsOf(rows, titles), ...cited.flatMap((e) => (titles ? testFault(e, titles) : null) ?? []).map((f) => `docs/threat-model.md: ${f}`)]
  process.stdout.write(`${summaryOf(rows)}; ${cited.length} tests named in the threat model\n${faults.map((f) => `  ${f}\n`).join('')}`)
  process.exitCode = faults.length === 0 ? 0 : 1
}

if (import.meta.main) main()
