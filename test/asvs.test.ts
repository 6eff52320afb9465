import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { anchorOf, citedIn, faultsOf, readSheet, titlesOf, type AsvsRow, type Report } from './asvs.ts'

const root = join(import.meta.dirname, '..')

const report: Report = {
  testResults: [
    {
      name: '/clone/src/a.test.ts',
      assertionResults: [
        { ancestorTitles: ['a seal'], title: 'opens', status: 'passed' },
        { ancestorTitles: ['a seal'], title: 'is refused', status: 'failed' },
        { ancestorTitles: [], title: 'alone', status: 'passed' },
        { ancestorTitles: ['twice'], title: 'same', status: 'passed' },
        { ancestorTitles: ['twice'], title: 'same', status: 'skipped' },
        { ancestorTitles: ['good', 'inner'], title: 'one', status: 'passed' },
        { ancestorTitles: ['good'], title: 'two', status: 'passed' },
      ],
    },
  ],
}
const titles = titlesOf(report, '/clone')
const met = (evidence: string[], more: Partial<AsvsRow> = {}): AsvsRow => ({ id: 'V1.1.1', level: 1, status: 'met', evidence, ...more })
const faults = (...rows: AsvsRow[]): string[] => faultsOf(rows, titles)

describe('evidence', () => {
  it('is a test that ran and passed, by file, describes and title', () => {
    expect(faults(met(['src/a.test.ts > a seal > opens', 'src/a.test.ts > alone']))).toEqual([])
  })

  it('is none when the test failed, was skipped, or did not run', () => {
    expect(faults(met(['src/a.test.ts > a seal > is refused']))).toEqual(['V1.1.1: failed: src/a.test.ts > a seal > is refused'])
    expect(faults(met(['src/a.test.ts > twice > same']))).toEqual(['V1.1.1: skipped: src/a.test.ts > twice > same'])
    expect(faults(met(['src/a.test.ts > a seal > opened']))).toEqual(['V1.1.1: did not run: src/a.test.ts > a seal > opened'])
  })

  it('is a whole describe only when all of it passed', () => {
    expect(faults(met(['src/a.test.ts > good > *']))).toEqual([])
    expect(faults(met(['src/a.test.ts > a seal > *']))).toHaveLength(1)
    expect(faults(met(['src/a.test.ts > goo > *']))).toHaveLength(1)
  })

  it('is a heading that exists in a document that exists', () => {
    expect(faults(met(['docs/architecture.md#vault', 'docs/adr/0004-sql-by-hand-through-pg.md']))).toEqual([])
    expect(faults(met(['docs/architecture.md#a-heading-nobody-wrote']))).toEqual(['V1.1.1: no heading for #a-heading-nobody-wrote in docs/architecture.md'])
    expect(faults(met(['docs/nothing.md#vault']))).toEqual(['V1.1.1: no such document: docs/nothing.md'])
  })
})

describe('a row', () => {
  it('that claims something has evidence, and one that does not says why', () => {
    expect(faults(met([]))).toEqual(['V1.1.1: met without evidence'])
    expect(faults(met([], { status: 'later' }))).toEqual(['V1.1.1: later without a note that says why'])
    expect(faults(met([], { status: 'not-applicable', note: 'No such thing here.' }))).toEqual([])
  })

  it('stands there once', () => {
    expect(faults(met(['src/a.test.ts > alone']), met(['src/a.test.ts > alone']))).toEqual(['V1.1.1: stands there twice'])
  })
})

it('tests named in a document are found in its code spans', () => {
  expect(citedIn('so `src/a.test.ts > a seal > opens`, again `src/a.test.ts > a seal > opens`; not `src/a.ts` nor `a > b`')).toEqual(['src/a.test.ts > a seal > opens'])
})

it('anchors are those of rendered Markdown', () => {
  expect(anchorOf('What is protected from whom, and what is not')).toBe('what-is-protected-from-whom-and-what-is-not')
  expect(anchorOf('`where` and [links](x.md)')).toBe('where-and-links')
  expect(anchorOf('Glossary 术语表')).toBe('glossary-术语表')
})

describe('docs/asvs.yaml', () => {
  const rows = readSheet(readFileSync(join(root, 'docs', 'asvs.yaml'), 'utf8'))

  it('names files and headings that exist', () => {
    expect(faultsOf(rows, null)).toEqual([])
  })

  it('has every requirement of its chapters, in order', () => {
    const perChapter: Record<string, number> = {}
    for (const { id } of rows) perChapter[id.split('.')[0] ?? ''] = (perChapter[id.split('.')[0] ?? ''] ?? 0) + 1
    expect(perChapter).toEqual(CHAPTERS)
    const order = (id: string): number => id.slice(1).split('.').reduce((n, part) => n * 100 + Number(part), 0)
    expect(rows.map((r) => r.id)).toEqual(rows.map((r) => r.id).toSorted((a, b) => order(a) - order(b)))
  })

  it('names no test twice in one row', () => {
    for (const { id, evidence } of rows) expect(new Set(evidence).size, id).toBe(evidence.length)
  })
})

/** Requirements of OWASP ASVS 5.0.0 in each chapter this work reaches. */
const CHAPTERS = { V1: 30, V2: 13, V4: 16, V5: 13, V11: 24, V12: 12, V14: 13, V16: 17 }
