/**
 * `node bench/timeline.ts [EVENTS]`: the timeline of one contact through a real server over TLS, with 5,000 events of the ledger and 500 notes unless told otherwise: its first page, one in
 * the middle, the last one, and a calendar of 200 tasks. cpu is processor time of the server for one of them: it hardly moves when the machine is busy with other things.
 */
import { readFileSync } from 'node:fs'
import { request } from 'node:https'
import { OWNER, startServer, type Json } from '../test/harness/server.ts'
import { machine } from './machine.ts'
import { printTimed } from './timed.ts'

const EVENTS = Number(process.argv[2] ?? 5_000)
const NOTES = 500
const TASKS = 200
const ROUNDS = 30
const AT_ONCE = 20
/** A calendar may be read this often in an hour. */
const READS = 40

const server = await startServer({ env: { SEALBOOK_REQUESTS_PER_MINUTE: '1000000' } })

const timed = (name: string, once: () => Promise<unknown>, rounds = ROUNDS): Promise<void> => printTimed(name, server.pid, rounds, once)

async function asked(method: string, path: string, body?: unknown): Promise<Json> {
  const answer = await server.call(method, path, body)
  if (answer.status >= 300) throw new Error(answer.text)
  return answer.body
}

async function many(n: number, once: (i: number) => Promise<unknown>): Promise<void> {
  for (let i = 0; i < n; i += AT_ONCE) await Promise.all(Array.from({ length: Math.min(AT_ONCE, n - i) }, (_, k) => once(i + k)))
}

function calendar(url: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const sent = request(new URL(url), { ca: readFileSync(server.ready.caFile) }, (answer) => {
      answer.resume()
      answer.on('end', () => (answer.statusCode === 200 ? resolve() : reject(new Error(`calendar: ${answer.statusCode}`))))
    })
    sent.on('error', reject)
    sent.end()
  })
}

try {
  const contact = await asked('POST', '/contacts', { fullName: 'Busy Person' })
  const on = (body: object): Promise<Json> => asked('POST', '/activities', { recordKind: 'contact', recordId: contact.id, ...body })
  await many(EVENTS, () => asked('GET', `/contacts/${contact.id}`))
  await many(NOTES, (i) => on({ kind: 'note', title: `Note ${i}`, body: 'x'.repeat(300) }))
  const dueAt = new Date(Date.now() + 86_400_000).toISOString()
  await many(TASKS, (i) => on({ kind: 'task', title: `Task ${i}`, dueAt }))
  const cursors: string[] = ['']
  for (let next: string | null = ''; next !== null; ) {
    next = (await asked('GET', `/contacts/${contact.id}/timeline${next ? `?cursor=${next}` : ''}`)).nextCursor
    if (next !== null) cursors.push(next)
  }
  const page = (at: number) => (): Promise<Json> => asked('GET', `/contacts/${contact.id}/timeline${cursors[at] ? `?cursor=${cursors[at]}` : ''}`)
  process.stdout.write(`${JSON.stringify(machine())}\n${EVENTS} events, ${NOTES} notes and ${TASKS} tasks on ${cursors.length} pages\n`)
  await timed('first page', page(0))
  await timed('a page in the middle', page(cursors.length >> 1))
  await timed('last page', page(cursors.length - 1))
  const feed = await server.call('POST', '/me/calendar', { name: 'bench' }, await server.signIn(OWNER.email, OWNER.password))
  await timed(`calendar of ${TASKS} tasks`, () => calendar(feed.body.url), READS)
} finally {
  await server.close()
}
