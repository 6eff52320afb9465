import { isIP } from 'node:net'

const ALWAYS = ['localhost', '127.0.0.1', '::1']

/** The names and addresses a certificate of this origin is for, without doubles; this machine's own always among them. */
export function hostsOf(origin: string | null): string[] {
  const own = origin === null ? [] : [new URL(origin).hostname.replace(/^\[(.*)\]$/, '$1').toLowerCase()]
  return [...new Set([...own, ...ALWAYS])]
}

export interface HostName {
  type: 'dns' | 'ip'
  value: string
}

export function asNames(hosts: readonly string[]): HostName[] {
  return hosts.map((value) => ({ type: isIP(value) ? 'ip' : 'dns', value }))
}

/** The 4 or 16 bytes of an address. */
export function addressBytes(address: string): Buffer {
  if (isIP(address) === 4) return Buffer.from(address.split('.').map(Number))
  const [head = '', tail] = address.split('::')
  const groups = (text: string): number[] => (text === '' ? [] : text.split(':').map((g) => Number.parseInt(g, 16)))
  const [left, right] = [groups(head), tail === undefined ? [] : groups(tail)]
  const words = [...left, ...Array.from({ length: 8 - left.length - right.length }, () => 0), ...right]
  return Buffer.from(words.flatMap((w) => [w >> 8, w & 0xff]))
}

function tlv(tag: number, ...content: Uint8Array[]): Buffer {
  const body = Buffer.concat(content)
  const length = body.length < 128 ? [body.length] : body.length < 256 ? [0x81, body.length] : [0x82, body.length >> 8, body.length & 0xff]
  return Buffer.concat([Buffer.from([tag, ...length]), body])
}

/**
 * NameConstraints (RFC 5280 §4.2.1.10): permitted subtrees only. Both kinds are always present, because a kind that is not
 * mentioned would be unconstrained. A permitted DNS name permits its subdomains too; the standard knows no narrower word.
 */
export function nameConstraints(hosts: readonly string[]): Buffer {
  const subtrees = asNames(hosts).map(({ type, value }) => {
    if (type === 'dns') return tlv(0x30, tlv(0x82, Buffer.from(value, 'ascii')))
    const address = addressBytes(value)
    return tlv(0x30, tlv(0x87, address, Buffer.alloc(address.length, 0xff)))
  })
  return tlv(0x30, tlv(0xa0, ...subtrees))
}
