import type { Entity } from '../../../src/kernel/entity/index.ts'
import type { Answer, CallOptions, Json, Person, Session, TestServer } from '../../harness/server.ts'
import { narrowed, POLICIES, type Policy, type Someone, type Thing } from './model.ts'
import { Canaries } from './values.ts'

/** As describeApp() gives it, of this tree or of another. */
export interface Description {
  entities: readonly Entity[]
  routes: readonly { contract: { method: string; path: string; permission: string; params: never; query: never; body: never; stepUp?: string; ifMatch?: boolean; raw?: boolean; root?: boolean } }[]
  roles: readonly { name: string }[]
}

/** Who asks. */
export interface Principal extends Someone {
  name: string
  policy: Policy
  call: CallOptions
  /** A session with a fresh factor, where a token is refused; null for a token that stands for itself. */
  session: Session | null
  /** Signs in again: a factor is fresh for five minutes only. */
  renew(): Promise<void>
}

export interface Planting extends Thing {
  entity: Entity
  /** What was sent. */
  values: Record<string, unknown>
  /** What was kept of it, as somebody sees it who sees all. */
  kept: Json
  /** Ids its links name. */
  links: Record<string, string[]>
}

export interface World {
  server: TestServer
  description: Description
  canaries: Canaries
  principals: Principal[]
  records: Planting[]
  /** Rows that were there before, by noun. */
  before: Record<string, Set<string>>
  /** Custom fields by noun. */
  custom: Record<string, { key: string; class: 'personal' | 'sensitive' }[]>
  /** Cursors of the change feed from before anything was made, by principal. */
  cursors: Map<string, string>
  policies: Readonly<Record<string, Policy>>
  /** The department that nobody of `principals` sees. */
  far: string
}

interface Owner {
  id: string
  departmentId: string
}

/** What a noun asks for beyond its declaration. `made`: records of the same owner, by noun. `undefined` leaves a field out. */
type Recipe = (made: Readonly<Record<string, Json>>, word: () => string, owner: Owner) => Record<string, unknown>

const RECIPES: Readonly<Record<string, Recipe>> = {
  pipeline: (_made, word) => ({ stages: [{ name: word(), kind: 'open', probability: 20 }, { name: 'Won', kind: 'won', probability: 100 }, { name: 'Lost', kind: 'lost', probability: 0 }] }),
  deal: (made) => ({ stageId: made['pipeline'].stages[0].id, lostReason: undefined, amount: undefined }),
  rate: () => ({ currency: 'CHF', rate: '7.1234' }),
  'score-rule': () => ({ where: { field: 'status', op: 'eq', value: 'new' } }),
  pool: (_made, _word, owner) => ({ departments: [owner.departmentId] }),
  // Due soon, so that it is in the calendar.
  activity: () => ({ kind: 'task', dueAt: new Date(Date.now() + 86_400_000).toISOString(), endsAt: undefined, doneAt: undefined, recurrence: undefined }),
}

/** A small text file for a record, by multipart. */
function upload(record: Thing, name: string): { body: Buffer; headers: Record<string, string> } {
  const head = `--xx\r\nContent-Disposition: form-data; name="recordKind"\r\n\r\n${record.noun}\r\n--xx\r\nContent-Disposition: form-data; name="recordId"\r\n\r\n${record.id}\r\n`
  return { body: Buffer.from(`${head}--xx\r\nContent-Disposition: form-data; name="file"; filename="${name}.txt"\r\nContent-Type: text/plain\r\n\r\n${name} content\r\n--xx--\r\n`), headers: { 'Content-Type': 'multipart/form-data; boundary=xx' } }
}

/** Nouns in an order in which each comes after those it links to. */
function inOrder(entities: readonly Entity[]): Entity[] {
  const out: Entity[] = []
  const add = (e: Entity, above: readonly string[]): void => {
    if (out.includes(e) || above.includes(e.name)) return
    for (const f of Object.values(e.fields)) if (f.ref && f.edit) for (const other of entities) if (other.name === f.ref.entity) add(other, [...above, e.name])
    if (e.about === 'record') for (const kind of e.fields['recordKind']!.values ?? []) for (const other of entities) if (other.name === kind) add(other, [...above, e.name])
    out.push(e)
  }
  for (const e of entities) add(e, [])
  return out
}

function ok(answer: Answer, what: string): Json {
  if (answer.status !== 200 && answer.status !== 201) throw new Error(`${what}: ${answer.status} ${answer.body?.code} ${JSON.stringify(answer.body?.errors ?? null)}. If the noun asks for more than its declaration says, tell it in RECIPES.`)
  return answer.body
}

