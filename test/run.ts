// npm test: types, lint, generated docs, every suite, then the evidence that documents name. Goes on after a failure, so that one run tells everything.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..')
const results = join(root, 'test-results')
const report = join(results, 'vitest.json')

interface Step {
  name: string
  command: string
  args: string[]
}

interface Totals {
  passed: number
  failed: number
  skipped: number
}

const bin = (name: string): string => join(root, 'node_modules', '.bin', name)

function steps(vitestArgs: string[]): Step[] {
  return [
    { name: 'types', command: bin('tsc'), args: ['--project', root] },
    { name: 'lint', command: bin('oxlint'), args: ['--deny-warnings'] },
    ...(existsSync(join(root, 'src', 'cli', 'docs.ts')) ? [{ name: 'generated docs', command: process.execPath, args: ['src/main.ts', 'docs', '--check'] }] : []),
    { name: 'tests', command: bin('vitest'), args: ['run', ...vitestArgs] },
    // A run of some tests only has evidence for some rows only.
    ...(vitestArgs.length === 0 ? [{ name: 'evidence', command: process.execPath, args: [join('test', 'asvs.ts'), '--report', report] }] : []),
  ]
}

/** What suites skip when it is not on this machine, and what brings it. */
function missing(): string[] {
  const has = (command: string): boolean => (process.env['PATH'] ?? '').split(':').some((folder) => existsSync(join(folder, command)))
  const postgres = existsSync('/usr/lib/postgresql') && readdirSync('/usr/lib/postgresql').some((v) => existsSync(`/usr/lib/postgresql/${v}/bin/postgres`))
  return [
    ...(postgres ? [] : ["an external PostgreSQL is not tested: install Debian's postgresql (apt-get install postgresql)"]),
    ...(has('curl') ? [] : ['the contract suite needs curl (apt-get install curl)']),
  ]
}

/** Counts from vitest's report. A file that could not be loaded has no failed test in it, and counts as one. */
function testTotals(): Totals {
  if (!existsSync(report)) return { passed: 0, failed: 1, skipped: 0 }
  const json = JSON.parse(readFileSync(report, 'utf8')) as {
    success: boolean
    numPassedTests: number
    numFailedTests: number
    numPendingTests: number
    testResults: { status: string; assertionResults: { status: string }[] }[]
  }
  const unloaded = json.testResults.filter((file) => file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed')).length
  const failed = json.numFailedTests + unloaded
  const nothingRan = json.numPassedTests === 0 && failed === 0
  return { passed: json.numPassedTests, failed: failed + (nothingRan || (!json.success && failed === 0) ? 1 : 0), skipped: json.numPendingTests }
}

function main(): void {
  mkdirSync(results, { recursive: true })
  rmSync(report, { force: true })
  const failures: string[] = []
  for (const step of steps(process.argv.slice(2))) {
    process.stdout.write(`\n── ${step.name}\n`)
    const { status } = spawnSync(step.command, step.args, { cwd: root, stdio: 'inherit' })
    if (status !== 0) failures.push(step.name)
  }
  const totals = testTotals()
  const checks = failures.filter((name) => name !== 'tests').length
  // The tests failing as a whole with none of them failed is an error outside of any test.
  const failed = Math.max(totals.failed, failures.includes('tests') ? 1 : 0) + checks
  writeFileSync(join(results, 'summary.txt'), `${totals.passed} passed, ${failed} failed${totals.skipped > 0 ? `, ${totals.skipped} skipped` : ''}\n`)
  for (const hint of missing()) process.stdout.write(`note: ${hint}\n`)
  process.stdout.write(failures.length === 0 && failed === 0 ? '\nEverything passed.\n' : `\nFailed: ${failures.join(', ') || 'tests'}.\n`)
  process.exitCode = failed === 0 ? 0 : 1
}

main()
