import { z } from 'zod'
import { endpoint } from '../../kernel/http/index.ts'
import { runView } from '../runs/index.ts'

const id = z.object({ id: z.uuid().toLowerCase() })
const result = z.object({ done: z.int(), failed: z.array(z.object({ id: z.uuid(), code: z.string() })), failedCount: z.int() })

/** One statement of the lens counts so many. */
export const MOST_COUNTED = 40

export const tagContracts = {
  usage: endpoint({
    method: 'POST',
    path: '/tags/usage',
    permission: 'tags:read',
    summary: 'How many records bear each of these tags, of those you may see.',
    body: z.strictObject({ ids: z.array(z.uuid().toLowerCase()).min(1).max(MOST_COUNTED) }),
    response: z.object({ items: z.array(z.object({ id: z.uuid(), counts: z.record(z.string(), z.int()) })) }),
  }),
  rename: endpoint({
    method: 'POST',
    path: '/tags/:id/rename',
    permission: 'tags:edit',
    summary: 'Give a tag another name, on every record you may change, in the background.',
    params: id,
    body: z.strictObject({ name: z.string().trim().min(1).max(60) }),
    response: z.object({ id: z.uuid() }),
    status: 202,
    idempotent: true,
  }),
  renaming: endpoint({ method: 'GET', path: '/tag-renames/:id', permission: 'tags:edit', summary: 'How a renaming of yours goes on.', params: id, response: runView(result) }),
}
