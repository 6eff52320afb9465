import type { Json, TestServer } from '../harness/server.ts'
import type { Random } from '../../src/modules/demo/plan/random.ts'
import { Books, type Colleague } from './books.ts'

export interface Worker extends Colleague {
  token: string
}

interface Stage {
  id: string
  kind: 'open' | 'won' | 'lost'
  probability: number
}

interface Owned {
  id: string
  owner: string
  version: number
}

const SOURCES = ['Trade fair', '展会', 'Website', '转介绍', null]
const KINDS = ['note', 'call', 'meeting', 'mail', 'task']
const NOUNS = { company: 'companies', contact: 'contacts', lead: 'leads', deal: 'deals', contract: 'contracts', activity: 'activities' } as const
type Noun = keyof typeof NOUNS

/** Staff at work, through the API only. What they do is written down in plain books as they see it; of the answers only ids, versions and times are believed. */
export class Month {
  readonly books = new Books()
  readonly pipelines: { id: string; stages: Stage[] }[] = []
  readonly done: Record<string, number> = {}
  readonly #server: TestServer
  readonly #staff: readonly Worker[]
  readonly #random: Random
  /** Days the server's clock is ahead. */
  ahead = 0

  constructor(server: TestServer, staff: readonly Worker[], random: Random) {
    this.#server = server
    this.#staff = staff
    this.#random = random
  }

  get now(): number {
    return Date.now() + this.ahead * 86_400_000
  }

  async ask(who: { token: string }, method: string, path: string, body?: object, version?: number): Promise<Json> {
    const answer = await this.#server.call(method, path, body, { token: who.token, ...(version === undefined ? {} : { headers: { 'If-Match': `"${version}"` } }) })
    if (answer.status >= 300) throw new Error(`${method} ${path} ${JSON.stringify(body)}: ${answer.status} ${answer.text}`)
    return answer.body
  }

  async addPipeline(owner: { token: string }, name: string, kinds: readonly (readonly [Stage['kind'], number])[]): Promise<void> {
    const made = await this.ask(owner, 'POST', '/pipelines', { name, stages: kinds.map(([kind, probability], i) => ({ name: `${name} ${i}`, kind, probability })) })
    this.pipelines.push({ id: made.id, stages: made.stages })
    for (const s of made.stages) this.books.insert('stage', { id: s.id, kind: s.kind })
  }

  /** One thing somebody does; nothing when they have nothing to do it with. */
  async act(): Promise<void> {
    const r = this.#random
    const who = r.pick(this.#staff.filter((s) => s.role !== 'analyst'))
    const deeds = [this.#company, this.#contact, this.#lead, this.#lead, this.#deal, this.#activity, this.#activity, this.#activity, this.#activity, this.#convert, this.#workLead, this.#move, this.#move, this.#move, this.#edit, this.#contract, this.#finish, this.#assign, this.#remove]
    const deed = r.pick(deeds)
    if (await deed.call(this, who)) this.done[deed.name] = (this.done[deed.name] ?? 0) + 1
  }

  /** Rows of this noun that are there and that they own, or for a manager anybody's in sight of their own department. */
  #theirs(who: Worker, noun: Noun, and = ''): Owned[] {
    const whose = who.role === 'manager' ? 'department = ?' : 'owner = ?'
    return this.books.all<{ id: string; owner: string; version: number }>(`SELECT id, owner, version FROM ${noun} WHERE NOT gone AND ${whose} ${and} ORDER BY id`, who.role === 'manager' ? who.departmentId : who.id)
  }

  #any(who: Worker, noun: Noun, and = ''): Owned | null {
    const rows = this.#theirs(who, noun, and)
    return rows.length === 0 ? null : this.#random.pick(rows)
  }

