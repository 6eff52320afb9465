import { z } from 'zod'
import { endpoint } from '../../kernel/http/index.ts'
import { runView } from '../runs/index.ts'

const failure = z.object({ id: z.uuid(), code: z.string() })
const result = z.object({ matched: z.int(), done: z.int(), failed: z.array(failure), failedCount: z.int(), undoToken: z.string().nullable() })
const id = z.object({ id: z.uuid().toLowerCase() })

export const ask = endpoint({
  method: 'POST',
  path: '/bulk-changes',
  permission: 'signed-in',
  summary: 'Change every record a question finds, in the background; at most 50,000.',
  body: z.strictObject({
    noun: z.string().max(40),
    where: z.unknown().optional(),
    text: z.string().max(200).optional(),
    action: z.enum(['patch', 'delete', 'tag', 'assign']),
    patch: z.record(z.string(), z.unknown()).optional(),
  }),
  response: z.object({ id: z.uuid() }),
  status: 202,
  idempotent: true,
})

export const takeBack = endpoint({
  method: 'POST',
  path: '/bulk-changes/:id/undo',
  permission: 'signed-in',
  summary: 'Take back a bulk change of yours (24 h), in the background; records that were changed since stay as they are.',
  params: id,
  response: z.object({ id: z.uuid() }),
  status: 202,
})

export const view = endpoint({ method: 'GET', path: '/bulk-changes/:id', permission: 'signed-in', summary: 'How a bulk change of yours goes on.', params: id, response: runView(result) })
