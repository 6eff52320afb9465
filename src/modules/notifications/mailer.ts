import { readFileSync } from 'node:fs'
import { createTransport } from 'nodemailer'
import { Refusal } from '../../kernel/base/index.ts'

export interface Mail {
  to: string
  subject: string
  text: string
}

export interface Mailer {
  /** Resolves once the mail server has taken it. */
  send(mail: Mail): Promise<void>
  close(): void
}

const PATIENCE_MS = 15_000
const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]'])

/** Nothing of the address stands in a refusal: it holds a password. */
const refused = (why: string): Refusal => new Refusal('config-invalid', `Correct SEALBOOK_SMTP_URL_FILE: ${why}.`, 2)

function addressIn(file: string): URL {
  let text: string
  try {
    text = readFileSync(file, 'utf8').split('\n')[0]!.trim()
  } catch {
    throw refused('the file cannot be read')
  }
  if (!URL.canParse(text)) throw refused('its first line must be an address such as smtps://USER:PASSWORD@HOST')
  const url = new URL(text)
  if (!['smtp:', 'smtps:'].includes(url.protocol) || url.hostname === '' || !['', '/'].includes(url.pathname) || url.search !== '') throw refused('its first line must begin with smtps:// or smtp:// and name a host and nothing more')
  return url
}

/** A mail server by its address in a file. Other machines are spoken to over TLS only. Throws Refusal config-invalid. */
export function openMailer(words: { file: string; from: string }): Mailer {
  const url = addressIn(words.file)
  const secure = url.protocol === 'smtps:'
  const transport = createTransport({
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port ? Number(url.port) : secure ? 465 : 587,
    secure,
    requireTLS: !secure && !LOOPBACK.has(url.hostname),
    ...(url.username ? { auth: { user: decodeURIComponent(url.username), pass: decodeURIComponent(url.password) } } : {}),
    tls: { minVersion: 'TLSv1.2' },
    connectionTimeout: PATIENCE_MS,
    greetingTimeout: PATIENCE_MS,
    socketTimeout: PATIENCE_MS,
  })
  return {
    async send({ to, subject, text }) {
      // The address as a structure: in a string, a comma in a name would make two of it.
      await transport.sendMail({ from: words.from, to: { name: '', address: to }, subject, text, xMailer: false, headers: { 'Auto-Submitted': 'auto-generated' }, disableFileAccess: true, disableUrlAccess: true })
    },
    close: () => transport.close(),
  }
}
