import { z } from 'zod'
import { endpoint } from '../../kernel/http/index.ts'

const finding = z.object({ code: z.string(), level: z.enum(['red', 'amber', 'info']), what: z.string(), fix: z.string() })

export const status = endpoint({
  method: 'GET',
  path: '/keys',
  permission: 'keys:read',
  summary: 'Who holds the root key, which purpose keys there are, and what their place is worth',
  response: z.object({
    custodian: z.string(),
    custodians: z.array(z.string()),
    purposes: z.array(z.object({ purpose: z.string(), epoch: z.int(), createdAt: z.string() })),
    subjectKeys: z.int(),
    posture: z.array(finding),
  }),
})

export const kit = endpoint({
  method: 'POST',
  path: '/keys/kit',
  permission: 'keys:manage',
  summary: 'Makes a new recovery kit and writes it into a file the caller has put into HOME/run; the kit never travels',
  // Chosen by the command line; the name proves that whoever asks can write into HOME as the server's user.
  body: z.strictObject({ file: z.string().regex(/^kit-[0-9a-f]{32}$/) }),
  response: z.object({ file: z.string() }),
})
