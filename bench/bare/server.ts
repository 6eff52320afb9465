// The peers of the comparison, one process each: Fastify + pg on plaintext, no sign-in, no gate; with `audit` every request also
// waits for one durable line of an audit log. Started by bench/bare/index.ts with its options as one JSON argument.
import { readFileSync } from 'node:fs'
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { uuidBytes } from '../../src/kernel/base/index.ts'
import { dedicated } from '../../src/kernel/db/client.ts'
import type { DbConfig } from '../../src/kernel/db/index.ts'
import { serverTls } from '../tls.ts'
import { GroupedAudit } from './audit.ts'
import { Lanes } from './lanes.ts'
import { lookups, writes, type Body, type ContactRow, type Lookups, type Writes } from './store.ts'

export interface BareOptions {
  database: DbConfig
  ownerId: string
  audit: boolean
  keyFile: string
  certFile: string
}

/** What the answer must wait for beside its row: the audit line. */
type Note = (action: string, objectId: string | null, ids: Buffer | null) => Promise<void> | undefined

interface Peer {
  reads: Lookups
  writes: Writes
  note: Note
}

// 1 to 16 of each were tried on two cores. Reads with several statements in flight on few connections are as fast as on many;
// writes need as many connections as there may be commits to share.
const READ_LANES = 4
const WRITE_LANES = 16

async function openPeer(options: BareOptions): Promise<Peer> {
  const name = options.audit ? 'bare-audit' : 'bare'
  const reads = await Lanes.open(options.database, name, READ_LANES)
  const written = await Lanes.open(options.database, name, WRITE_LANES)
  const peer = { reads: lookups(reads), writes: writes(written, options.ownerId, options.audit) }
  if (!options.audit) return { ...peer, note: () => undefined }
  const grouped = new GroupedAudit(await dedicated(options.database, `${name}-log`))
  return { ...peer, note: (action, objectId, ids) => grouped.append({ at: new Date().toISOString(), actor: options.ownerId, action, objectId, ids }) }
}

function shown(r: ContactRow): object {
  return {
    id: r.id,
    version: r.version,
    createdAt: r.created_at,
    updatedAt: r.updated_at,
    deletedAt: null,
    ownerId: r.owner_id,
    fullName: r.full_name,
    emails: r.email === null ? [] : [{ value: r.email, label: r.email_label }],
    phones: r.phone === null ? [] : [{ value: r.phone, typed: r.phone_typed, label: r.phone_label }, ...(r.more?.phones ?? [])],
    handles: [],
    companyId: r.company_id,
    title: r.title,
    city: r.city,
    note: r.note,
    stage: r.stage,
    tags: r.tags,
    source: r.source,
    collectedAt: r.collected_at,
    doNotContact: [],
    custom: {},
  }
}

interface SearchBody {
  where?: { field: string; op: string; value: string }
  limit?: number
  cursor?: string
}

const MOST = 200

function found(reads: Lookups, { where, limit = 50, cursor }: SearchBody): Promise<ContactRow[]> {
  const most = Math.min(limit, MOST)
  if (!where) return reads.page(most, cursor ?? null)
  return where.op === 'eq' ? reads.byEmail(where.value.toLowerCase(), most) : reads.nameContaining(where.value, most)
}

async function search(peer: Peer, body: SearchBody): Promise<object> {
  const rows = await found(peer.reads, body)
  await peer.note('contact.listed', null, Buffer.concat(rows.map((r) => uuidBytes(r.id))))
  return { items: rows.map(shown), nextCursor: rows.length === (body.limit ?? 50) ? rows.at(-1)!.id : null, complete: true }
}

type OneRequest = FastifyRequest<{ Params: { id: string } }>

async function getOne(peer: Peer, request: OneRequest, reply: FastifyReply): Promise<object> {
  const { id } = request.params
  // What was asked for is known at once, so the log's line and the row come side by side.
  const [row] = await Promise.all([peer.reads.get(id), peer.note('contact.read', id, null)])
  if (!row) return reply.code(404).send({ status: 404 })
  void reply.header('ETag', `"${row.version}"`)
  return shown(row)
}

function mount(app: FastifyInstance, peer: Peer): void {
  app.get('/api/v1/contacts/:id', (request: OneRequest, reply) => getOne(peer, request, reply))
  app.post('/api/v1/contacts/search', (request) => search(peer, request.body as SearchBody))
  app.post('/api/v1/contacts', async (request, reply) => {
    const row = await peer.writes.create(request.body as Body)
    void reply.code(201).header('ETag', `"${row.version}"`)
    return shown(row)
  })
  app.patch('/api/v1/contacts/:id', async (request: OneRequest, reply) => {
    const version = Number((request.headers['if-match'] ?? '').replaceAll('"', ''))
    const row = await peer.writes.patch(request.params.id, version, request.body as Body)
    if (!row) return reply.code(412).send({ status: 412 })
    void reply.header('ETag', `"${row.version}"`)
    return shown(row)
  })
}

const options = JSON.parse(process.argv[2] ?? '{}') as BareOptions // written by bench/bare/index.ts
const app = Fastify({
  https: { ...serverTls, key: readFileSync(options.keyFile), cert: readFileSync(options.certFile) },
  logger: false,
  keepAliveTimeout: 72_000,
}) as unknown as FastifyInstance // the https server type differs only in its socket
mount(app, await openPeer(options))
await app.listen({ host: '127.0.0.1', port: 0 })
const address = app.server.address()
process.send?.({ port: typeof address === 'object' && address ? address.port : 0 })
// The bench closes the channel when it is done, or when it dies.
process.once('disconnect', () => process.exit(0))
