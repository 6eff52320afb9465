import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Entity } from '../../../src/kernel/entity/index.ts'
import type { Answer, CallOptions, Json } from '../../harness/server.ts'
import { classOf, isConcealed, rightTo, sees, takesOut, type Right } from './model.ts'
import { example, schemaOf } from './values.ts'
import type { Planting, Principal, World } from './world.ts'

export interface Outcome {
  calls: number
  /** Answers compared with what the model says: role × route × relation, and role × field × relation. */
  cells: number
  /** Values or ids in an answer that the model does not let its reader see. */
  leaks: string[]
  /** Masked values that were shown to somebody who may reveal them. */
  revealed: number
  /** Answers that are otherwise than the model says: too little, too much, or telling foreign from absent. */
  wrong: string[]
}

const ALWAYS = ['id', 'version', 'createdAt', 'updatedAt', 'deletedAt', 'ownerId', 'departmentId']

/** Calls everything as everybody and compares each answer with the model. */
export class Matrix {
  readonly #world: World
  readonly #allowed = new Map<string, { words: Set<string>; ids: Set<string> }>()
  readonly outcome: Outcome = { calls: 0, cells: 0, revealed: 0, leaks: [], wrong: [] }

  constructor(world: World) {
    this.#world = world
    for (const p of world.principals) this.#allowed.set(p.name, this.#allowedTo(p))
  }

