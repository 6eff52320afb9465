import { z } from 'zod'
import { endpoint } from '../../kernel/http/index.ts'

export const checkpoint = endpoint({
  method: 'GET',
  path: '/ledger/checkpoint',
  permission: 'ledger:read',
  summary: 'The newest signed checkpoint (C2SP tlog-checkpoint)',
  produces: 'text/plain',
  response: z.string(),
})

export const verifierKey = endpoint({
  method: 'GET',
  path: '/ledger/key',
  permission: 'ledger:read',
  summary: 'The key that verifies checkpoints (C2SP signed-note)',
  produces: 'text/plain',
  response: z.string(),
})

export const proof = endpoint({
  method: 'GET',
  path: '/ledger/proof',
  permission: 'ledger:read',
  summary: 'Inclusion proof of one leaf in the newest checkpoint (RFC 6962)',
  query: z.strictObject({ leaf: z.coerce.number().int().min(0) }),
  response: z.object({ index: z.int(), size: z.int(), hashes: z.array(z.string()) }),
})

const failure = z.object({ leaf: z.int().nullable(), code: z.string(), eventId: z.string().optional() })

export const verify = endpoint({
  method: 'POST',
  path: '/ledger/verify',
  permission: 'ledger:read',
  summary: 'Verifies the whole ledger; with since, also that nothing before that checkpoint was rewritten',
  body: z.strictObject({ vkey: z.string().max(500).optional(), since: z.string().max(4_000).optional() }),
  response: z.object({
    ok: z.boolean(),
    size: z.int(),
    root: z.string(),
    checkpointAt: z.string().nullable(),
    failures: z.array(failure),
    notProven: z.array(z.string()),
  }),
})

const time = z.iso.datetime({ offset: true }).transform((t) => new Date(t).toISOString())

export const exportBundle = endpoint({
  method: 'POST',
  path: '/ledger/export',
  permission: 'ledger:export',
  summary: 'A bundle that verifies offline; detail stays sealed',
  body: z.strictObject({ from: time.optional(), to: time.optional() }),
  produces: 'application/octet-stream',
  response: z.string(),
})
