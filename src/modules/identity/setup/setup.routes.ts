import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { publicRoute, type Answer, type PublicRoute } from '../../../kernel/http/index.ts'
import { contracts } from './setup.contract.ts'
import type { SetUpPage } from './setup.service.ts'

export interface StatusFacts {
  status: 'starting' | 'warming' | 'ready' | 'failed'
  version: string
  ledgerSize: number
  /** Codes only: texts may name paths, and this page is open to whoever reaches the server. */
  posture: readonly { code: string; level: 'red' | 'amber' | 'info' }[]
}

/** Ours only: no inline script or style, no other origin, no frame. */
const CSP = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

const file = (name: string): string => readFileSync(join(import.meta.dirname, 'pages', name), 'utf8')

function serve(name: string, type: string): () => Promise<Answer<unknown>> {
  const text = file(name)
  const headers = { 'Content-Type': type, 'Content-Security-Policy': CSP }
  return async () => ({ body: undefined, stream: text, headers })
}

const HTML = 'text/html; charset=utf-8'
const SCRIPT = 'text/javascript; charset=utf-8'

function pages(): PublicRoute[] {
  return [
    publicRoute(contracts.setupPage, serve('setup.html', HTML)),
    publicRoute(contracts.setupScript, serve('setup.js', SCRIPT)),
    publicRoute(contracts.wordsScript, serve('words.js', SCRIPT)),
    publicRoute(contracts.style, serve('setup.css', 'text/css; charset=utf-8')),
    publicRoute(contracts.icon, serve('icon.svg', 'image/svg+xml')),
    publicRoute(contracts.statusPage, serve('status.html', HTML)),
    publicRoute(contracts.statusScript, serve('status.js', SCRIPT)),
  ]
}

/** The pages and what they call. */
export function setUpRoutes(page: SetUpPage, status: () => Promise<StatusFacts>): PublicRoute[] {
  return [
    ...pages(),
    publicRoute(contracts.open, async ({ body }) => {
      await page.open(body.secret)
      return { body: { ok: true } }
    }),
    publicRoute(contracts.totp, async ({ body }) => ({ body: await page.offerTotp(body.secret, body.email, body.organisation) })),
    publicRoute(contracts.confirmTotp, async ({ body }) => {
      await page.confirmTotp(body.secret, body.code)
      return { body: { ok: true } }
    }),
    publicRoute(contracts.kit, async ({ body }) => ({ body: { text: await page.makeKit(body.secret) } })),
    publicRoute(contracts.readKit, async ({ body }) => ({ body: { ok: await page.readKit(body.secret, body.code) } })),
    publicRoute(contracts.complete, async ({ body: { secret, ...form } }) => ({ body: { recoveryCodes: await page.complete(secret, form) } })),
    publicRoute(contracts.status, async () => ({ body: await status() })),
  ]
}
