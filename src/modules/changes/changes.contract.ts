import { z } from 'zod'
import { endpoint } from '../../kernel/http/index.ts'

const item = z.object({
  /** Of the ledger: later changes have larger ones. */
  leaf: z.int(),
  entity: z.string(),
  id: z.uuid(),
  action: z.string(),
  at: z.string(),
  /** It was deleted, or left what the caller sees; nothing else is said of it. */
  gone: z.literal(true).optional(),
})

export const listChanges = endpoint({
  method: 'GET',
  path: '/changes',
  permission: 'signed-in',
  summary: 'What changed in the records I see, oldest first. Without a cursor: nothing yet, and a cursor that begins now.',
  query: z.strictObject({ cursor: z.string().max(4_000).optional(), limit: z.coerce.number().int().min(1).max(500).default(100) }),
  response: z.object({ items: z.array(item), nextCursor: z.string(), more: z.boolean() }),
})
