import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { connect, type TLSSocket } from 'node:tls'
import { isIP } from 'node:net'

export interface TlsFinding {
  code: string
  level: 'red' | 'amber' | 'info'
  what: string
  fix: string
}

const DAY_MS = 86_400_000

/** What a server really shows to somebody who connects, against HOME/tls and the origin people type. For `doctor`; changes nothing. */
export async function checkServed(options: { home: string; url: string; now?: number }): Promise<TlsFinding[]> {
  const { hostname, port } = new URL(options.url)
  const host = hostname.replace(/^\[(.*)\]$/, '$1')
  const stored = storedIn(options.home)
  if (!stored) return [{ code: 'certificate-missing', level: 'red', what: 'HOME/tls does not hold the certificates of the server and its authority.', fix: 'Restart the server; it makes them again.' }]
  const socket = await handshake(host, Number(port || 443))
  if (!socket) return [{ code: 'tls-not-served', level: 'red', what: `Nothing answers with TLS at ${host}:${port || 443}.`, fix: 'Start the server, or correct SEALBOOK_ORIGIN, SEALBOOK_HOST and SEALBOOK_PORT.' }]
  const served = socket.getPeerX509Certificate()!
  const protocol = socket.getProtocol()
  socket.destroy()
  return [...judge(served, host, stored, options.now ?? Date.now()), ...(protocol === 'TLSv1.3' ? [] : [{ code: 'tls-old', level: 'red', what: `The connection was ${protocol}, not TLSv1.3.`, fix: 'Something else answers on this port; find out what.' } as const])]
}

interface Stored {
  ca: X509Certificate
  server: X509Certificate
}

function storedIn(home: string): Stored | null {
  try {
    const [ca, server] = ['ca.crt', 'server.crt'].map((name) => new X509Certificate(readFileSync(join(home, 'tls', name))))
    return ca && server ? { ca, server } : null
  } catch {
    return null
  }
}

/** Connects without judging the certificate, so that a bad one can be described. */
function handshake(host: string, port: number): Promise<TLSSocket | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, rejectUnauthorized: false, timeout: 5_000, ...(isIP(host) ? {} : { servername: host }) }, () => resolve(socket))
    const failed = (): void => {
      socket.destroy()
      resolve(undefined)
    }
    socket.once('error', failed)
    socket.once('timeout', failed)
  })
}

function judge(served: X509Certificate, host: string, { ca, server }: Stored, now: number): TlsFinding[] {
  const findings: TlsFinding[] = []
  const days = Math.floor((served.validToDate.getTime() - now) / DAY_MS)
  if (days < 0) findings.push({ code: 'certificate-expired', level: 'red', what: 'The certificate that is served has expired.', fix: 'Restart the server; it makes a new one.' })
  else if (days < 15) findings.push({ code: 'certificate-expiring', level: 'amber', what: `The certificate that is served expires in ${days} days and was not renewed.`, fix: 'Look into the log for why, then restart the server.' })
  if (!(isIP(host) ? served.checkIP(host) : served.checkHost(host))) findings.push({ code: 'certificate-name', level: 'red', what: `The certificate that is served is not for ${host}.`, fix: 'Set SEALBOOK_ORIGIN to the address people type and restart.' })
  if (!served.checkIssued(ca) || !served.verify(ca.publicKey)) findings.push({ code: 'certificate-foreign', level: 'red', what: 'The certificate that is served was not issued by the authority in HOME/tls.', fix: 'Find out what answers on this port; a proxy needs a certificate of its own and SEALBOOK_TRUSTED_PROXIES.' })
  else if (!served.publicKey.equals(server.publicKey)) findings.push({ code: 'certificate-stale', level: 'amber', what: 'The server serves another certificate than the one in HOME/tls.', fix: 'Restart the server.' })
  return findings
}