  #own(who: Worker, made: Json): { id: string; owner: string; department: string; gone: number; version: number } {
    return { id: made.id, owner: who.id, department: who.departmentId, gone: 0, version: made.version }
  }

  async #company(who: Worker): Promise<boolean> {
    const [source, industry] = [this.#random.pick(SOURCES), this.#random.pick(['Tools', 'Food'])]
    const made = await this.ask(who, 'POST', '/companies', { name: `Company ${this.#random.below(1e9)}`, industry, ...(source ? { source } : {}) })
    this.books.insert('company', { ...this.#own(who, made), source, industry })
    return true
  }

  async #contact(who: Worker): Promise<boolean> {
    const company = this.#any(who, 'company')
    const stage = this.#random.pick(['active', 'dormant'])
    const made = await this.ask(who, 'POST', '/contacts', { fullName: `王 ${this.#random.below(1e9)}`, stage, ...(company ? { companyId: company.id } : {}) })
    this.books.insert('contact', { ...this.#own(who, made), stage, company: company?.id ?? null })
    return true
  }

  async #lead(who: Worker): Promise<boolean> {
    const source = this.#random.pick(SOURCES)
    const made = await this.ask(who, 'POST', '/leads', { fullName: `Lead ${this.#random.below(1e9)}`, companyName: `Firm ${this.#random.below(1e9)}`, ...(source ? { source } : {}) })
    this.books.insert('lead', { ...this.#own(who, made), source, status: 'new', made: made.createdAt })
    return true
  }

  /** What a deal is made of, and the same for the books. */
  #terms(): { body: Record<string, Json>; minor: number | null; currency: string | null; stage: Stage; pipeline: string; expected: string | null } {
    const r = this.#random
    const pipeline = r.pick(this.pipelines)
    const stage = r.pick(pipeline.stages.filter((s) => s.kind === 'open'))
    const amount = r.oneIn(8) ? null : { minor: 1 + r.below(5_000_000), currency: r.oneIn(3) ? 'USD' : 'CNY' }
    const expected = r.oneIn(6) ? null : new Date(this.now + r.below(120) * 86_400_000).toISOString().slice(0, 10)
    return { body: { pipelineId: pipeline.id, stageId: stage.id, amount, expectedCloseOn: expected }, minor: amount?.minor ?? null, currency: amount?.currency ?? null, stage, pipeline: pipeline.id, expected }
  }

  async #deal(who: Worker): Promise<boolean> {
    const { body, stage, ...terms } = this.#terms()
    const source = this.#random.pick(SOURCES)
    const made = await this.ask(who, 'POST', '/deals', { title: `Deal ${this.#random.below(1e9)}`, ...body, ...(source ? { source } : {}) })
    this.books.insert('deal', { ...this.#own(who, made), ...terms, stage: stage.id, status: 'open', probability: stage.probability, source, made: made.createdAt, since: made.createdAt, closed: null })
    this.books.reach(made.id, stage.id)
    return true
  }

  async #convert(who: Worker): Promise<boolean> {
    const lead = this.#any(who, 'lead', "AND status <> 'converted'")
    if (!lead) return false
    const { body, stage, ...terms } = this.#terms()
    const answer = await this.ask(who, 'POST', `/leads/${lead.id}/convert`, { deal: body })
    const [row] = this.books.all('SELECT owner, department, source FROM lead WHERE id = ?', lead.id)
    this.books.update('lead', lead.id, { status: 'converted', version: answer.version })
    const { owner, department, source } = row!
    const base = { owner: owner!, department: department!, gone: 0, version: 1 }
    const deal = await this.ask(who, 'GET', `/deals/${answer.dealId}`)
    this.books.insert('company', { id: answer.companyId, ...base, source: source!, industry: null })
    this.books.insert('contact', { id: answer.contactId, ...base, stage: 'active', company: answer.companyId })
    this.books.insert('deal', { id: deal.id, ...base, ...terms, stage: stage.id, status: 'open', probability: stage.probability, source: source!, made: deal.createdAt, since: deal.createdAt, closed: null })
    this.books.reach(deal.id, stage.id)
    return true
  }

  async #workLead(who: Worker): Promise<boolean> {
    const lead = this.#any(who, 'lead', "AND status IN ('new', 'working', 'qualified')")
    if (!lead) return false
    const status = this.#random.pick(['working', 'qualified', 'disqualified'])
    const answer = await this.ask(who, 'PATCH', `/leads/${lead.id}`, { status, ...(status === 'disqualified' ? { disqualifiedReason: 'No need' } : {}) }, lead.version)
    this.books.update('lead', lead.id, { status, version: answer.version })
    return true
  }

  async #move(who: Worker): Promise<boolean> {
    const deal = this.#any(who, 'deal', "AND status = 'open'")
    if (!deal) return false
    const [row] = this.books.all<{ pipeline: string; stage: string }>('SELECT pipeline, stage FROM deal WHERE id = ?', deal.id)
    const stages = this.pipelines.find((p) => p.id === row!.pipeline)!.stages.filter((s) => s.id !== row!.stage)
    const stage = this.#random.pick(stages)
    const answer = await this.ask(who, 'PATCH', `/deals/${deal.id}`, { stageId: stage.id, ...(stage.kind === 'lost' ? { lostReason: 'Too dear' } : {}) }, deal.version)
    this.books.update('deal', deal.id, { stage: stage.id, status: stage.kind, probability: stage.probability, since: answer.updatedAt, closed: stage.kind === 'open' ? null : answer.updatedAt, version: answer.version })
    this.books.reach(deal.id, stage.id)
    return true
  }

  async #edit(who: Worker): Promise<boolean> {
    const deal = this.#any(who, 'deal', "AND status = 'open'")
    if (!deal) return false
    const { body, minor, currency, expected } = this.#terms()
    const probability = this.#random.below(101)
    const answer = await this.ask(who, 'PATCH', `/deals/${deal.id}`, { amount: body['amount'], expectedCloseOn: expected, probability }, deal.version)
    this.books.update('deal', deal.id, { minor, currency, expected, probability, version: answer.version })
    return true
  }

  async #contract(who: Worker): Promise<boolean> {
    const deal = this.#any(who, 'deal', "AND status = 'won'")
    if (!deal) return false
    const status = this.#random.pick(['draft', 'active'])
    const made = await this.ask(who, 'POST', '/contracts', { number: `C-${this.#random.below(1e9)}`, status, dealId: deal.id, amount: { minor: 100, currency: 'CNY' } })
    this.books.insert('contract', { ...this.#own(who, made), status, deal: deal.id })
    return true
  }

  async #activity(who: Worker): Promise<boolean> {
    const r = this.#random
    const on = r.pick(['contact', 'company', 'lead', 'deal', 'contract'] as const)
    const target = this.#any(who, on)
    if (!target) return false
    const kind = r.pick(KINDS)
    const at = new Date(this.now - r.below(40 * 86_400) * 1000).toISOString()
    const assignee = kind === 'task' && r.oneIn(2) ? r.pick(this.#staff.filter((s) => s.role === 'rep' || s.role === 'manager')).id : null
    const body = kind === 'task' ? { dueAt: new Date(this.now + 86_400_000).toISOString(), ...(assignee ? { assigneeId: assignee } : {}) } : { at }
    const made = await this.ask(who, 'POST', '/activities', { kind, recordKind: on, recordId: target.id, body: 'What was said', ...body })
    this.books.insert('activity', { ...this.#own(who, made), on_kind: on, on_id: target.id, kind, at: kind === 'task' ? null : at, made: made.createdAt, done: null, assignee })
    return true
  }

  /** One's own task or meeting is done. */
  async #finish(who: Worker): Promise<boolean> {
    const mine = this.books.all<{ id: string; version: number }>("SELECT activity.id, activity.version FROM activity JOIN deal ON deal.id = on_id WHERE NOT activity.gone AND NOT deal.gone AND activity.owner = ?1 AND deal.owner = ?1 AND kind IN ('task', 'meeting') AND done IS NULL ORDER BY activity.id", who.id)
    if (mine.length === 0) return false
    const { id, version } = this.#random.pick(mine)
    const done = new Date(this.now).toISOString()
    const answer = await this.ask(who, 'PATCH', `/activities/${id}`, { doneAt: done }, version)
    this.books.update('activity', id, { done, version: answer.version })
    return true
  }

  /** A manager gives a record of the team to another of the team. */
  async #assign(who: Worker): Promise<boolean> {
    if (who.role !== 'manager') return false
    const noun = this.#random.pick(['lead', 'deal', 'contact'] as const)
    const record = this.#any(who, noun)
    const to = this.#random.pick(this.#staff.filter((s) => s.departmentId === who.departmentId))
    if (!record || record.owner === to.id) return false
    const answer = await this.ask(who, 'PATCH', `/${NOUNS[noun]}/${record.id}`, { ownerId: to.id }, record.version)
    this.books.update(noun, record.id, { owner: to.id, department: to.departmentId, version: answer.version })
    return true
  }

  async #remove(who: Worker): Promise<boolean> {
    const noun = this.#random.pick(['lead', 'deal', 'contact', 'contract'] as const)
    const record = this.#any(who, noun)
    if (!record || !this.#random.oneIn(2)) return false
    const answer = await this.ask(who, 'DELETE', `/${NOUNS[noun]}/${record.id}`, undefined, record.version)
    this.books.update(noun, record.id, { gone: 1, version: answer.version })
    if (!this.#random.oneIn(3)) return true
    const back = await this.ask(who, 'POST', `/${NOUNS[noun]}/${record.id}/restore`, {})
    this.books.update(noun, record.id, { gone: 0, version: back.version })
    return true
  }
}