  #visible(p: Principal, noun?: string): Planting[] {
    return this.#world.records.filter((r) => (noun === undefined || r.noun === noun) && sees(p.policy, p, r))
  }

  /** Of the records of a noun, one for each way somebody may stand to them: one's own, given, of the department, below, foreign. */
  #sample(p: Principal, noun: string): Planting[] {
    const ways = Map.groupBy(this.#world.records.filter((r) => r.noun === noun), (r) => (r.ownerId === p.id ? 'own' : `${r.departmentId} ${r.assigneeId === p.id} ${r.pool !== null} ${r.parent?.pool != null}`))
    return [...ways.values()].map((list) => list[0]!)
  }

  right(p: Principal, entity: Entity, field: string): Right {
    if (!field.startsWith('custom.')) return rightTo(p.policy, classOf(entity, field))
    const custom = this.#world.custom[entity.name]?.find((c) => `custom.${c.key}` === field)
    return custom ? rightTo(p.policy, custom.class) : 'hidden'
  }

  /** The same of one record: in a pool less is left of it. */
  #rightOn(p: Principal, r: Planting, field: string): Right {
    const fieldClass = field.startsWith('custom.') ? this.#world.custom[r.noun]?.find((c) => `custom.${c.key}` === field)?.class : r.entity.fields[field]?.class
    return fieldClass && isConcealed(r, field, fieldClass) ? 'hidden' : this.right(p, r.entity, field)
  }

  /** Words and ids that may stand in an answer to somebody: of records they see, the fields they are shown. */
  #allowedTo(p: Principal): { words: Set<string>; ids: Set<string> } {
    const seen = new Map(this.#visible(p).map((r) => [r.id, r]))
    const words = new Set([...this.#world.canaries.planted].filter(([, at]) => {
      const record = seen.get(at.recordId)
      return record !== undefined && this.#rightOn(p, record, at.field) === 'shown'
    }).map(([word]) => word))
    const linked = [...seen.values()].flatMap((r) => Object.entries(r.links).flatMap(([field, ids]) => (this.right(p, r.entity, field) === 'shown' ? ids : [])))
    return { words, ids: new Set([...seen.keys(), ...linked]) }
  }

  /** One call; whatever comes back is searched for what must not be in it. */
  async call(p: Principal, method: string, path: string, body?: unknown, options: { headers?: Record<string, string>; as?: CallOptions; also?: readonly string[]; ids?: boolean } = {}): Promise<Answer> {
    const as = options.as ?? p.call
    this.outcome.calls++
    const answer = await this.#world.server.call(method, path, body, { ...as, headers: { ...as.headers, ...options.headers } })
    const said = `${answer.text}\n${JSON.stringify(answer.headers)}`
    const { words, ids } = this.#allowed.get(p.name)!
    for (const { word, at } of this.#world.canaries.in(said)) if (!words.has(word) && !options.also?.includes(word)) this.outcome.leaks.push(`${p.name} ${method} ${path}: ${at.noun}.${at.field} ${word}`)
    // Whoever may take out the ledger sees which rows it is about.
    if (options.ids !== false) for (const r of this.#world.records) if (!ids.has(r.id) && said.includes(r.id)) this.outcome.leaks.push(`${p.name} ${method} ${path}: the id of ${r.noun} ${r.id}`)
    if (answer.status >= 500 && answer.status !== 503) this.wrong(p, `${method} ${path}`, `answered ${answer.status}`)
    return answer
  }

  wrong(p: Principal, where: string, what: string): void {
    this.outcome.wrong.push(`${p.name} ${where}: ${what}`)
  }

  #cell(p: Principal, where: string, holds: boolean, what: string): void {
    this.outcome.cells++
    if (!holds) this.wrong(p, where, what)
  }

  /** Reads every record as everybody: each field shown, masked or absent as the model says, and what is foreign like what is not there. */
  async fields(): Promise<void> {
    for (const p of this.#world.principals) {
      for (const r of this.#world.records) {
        const path = `/${r.entity.plural}/${r.id}`
        const answer = await this.call(p, 'GET', path)
        if (!sees(p.policy, p, r)) {
          this.#cell(p, `GET ${path}`, same(answer, await this.call(p, 'GET', `/${r.entity.plural}/${randomUUID()}`)) && [403, 404].includes(answer.status), `foreign ${answer.status} is not like absent`)
          continue
        }
        this.#cell(p, `GET ${path}`, answer.status === 200, `${answer.status} of a record in sight: ${answer.text.slice(0, 200)}`)
        if (answer.status === 200) this.#record(p, r, answer.body)
      }
    }
  }

  #record(p: Principal, r: Planting, body: Json): void {
    for (const name of ALWAYS) this.#cell(p, `${r.noun}.${name}`, name in body, 'missing')
    for (const name of Object.keys(r.entity.fields)) {
      const right = this.#rightOn(p, r, name)
      const shown = name in body && !(name in body.masks)
      const masked = name in body && body[name] === null && Array.isArray(body.masks[name])
      this.#cell(p, `${r.noun}.${name}`, right === 'shown' ? shown && (!given(r, name) || JSON.stringify(body[name]) === JSON.stringify(r.kept[name])) : right === 'masked' ? masked : !(name in body) && !(name in body.masks), `is not ${right}`)
    }
    for (const { key } of this.#world.custom[r.noun] ?? []) {
      const right = this.#rightOn(p, r, `custom.${key}`)
      const value = body.custom?.[key]
      this.#cell(p, `${r.noun}.custom.${key}`, right === 'shown' ? typeof value === 'string' : (value ?? null) === null, `is not ${right}`)
    }
  }

  /** Lists, counts, filters, sorts and searches as everybody. */
  async searches(): Promise<void> {
    for (const p of this.#world.principals) for (const e of this.#world.description.entities) await this.#searchNoun(p, e)
  }

  async #searchNoun(p: Principal, e: Entity): Promise<void> {
    const search = (body: object): Promise<Answer> => this.call(p, 'POST', `/${e.plural}/search`, body)
    const expected = new Set(this.#visible(p, e.name).map((r) => r.id))
    if (p.policy.read[e.name] === 'all') for (const id of this.#world.before[e.name]!) expected.add(id)
    const where = `POST /${e.plural}/search`
    const all = await search({ limit: 200, count: true })
    if ((p.policy.read[e.name] ?? 'none') === 'none') return this.#cell(p, where, all.status === 403, `${all.status} where nothing may be seen`)
    const got = new Set((all.body.items as Json[]).map((i) => i.id))
    this.#cell(p, where, sameSet(got, expected), `${got.size} rows instead of ${expected.size}`)
    this.#cell(p, `${where} count`, all.body.count === expected.size, `counts ${all.body.count} of ${expected.size}`)
    const unknown = await search({ where: { field: 'noSuchField', op: 'eq', value: 'x' } })
    for (const name of [...Object.keys(e.fields), ...(this.#world.custom[e.name] ?? []).map((c) => `custom.${c.key}`)]) await this.#searchField(p, e, name, search, unknown, expected)
    for (const r of this.#sample(p, e.name)) await this.#searchText(p, r, search)
  }

  async #searchField(p: Principal, e: Entity, name: string, search: (body: object) => Promise<Answer>, unknown: Answer, expected: ReadonlySet<string>): Promise<void> {
    const right = this.right(p, e, name)
    const where = `${e.name}.${name}`
    const questions = [{ fields: [name] }, { sort: [{ field: name, direction: 'asc' }], limit: 200, count: true }]
    for (const q of questions) {
      const answer = await search(q)
      if (right === 'hidden') this.#cell(p, where, same(answer, await search(JSON.parse(JSON.stringify(q).replaceAll(name, 'noSuchField')))), `hidden, and yet not like unknown in ${Object.keys(q)[0]}`)
      else if (answer.status === 200 && 'sort' in q) this.#cell(p, where, answer.body.count === expected.size, `sorting counts ${answer.body.count} of ${expected.size}`)
      else this.outcome.cells++
    }
    for (const r of this.#sample(p, e.name)) {
      const value = comparable(r, name)
      if (value === undefined) continue
      const answer = await search({ where: { field: name, op: 'eq', value }, count: true, limit: 200 })
      if (right === 'hidden') {
        this.#cell(p, where, same(answer, unknown), 'hidden, and yet a filter is not answered like an unknown one')
        continue
      }
      const found = new Set(((answer.body.items ?? []) as Json[]).map((i) => i.id))
      const inSight = [...found].every((id) => expected.has(id)) && (answer.status !== 200 || answer.body.count === found.size)
      const must = expected.has(r.id) && this.#rightOn(p, r, name) !== 'hidden'
      this.#cell(p, where, inSight && (answer.status !== 200 || found.has(r.id) === must || (must && right === 'masked')), `a filter finds ${found.size} and counts ${answer.body.count}`)
    }
  }

  /** Any word of a record, looked for as text, finds it for whoever sees both, and for nobody else. */
  async #searchText(p: Principal, r: Planting, search: (body: object) => Promise<Answer>): Promise<void> {
    for (const [word, at] of this.#world.canaries.planted) {
      if (at.recordId !== r.id || !word.startsWith('cnry')) continue
      const answer = await search({ text: word, count: true, limit: 200 })
      if (answer.status !== 200) continue
      const field = r.entity.fields[at.field]
      const may = sees(p.policy, p, r) && this.#rightOn(p, r, at.field) === 'shown'
      const ids = (answer.body.items as Json[]).map((i) => i.id)
      const must = may && field?.kind === 'text' && field.find.includes('text') === true && isFilled(r.kept[at.field])
      this.#cell(p, `${r.noun}.${at.field} by text`, (!must || ids.includes(r.id)) && (may || (!ids.includes(r.id) && answer.body.count === ids.length)), `finds ${ids.length}`)
    }
  }

  /** Every route that takes the id of a record, for every record and one that is not there. `changing`: those that change something, at the end of all. */
  async routes(changing: boolean): Promise<void> {
    const plurals = new Map(this.#world.description.entities.map((e) => [e.plural, e]))
    for (const { contract } of this.#world.description.routes) {
      const entity = plurals.get(contract.path.split('/')[1]!)
      // Whoever claims a record owns it from then on, and sees all of it: that is what the tests of pools are about.
      if (contract.path.endsWith('/claim')) continue
      if (!contract.path.includes('/:id') || (contract.method !== 'GET') !== changing || contract.raw) continue
      for (const p of this.#world.principals) {
        if (contract.stepUp) await p.renew()
        const absent = await this.#route(p, contract, randomUUID(), [])
        const records = entity ? this.#sample(p, entity.name) : this.#world.records.filter((r) => r.ownerId !== p.id).slice(0, 2)
        const inSight = (r: Planting): boolean => entity !== undefined && sees(p.policy, p, r)
        for (const r of [...records.filter((x) => !inSight(x)), ...records.filter(inSight)]) await this.#routeOf(p, contract, r, absent, inSight(r))
      }
    }
  }

  async #routeOf(p: Principal, contract: Contract, r: Planting, absent: Answer, inSight: boolean): Promise<void> {
    const reveals = contract.path.endsWith('/reveal') && inSight && p.policy.reveals.includes(r.noun)
    const also = reveals ? [...this.#world.canaries.planted].filter(([, at]) => at.recordId === r.id && this.#rightOn(p, r, at.field) === 'masked').map(([word]) => word) : []
    const answer = await this.#route(p, contract, r.id, also, r)
    if (reveals && answer.status === 200) this.outcome.revealed++
    const where = `${contract.method} ${contract.path}`
    if (!inSight) this.#cell(p, where, same(answer, absent), `foreign ${answer.status} ${String(answer.body?.code)} is not like absent ${absent.status} ${String(absent.body?.code)}`)
    else if (contract.method === 'GET' && entityRoute(contract)) this.#cell(p, where, answer.status !== 404 || !COMMON.has(contract.path.split('/')[3] ?? ''), `${answer.status} of a record in sight`)
    else this.outcome.cells++
  }

  async #route(p: Principal, contract: Contract, id: string, also: readonly string[], r?: Planting): Promise<Answer> {
    const path = contract.path.replace(':id', id)
    if (path.includes(':')) return NOTHING
    const query = Object.entries((example(schemaOf(contract.query), 'word', p.id, false) ?? {}) as Record<string, unknown>).map(([k, v]) => `${k}=${encodeURIComponent(String(v))}`)
    const body = contract.method === 'GET' ? undefined : this.#bodyFor(contract, p, r)
    const session = contract.stepUp && p.session ? { as: p.session } : {}
    const headers = contract.ifMatch ? { 'If-Match': '"1"' } : {}
    return this.call(p, contract.method, query.length > 0 ? `${path}?${query.join('&')}` : path, body, { headers, also, ...session })
  }

  #bodyFor(contract: Contract, p: Principal, r?: Planting): unknown {
    if (contract.path.endsWith('/reveal')) return { fields: ['nationalId'], reason: 'the matrix asks' }
    // An empty change that names no field of its own: what matters is who may, and what the answer shows.
    if (contract.method === 'PATCH') return { custom: {} }
    return example(schemaOf(contract.body), 'matrixword', r?.ownerId ?? p.id, false) ?? {}
  }

  /** Routes without an id: whatever they answer to the shortest body they take. */
  async sweep(leaveOut: RegExp): Promise<void> {
    for (const { contract } of this.#world.description.routes) {
      if (contract.path.includes(':') || contract.root || contract.raw || contract.permission === 'public' || !['GET', 'POST'].includes(contract.method) || leaveOut.test(contract.path)) continue
      for (const p of this.#world.principals) {
        for (const all of [false, true]) {
          const query = all ? [] : Object.entries((example(schemaOf(contract.query), '1', p.id, false) ?? {}) as Record<string, unknown>).map(([k, v]) => `${k}=${encodeURIComponent(String(v))}`)
          const body = contract.method === 'GET' ? undefined : (example(schemaOf(contract.body), 'matrixword', p.id, all) ?? {})
          await this.call(p, contract.method, query.length > 0 ? `${contract.path}?${query.join('&')}` : contract.path, body, { ids: !/^\/(?:ledger|doctor)/.test(contract.path) })
          this.outcome.cells++
        }
      }
    }
  }

  /** Files: exactly the rows that may be both seen and taken out. */
  async exports(): Promise<void> {
    for (const p of this.#world.principals) {
      for (const e of this.#world.description.entities) {
        const asked = await this.call(p, 'POST', '/exports', { noun: e.plural, format: 'jsonl', reason: 'the matrix asks' })
        const expected = new Set(this.#world.records.filter((r) => r.noun === e.name && takesOut(p.policy, p, r)).map((r) => r.id))
        const may = (p.policy.export[e.name] ?? 'none') !== 'none'
        this.#cell(p, `POST /exports ${e.plural}`, may === (asked.status === 202), `${asked.status}`)
        if (asked.status !== 202) continue
        let run: Json
        do run = (await this.call(p, 'GET', `/exports/${asked.body.id}`)).body
        while (['queued', 'running'].includes(run.state) && (await sleep(50, true)))
        const file = await this.call(p, 'GET', `/exports/${asked.body.id}/content`)
        const lines = file.text.split('\n').filter(Boolean).map((l) => JSON.parse(l) as Json)
        this.#cell(p, `export of ${e.plural}`, run.result?.rows === expected.size && sameSet(new Set(lines.map((l) => l.id)), expected), `${lines.length} rows instead of ${expected.size}`)
      }
    }
  }

  /** The change feed, from before anything was made: exactly what is seen. */
  async changes(): Promise<void> {
    await this.#world.server.call('GET', '/ledger/checkpoint')
    for (const p of this.#world.principals) {
      const seen = new Set<string>()
      for (let cursor = this.#world.cursors.get(p.name)!, more = true; more;) {
        const { body } = await this.call(p, 'GET', `/changes?limit=500&cursor=${encodeURIComponent(cursor)}`)
        for (const item of body.items as Json[]) seen.add(item.id)
        cursor = body.nextCursor
        more = body.more
      }
      const expected = new Set(this.#visible(p).map((r) => r.id))
      this.#cell(p, 'GET /changes', sameSet(seen, expected), `${seen.size} ids instead of ${expected.size}`)
    }
  }

  /** What came to somebody on another way (a webhook, a calendar). */
  arrived(p: Principal, text: string): void {
    const { words, ids } = this.#allowed.get(p.name)!
    this.outcome.cells++
    for (const { word, at } of this.#world.canaries.in(text)) if (!words.has(word)) this.outcome.leaks.push(`${p.name} from outside: ${at.noun}.${at.field} ${word}`)
    for (const r of this.#world.records) if (!ids.has(r.id) && text.includes(r.id)) this.outcome.leaks.push(`${p.name} from outside: the id of ${r.noun} ${r.id}`)
  }
}

type Contract = World['description']['routes'][number]['contract']

const NOTHING: Answer = { status: 0, headers: {}, body: null, text: '', bytes: Buffer.alloc(0) }
/** Reading routes that every noun has. */
const COMMON = new Set(['timeline', 'relations', 'why'])
const entityRoute = (c: Contract): boolean => /^\/[a-z-]+\/:id\/[a-z-]+$/.test(c.path)

/** Given by whoever made the record; anything else the program may have reckoned anew meanwhile. */
const given = (r: Planting, name: string): boolean => r.entity.fields[name]!.edit

const isFilled = (v: unknown): boolean => v !== null && v !== undefined && !(Array.isArray(v) && v.length === 0)

const sameSet = (a: ReadonlySet<string>, b: ReadonlySet<string>): boolean => a.size === b.size && [...a].every((x) => b.has(x))

/** Alike to whoever reads the answer: all but the number of the request. */
function same(a: Answer, b: Answer): boolean {
  const words = (x: Answer): string => JSON.stringify([x.status, x.headers['content-type'], x.headers['etag'] ?? null, { ...x.body, requestId: null }])
  return words(a) === words(b)
}

/** What a filter by a field would compare with to find this record. */
function comparable(r: Planting, name: string): unknown {
  if (name.startsWith('custom.')) return (r.values['custom'] as Record<string, unknown> | undefined)?.[name.slice(7)]
  if (!given(r, name)) return undefined
  const value = [r.kept[name] ?? (name in r.kept.masks || isConcealed(r, name, classOf(r.entity, name)) ? r.values[name] : null)].flat()[0] as Json
  const kind = r.entity.fields[name]!.kind
  if (value === undefined || value === null) return undefined
  if (kind === 'email' || kind === 'handle') return value.value
  if (kind === 'phone') return value.typed
  if (kind === 'money' || kind === 'shape') return undefined
  return ['text', 'date', 'time', 'number', 'ref', 'id', 'oneOf', 'flag'].includes(kind) ? value : undefined
}