function bodyOf(world: World, entity: Entity, owner: Owner, made: Record<string, Json>, at: { recordId: string; noun: string }, parent: Thing | null): Record<string, unknown> {
  const { canaries } = world
  const body: Record<string, unknown> = {}
  for (const [name, field] of Object.entries(entity.fields)) {
    if (!field.edit || field.class === 'secret') continue
    const here = { ...at, field: name }
    const link = field.ref ? (field.ref.entity === 'user' ? owner.id : made[field.ref.entity]?.id) : undefined
    const value = link ? (field.many ? [link] : link) : field.ref ? undefined : canaries.value(field, here, owner.departmentId)
    if (value !== undefined) body[name] = value
  }
  if (parent) Object.assign(body, { recordKind: parent.noun, recordId: parent.id })
  const recipe = RECIPES[entity.name]?.(made, () => canaries.text({ ...at, field: 'stages' }), owner) ?? {}
  for (const [name, value] of Object.entries(recipe)) {
    if (value === undefined) delete body[name]
    else body[name] = value
  }
  const custom = Object.fromEntries((world.custom[entity.name] ?? []).map((c) => [c.key, `${canaries.text({ ...at, field: `custom.${c.key}` })}${c.class === 'sensitive' ? '9876' : ''}`]))
  return { ...body, ...(Object.keys(custom).length > 0 ? { custom } : {}), ownerId: owner.id }
}

/** Makes one record of a noun for an owner, every field of it marked. */
export async function plant(world: World, entity: Entity, owner: Owner, made: Record<string, Json>, parent: Thing | null, more: Record<string, unknown> = {}): Promise<Planting> {
  const { server } = world
  const placeholder = `${entity.name} of ${owner.id} ${world.records.length}`
  const at = { recordId: placeholder, noun: entity.name }
  let values: Record<string, unknown>
  let answer: Answer
  if (entity.name === 'attachment') {
    values = { name: world.canaries.text({ ...at, field: 'name' }) }
    const file = upload(parent!, String(values['name']))
    answer = await server.call('POST', `/${entity.plural}`, file.body, { headers: file.headers })
  } else {
    values = { ...bodyOf(world, entity, owner, made, at, parent), ...more }
    answer = await server.call('POST', `/${entity.plural}`, values)
  }
  const record = ok(answer, `making ${entity.name}`)
  for (const [word, planted] of world.canaries.planted) if (planted.recordId === placeholder) world.canaries.planted.set(word, { ...planted, recordId: record.id })
  const links = Object.fromEntries(Object.entries(entity.fields).flatMap(([n, f]) => (f.ref || n === 'recordId' ? [[n, [record[n]].flat().filter(Boolean) as string[]]] : [])))
  const planting: Planting = { noun: entity.name, id: record.id, ownerId: record.ownerId, departmentId: record.departmentId, assigneeId: record.assigneeId ?? null, parent, pool: null, entity, values, kept: record, links }
  world.records.push(planting)
  made[entity.name] = record
  return planting
}

async function declareCustom(world: World): Promise<void> {
  for (const { name, about } of world.description.entities) {
    if (about !== 'person' && about !== 'container') continue
    world.custom[name] = [{ key: 'oddity', class: 'personal' }, { key: 'illness', class: 'sensitive' }]
    for (const c of world.custom[name]) ok(await world.server.call('POST', '/custom-fields', { entity: name, key: c.key, label: { en: c.key, zh: c.key }, type: 'text', class: c.class, find: c.class === 'sensitive' ? [] : ['text'] }), `declaring a custom field of ${name}`)
  }
}

/** A record of each noun that can lie in a pool, put by somebody far away into one that South may claim from, with a note hanging on it. */
async function fillPools(world: World, owner: Owner, department: string): Promise<void> {
  const entity = (name: string): Entity | undefined => world.description.entities.find((e) => e.name === name)
  const [pool, activity] = [entity('pool'), entity('activity')]
  if (!pool || !activity) return
  for (const kind of pool.fields['kind']!.values ?? []) {
    const into = await plant(world, pool, owner, {}, null, { kind, departments: [department] })
    const record = await plant(world, entity(kind)!, owner, {}, null)
    await plant(world, activity, owner, {}, record)
    record.kept = ok(await world.server.call('POST', `/${record.entity.plural}/${record.id}/release`, { poolId: into.id }), `putting ${kind} into a pool`)
    Object.assign(record, { pool: [department], ownerId: record.kept.ownerId, departmentId: record.kept.departmentId, links: { ...record.links, poolId: [into.id] } })
  }
}

const NARROW = ['contact', 'deal', 'activity']

const RENEWED_MS = 150_000

