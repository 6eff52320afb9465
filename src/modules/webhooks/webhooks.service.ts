import { Problem, uuidv7 } from '../../kernel/base/index.ts'
import type { Desk } from '../../kernel/work/types.ts'
import { checkFields } from '../access/index.ts'
import type { Principals } from '../identity/index.ts'
import type { RecordsDeps } from '../records/index.ts'
import { failingSince, listDeliveries, resume, type Delivery } from './deliveries.store.ts'
import { newSecret, signedHeaders } from './signature.ts'
import { faultOfUrl, post, type Outcome, type Targets } from './target.ts'
import { deleteHook, hookById, insertHook, listHooks, updateHook, type Hook, type HookWords, type Signing } from './webhooks.store.ts'

export interface HooksDeps {
  signing: Signing
  principals: Principals
  records: RecordsDeps
  targets: Targets
}

export interface NewHook {
  name: string
  url: string
  events: readonly string[]
  fields?: Readonly<Record<string, readonly string[]>> | undefined
  scopes?: readonly string[] | undefined
  expiresAt?: string | undefined
}

const MOST_OF_ONE = 20
const DAY_MS = 86_400_000

const invalid = (path: string, code: string): Problem => new Problem('invalid', { errors: [{ path, code }] })

async function checkUrl(deps: HooksDeps, url: string | undefined): Promise<void> {
  if (url === undefined) return
  const fault = faultOfUrl(url)
  if (fault) throw invalid('url', fault)
  // A name that does not resolve now may do so later; one that leads inside never will be followed.
  const addresses = await deps.targets.resolve(new URL(url).hostname).catch(() => undefined)
  if (addresses === null) throw invalid('url', 'address-refused')
}

/** Events are of nouns the scopes may read; a field leaves only where the person may both see it and take it out. */
function checkWords(desk: Desk, deps: HooksDeps, events: readonly string[], fields: HookWords['fields'], scopes: readonly string[]): void {
  for (const [i, event] of events.entries()) {
    const entity = deps.records.slices.get(event.slice(0, event.indexOf('.')))?.entity
    if (!entity || !scopes.includes(`${entity.plural}:read`)) throw invalid(`events.${i}`, 'more-than-held')
  }
  for (const [noun, names] of Object.entries(fields)) {
    const entity = deps.records.slices.get(noun)?.entity
    if (!entity || !scopes.includes(`${entity.plural}:read`)) throw invalid('fields', 'more-than-held')
    if (!scopes.includes(`${entity.plural}:export`)) throw new Problem('permission-missing')
    checkFields(entity, names, desk.actor, deps.records.customFields(noun))
  }
}

export async function createHook(desk: Desk, deps: HooksDeps, asked: NewHook): Promise<Hook> {
  await checkUrl(deps, asked.url)
  const principal = await deps.principals.check(desk, { name: `webhook: ${asked.name}`.slice(0, 200), scopes: asked.scopes, expiresAt: asked.expiresAt })
  const fields = asked.fields ?? {}
  checkWords(desk, deps, asked.events, fields, principal.scopes)
  const words: HookWords = { name: asked.name, url: asked.url, secret: newSecret(), before: null, events: asked.events, fields, scopes: principal.scopes, expiresAt: principal.expiresAt.toISOString() }
  const nextLeaf = desk.ledger.status().size
  return desk.write(async (work) => {
    if ((await listHooks(work.sql, deps.signing, work.actor.personId)).length >= MOST_OF_ONE) throw invalid('', 'too-many')
    const principalId = await principal.write(work)
    const at = work.at.toISOString()
    const hook = await insertHook(work.sql, deps.signing, { personId: work.actor.personId, principalId, createdAt: at, updatedAt: at, words }, nextLeaf)
    work.record({ action: 'webhook.created', object: { kind: 'webhook', id: hook.id }, subjects: [work.actor.key], detail: { host: new URL(words.url).host, events: [...words.events], fields: words.fields as Record<string, string[]> } })
    return hook
  })
}

/** The actor's own, for changing it. Somebody else's is not found, also by whoever may end it. */
async function ownHook(desk: Pick<Desk, 'sql' | 'actor'>, deps: HooksDeps, id: string): Promise<Hook> {
  const hook = await hookById(desk.sql, deps.signing, id)
  if (!hook || hook.personId !== desk.actor.personId) throw new Problem('not-found')
  return hook
}

const manages = (desk: Pick<Desk, 'actor'>): boolean => desk.actor.grants.permissions.has('webhooks:manage')

export async function findHook(desk: Pick<Desk, 'sql' | 'actor'>, deps: HooksDeps, id: string): Promise<Hook> {
  const hook = await hookById(desk.sql, deps.signing, id)
  if (!hook || (hook.personId !== desk.actor.personId && !manages(desk))) throw new Problem('not-found')
  return hook
}

