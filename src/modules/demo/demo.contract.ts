import { z } from 'zod'
import { endpoint } from '../../kernel/http/index.ts'

const counts = z.record(z.string(), z.int())

export const readDemo = endpoint({
  method: 'GET',
  path: '/demo',
  permission: 'demo:manage',
  summary: 'Whether there is a demonstration company, and how much of it',
  response: z.object({ state: z.enum(['none', 'making', 'made']), records: counts }),
})

export const removeDemo = endpoint({
  method: 'POST',
  path: '/demo/remove',
  permission: 'demo:manage',
  summary: 'Takes the demonstration company away and destroys its keys; what people made stays',
  body: z.strictObject({ force: z.boolean().default(false) }),
  response: z.object({ removed: counts, freed: z.int(), kept: z.int() }),
})