async function addPrincipals(world: World, department: string, below: string): Promise<{ person: Person; departmentId: string }[]> {
  const people: { person: Person; departmentId: string }[] = []
  for (const { name } of world.description.roles) {
    const policy = world.policies[name]
    if (!policy) throw new Error(`the model does not know the role ${name}: say in test/attack/matrix/model.ts what it sees`)
    const person = await world.server.addPerson(`${name}@example.com`, name, department)
    people.push({ person, departmentId: department })
    let renewed = -Infinity
    const principal: Principal = { name, id: person.id, departmentId: department, team: [department, below], policy, call: { token: person.token }, session: null, renew }
    async function renew(): Promise<void> {
      if (performance.now() - renewed < RENEWED_MS) return
      renewed = performance.now()
      principal.session = await world.server.signIn(person.email, person.password)
    }
    await principal.renew()
    world.principals.push(principal)
  }
  const manager = world.principals.find((p) => p.name === 'manager')!
  for (const { name: noun, plural } of world.description.entities.filter((e) => NARROW.includes(e.name))) {
    const made = ok(await world.server.call('POST', '/tokens', { name: `only ${plural}`, scopes: [`${plural}:read`] }, manager.call), 'a narrow token')
    world.principals.push({ ...manager, name: `manager’s token for ${plural}`, policy: narrowed(manager.policy, noun), call: { token: made.token }, session: null, renew: async () => undefined })
  }
  return people
}

async function rowsBefore(world: World): Promise<void> {
  for (const e of world.description.entities) {
    const answer = await world.server.call('POST', `/${e.plural}/search`, { limit: 200 })
    world.before[e.name] = new Set((ok(answer, `looking at ${e.plural}`).items as Json[]).map((i) => i.id))
  }
}

/** One record of every noun for the owner of the instance, every field of it marked. */
export async function plantOne(server: TestServer, description: Pick<Description, 'entities'>): Promise<Pick<World, 'canaries' | 'records'>> {
  const world: World = { server, description: { ...description, routes: [], roles: [] }, canaries: new Canaries(), principals: [], records: [], before: {}, custom: {}, cursors: new Map(), policies: {}, far: '' }
  const me = ok(await server.call('GET', '/me'), 'the owner')
  const made: Record<string, Json> = {}
  for (const entity of inOrder(description.entities)) {
    const kind = entity.about === 'record' ? entity.fields['recordKind']!.values![0]! : null
    await plant(world, entity, me, made, kind ? world.records.findLast((r) => r.noun === kind)! : null)
  }
  return world
}

/** A field of text that holds a marked word and may be changed, or null. */
export const textField = (r: Planting): string | null => Object.entries(r.entity.fields).find(([name, f]) => f.kind === 'text' && f.edit && !f.fixed && !f.many && typeof r.kept[name] === 'string' && String(r.kept[name]).startsWith('cnry'))?.[0] ?? null

/** Departments South (with South-East below it) and North; a person of every role in South, colleagues beside, below and far; a record of every noun for each. */
export async function makeWorld(server: TestServer, description: Description, policies: Readonly<Record<string, Policy>> = POLICIES): Promise<World> {
  const world: World = { server, description, canaries: new Canaries(), principals: [], records: [], before: {}, custom: {}, cursors: new Map(), policies, far: '' }
  const south = ok(await server.call('POST', '/departments', { name: 'South' }), 'South').id
  const east = ok(await server.call('POST', '/departments', { name: 'South-East', parentId: south }), 'South-East').id
  const north = ok(await server.call('POST', '/departments', { name: 'North' }), 'North').id
  world.far = north
  await declareCustom(world)
  await rowsBefore(world)
  const people = await addPrincipals(world, south, east)
  for (const p of world.principals) world.cursors.set(p.name, ok(await server.call('GET', '/changes', undefined, p.call), 'a cursor').nextCursor)
  for (const [email, departmentId] of [['mate', south], ['junior', east], ['far', north]] as const) people.push({ person: await server.addPerson(`${email}@example.com`, 'rep', departmentId), departmentId })
  for (const { person, departmentId } of people) {
    const made: Record<string, Json> = {}
    for (const entity of inOrder(description.entities)) {
      const kind = entity.about === 'record' ? entity.fields['recordKind']!.values![0]! : null
      await plant(world, entity, { id: person.id, departmentId }, made, kind ? world.records.findLast((r) => r.noun === kind && r.ownerId === person.id)! : null)
    }
  }
  await fillPools(world, { id: people.at(-1)!.person.id, departmentId: north }, south)
  // Given to somebody who does not see the record it hangs on.
  const activity = description.entities.find((e) => e.name === 'activity')
  const far = people.at(-1)!
  const theirs = world.records.find((r) => r.noun === 'contact' && r.ownerId === far.person.id)
  if (activity && theirs) for (const p of world.principals.filter((q) => q.session)) await plant(world, activity, { id: far.person.id, departmentId: north }, {}, theirs, { assigneeId: p.id, contactIds: [theirs.id] })
  return world
}