export function allHooks(desk: Desk, deps: HooksDeps): Promise<Hook[]> {
  return listHooks(desk.sql, deps.signing, manages(desk) ? null : desk.actor.personId)
}

export interface HookPatch {
  name?: string | undefined
  url?: string | undefined
  events?: readonly string[] | undefined
  fields?: Readonly<Record<string, readonly string[]>> | undefined
  state?: 'active' | 'paused' | undefined
}

function patched(words: HookWords, patch: HookPatch): HookWords {
  return { ...words, name: patch.name ?? words.name, url: patch.url ?? words.url, events: patch.events ?? words.events, fields: patch.fields ?? words.fields }
}

export async function patchHook(desk: Desk, deps: HooksDeps, id: string, version: number, patch: HookPatch): Promise<Hook> {
  await checkUrl(deps, patch.url)
  return desk.write(async (work) => {
    const before = await ownHook(work, deps, id)
    if (before.version !== version) throw new Problem('version-stale', { extra: { version: before.version } })
    const words = patched(before.words, patch)
    checkWords(desk, deps, words.events, words.fields, before.words.scopes.filter((s) => work.actor.grants.permissions.has(s)))
    const state = patch.state ?? before.state
    const hook = await updateHook(work.sql, deps.signing, before, { words, state, reason: state === 'disabled' ? before.reason : null }, work.at)
    if (state === 'active' && before.state !== 'active') await resume(work.sql, id)
    work.record({ action: 'webhook.changed', object: { kind: 'webhook', id }, subjects: [work.actor.key], detail: { changed: Object.keys(patch), host: new URL(words.url).host, events: [...words.events], fields: words.fields as Record<string, string[]>, state } })
    return hook
  })
}

export async function rotateSecret(desk: Desk, deps: HooksDeps, id: string): Promise<Hook> {
  return desk.write(async (work) => {
    const before = await ownHook(work, deps, id)
    const until = new Date(work.at.getTime() + DAY_MS).toISOString()
    const hook = await updateHook(work.sql, deps.signing, before, { words: { ...before.words, secret: newSecret(), before: { secret: before.words.secret, until } } }, work.at)
    work.record({ action: 'webhook.secret-replaced', object: { kind: 'webhook', id }, subjects: [work.actor.key] })
    return hook
  })
}

export async function endHook(desk: Desk, deps: HooksDeps, id: string): Promise<void> {
  await desk.write(async (work) => {
    const hook = await findHook(work, deps, id)
    await deleteHook(work.sql, id)
    await deps.principals.end(work, hook.principalId)
    work.record({ action: 'webhook.ended', object: { kind: 'webhook', id }, subjects: [work.vault.ownerKey(hook.personId)] })
  })
}

/** The secrets messages are signed with at a time, the newest first. */
export function secretsAt({ secret, before }: HookWords, at: Date): string[] {
  return before && at.getTime() < Date.parse(before.until) ? [secret, before.secret] : [secret]
}

/** A message that holds nothing of anybody. */
export async function testHook(desk: Desk, deps: HooksDeps, id: string): Promise<Outcome> {
  const hook = await ownHook(desk, deps, id)
  await desk.ledger.append({ action: 'webhook.tested', actor: desk.actor.key, object: { kind: 'webhook', id } })
  const at = new Date()
  const body = JSON.stringify({ type: 'webhook.test', timestamp: at.toISOString(), data: { webhookId: id } })
  return post(deps.targets, hook.words.url, signedHeaders(secretsAt(hook.words, at), `msg_${uuidv7()}`, at, body), body)
}

export async function viewsOf(desk: Desk, hooks: readonly Hook[]): Promise<object[]> {
  const failing = await failingSince(desk.sql, hooks.map((h) => h.id))
  return hooks.map(({ id, version, createdAt, updatedAt, personId, state, reason, words }) => {
    const { name, url, events, fields, scopes, expiresAt } = words
    const mine = personId === desk.actor.personId
    return { id, version, createdAt, updatedAt, userId: personId, name, host: new URL(url).host, url: mine ? url : null, events, fields, scopes, expiresAt, state, reason, failingSince: failing.get(id) ?? null }
  })
}

const PAGE = 100

export async function deliveriesOf(desk: Desk, deps: HooksDeps, id: string, cursor: number | undefined): Promise<{ items: object[]; nextCursor: number | null }> {
  await ownHook(desk, deps, id)
  const found = await listDeliveries(desk.sql, id, cursor ?? null, PAGE)
  const items = found.map((d: Delivery) => ({ ...d, nextAt: d.state === 'waiting' ? d.nextAt : null }))
  return { items, nextCursor: found.length === PAGE ? found.at(-1)!.leaf : null }
}
