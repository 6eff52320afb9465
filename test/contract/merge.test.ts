import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { multipartOf } from '../build/files.ts'
import { startServer, type Answer, type CallOptions, type Json, type Person, type TestServer } from '../harness/server.ts'

let server: TestServer
let manager: Person
let rep: Person
let other: Person

const as = (p: Person, headers: Record<string, string> = {}): CallOptions => ({ token: p.token, headers })
const outcome = (a: Answer): { status: number; code: string | undefined } => ({ status: a.status, code: a.body?.code })

async function make(noun: string, body: object, who: Person): Promise<Json> {
  const made = await server.call('POST', `/${noun}`, body, as(who))
  expect(made.status, made.text).toBe(201)
  return made.body
}

const read = async (path: string, who: Person): Promise<Json> => (await server.call('GET', path, undefined, as(who))).body
const idsOf = (a: Answer): string[] => a.body.items.map((r: Json) => r.id)

beforeAll(async () => {
  server = await startServer()
  const sales = (await server.call('POST', '/departments', { name: 'Sales' })).body.id
  const away = (await server.call('POST', '/departments', { name: 'Away' })).body.id
  manager = await server.addPerson('manager@example.com', 'manager', sales)
  rep = await server.addPerson('rep@example.com', 'rep', sales)
  other = await server.addPerson('other@example.com', 'rep', away)
}, 240_000)
afterAll(() => server?.close())

