import { setTimeout as sleep } from 'node:timers/promises'
import { Problem, Refusal, uuidv7 } from '../../kernel/base/index.ts'
import { AuthorityMoved, openDesk, type Desk, type WorkDeps } from '../../kernel/work/index.ts'
import { createAuthority, rowCondition, type Authority } from '../access/index.ts'
import type { Staffing } from '../identity/index.ts'
import { openRows, sliceFor, subjectsOf, type RecordsDeps } from '../records/index.ts'
import { batchesOf, fileOn, findRun, hasRows, insertBatch, insertRun, moveRun, type DemoBatch, type DemoRun } from './demo.store.ts'
import { keysFor, LensTail, makeBatch, type MakingDeps } from './making.service.ts'
import { planOf, type Plan, type Planned, type PlannedFile, type PlannedPipeline } from './plan/index.ts'
import { insertView } from '../views/index.ts'
import { finishShredding, removeDemo, type Removed } from './removal.service.ts'

export interface DemoDeps {
  work: WorkDeps
  records: RecordsDeps
  staffing: Staffing
  files: {
    put(desk: Desk, file: PlannedFile): Promise<string>
    /** Takes files away that are nobody's any more. */
    tidy(): Promise<void>
  }
}

/** Records made so far, of all there will be; told at every tenth. */
export type Told = (done: number, total: number) => void

const BATCH = 500
const MOST_TRIES = 200

/** What a home without any customers holds none of. */
const CUSTOMERS = ['company', 'contact', 'lead', 'deal', 'contract', 'activity']

/** One part of the making, with the founder's rights of that moment. */
type Step = <T>(part: (desk: Desk) => Promise<T>) => Promise<T>

const inBatches = (records: readonly Planned[]): Planned[][] => {
  const out: Planned[][] = []
  for (const r of records) {
    const last = out.at(-1)
    if (last && last[0]!.noun === r.noun && last.length < BATCH) last.push(r)
    else out.push([r])
  }
  return out
}

async function standardPipeline(desk: Desk, deps: RecordsDeps): Promise<PlannedPipeline | null> {
  const slice = sliceFor(deps, 'pipeline')
  const rows = await slice.store.page(desk.sql, { scope: rowCondition(desk.actor, slice.entity, 'read'), where: { field: 'standard', op: 'eq', value: true }, limit: 1 })
  desk.record({ action: 'pipeline.listed', object: { kind: 'pipeline', id: null }, subjects: subjectsOf(desk.vault, rows), purpose: 'demo' })
  const [found] = (await openRows(desk, slice, rows)).records
  return found ? { id: found.id, stages: found['stages'] as PlannedPipeline['stages'] } : null // as the entity of pipelines says
}

/** The demonstration company: made by the founder's rights, in small transactions, each of which knows whether it was done before. */
export class Demo {
  readonly #deps: DemoDeps
  readonly authority: Authority
  readonly #stopping = new AbortController()
  #under: Promise<void> | null = null

  constructor(deps: DemoDeps) {
    this.#deps = deps
    this.authority = createAuthority({ vault: deps.work.vault, ledger: deps.work.ledger })
  }

