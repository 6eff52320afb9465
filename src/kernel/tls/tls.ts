import { createPrivateKey, X509Certificate } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import type { Server, ServerOptions } from 'node:https'
import { isIP } from 'node:net'
import { join } from 'node:path'
import { Refusal } from '../base/index.ts'
import { issue, makeAuthority, type Issued } from './certificates.ts'
import { asNames, hostsOf, nameConstraints } from './names.ts'

export interface TlsOptions {
  /** SEALBOOK_HOME. */
  home: string
  /** SEALBOOK_ORIGIN; null: this machine's own names only. */
  origin: string | null
  /** Seals and opens the authority's private key (vault.sealInstance, vault.openInstance). */
  seal: (bytes: Uint8Array) => Buffer
  open: (sealed: Uint8Array) => Buffer
  /** Told when a certificate was made, and why. Never a value. */
  onIssued?: (what: 'authority' | 'certificate', why: string) => void
  /** Milliseconds since 1970; for tests. */
  now?: () => number
}

export interface Tls {
  /** HOME/tls/ca.crt, for `curl --cacert` and for the browser's store. */
  readonly caFile: string
  /** SHA-256 of the authority's certificate: lower-case hex in pairs with colons, as browsers show it. */
  readonly caSha256: string
  /** For https.createServer: TLS 1.3 only, post-quantum key agreement preferred. */
  options(): ServerOptions
  /** Renews while the server runs: at two thirds of the lifetime, without a restart and without ending a connection. */
  keepFresh(server: Pick<Server, 'setSecureContext'>): void
  /** Renews now if it is time; resolves with whether it did. */
  renewIfDue(): Promise<boolean>
  close(): void
}

const HOUR_MS = 3_600_000

/** Opens HOME/tls, making or renewing what is needed. Throws Refusal tls-authority when the authority's key cannot be used. */
export async function openTls(options: TlsOptions): Promise<Tls> {
  const store = new Store(options)
  await store.ensure()
  let server: Pick<Server, 'setSecureContext'> | undefined
  const renewIfDue = async (): Promise<boolean> => {
    const renewed = await store.ensure()
    if (renewed) server?.setSecureContext(store.options())
    return renewed
  }
  const timer = setInterval(() => void renewIfDue().catch((error: unknown) => options.onIssued?.('certificate', `not renewed: ${error instanceof Refusal ? error.code : 'unknown'}`)), HOUR_MS)
  timer.unref()
  return {
    caFile: store.path('ca.crt'),
    get caSha256() {
      return store.certificate('ca.crt')!.fingerprint256.toLowerCase()
    },
    options: () => store.options(),
    keepFresh: (running) => void (server = running),
    renewIfDue,
    close: () => clearInterval(timer),
  }
}

class Store {
  readonly #options: TlsOptions
  readonly #hosts: readonly string[]

  constructor(options: TlsOptions) {
    this.#options = options
    this.#hosts = hostsOf(options.origin)
    mkdirSync(this.path(''), { recursive: true, mode: 0o700 })
  }

  path(name: string): string {
    return join(this.#options.home, 'tls', name)
  }

  #now(): number {
    return this.#options.now?.() ?? Date.now()
  }

  certificate(name: string): X509Certificate | undefined {
    try {
      return new X509Certificate(readFileSync(this.path(name)))
    } catch {
      return undefined
    }
  }

  options(): ServerOptions {
    return {
      cert: readFileSync(this.path('server.crt')),
      key: readFileSync(this.path('server.key')),
      minVersion: 'TLSv1.3',
      // X25519MLKEM768 first: what is recorded today stays closed to a quantum computer of tomorrow.
      ecdhCurve: 'X25519MLKEM768:X25519:P-256',
    }
  }

  /** Makes what is missing or due; resolves with whether the server certificate is a new one. */
  async ensure(): Promise<boolean> {
    const authorityWhy = this.#authorityFault()
    if (authorityWhy) await this.#makeAuthority(authorityWhy)
    const why = this.#serverFault()
    if (!why) return false
    const authority: Issued = { certificate: readFileSync(this.path('ca.crt'), 'utf8'), key: this.#openKey() }
    const { certificate, key } = await issue(authority, this.#hosts, this.#now())
    authority.key.fill(0)
    // The key first: a crash in between leaves a pair that does not match, which the next start replaces.
    this.#write('server.key', createPrivateKey({ key, format: 'der', type: 'pkcs8' }).export({ format: 'pem', type: 'pkcs8' }))
    this.#write('server.crt', certificate)
    this.#options.onIssued?.('certificate', why)
    return true
  }

  #authorityFault(): string | undefined {
    const [crt, key] = [existsSync(this.path('ca.crt')), existsSync(this.path('ca.key.sealed'))]
    if (!crt && !key) return 'there was none'
    const ca = this.certificate('ca.crt')
    // Never replaced silently: people have told their browsers to trust this one.
    if (!ca || !key) throw new Refusal('tls-authority', `HOME/tls is damaged: ${ca ? 'ca.key.sealed' : 'ca.crt'} is missing or unreadable. Put it back from a backup, or move the folder away to have a new authority, which every browser must trust anew.`)
    if (ca.validToDate.getTime() <= this.#now()) return 'it had expired'
    return ca.raw.includes(nameConstraints(this.#hosts)) ? undefined : 'SEALBOOK_ORIGIN changed'
  }

  async #makeAuthority(why: string): Promise<void> {
    const { certificate, key } = await makeAuthority(this.#hosts, this.#now())
    this.#write('ca.key.sealed', this.#options.seal(key))
    key.fill(0)
    this.#write('ca.crt', certificate)
    this.#options.onIssued?.('authority', why)
  }

  #openKey(): Buffer {
    const refusal = (cause?: unknown): Refusal =>
      new Refusal('tls-authority', 'HOME/tls/ca.key.sealed does not open with this instance’s keys or does not belong to ca.crt; put HOME/tls back from the same backup as the keys, or move the folder away to have a new authority, which every browser must trust anew.', 4, cause)
    let key: Buffer
    try {
      key = this.#options.open(readFileSync(this.path('ca.key.sealed')))
      if (!this.certificate('ca.crt')?.checkPrivateKey(createPrivateKey({ key, format: 'der', type: 'pkcs8' }))) throw refusal()
    } catch (error) {
      throw error instanceof Refusal && error.code === 'tls-authority' ? error : refusal(error)
    }
    return key
  }

  #serverFault(): string | undefined {
    const server = this.certificate('server.crt')
    const ca = this.certificate('ca.crt')!
    if (!server) return 'there was none'
    const [from, to, now] = [server.validFromDate.getTime(), server.validToDate.getTime(), this.#now()]
    if (now < from || now >= from + ((to - from) * 2) / 3) return 'it was due'
    if (!server.checkIssued(ca) || !server.verify(ca.publicKey)) return 'another authority had issued it'
    if (!this.#hosts.every((host) => (isIP(host) ? server.checkIP(host) : server.checkHost(host)))) return 'SEALBOOK_ORIGIN changed'
    if (asNames(this.#hosts).length !== (server.subjectAltName ?? '').split(',').length) return 'SEALBOOK_ORIGIN changed'
    try {
      return server.checkPrivateKey(createPrivateKey(readFileSync(this.path('server.key')))) ? undefined : 'its key did not match'
    } catch {
      return 'its key was missing'
    }
  }

  #write(name: string, content: string | Buffer): void {
    const fresh = this.path(`${name}.new`)
    writeFileSync(fresh, content, { mode: 0o600 })
    renameSync(fresh, this.path(name))
  }
}
