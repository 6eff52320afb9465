import { createHash, X509Certificate } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls'
import { afterEach, expect, test } from 'vitest'
import { issue } from './certificates.ts'
import { addressBytes, hostsOf } from './names.ts'
import { checkServed, openTls, type Tls, type TlsOptions } from './index.ts'

const DAY_MS = 86_400_000
const homes: string[] = []
const servers: Server[] = []
afterEach(async () => {
  for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve))
  for (const home of homes.splice(0)) rmSync(home, { recursive: true })
})

// Stands for the vault: reversible, and told apart from the plain bytes.
const flip = (bytes: Uint8Array): Buffer => Buffer.from(bytes.map((b) => b ^ 0x5a))

function options(more: Partial<TlsOptions> = {}): TlsOptions & { told: string[] } {
  const home = more.home ?? mkdtempSync(join(tmpdir(), 'sealbook-tls-'))
  if (!more.home) homes.push(home)
  const told: string[] = []
  return { home, origin: 'https://crm.example:8443', seal: flip, open: flip, onIssued: (what, why) => told.push(`${what}: ${why}`), ...more, told }
}

async function serve(tls: Tls): Promise<number> {
  const server = createServer(tls.options(), (_, answer) => answer.end('ok'))
  servers.push(server)
  tls.keepFresh(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

/** A real handshake; resolves with the protocol and the group it agreed on, rejects as a client would. */
function dial(port: number, more: ConnectionOptions): Promise<{ protocol: string | null; group: string | undefined }> {
  return new Promise((resolve, reject) => {
    const socket: TLSSocket = connect({ host: '127.0.0.1', port, servername: 'localhost', ...more }, () => {
      resolve({ protocol: socket.getProtocol(), group: (socket.getEphemeralKeyInfo() as { name?: string } | null)?.name })
      socket.destroy()
    })
    socket.once('error', reject)
  })
}

const ca = (o: TlsOptions): Buffer => readFileSync(join(o.home, 'tls', 'ca.crt'))

test('makes an authority and a certificate that real clients accept, for exactly these names', async () => {
  const o = options()
  const tls = await openTls(o)
  const port = await serve(tls)
  for (const servername of ['localhost', 'crm.example']) await dial(port, { ca: ca(o), servername })
  await dial(port, { ca: ca(o), host: '127.0.0.1', servername: '' })
  await expect(dial(port, { ca: ca(o), servername: 'other.example' })).rejects.toMatchObject({ code: 'ERR_TLS_CERT_ALTNAME_INVALID' })
  await expect(dial(port, {})).rejects.toThrow()
  expect(o.told).toEqual(['authority: there was none', 'certificate: there was none'])
  expect(tls.caSha256.replaceAll(':', '')).toBe(createHash('sha256').update(new X509Certificate(ca(o)).raw).digest('hex'))
  const server = new X509Certificate(readFileSync(join(o.home, 'tls', 'server.crt')))
  expect(server.validToDate.getTime() - server.validFromDate.getTime()).toBeLessThanOrEqual(90 * DAY_MS)
  tls.close()
})

test('speaks TLS 1.3 with post-quantum key agreement, and nothing older', async () => {
  const o = options()
  const tls = await openTls(o)
  const port = await serve(tls)
  const group = async (ecdhCurve?: string): Promise<unknown> => {
    const { protocol, group: agreed } = await dial(port, { ca: ca(o), ...(ecdhCurve && { ecdhCurve }) })
    return [protocol, agreed]
  }
  expect((await group())).toEqual(['TLSv1.3', 'X25519MLKEM768'])
  expect((await group('X25519'))).toEqual(['TLSv1.3', 'X25519'])
  expect((await group('P-256'))).toEqual(['TLSv1.3', 'prime256v1'])
  await expect(dial(port, { ca: ca(o), ecdhCurve: 'P-384' })).rejects.toThrow()
  await expect(dial(port, { ca: ca(o), maxVersion: 'TLSv1.2' })).rejects.toThrow(/protocol version/)
  tls.close()
})

test('an authority that was stolen and opened cannot speak for another host, or make another authority', async () => {
  const o = options()
  const tls = await openTls(o)
  const authority = { certificate: ca(o).toString(), key: flip(readFileSync(join(o.home, 'tls', 'ca.key.sealed'))) }
  for (const [hosts, why] of [[['bank.example'], /permitted subtree/], [['8.8.8.8'], /permitted subtree/], [['localhost', 'bank.example'], /permitted subtree/], [['::2'], /permitted subtree/]] as const) {
    const forged = await issue(authority, hosts, Date.now())
    const server = createServer({ cert: forged.certificate, key: pem(forged.key) })
    servers.push(server)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const servername = hosts.includes('localhost' as never) ? 'localhost' : hosts[0] === 'bank.example' ? hosts[0] : ''
    await expect(dial((server.address() as AddressInfo).port, { ca: ca(o), servername, checkServerIdentity: () => undefined }), hosts.join()).rejects.toThrow(why)
  }
  const authorityCertificate = new X509Certificate(ca(o))
  expect(authorityCertificate.ca).toBe(true)
  tls.close()
})

const pem = (der: Buffer): string => `-----BEGIN PRIVATE KEY-----\n${der.toString('base64').replace(/(.{64})/g, '$1\n')}\n-----END PRIVATE KEY-----\n`

test('keeps its files closed and the authority’s key sealed', async () => {
  const o = options()
  ;(await openTls(o)).close()
  expect(readdirSync(join(o.home, 'tls')).sort()).toEqual(['ca.crt', 'ca.key.sealed', 'server.crt', 'server.key'])
  for (const name of readdirSync(join(o.home, 'tls'))) expect(statSync(join(o.home, 'tls', name)).mode & 0o777, name).toBe(0o600)
  expect(statSync(join(o.home, 'tls')).mode & 0o777).toBe(0o700)
  const key = flip(readFileSync(join(o.home, 'tls', 'ca.key.sealed')))
  for (const name of readdirSync(join(o.home, 'tls'))) expect(readFileSync(join(o.home, 'tls', name)).includes(key.subarray(-32))).toBe(false)
})

test('opens again without change', async () => {
  const o = options()
  ;(await openTls(o)).close()
  const before = readFileSync(join(o.home, 'tls', 'server.crt'))
  const again = options({ home: o.home })
  ;(await openTls(again)).close()
  expect(again.told).toEqual([])
  expect(readFileSync(join(o.home, 'tls', 'server.crt'))).toEqual(before)
})

test('renews at two thirds of the lifetime while serving, and old connections stay', async () => {
  let now = Date.now() - 61 * DAY_MS
  const o = options({ now: () => now })
  const tls = await openTls(o)
  const port = await serve(tls)
  const seen = async (): Promise<string> => {
    let raw = Buffer.alloc(0)
    await dial(port, { ca: ca(o), checkServerIdentity: (_, peer) => void (raw = peer.raw) })
    return raw.toString('hex')
  }
  const first = await seen()
  const open = connect({ host: '127.0.0.1', port, servername: 'localhost', ca: ca(o) })
  await new Promise((resolve) => open.once('secureConnect', resolve))
  now += 59 * DAY_MS
  expect(await tls.renewIfDue()).toBe(false)
  now += 2 * DAY_MS
  expect(await tls.renewIfDue()).toBe(true)
  const second = await seen()
  expect(second).not.toBe(first)
  open.write('GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n')
  expect(await new Promise<string>((resolve) => open.once('data', (d: Buffer) => resolve(d.toString())))).toContain('200 OK')
  expect(o.told.at(-1)).toBe('certificate: it was due')
  tls.close()
})

test('makes a new certificate when the old one is damaged, for other names, or its key is another’s', async () => {
  const o = options()
  ;(await openTls(o)).close()
  const path = (name: string): string => join(o.home, 'tls', name)
  const other = options()
  ;(await openTls(other)).close()
  const damages: [string, () => void][] = [
    ['certificate: there was none', () => writeFileSync(path('server.crt'), 'nonsense')],
    ['certificate: its key was missing', () => rmSync(path('server.key'))],
    ['certificate: its key did not match', () => writeFileSync(path('server.key'), readFileSync(join(other.home, 'tls', 'server.key')))],
    ['certificate: another authority had issued it', () => writeFileSync(path('server.crt'), readFileSync(join(other.home, 'tls', 'server.crt')))],
  ]
  for (const [why, damage] of damages) {
    damage()
    const again = options({ home: o.home })
    ;(await openTls(again)).close()
    expect(again.told).toEqual([why])
  }
})

test('another origin needs another authority, and says so', async () => {
  const o = options()
  ;(await openTls(o)).close()
  const moved = options({ home: o.home, origin: 'https://new.example' })
  const tls = await openTls(moved)
  expect(moved.told).toEqual(['authority: SEALBOOK_ORIGIN changed', 'certificate: another authority had issued it'])
  await dial(await serve(tls), { ca: ca(o), servername: 'new.example' })
  tls.close()
})

test('never replaces an authority whose key is missing, foreign or does not open', async () => {
  const o = options()
  ;(await openTls(o)).close()
  const key = join(o.home, 'tls', 'ca.key.sealed')
  const sealed = readFileSync(key)
  rmSync(join(o.home, 'tls', 'server.crt'))
  const other = options()
  ;(await openTls(other)).close()
  const before = ca(o)
  for (const damage of [() => writeFileSync(key, readFileSync(join(other.home, 'tls', 'ca.key.sealed'))), () => writeFileSync(key, sealed.subarray(9)), () => rmSync(key)]) {
    damage()
    await expect(openTls(options({ home: o.home }))).rejects.toMatchObject({ name: 'Refusal', code: 'tls-authority' })
  }
  writeFileSync(key, sealed)
  const shut = options({ home: o.home, open: () => { throw new Error('no key') } })
  await expect(openTls(shut)).rejects.toMatchObject({ code: 'tls-authority' })
  expect(ca(o)).toEqual(before)
})

test('what is served is judged by a connection', async () => {
  let now = Date.now()
  const o = options({ origin: null, now: () => now })
  const tls = await openTls(o)
  const port = await serve(tls)
  const url = `https://localhost:${port}`
  const codes = async (more: { url?: string; now?: number } = {}): Promise<string[]> => (await checkServed({ home: o.home, url, ...more })).map((f) => f.code)
  expect(await codes()).toEqual([])
  expect(await codes({ now: now + 80 * DAY_MS })).toEqual(['certificate-expiring'])
  expect(await codes({ now: now + 91 * DAY_MS })).toEqual(['certificate-expired'])
  expect(await codes({ url: 'https://127.0.0.2:1' })).toEqual(['tls-not-served'])
  expect(await codes({ url: `https://127.0.0.1:${port}` })).toEqual([])
  now += 70 * DAY_MS
  const later = options({ home: o.home, origin: null, now: () => now })
  ;(await openTls(later)).close()
  expect(await codes()).toEqual(['certificate-stale'])
  const other = options()
  ;(await openTls(other)).close()
  writeFileSync(join(o.home, 'tls', 'ca.crt'), ca(other))
  expect(await codes()).toEqual(['certificate-foreign'])
  tls.close()
})

test('addresses and names', () => {
  expect(hostsOf('https://CRM.Example:8443')).toEqual(['crm.example', 'localhost', '127.0.0.1', '::1'])
  expect(hostsOf('https://[2001:db8::5]:8443')[0]).toBe('2001:db8::5')
  expect(hostsOf('https://localhost')).toEqual(['localhost', '127.0.0.1', '::1'])
  expect(addressBytes('2001:db8::5').toString('hex')).toBe('20010db8000000000000000000000005')
  expect(addressBytes('::1').toString('hex')).toBe('0'.repeat(31) + '1')
  expect(addressBytes('192.168.1.9')).toEqual(Buffer.from([192, 168, 1, 9]))
})
