import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { z } from 'zod'
import { Refusal } from '../base/index.ts'

const isOrigin = (s: string): boolean => {
  const u = new URL(s)
  return u.pathname === '/' && u.username === '' && u.password === '' && u.search === '' && u.hash === ''
}
const origin = z
  .url({ protocol: /^https$/, abort: true, error: 'must be an https address' })
  .refine(isOrigin, { message: 'must be an origin: scheme, host and port only' })
  .transform((s) => new URL(s).origin)
// Number() also takes ' ', '1e3' and '0x10'.
const port = z
  .string()
  .regex(/^\d{1,5}$/, { message: 'must be a number from 0 to 65535' })
  .transform(Number)
  .pipe(z.number().max(65535))

/** Every environment variable the server reads, with its meaning: docs/generated/config.md is printed from this table. */
const variables = {
  SEALBOOK_HOME: { schema: z.string().min(1).default('./data'), says: 'Folder of everything the server keeps: database, key store, certificates, blobs, staging, logs.' },
  SEALBOOK_HOST: { schema: z.string().min(1).default('127.0.0.1'), says: 'Address to listen on.' },
  SEALBOOK_PORT: { schema: port.default(8443), says: 'Port to listen on; 0 takes a free one.' },
  SEALBOOK_ORIGIN: { schema: origin.optional(), says: 'The address people type: certificate names, cookies. Default https://localhost:PORT.' },
  SEALBOOK_TRUSTED_PROXIES: { schema: z.string().default(''), says: 'Comma-separated addresses or networks whose X-Forwarded-For is believed. Empty: none.' },
  SEALBOOK_DATABASE_URL: { schema: z.string().optional(), says: 'PostgreSQL ≥ 15 for the restricted role. Empty: the embedded server in HOME/postgres.' },
  SEALBOOK_DATABASE_ADMIN_URL: { schema: z.string().optional(), says: 'PostgreSQL role that owns the schema; used to migrate only.' },
  SEALBOOK_KEYSTORE_URL: { schema: z.string().max(0, { message: 'the key store of several nodes is not there yet; leave it empty' }).optional(), says: 'Reserved for the key store of several nodes; leave it empty.' },
  SEALBOOK_CUSTODIAN: { schema: z.enum(['key-file', 'passphrase']).default('key-file'), says: 'Who holds the root key when an instance is made: a key file, or a passphrase.' },
  SEALBOOK_ROOT_KEY_FILE: { schema: z.string().optional(), says: 'The key file. Default ~/.config/sealbook/<instanceId>.key; keep it on another device than HOME.' },
  SEALBOOK_PASSPHRASE_FILE: { schema: z.string().optional(), says: 'A file whose first line is the passphrase (custodian passphrase).' },
  SEALBOOK_REQUESTS_PER_MINUTE: { schema: z.coerce.number().int().min(10).max(10_000_000).default(6000), says: 'Requests one credential (or one network, signed out) may make in a minute.' },
  SEALBOOK_WEBHOOK_NETWORKS: { schema: z.string().default(''), says: 'Comma-separated networks, such as 10.1.0.0/16, that webhooks may go to beside the public internet. Empty: none.' },
  SEALBOOK_ATTACHMENT_MB: { schema: z.coerce.number().int().min(1).max(2000).default(50), says: 'The largest file that may be put on a record, in megabytes.' },
  SEALBOOK_CLAMAV: { schema: z.string().regex(/^(?:\/.+|[A-Za-z0-9.:_[\]-]+:\d{1,5})$/, { message: 'must be host:port or the path of a socket' }).optional(), says: 'Where clamd listens: host:port, or the path of its socket. Files are then taken only while it answers; it is sent them as they are. Empty: no scanner.' },
  SEALBOOK_SMTP_URL_FILE: { schema: z.string().optional(), says: 'A file whose first line is the address of the mail server, smtps://USER:PASSWORD@HOST, or smtp://… for STARTTLS (in the clear only on this machine). Empty: no mail is sent.' },
  SEALBOOK_MAIL_FROM: { schema: z.email().optional(), says: 'Sender of mails; needed where there is a mail server.' },
  SEALBOOK_LOG_LEVEL: { schema: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info'), says: 'How much is logged. Values of records are never logged at any level.' },
} as const

export interface Config {
  readonly home: string
  readonly host: string
  readonly port: number
  /** Null until the port is known when SEALBOOK_PORT is 0 and no origin is set. */
  readonly origin: string | null
  readonly trustedProxies: readonly string[]
  readonly databaseUrl: string | null
  readonly databaseAdminUrl: string | null
  readonly custodian: 'key-file' | 'passphrase'
  readonly rootKeyFile: string | null
  readonly passphraseFile: string | null
  readonly requestsPerMinute: number
  readonly webhookNetworks: readonly string[]
  readonly attachmentMb: number
  /** Null: no scanner. */
  readonly clamav: string | null
  /** Null: no mail is sent. */
  readonly mail: { readonly file: string; readonly from: string } | null
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error' | 'silent'
}

/** Reads and checks the environment once. Throws a Refusal (exit 2) that names everything that is wrong at once; unknown SEALBOOK_ variables included. */
export function loadConfig(env: Readonly<Record<string, string | undefined>>): Config {
  const faults: string[] = []
  const value = <K extends keyof typeof variables>(name: K): z.output<(typeof variables)[K]['schema']> => {
    const raw = env[name]
    const parsed = variables[name].schema.safeParse(raw === '' ? undefined : raw)
    if (!parsed.success) faults.push(`${name}: ${parsed.error.issues.map((i) => i.message).join(', ')}`)
    return parsed.data as z.output<(typeof variables)[K]['schema']> // undefined only when a fault is reported below
  }
  const clientSide = new Set(['SEALBOOK_URL', 'SEALBOOK_TOKEN_FILE', 'SEALBOOK_CA_FILE'])
  for (const name of Object.keys(env)) {
    if (name.startsWith('SEALBOOK_') && !Object.hasOwn(variables, name) && !clientSide.has(name)) faults.push(`${name} is not a setting`)
  }
  const port = value('SEALBOOK_PORT')
  const smtp = value('SEALBOOK_SMTP_URL_FILE')
  const from = value('SEALBOOK_MAIL_FROM')
  if (smtp && !from) faults.push('SEALBOOK_SMTP_URL_FILE needs SEALBOOK_MAIL_FROM, the sender of mails')
  const config: Config = {
    home: resolve(value('SEALBOOK_HOME') ?? '.'),
    host: value('SEALBOOK_HOST'),
    port,
    origin: value('SEALBOOK_ORIGIN') ?? (port ? `https://localhost:${port}` : null),
    trustedProxies: Object.freeze((value('SEALBOOK_TRUSTED_PROXIES') ?? '').split(',').map((s) => s.trim()).filter(Boolean)),
    databaseUrl: value('SEALBOOK_DATABASE_URL') ?? null,
    databaseAdminUrl: value('SEALBOOK_DATABASE_ADMIN_URL') ?? null,
    custodian: value('SEALBOOK_CUSTODIAN'),
    rootKeyFile: value('SEALBOOK_ROOT_KEY_FILE') ?? null,
    passphraseFile: value('SEALBOOK_PASSPHRASE_FILE') ?? null,
    requestsPerMinute: value('SEALBOOK_REQUESTS_PER_MINUTE'),
    webhookNetworks: Object.freeze((value('SEALBOOK_WEBHOOK_NETWORKS') ?? '').split(',').map((s) => s.trim()).filter(Boolean)),
    attachmentMb: value('SEALBOOK_ATTACHMENT_MB'),
    clamav: value('SEALBOOK_CLAMAV') ?? null,
    mail: smtp && from ? { file: resolve(smtp), from } : null,
    logLevel: value('SEALBOOK_LOG_LEVEL'),
  }
  value('SEALBOOK_KEYSTORE_URL')
  if (config.databaseUrl && !config.databaseAdminUrl) faults.push('SEALBOOK_DATABASE_URL needs SEALBOOK_DATABASE_ADMIN_URL, a role that may migrate')
  if (faults.length > 0) throw new Refusal('config-invalid', `Correct the environment: ${faults.join('; ')}.`, 2)
  return Object.freeze(config)
}

/** Where the root key file lives unless SEALBOOK_ROOT_KEY_FILE says otherwise: outside HOME on purpose. */
export function rootKeyPath(config: Config, instanceId: string): string {
  return config.rootKeyFile ? resolve(config.rootKeyFile) : join(homedir(), '.config', 'sealbook', `${instanceId}.key`)
}

/** Markdown table of the settings. */
export function configDocument(): string {
  const rows = Object.entries(variables).map(([name, v]) => {
    const parsed = v.schema.safeParse(undefined)
    const standard = parsed.success && parsed.data !== undefined && parsed.data !== '' ? `\`${String(parsed.data)}\`` : '—'
    return `| \`${name}\` | ${standard} | ${v.says} |`
  })
  return ['# Settings', '', 'Printed from `src/kernel/config`. Secrets are given by file path; none has a default.', '', '| variable | default | meaning |', '|---|---|---|', ...rows, ''].join('\n')
}