describe('a merge of contacts', () => {
  test('shows first what would come of it, then makes several one, moves what hangs on them, and is taken back whole', async () => {
    const winner = await make('contacts', { fullName: 'Li Wei', phones: [{ value: '+12025550130' }], tags: ['a'], doNotContact: ['sms'] }, rep)
    const loser = await make('contacts', { fullName: '李伟', emails: [{ value: 'li@merge.example' }], phones: [{ value: '+12025550131' }], title: 'Buyer', city: 'Lyon', tags: ['b'], doNotContact: ['email'] }, rep)
    const deal = await make('deals', { title: 'Merged deal', contactIds: [loser.id, winner.id] }, rep)
    const note = await make('activities', { recordKind: 'contact', recordId: loser.id, kind: 'note', title: 'note of the loser' }, rep)
    const foreign = await make('contacts', { fullName: 'Foreign' }, other)

    const asked = { winner: winner.id, losers: [loser.id], fields: { fullName: loser.id } }
    const dry = await server.call('POST', '/contacts/merge', { ...asked, dryRun: true }, as(rep))
    expect(dry.status, dry.text).toBe(200)
    expect(dry.body).toMatchObject({ undoToken: null, record: { id: winner.id, fullName: '李伟', title: 'Buyer', city: 'Lyon', tags: ['a', 'b'] } })
    expect(dry.body.moves).toEqual(expect.arrayContaining([{ noun: 'deals', field: 'contactIds', count: 1 }, { noun: 'activities', field: 'recordId', count: 1 }]))
    expect(await read(`/contacts/${winner.id}`, rep)).toMatchObject({ version: 1, fullName: 'Li Wei' })

    const done = await server.call('POST', '/contacts/merge', asked, as(rep))
    expect(done.status, done.text).toBe(200)
    const now = await read(`/contacts/${winner.id}`, rep)
    expect(now).toMatchObject({ fullName: '李伟', title: 'Buyer' })
    expect(now.phones.map((p: Json) => p.value)).toEqual(['+12025550130', '+12025550131'])
    expect(now.doNotContact.toSorted()).toEqual(['email', 'sms'])
    expect((await server.call('GET', `/contacts/${loser.id}`, undefined, as(rep))).status).toBe(404)
    expect((await read(`/deals/${deal.id}`, rep)).contactIds).toEqual([winner.id])
    expect(await read(`/activities/${note.id}`, rep)).toMatchObject({ recordId: winner.id, title: 'note of the loser' })
    expect(idsOf(await server.call('POST', '/contacts/search', { where: { field: 'emails', op: 'eq', value: 'li@merge.example' } }, as(rep)))).toEqual([winner.id])
    expect(idsOf(await server.call('POST', '/deals/search', { where: { field: 'contactIds', op: 'eq', value: loser.id } }, as(rep)))).toEqual([])
    const timeline = await read(`/contacts/${winner.id}/timeline`, rep)
    expect(timeline.items.map((i: Json) => i.action)).toEqual(expect.arrayContaining(['contact.merged', 'activity.created']))

    expect((await server.call('POST', '/contacts/merge/undo', { undoToken: done.body.undoToken }, as(manager))).status).toBe(404)
    expect((await server.call('POST', '/undo', { undoToken: done.body.undoToken }, as(rep))).status).toBe(404)
    const undone = await server.call('POST', '/contacts/merge/undo', { undoToken: done.body.undoToken }, as(rep))
    expect(undone.body, undone.text).toEqual({ done: 4, failed: [] })
    expect(await read(`/contacts/${winner.id}`, rep)).toMatchObject({ fullName: 'Li Wei', title: null, tags: ['a'] })
    expect(await read(`/contacts/${loser.id}`, rep)).toMatchObject({ fullName: '李伟', mergedIntoId: null })
    expect((await read(`/deals/${deal.id}`, rep)).contactIds).toEqual([loser.id, winner.id])
    expect(await read(`/activities/${note.id}`, rep)).toMatchObject({ recordId: loser.id, title: 'note of the loser' })
    expect((await server.call('POST', '/contacts/merge/undo', { undoToken: done.body.undoToken }, as(rep))).status).toBe(404)
    expect((await server.call('POST', '/contacts/merge', { winner: winner.id, losers: [foreign.id] }, as(rep))).status).toBe(404)
  })

  test('nobody merges what they may not see, edit and delete, nor learns a value by it; a foreign row that names a loser follows untold', async () => {
    const mine = await make('contacts', { fullName: 'Mine Merge', nationalId: '' }, rep)
    const second = await make('contacts', { fullName: 'Second Merge', nationalId: 'ID-CANARY-778899' }, rep)
    const foreign = await make('contacts', { fullName: 'Foreign Merge', phones: [{ value: '+12025550139' }] }, other)
    for (const body of [{ winner: mine.id, losers: [foreign.id] }, { winner: foreign.id, losers: [mine.id] }]) {
      for (const dryRun of [true, false]) expect((await server.call('POST', '/contacts/merge', { ...body, dryRun }, as(rep))).status).toBe(404)
    }
    const chosen = await server.call('POST', '/contacts/merge', { winner: mine.id, losers: [second.id], fields: { nationalId: second.id } }, as(rep))
    expect(chosen.status).toBe(403)
    for (const fields of [{ nothing: second.id }, { mergedIntoId: second.id }, { fullName: foreign.id }]) expect([400, 403], JSON.stringify(fields)).toContain((await server.call('POST', '/contacts/merge', { winner: mine.id, losers: [second.id], fields }, as(rep))).status)
    expect((await server.call('POST', '/contacts/merge', { winner: mine.id, losers: [mine.id] }, as(rep))).status).toBe(400)
    const token = await server.call('POST', '/tokens', { name: 'narrow', scopes: ['contacts:read', 'contacts:edit'] }, as(rep))
    expect(outcome(await server.call('POST', '/contacts/merge', { winner: mine.id, losers: [second.id] }, { token: token.body.token }))).toEqual({ status: 403, code: 'permission-missing' })

    const { body, headers } = multipartOf({ record: `contacts/${foreign.id}` }, { name: 'a.pdf', bytes: Buffer.from('%PDF-1.7\n') })
    expect((await server.call('POST', '/attachments', body, as(other, headers))).status).toBe(201)
    // Neither is it told whether one that is not theirs has files.
    expect((await server.call('POST', '/contacts/merge', { winner: mine.id, losers: [foreign.id] }, as(rep))).status).toBe(404)
    const own = await make('contacts', { fullName: 'Other Own' }, other)
    expect(outcome(await server.call('POST', '/contacts/merge', { winner: own.id, losers: [foreign.id] }, as(other)))).toEqual({ status: 409, code: 'merge-has-files' })
    expect((await server.call('POST', '/contacts/merge', { winner: foreign.id, losers: [own.id] }, as(other))).status).toBe(200)

    // A deal of the manager that the rep does not see names the loser.
    const hidden = await make('deals', { title: 'Hidden deal', contactIds: [second.id] }, manager)
    const dry = await server.call('POST', '/contacts/merge', { winner: mine.id, losers: [second.id], dryRun: true }, as(rep))
    expect(dry.body.moves).toEqual([])
    const done = await server.call('POST', '/contacts/merge', { winner: mine.id, losers: [second.id] }, as(rep))
    expect(done.status, done.text).toBe(200)
    expect(done.text + dry.text).not.toContain('CANARY')
    expect(done.body.record.masks.nationalId).toEqual(['****8899'])
    expect(done.body.moves).toEqual([])
    expect((await read(`/deals/${hidden.id}`, manager)).contactIds).toEqual([mine.id])
    const history = await read(`/deals/${hidden.id}/timeline`, manager)
    expect(history.items.map((i: Json) => i.action)).toContain('deal.relinked')
  })

  test('what was changed after it is not overwritten by taking it back', async () => {
    const winner = await make('contacts', { fullName: 'After Winner' }, rep)
    const loser = await make('contacts', { fullName: 'After Loser' }, rep)
    const note = await make('activities', { recordKind: 'contact', recordId: loser.id, kind: 'note', title: 'before' }, rep)
    const done = await server.call('POST', '/contacts/merge', { winner: winner.id, losers: [loser.id] }, as(rep))
    const moved = await read(`/activities/${note.id}`, rep)
    const changed = await server.call('PATCH', `/activities/${note.id}`, { title: 'after' }, as(rep, { 'If-Match': `"${moved.version}"` }))
    expect(changed.status, changed.text).toBe(200)
    const undone = await server.call('POST', '/contacts/merge/undo', { undoToken: done.body.undoToken }, as(rep))
    expect(undone.body.failed).toEqual([{ id: note.id, code: 'version-stale' }])
    expect(await read(`/activities/${note.id}`, rep)).toMatchObject({ title: 'after', recordId: winner.id })
    expect((await server.call('GET', `/contacts/${loser.id}`, undefined, as(rep))).status).toBe(200)
  })

  test('of two merges of the same records at once one wins', async () => {
    const [a, b] = [await make('contacts', { fullName: 'Race A' }, rep), await make('contacts', { fullName: 'Race B' }, rep)]
    const answers = await Promise.all([server.call('POST', '/contacts/merge', { winner: a.id, losers: [b.id] }, as(rep)), server.call('POST', '/contacts/merge', { winner: b.id, losers: [a.id] }, as(rep))])
    expect(answers.map((x) => x.status).toSorted(), answers.map((x) => x.text).join()).toEqual([200, 404])
  })
})