  run(): Promise<DemoRun | null> {
    return findRun(this.#deps.work.db, this.authority)
  }

  /** Refuses a home that has customers of its own. A run that was begun goes on, one that is made stays as it is. Throws a Refusal. */
  async check(): Promise<void> {
    if (await this.run()) return
    const { slices } = this.#deps.records
    for (const noun of CUSTOMERS) {
      const slice = slices.get(noun)
      if (slice && (await hasRows(this.#deps.work.db, slice.entity.table))) throw new Refusal('demo-customers-there', 'This home holds records; the demonstration company goes only into a home without any. Start without --demo.', 4)
    }
  }

  /** Makes it, or what is left of it. Resolves at once before set-up: then there is nobody to make it for. Ends early when it is stopped; the next start goes on. */
  make(told: Told): Promise<void> {
    this.#under ??= this.#make(told)
      .catch((error: unknown) => {
        if (!this.#stopping.signal.aborted) throw error
      })
      .finally(() => (this.#under = null))
    return this.#under
  }

  /** What is there of it, by noun; null: no demonstration company. */
  async made(): Promise<{ state: 'making' | 'made'; records: Record<string, number> } | null> {
    const run = await this.run()
    if (!run || run.state === 'shredding') return null
    const records: Record<string, number> = {}
    for (const { noun, ids } of await batchesOf(this.#deps.work.db, this.authority, run.id)) records[noun] = (records[noun] ?? 0) + ids.length
    return { state: run.state, records }
  }

  /** Throws Problem conflict while it is being made, demo-absent, demo-in-use. The keys are gone when it resolves. */
  async remove(desk: Desk, force: boolean): Promise<Removed> {
    if (this.#under) throw new Problem('conflict')
    const { records, staffing } = this.#deps
    const removed = await removeDemo(desk, { records, staffing, authority: this.authority }, force)
    await this.tidy()
    await this.#deps.files.tidy()
    return removed
  }

  /** Destroys the keys that a removal which was killed has left. */
  async tidy(): Promise<void> {
    const run = await this.run()
    if (run?.state === 'shredding') await finishShredding(this.#deps.work, this.authority, run)
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#under?.catch(() => undefined)
  }

  async #make(told: Told): Promise<void> {
    const founderId = await this.#deps.staffing.founder()
    if (founderId === null) return
    const run = (await this.run()) ?? (await this.#begin(founderId))
    if (run.state !== 'making') return
    const step = this.#stepOf(run)
    const standard = await step((desk) => standardPipeline(desk, this.#deps.records))
    const plan = planOf({ id: run.id, day: run.day, founderId: run.personId, standard })
    const done = await batchesOf(this.#deps.work.db, this.authority, run.id)
    await this.#makeStaff(step, run, plan, done)
    await this.#makeRecords(step, run, plan, done, told)
    const n = 1 + plan.staff.colleagues.length + inBatches(plan.records).length
    if (!done.some((b) => b.noun === 'view')) await this.#makeViews(step, run, plan, n)
    const files: string[] = []
    for (const file of plan.files) files.push(await step(async (desk) => (await fileOn(desk.sql, file.recordId)) ?? this.#deps.files.put(desk, file)))
    await step((desk) => desk.write(async (work) => {
      await insertBatch(work.sql, this.authority, run.id, { n: n + 1, noun: 'attachment', ids: files })
      await moveRun(work.sql, this.authority, run, 'made')
      work.record({ action: 'demo.made', object: { kind: 'demo', id: run.id }, purpose: 'demo' })
    }))
  }

  async #begin(personId: string): Promise<DemoRun> {
    const run: DemoRun = { id: uuidv7(), state: 'making', personId, day: new Date().toISOString().slice(0, 10) }
    await this.#stepOf(run)((desk) => desk.write(async (work) => {
      await insertRun(work.sql, this.authority, run)
      work.record({ action: 'demo.begun', object: { kind: 'demo', id: run.id }, purpose: 'demo' })
    }))
    return run
  }

  async #makeStaff(step: Step, run: DemoRun, { staff }: Plan, done: readonly DemoBatch[]): Promise<void> {
    const { staffing, work: { vault } } = this.#deps
    const known = new Set(done.flatMap((b) => b.ids))
    const fresh = staff.departments.filter((d) => !known.has(d.id))
    if (fresh.length > 0) {
      await step((desk) => desk.write(async (work) => {
        await staffing.addDepartments(work, fresh)
        await insertBatch(work.sql, this.authority, run.id, { n: 0, noun: 'department', ids: fresh.map((d) => d.id) })
      }))
    }
    for (const [i, { tongue, ...words }] of staff.colleagues.entries()) {
      if (known.has(words.id)) continue
      await keysFor(vault, [words.id])
      await step((desk) => desk.write(async (work) => {
        await staffing.addColleague(work, { ...words, locale: tongue === 'zh' ? 'zh-CN' : 'en' })
        await insertBatch(work.sql, this.authority, run.id, { n: 1 + i, noun: 'person', ids: [words.id] })
      }))
    }
  }

  async #makeRecords(step: Step, run: DemoRun, plan: Plan, done: readonly DemoBatch[], told: Told): Promise<void> {
    const known = new Set(done.map((b) => b.n))
    const { work, records } = this.#deps
    const making: MakingDeps = { records, authority: this.authority, departments: await this.#departments(run, plan), names: new Map(plan.records.flatMap((r) => (typeof r.input['name'] === 'string' ? [[r.id, r.input['name']] as const] : []))), lens: new LensTail() }
    let made = 0
    for (const [i, batch] of inBatches(plan.records).entries()) {
      const n = 1 + plan.staff.colleagues.length + i
      if (!known.has(n)) await step((desk) => makeBatch(desk, making, run, n, batch))
      const tenth = Math.floor((made * 10) / plan.records.length)
      made += batch.length
      if (Math.floor((made * 10) / plan.records.length) > tenth) told(made, plan.records.length)
    }
    await making.lens.settled()
    work.log.info({ component: 'demo', rows: made }, 'the demonstration company is made')
  }

  /** Views of the founder's, two of them shared with the invented Sales. */
  async #makeViews(step: Step, run: DemoRun, { views }: Plan, n: number): Promise<void> {
    await step((desk) => desk.write(async (work) => {
      const at = work.at.toISOString()
      for (const view of views) {
        await insertView(work.sql, work.vault, { ...view, personId: work.actor.personId, version: 1, createdAt: at, updatedAt: at })
        work.record({ action: 'view.created', object: { kind: 'view', id: view.id }, purpose: 'demo', detail: { noun: view.noun, departments: view.departments } })
      }
      await insertBatch(work.sql, this.authority, run.id, { n, noun: 'view', ids: views.map((v) => v.id) })
    }))
  }

  async #departments(run: DemoRun, plan: Plan): Promise<Map<string, string>> {
    const founder = await this.#deps.staffing.actor(run.personId)
    if (!founder) throw new Problem('permission-missing')
    return new Map([...plan.staff.colleagues.map((c) => [c.id, c.departmentId] as const), [run.personId, founder.departmentId] as const])
  }

  #stepOf(run: DemoRun): Step {
    return async (part) => {
      for (let tries = 1; ; tries++) {
        if (this.#stopping.signal.aborted) throw new Problem('shutting-down')
        try {
          return await this.#once(run, part)
        } catch (error) {
          if (!(error instanceof AuthorityMoved) || tries === MOST_TRIES) throw error
          await sleep(tries)
        }
      }
    }
  }

  async #once<T>(run: DemoRun, part: (desk: Desk) => Promise<T>): Promise<T> {
    const actor = await this.#deps.staffing.actor(run.personId)
    if (!actor) throw new Problem('permission-missing')
    const open = openDesk(this.#deps.work, actor, run.id)
    const result = await part(open.desk)
    await open.settled()
    return result
  }
}
