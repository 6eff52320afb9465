import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Finding } from '../../kernel/vault/index.ts'

const DAY_MS = 86_400_000

function certificateAt(path: string): X509Certificate | null {
  try {
    return new X509Certificate(readFileSync(path))
  } catch {
    return null
  }
}

/** The certificate that is served: there, in time, for this origin, and of our own authority. */
export function checkCertificate(home: string, origin: string | null): Finding[] {
  const server = certificateAt(join(home, 'tls', 'server.crt'))
  const authority = certificateAt(join(home, 'tls', 'ca.crt'))
  if (!server) return [{ code: 'certificate-missing', level: 'amber', what: 'There is no server certificate in the home.', fix: 'The next start makes one.' }]
  const findings: Finding[] = []
  const days = Math.floor((server.validToDate.getTime() - Date.now()) / DAY_MS)
  if (days < 0) findings.push({ code: 'certificate-expired', level: 'red', what: `The server certificate expired ${-days} days ago.`, fix: 'Restart the server: it renews its certificate at start.' })
  else if (days < 7) findings.push({ code: 'certificate-expiring', level: 'amber', what: `The server certificate expires in ${days} days.`, fix: 'Restart the server: it renews its certificate at start.' })
  const host = origin ? new URL(origin).hostname : null
  if (host && !server.checkHost(host) && !server.checkIP(host)) {
    findings.push({ code: 'certificate-name', level: 'red', what: `The server certificate is not for ${host}.`, fix: 'Correct SEALBOOK_ORIGIN, or restart the server so that it makes one for this name.' })
  }
  if (authority && !(server.checkIssued(authority) && server.verify(authority.publicKey))) {
    findings.push({ code: 'certificate-foreign', level: 'red', what: 'The server certificate was not issued by the authority in this home.', fix: 'Find out who replaced it; move tls/server.crt away and restart to have a new one.' })
  }
  return findings
}
