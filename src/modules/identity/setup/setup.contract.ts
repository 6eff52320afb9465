import { z } from 'zod'
import { endpoint } from '../../../kernel/http/index.ts'

const secret = z.string().max(200)
const email = z.string().trim().min(3).max(320)
const organisation = z.string().trim().min(1).max(200)
const ok = z.object({ ok: z.literal(true) })

const page = (path: `/${string}`, summary: string, produces = 'text/html; charset=utf-8') => endpoint({ method: 'GET', path, root: true, permission: 'public', summary, response: z.string(), produces })

export const contracts = {
  setupPage: page('/setup', 'The set-up page.'),
  setupScript: page('/setup/setup.js', 'Its script.', 'text/javascript; charset=utf-8'),
  wordsScript: page('/setup/words.js', 'Its words, in Chinese and English.', 'text/javascript; charset=utf-8'),
  style: page('/setup/setup.css', 'Its style.', 'text/css; charset=utf-8'),
  icon: page('/setup/icon.svg', 'Its icon.', 'image/svg+xml'),
  statusPage: page('/status', 'The status page.'),
  statusScript: page('/setup/status.js', 'Its script.', 'text/javascript; charset=utf-8'),
  open: endpoint({ method: 'POST', path: '/setup/open', permission: 'public', summary: 'Whether the set-up link is still good.', body: z.strictObject({ secret }), response: ok }),
  totp: endpoint({
    method: 'POST',
    path: '/setup/totp',
    permission: 'public',
    summary: 'Offer the owner an authenticator app.',
    body: z.strictObject({ secret, email, organisation }),
    response: z.object({ secret: z.string(), uri: z.string(), qrSvg: z.string() }),
  }),
  confirmTotp: endpoint({ method: 'POST', path: '/setup/totp/confirm', permission: 'public', summary: 'Confirm it with a code.', body: z.strictObject({ secret, code: z.string().max(20) }), response: ok }),
  kit: endpoint({ method: 'POST', path: '/setup/kit', permission: 'public', summary: 'Make the recovery kit; the one before it stops working.', body: z.strictObject({ secret }), response: z.object({ text: z.string() }) }),
  readKit: endpoint({ method: 'POST', path: '/setup/kit/verify', permission: 'public', summary: 'Read the recovery kit back.', body: z.strictObject({ secret, code: z.string().max(4_000) }), response: z.object({ ok: z.boolean() }) }),
  complete: endpoint({
    method: 'POST',
    path: '/setup/complete',
    permission: 'public',
    summary: 'Make organisation and owner. The link is used up by it.',
    body: z.strictObject({
      secret,
      organisation,
      country: z.string().regex(/^[A-Z]{2}$/),
      locale: z.enum(['zh-CN', 'en']),
      ownerName: z.string().trim().min(1).max(200),
      ownerEmail: email,
      ownerPassword: z.string().min(1).max(1_000),
      totp: z.boolean(),
    }),
    response: z.object({ recoveryCodes: z.array(z.string()) }),
  }),
  status: endpoint({
    method: 'GET',
    path: '/status/facts',
    permission: 'public',
    summary: 'Health, version, size of the ledger and posture; nothing personal.',
    response: z.object({
      status: z.enum(['starting', 'warming', 'ready', 'failed']),
      version: z.string(),
      ledgerSize: z.int(),
      posture: z.array(z.object({ code: z.string(), level: z.enum(['red', 'amber', 'info']) })),
    }),
  }),
}
