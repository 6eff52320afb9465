/** `node bench/reports.ts [ACTIVITIES]`: reports over the lens alone, inside the rights of four people. 1,000,000 activities on 50,000 records unless told otherwise. */
import { uuidv7 } from '../src/kernel/base/index.ts'
import { findColumns, type Entity } from '../src/kernel/entity/index.ts'
import { openLens, type Condition, type Lens, type LensGroupQuery, type LensRow } from '../src/kernel/lens/index.ts'
import { compileGrants, roleRegistry, BUILT_IN_ROLES } from '../src/modules/access/index.ts'
import { ENTITIES } from '../src/app.ts'

const OWNERS = 200
const DEPARTMENTS = 20
const BATCH = 5_000
const ROUNDS = 20
const KINDS = ['note', 'call', 'meeting', 'mail', 'task']
const NOW = Date.UTC(2026, 10, 24)
const YEAR_MS = 365 * 86_400_000

const person = (n: number): string => `01900000-0000-7000-8000-${n.toString(16).padStart(12, '0')}`
const department = (n: number): string => person(1_000 + (n % DEPARTMENTS))
const entity = (name: string): Entity => ENTITIES.find((e) => e.name === name)!

/** A row with its plain columns only: what a report looks at. */
function rowOf(of: Entity, id: string, values: Record<string, string | number | null>): LensRow {
  return { id, version: 1, values: findColumns(of).map((c) => (c.use === 'plain' ? (values[c.field] ?? null) : null)) }
}

async function fill(lens: Lens, of: Entity, count: number, values: (n: number) => Record<string, string | number | null>): Promise<string[]> {
  const ids: string[] = []
  for (let from = 0; from < count; from += BATCH) {
    const rows = Array.from({ length: Math.min(BATCH, count - from) }, (_, k) => {
      const n = from + k
      const at = new Date(NOW - ((n * 7_919) % count) * (YEAR_MS / count)).toISOString()
      const owner = (n * 104_729) % OWNERS
      return rowOf(of, uuidv7(NOW - n), { createdAt: at, updatedAt: at, ownerId: person(owner), departmentId: department(owner), ...values(n) })
    })
    await lens.fill(of.name, rows)
    ids.push(...rows.map((r) => r.id))
  }
  lens.setComplete(of.name, count)
  return ids
}

const MONTHS = Array.from({ length: 13 }, (_, m) => new Date(Date.UTC(2025, 10 + m, 1)).toISOString())

const QUESTIONS: readonly [string, Omit<LensGroupQuery, 'scope'>][] = [
  ['activities by person, month and kind', { entity: 'activity', by: [{ field: 'ownerId' }, { field: 'createdAt', bounds: MONTHS }, { field: 'kind' }], measures: [{ count: { field: 'doneAt', op: 'isEmpty', value: false } }] }],
  ['activities of a quarter by kind', { entity: 'activity', where: { and: [{ field: 'createdAt', op: 'gte', value: '2026-07-01' }, { field: 'createdAt', op: 'lt', value: '2026-10-01' }] }, by: [{ field: 'kind' }], measures: [] }],
  ['funnel of deals by stage and currency', { entity: 'deal', by: [{ field: 'stageId' }, { field: 'amount.currency' }], measures: [{ sum: 'amount' }, { sum: 'amount', percent: 'probability' }] }],
]

async function timed(lens: Lens, query: LensGroupQuery): Promise<{ p50: number; p95: number; groups: number; rows: number }> {
  const times: number[] = []
  let groups = 0
  let rows = 0
  for (let round = -2; round < ROUNDS; round++) {
    const start = performance.now()
    const found = await lens.aggregate(query)
    if (round >= 0) times.push(performance.now() - start)
    groups = found.length
    rows = found.reduce((n, g) => n + g.count, 0)
  }
  times.sort((a, b) => a - b)
  return { p50: times[ROUNDS >> 1]!, p95: times[Math.floor(ROUNDS * 0.95)]!, groups, rows }
}

const activities = Number(process.argv[2] ?? 1_000_000)
const lens = await openLens({ tables: ENTITIES.map((e) => ({ entity: e.name, columns: findColumns(e) })), memoryLimitMb: 2_000 })
const before = process.memoryUsage.rss()
for (const e of ENTITIES) lens.setComplete(e.name, 0)
const records = Math.max(100, activities / 20)
const contacts = await fill(lens, entity('contact'), records, () => ({ stage: 'active' }))
const deals = await fill(lens, entity('deal'), Math.max(100, activities / 50), (n) => ({ status: 'open', stageId: person(5_000 + (n % 6)), pipelineId: person(6_000), amount: n * 100, 'amount.currency': n % 7 ? 'CNY' : 'USD', probability: n % 101 }))
const started = performance.now()
await fill(lens, entity('activity'), activities, (n) => ({ recordKind: n % 4 ? 'contact' : 'deal', recordId: n % 4 ? contacts[n % contacts.length]! : deals[n % deals.length]!, kind: KINDS[n % KINDS.length]!, doneAt: n % 3 ? new Date(NOW - n).toISOString() : null }))
const seconds = (performance.now() - started) / 1000

const registry = roleRegistry(BUILT_IN_ROLES, ENTITIES)
const below = Array.from({ length: DEPARTMENTS }, (_, n) => department(n))
const people: [string, string, readonly string[]][] = [['rep', 'rep', []], ['manager of a tenth', 'manager', below.slice(0, 2)], ['manager of all', 'manager', below]]
const lines = [`${activities} activities on ${contacts.length} contacts and ${deals.length} deals; filled in ${seconds.toFixed(1)} s, ${Math.round((process.memoryUsage.rss() - before) / 1e6)} MB`, '', `${'report'.padEnd(40)}${'who'.padEnd(22)}${'p50 ms'.padStart(9)}${'p95 ms'.padStart(9)}${'groups'.padStart(9)}${'rows'.padStart(10)}`]
for (const [name, query] of QUESTIONS) {
  for (const [who, role, departments] of people) {
    const grants = compileGrants(registry, { place: { personId: person(7), departmentId: department(7), below: departments }, roles: [role], only: null })
    const scope: Condition = grants.scope(query.entity, 'read')
    const t = await timed(lens, { ...query, scope, seen: scope })
    lines.push(`${name.padEnd(40)}${who.padEnd(22)}${t.p50.toFixed(1).padStart(9)}${t.p95.toFixed(1).padStart(9)}${String(t.groups).padStart(9)}${String(t.rows).padStart(10)}`)
  }
}
process.stdout.write(`${lines.join('\n')}\n`)
await lens.close()
