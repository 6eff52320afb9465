import 'reflect-metadata' // before x509, whose container needs it at import
import { webcrypto } from 'node:crypto'
import * as x509 from '@peculiar/x509'

x509.cryptoProvider.set(webcrypto as unknown as Crypto)
const P256 = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }

/** A throw-away CA and a server certificate for one name, as PEM. */
export async function makeServerCertificate(host: string): Promise<{ ca: string; cert: string; key: string }> {
  const [caKeys, keys] = [await newKeys(), await newKeys()]
  const notAfter = new Date(Date.now() + 3_600_000)
  const ca = await x509.X509CertificateGenerator.createSelfSigned({
    name: 'CN=Test CA', keys: caKeys, notBefore: new Date(Date.now() - 60_000), notAfter, signingAlgorithm: P256,
    extensions: [new x509.BasicConstraintsExtension(true, 0, true), new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true)],
  })
  const cert = await x509.X509CertificateGenerator.create({
    subject: `CN=${host}`, issuer: ca.subject, signingKey: caKeys.privateKey, publicKey: keys.publicKey, notBefore: new Date(Date.now() - 60_000), notAfter, signingAlgorithm: P256,
    extensions: [new x509.SubjectAlternativeNameExtension([{ type: 'dns', value: host }])],
  })
  const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey as never))
  return { ca: ca.toString('pem'), cert: cert.toString('pem'), key: `-----BEGIN PRIVATE KEY-----\n${pkcs8.toString('base64').replace(/(.{64})/g, '$1\n')}\n-----END PRIVATE KEY-----\n` }
}

async function newKeys(): Promise<webcrypto.CryptoKeyPair> {
  return (await webcrypto.subtle.generateKey(P256, true, ['sign', 'verify'])) as unknown as webcrypto.CryptoKeyPair
}
