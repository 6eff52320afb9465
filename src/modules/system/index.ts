import { z } from 'zod'
import { endpoint, publicRoute, type Authenticator } from '../../kernel/http/index.ts'
import type { Ledger } from '../../kernel/ledger/index.ts'
import type { Lens } from '../../kernel/lens/index.ts'
import type { Module } from '../../kernel/module.ts'

export interface SystemDeps {
  version: string
  lens: Lens
  ledger: Ledger
  authenticator: Authenticator
  /** True while the database answers. */
  databaseUp(): Promise<boolean>
  /** The OpenAPI description of all routes; asked for lazily, since it includes this module's. */
  describe(): object
}

const health = endpoint({
  method: 'GET',
  path: '/api/health',
  root: true,
  permission: 'public',
  summary: 'Whether the server can serve; signed in also sizes of lens and ledger.',
  response: z.object({
    status: z.enum(['starting', 'warming', 'ready', 'failed']),
    version: z.string(),
    lens: z.object({ rows: z.int(), total: z.int() }).optional(),
    ledger: z.object({ size: z.int() }).optional(),
  }),
})
const openapi = endpoint({ method: 'GET', path: '/api/openapi.json', root: true, permission: 'public', summary: 'This description.', response: z.record(z.string(), z.unknown()) })

export function systemModule(deps: SystemDeps): Module {
  return {
    name: 'system',
    publicRoutes: [
      publicRoute(health, async ({ request }) => {
        const lens = deps.lens.status()
        const ledger = deps.ledger.status()
        const up = (await deps.databaseUp()) && ledger.alarm === null
        const status = !up ? 'failed' : lens.complete ? 'ready' : 'warming'
        const known = up && (request.headers.authorization || request.cookies['__Host-session']) ? await deps.authenticator.authenticate(request).catch(() => null) : null
        const more = known ? { lens: { rows: lens.rows, total: lens.total }, ledger: { size: ledger.size } } : {}
        return { body: { status, version: deps.version, ...more }, status: up ? 200 : 503 }
      }),
      publicRoute(openapi, async () => ({ body: deps.describe() })),
    ],
  }
}
