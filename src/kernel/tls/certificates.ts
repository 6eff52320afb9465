import 'reflect-metadata' // before x509, whose container needs it at import
import { randomBytes, webcrypto } from 'node:crypto'
import * as x509 from '@peculiar/x509'
import { asNames, nameConstraints } from './names.ts'

const P256 = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
const SERVER_AUTH = '1.3.6.1.5.5.7.3.1'
const NAME_CONSTRAINTS = '2.5.29.30'
const DAY_MS = 86_400_000
/** Clocks of clients may be a little behind ours. */
const SKEW_MS = 5 * 60_000

export const CA_DAYS = 3650
export const SERVER_DAYS = 90

/** A certificate with its private key. */
export interface Issued {
  /** PEM. */
  certificate: string
  /** PKCS #8, DER. The caller seals or stores it and wipes this copy. */
  key: Buffer
}

const crypto = webcrypto as unknown as Crypto // the same object; the two declarations differ

async function newKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(P256, true, ['sign', 'verify'])
}

async function pkcs8(key: webcrypto.CryptoKey): Promise<Buffer> {
  return Buffer.from(await webcrypto.subtle.exportKey('pkcs8', key))
}

// RFC 5280 §4.1.2.2: positive, at most 20 bytes.
function serial(): string {
  const bytes = randomBytes(16)
  bytes[0] = (bytes[0]! & 0x7f) | 0x40
  return bytes.toString('hex')
}

/** A new authority that can issue for these hosts and nothing else, and no further authority. */
export async function makeAuthority(hosts: readonly string[], now: number): Promise<Issued> {
  const keys = await newKeys()
  const certificate = await x509.X509CertificateGenerator.createSelfSigned(
    {
      serialNumber: serial(),
      name: [{ CN: [`Sealbook local authority ${randomBytes(4).toString('hex')}`] }, { O: ['Sealbook'] }],
      notBefore: new Date(now - SKEW_MS),
      notAfter: new Date(now + CA_DAYS * DAY_MS),
      signingAlgorithm: P256,
      keys,
      extensions: [
        new x509.BasicConstraintsExtension(true, 0, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
        // Name constraints say nothing of e-mail or code signing; the purpose does.
        new x509.ExtendedKeyUsageExtension([SERVER_AUTH], false),
        new x509.Extension(NAME_CONSTRAINTS, true, nameConstraints(hosts)),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey, false, crypto),
      ],
    },
    crypto,
  )
  return { certificate: certificate.toString('pem'), key: await pkcs8(keys.privateKey) }
}

/** A server certificate with a key of its own. Does not outlive the authority. */
export async function issue(authority: Issued, hosts: readonly string[], now: number): Promise<Issued> {
  const issuer = new x509.X509Certificate(authority.certificate)
  const copy = Uint8Array.from(authority.key)
  const signingKey = await webcrypto.subtle.importKey('pkcs8', copy, P256, false, ['sign'])
  copy.fill(0)
  const keys = await newKeys()
  const certificate = await x509.X509CertificateGenerator.create(
    {
      serialNumber: serial(),
      subject: [{ CN: [hosts[0]!] }],
      issuer: issuer.subjectName,
      notBefore: new Date(now - SKEW_MS),
      notAfter: new Date(Math.min(now + SERVER_DAYS * DAY_MS - SKEW_MS, issuer.notAfter.getTime())),
      signingAlgorithm: P256,
      publicKey: keys.publicKey,
      signingKey,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([SERVER_AUTH], false),
        new x509.SubjectAlternativeNameExtension(asNames(hosts), false),
        await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey, false, crypto),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey, false, crypto),
      ],
    },
    crypto,
  )
  return { certificate: certificate.toString('pem'), key: await pkcs8(keys.privateKey) }
}
