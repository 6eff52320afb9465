import { z } from 'zod'
import type { Entity } from '../../kernel/entity/index.ts'
import { endpoint } from '../../kernel/http/index.ts'
import { runView } from '../runs/index.ts'

const uuid = z.uuid().toLowerCase()
const id = z.object({ id: uuid })
const nouns = z.array(z.object({ noun: z.string(), count: z.int() }))
const failure = z.object({ id: z.uuid(), code: z.string() })
const result = z.object({ nouns: z.array(z.object({ noun: z.string(), matched: z.int(), done: z.int() })), failed: z.array(failure), failedCount: z.int(), disabled: z.boolean(), undoToken: z.string().nullable() })

/** One noun from one owner to another. */
export const transferOf = ({ plural }: Entity) =>
  endpoint({
    method: 'POST',
    path: `/${plural}/transfer`,
    permission: `${plural}:assign`,
    summary: `Give ${plural} of one owner to another, in the background: all of them, those a question finds, or those named.`,
    body: z.strictObject({ from: uuid, to: uuid, where: z.unknown().optional(), ids: z.array(uuid).min(1).max(1000).optional() }),
    response: z.object({ id: z.uuid() }),
    status: 202,
    idempotent: true,
  })

export const viewTransfer = endpoint({ method: 'GET', path: '/transfers/:id', permission: 'signed-in', summary: 'How a transfer or hand-over of yours goes on.', params: id, response: runView(result) })

export const undoTransfer = endpoint({
  method: 'POST',
  path: '/transfers/:id/undo',
  permission: 'signed-in',
  summary: 'Take back a transfer or hand-over of yours (24 h), in the background; records that were changed since stay as they are, and nobody is enabled again by it.',
  params: id,
  response: z.object({ id: z.uuid() }),
  status: 202,
})

const people = { from: uuid, to: z.array(uuid).min(1).max(20) }

export const previewHandover = endpoint({
  method: 'POST',
  path: '/handovers/preview',
  permission: 'signed-in',
  summary: 'What a colleague who leaves has, as far as you may give it to others: counts by noun, and open tasks.',
  body: z.strictObject({ from: uuid }),
  response: z.object({ nouns, total: z.int() }),
})

export const startHandover = endpoint({
  method: 'POST',
  path: '/handovers',
  permission: 'signed-in',
  summary: 'Give everything of a colleague who leaves to others, in the background, and disable them after that if asked. What belongs to one company goes to one colleague.',
  body: z.strictObject({ ...people, disable: z.boolean().default(false) }),
  response: z.object({ id: z.uuid() }),
  status: 202,
  idempotent: true,
  stepUp: 'session-only',
})