describe('a merge of companies', () => {
  test('moves contacts, deals and the companies below, also where the winner stood below a loser', async () => {
    const top = await make('companies', { name: 'Merge Top' }, rep)
    const loser = await make('companies', { name: 'Merge Loser', parentId: top.id, website: 'https://loser.example' }, rep)
    const winner = await make('companies', { name: 'Merge Winner', parentId: loser.id }, rep)
    const below = await make('companies', { name: 'Merge Below', parentId: loser.id }, rep)
    const contact = await make('contacts', { fullName: 'Ann Employee', companyId: loser.id }, rep)
    const deal = await make('deals', { title: 'Of Loser', companyId: loser.id }, rep)
    const done = await server.call('POST', '/companies/merge', { winner: winner.id, losers: [loser.id] }, as(rep))
    expect(done.status, done.text).toBe(200)
    expect(await read(`/companies/${winner.id}`, rep)).toMatchObject({ name: 'Merge Winner', parentId: top.id, website: 'https://loser.example' })
    expect((await read(`/companies/${below.id}`, rep)).parentId).toBe(winner.id)
    expect((await read(`/contacts/${contact.id}`, rep)).companyId).toBe(winner.id)
    expect((await read(`/deals/${deal.id}`, rep)).companyId).toBe(winner.id)
    expect(idsOf(await server.call('POST', '/contacts/search', { text: 'Merge Winner' }, as(rep)))).toEqual([contact.id])
    expect(idsOf(await server.call('POST', '/contacts/search', { text: 'Merge Loser' }, as(rep)))).toEqual([])
    const undone = await server.call('POST', '/companies/merge/undo', { undoToken: done.body.undoToken }, as(rep))
    expect(undone.body, undone.text).toMatchObject({ failed: [] })
    expect((await read(`/companies/${winner.id}`, rep)).parentId).toBe(loser.id)
    expect((await read(`/companies/${below.id}`, rep)).parentId).toBe(loser.id)
    expect((await read(`/contacts/${contact.id}`, rep)).companyId).toBe(loser.id)
  })
})
